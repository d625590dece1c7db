"""Runs migrations on the connection the store gives; nothing is configured by files."""

from __future__ import annotations

from alembic import context

from agencystack.bridge.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
