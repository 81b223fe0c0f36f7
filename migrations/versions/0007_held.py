"""What is held for review, sealed until a person rules on it. Not append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "held",
        sa.Column("decision_id", sa.String(20), primary_key=True),
        sa.Column("picture", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("tenant", sa.String(64)),
        sa.Column("kept_at", sa.String(27), nullable=False, index=True),
        sa.Column("expires_at", sa.String(27), nullable=False, index=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
