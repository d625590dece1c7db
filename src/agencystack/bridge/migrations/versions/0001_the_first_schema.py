"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this step."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("link", sa.String(length=32), nullable=True),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("record", sa.String(length=190), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_pairing_at"), ["pairing", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_pairing_link_id"), ["pairing", "link", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_audit_pairing_side_record_id"), ["pairing", "side", "record", "id"], unique=False
        )

    op.create_table(
        "base",
        sa.Column("link", sa.String(length=32), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("link", name=op.f("pk_base")),
    )
    op.create_table(
        "brake",
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pairing", "entity", name=op.f("pk_brake")),
    )
    op.create_table(
        "breaker",
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pairing", "side", name=op.f("pk_breaker")),
    )
    op.create_table(
        "conflict",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("field", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("link", sa.String(length=32), nullable=True),
        sa.Column("wordpress_id", sa.String(length=190), nullable=False),
        sa.Column("erpnext_id", sa.String(length=190), nullable=False),
        sa.Column("wordpress_value", sa.Text(), nullable=False),
        sa.Column("erpnext_value", sa.Text(), nullable=False),
        sa.Column("candidates", sa.Text(), nullable=False),
        sa.Column("seen", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict")),
        sa.UniqueConstraint("pairing", "subject", "field", name=op.f("uq_conflict_pairing_subject_field")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("conflict", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_conflict_link"), ["link"], unique=False)
        batch_op.create_index(batch_op.f("ix_conflict_pairing_state_id"), ["pairing", "state", "id"], unique=False)

    op.create_table(
        "cursor",
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=128), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pairing", "stream", name=op.f("pk_cursor")),
    )
    op.create_table(
        "dead",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("wordpress_id", sa.String(length=190), nullable=False),
        sa.Column("erpnext_id", sa.String(length=190), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("tried", sa.String(length=32), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead")),
        sa.UniqueConstraint("pairing", "subject", "side", name=op.f("uq_dead_pairing_subject_side")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("dead", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dead_pairing_id"), ["pairing", "id"], unique=False)

    op.create_table(
        "fence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fence")),
    )
    op.create_table(
        "inbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("record", sa.String(length=190), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("waits_for", sa.String(length=300), nullable=True),
        sa.Column("claimed_by", sa.String(length=128), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox")),
        sa.UniqueConstraint("pairing", "side", "entity", "record", name=op.f("uq_inbox_pairing_side_entity_record")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_inbox_pairing_not_before_seq"), ["pairing", "not_before", "seq"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_inbox_pairing_waits_for"), ["pairing", "waits_for"], unique=False)
        batch_op.create_index(
            "ix_inbox_claimed",
            ["pairing", "claimed_until"],
            unique=False,
            sqlite_where=sa.text("claimed_until > 0"),
            postgresql_where=sa.text("claimed_until > 0"),
        )

    op.create_table(
        "lease",
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pairing", "key", name=op.f("pk_lease")),
    )
    op.create_table(
        "link",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("wordpress_id", sa.String(length=190), nullable=True),
        sa.Column("erpnext_id", sa.String(length=190), nullable=True),
        sa.Column("wordpress_created", sa.Text(), nullable=False),
        sa.Column("erpnext_created", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint("pairing", "entity", "erpnext_id", name=op.f("uq_link_pairing_entity_erpnext_id")),
        sa.UniqueConstraint("pairing", "entity", "wordpress_id", name=op.f("uq_link_pairing_entity_wordpress_id")),
        sa.UniqueConstraint("token", name=op.f("uq_link_token")),
    )
    op.create_table(
        "mark",
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("mark", sa.String(length=190), nullable=False),
        sa.PrimaryKeyConstraint("pairing", "side", "mark", name=op.f("pk_mark")),
    )
    op.create_table(
        "observation",
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("record", sa.String(length=190), nullable=False),
        sa.Column("presence", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column(
            "position",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("row", sa.String(length=32), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pairing", "side", "entity", "record", name=op.f("pk_observation")),
    )
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_observation_pairing_side_entity_position_record"),
            ["pairing", "side", "entity", "position", "record"],
            unique=False,
        )

    op.create_table(
        "operation",
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("pairing", sa.String(length=64), nullable=False),
        sa.Column("link", sa.String(length=32), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("record", sa.String(length=190), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("across", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_operation")),
        sa.UniqueConstraint("link", "side", name=op.f("uq_operation_link_side")),
    )
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_operation_pairing_side_record"), ["pairing", "side", "record"], unique=False
        )

    op.create_table(
        "pairing",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("wordpress_url", sa.Text(), nullable=False),
        sa.Column("wordpress_instance", sa.Text(), nullable=False),
        sa.Column("wordpress_epoch", sa.BigInteger(), nullable=True),
        sa.Column("erpnext_url", sa.Text(), nullable=False),
        sa.Column("erpnext_instance", sa.Text(), nullable=False),
        sa.Column("erpnext_epoch", sa.BigInteger(), nullable=True),
        sa.Column("sharing", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairing")),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
    )
