"""In how small a batch a record is looked at again that was in one which failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this step."""
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("company", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Take this step back."""
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_column("company")
