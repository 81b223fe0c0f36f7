"""Who left a ticket in the queue, so that PostgreSQL can show each writer its own alone."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("queue", sa.Column("writer", sa.String(63)))
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE queue ALTER COLUMN writer SET DEFAULT current_user")
