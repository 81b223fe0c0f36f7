"""Cosignatures of witnesses on checkpoints, append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "cosignature",
        sa.Column(
            "size",
            sequence,
            sa.ForeignKey("checkpoint.size"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("witness", sa.String(512), primary_key=True),
        sa.Column("time", sequence, primary_key=True, autoincrement=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
    )
    if op.get_bind().dialect.name != "sqlite":
        for event, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER cosignature_no_{event.split()[0].lower()} BEFORE {event} "
                f"ON cosignature FOR EACH {each} EXECUTE FUNCTION ledger_deny()"
            )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER cosignature_no_{change.lower()} BEFORE {change} ON cosignature "
            "BEGIN SELECT RAISE(ABORT, 'cosignature is append-only'); END"
        )
    # INSERT OR REPLACE removes the old row without firing the trigger on DELETE.
    op.execute(
        "CREATE TRIGGER cosignature_no_replace BEFORE INSERT ON cosignature WHEN EXISTS "
        "(SELECT 1 FROM cosignature WHERE size = NEW.size AND witness = NEW.witness "
        "AND time = NEW.time) BEGIN SELECT RAISE(ABORT, 'cosignature is append-only'); END"
    )
