"""The tables of the ledger, as queries use them. ``migrations`` alone creates them.

``event``, ``tile``, ``checkpoint`` and ``cosignature`` only grow; triggers of the database deny
anything else.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()

# SQLite stores rows in the order of an INTEGER key; PostgreSQL needs 64 bits said.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
_TIME = String(27)  # event.format_time: fixed width, UTC
_SHA256_HEX = String(64)

event = Table(
    "event",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=False),  # dense, from 0
    Column("id", String(128), nullable=False, unique=True),
    Column("kind", String(64), nullable=False, index=True),
    Column("at", _TIME, nullable=False),
    Column("version", SmallInteger, nullable=False),  # format of the leaf
    Column("body", Text, nullable=False),  # canonical JSON, byte for byte
    Column("leaf_hash", LargeBinary(32), nullable=False),
)

tile = Table(
    "tile",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", _SEQUENCE, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("hashes", LargeBinary(8192), nullable=False),  # 256 hashes: only full tiles stand here
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", _SEQUENCE, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
)

cosignature = Table(
    "cosignature",
    metadata,
    Column("size", _SEQUENCE, ForeignKey("checkpoint.size"), primary_key=True, autoincrement=False),
    Column("witness", String(512), primary_key=True),  # its verifier key, name+hash+base64
    Column("time", _SEQUENCE, primary_key=True, autoincrement=False),  # POSIX seconds
    Column("signature", LargeBinary(64), nullable=False),
)

queue = Table(  # of PostgreSQL, where tickets come and go: see queue.py
    "queue",
    metadata,
    Column("ticket", _SEQUENCE, Identity(), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("writer", String(63)),  # the role that left it, which the server fills in
)

record = Table(
    "record",
    metadata,
    Column("seq", _SEQUENCE, ForeignKey("event.seq"), primary_key=True, autoincrement=False),
    Column("content_id", String(16), nullable=False, unique=True),
    Column("decision_id", String(128), nullable=False, index=True),
    Column("created_at", _TIME, nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("sha256", _SHA256_HEX, nullable=False, index=True),
    Column("pdq", _SHA256_HEX, nullable=False),  # 256 bits too
    Column("pdq_quality", SmallInteger, nullable=False),
    Column("watermark_scheme", String(64), nullable=False),
    Column("core", String(128), nullable=False),
    Column("core_digest", String(128), nullable=False),
    Column("policy_name", String(128), nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("policy_digest", String(128), nullable=False),
    Column("credential", LargeBinary, nullable=False),
)
