"""Pictures that a person ruled on, sealed, as labelled data. Not append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "ruled",
        sa.Column("decision_id", sa.String(20), primary_key=True),
        sa.Column("picture", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("ruled_at", sa.String(27), nullable=False, index=True),
        sa.Column("expires_at", sa.String(27), nullable=False, index=True),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
