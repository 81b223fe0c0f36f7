"""Jobs: work that is answered later or at most once. Not append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), unique=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("request", sa.LargeBinary),
        sa.Column("answer_status", sa.SmallInteger),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("begun", sa.SmallInteger, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("lease_until", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False, index=True),
    )
    op.create_index("ix_job_status_created_at", "job", ["status", "created_at"])
