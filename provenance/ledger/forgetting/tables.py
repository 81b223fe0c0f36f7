"""The tables of the store of subjects' keys, as queries use them. ``migrations`` creates them.

Rows of ``subject_key`` are there to be destroyed; nothing here is append-only.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

_PSEUDONYM = String(64)
_TIME = String(27)  # event.format_time
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

subject_key = Table(
    "subject_key",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", _PSEUDONYM, nullable=False),
    Column("retention", String(64), nullable=False),  # class of the plan
    Column("day", String(10), nullable=False),  # UTC, ISO 8601, on which it was made
    Column("secret", LargeBinary(32), nullable=False),
    UniqueConstraint("subject", "retention", "day"),
    Index("ix_subject_key_retention_day", "retention", "day"),
)

# Subjects for whom no key is ever made again.
forgotten = Table("forgotten", metadata, Column("subject", _PSEUDONYM, primary_key=True))

# One row: the withdrawals among the first ``size`` entries of the ledger are carried out here.
# ``deleted`` counts keys that were ever deleted, ``rewritten`` says how many of them were deleted
# before the file was last rewritten; where the two differ, a trace may be left. ``copies_until``:
# when the last copy of this store expires, empty before the first. ``expires_at``: only in a copy.
settlement = Table(
    "settlement",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", _NUMBER, nullable=False),
    Column("deleted", _NUMBER, nullable=False),
    Column("rewritten", _NUMBER, nullable=False),
    Column("copies_until", _TIME, nullable=False),
    Column("expires_at", _TIME),
)
