"""The keys of subjects, the subjects that were forgotten, and how far that is carried out."""

import sqlalchemy as sa
from alembic import op

revision = "keys_0001"
down_revision = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "subject_key",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("retention", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("secret", sa.LargeBinary(32), nullable=False),
        sa.UniqueConstraint("subject", "retention", "day"),
    )
    op.create_index("ix_subject_key_retention_day", "subject_key", ["retention", "day"])
    op.create_table("forgotten", sa.Column("subject", sa.String(64), primary_key=True))
    op.create_table(
        "settlement",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("size", number, nullable=False),
        sa.Column("deleted", number, nullable=False),
        sa.Column("rewritten", number, nullable=False),
        sa.Column("copies_until", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27)),
    )
    op.execute(
        "INSERT INTO settlement (id, size, deleted, rewritten, copies_until) "
        "VALUES (1, 0, 0, 0, '')"
    )
