"""The queue in which writers without the key leave what is to be appended. Not append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "queue",
        sa.Column(
            "ticket",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.Identity(),
            primary_key=True,
        ),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
