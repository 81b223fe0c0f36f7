"""The ledger: events, tiles, checkpoints and records, append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SAME_ROW = {  # for each append-only table, when a new row would take the place of an old one
    "event": "seq = NEW.seq OR id = NEW.id",
    "tile": "level = NEW.level AND position = NEW.position",
    "checkpoint": "size = NEW.size",
    "record": "seq = NEW.seq OR content_id = NEW.content_id",
}


def upgrade() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "event",
        sa.Column("seq", sequence, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(128), nullable=False, unique=True),
        sa.Column("kind", sa.String(64), nullable=False, index=True),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("version", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "tile",
        sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sequence, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("hashes", sa.LargeBinary(8192), nullable=False),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sequence, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "record",
        sa.Column(
            "seq", sequence, sa.ForeignKey("event.seq"), primary_key=True, autoincrement=False
        ),
        sa.Column("content_id", sa.String(16), nullable=False, unique=True),
        sa.Column("decision_id", sa.String(128), nullable=False, index=True),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("pdq", sa.String(64), nullable=False),
        sa.Column("pdq_quality", sa.SmallInteger, nullable=False),
        sa.Column("watermark_scheme", sa.String(64), nullable=False),
        sa.Column("core", sa.String(128), nullable=False),
        sa.Column("core_digest", sa.String(128), nullable=False),
        sa.Column("policy_name", sa.String(128), nullable=False),
        sa.Column("policy_version", sa.String(64), nullable=False),
        sa.Column("policy_digest", sa.String(128), nullable=False),
        sa.Column("credential", sa.LargeBinary, nullable=False),
    )
    deny = _deny_on_sqlite if op.get_bind().dialect.name == "sqlite" else _deny_on_postgresql
    for table in SAME_ROW:
        deny(table)


def _deny_on_sqlite(table: str) -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    # INSERT OR REPLACE removes the old row without firing the trigger on DELETE.
    occupied = f"SELECT 1 FROM {table} WHERE {SAME_ROW[table]}"  # noqa: S608 - our own names
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({occupied}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _deny_on_postgresql(table: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION ledger_deny() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION ledger_deny()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_deny()"
    )
