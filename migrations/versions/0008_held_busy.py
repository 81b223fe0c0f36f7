"""Who rules on what is held has it alone for a while; who dies over it does not keep it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("held", sa.Column("busy_until", sa.String(27)))
