"""Run by Alembic for each command. ``migrations.upgrade`` hands over an open transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # on SQLite too: see upgrade, which owns the transaction
    transaction_per_migration=False,
)
context.run_migrations()
