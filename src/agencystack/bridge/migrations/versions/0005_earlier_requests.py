"""What a creation was asked with before it was asked for again with something else."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this step."""
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("earlier", sa.Text(), server_default="[]", nullable=False))


def downgrade() -> None:
    """Take this step back."""
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.drop_column("earlier")
