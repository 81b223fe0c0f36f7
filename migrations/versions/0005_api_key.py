"""API keys of callers: what they are for, and a keyed hash of their secret. Not append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("mac", sa.LargeBinary(32), nullable=False),
        sa.Column("previous_mac", sa.LargeBinary(32)),
        sa.Column("previous_until", sa.String(27)),
        sa.Column("label", sa.String(128), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(128)),
        sa.Column("scopes", sa.String(256), nullable=False),
        sa.Column("region", sa.String(2)),
        sa.Column("age_verified", sa.Boolean),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("pictures_per_day", sa.Integer),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27)),
        sa.Column("revoked_at", sa.String(27)),
        sa.Column("last_used", sa.String(10)),
    )
