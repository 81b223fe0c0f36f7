"""The table of jobs, as queries use it. ``migrations`` alone creates it.

It shares the ledger's database and is not append-only: a row goes when its time is over. Times are
seconds since 1970, by the clock of the database.
"""

from sqlalchemy import Column, Double, Index, LargeBinary, MetaData, SmallInteger, String, Table

metadata = MetaData()

_HEX = String(64)

job = Table(
    "job",
    metadata,
    Column("id", String(36), primary_key=True),  # job_ and 32 hexadecimal digits
    Column("subject", String(128), nullable=False),  # whose it is: Identity.subject
    Column("status", String(16), nullable=False),
    Column("name", _HEX, unique=True),  # HMAC of an idempotency key, and of whose it is
    Column("digest", _HEX, nullable=False),  # HMAC of what is asked
    Column("request", LargeBinary),  # sealed; gone when it is done
    Column("answer_status", SmallInteger),  # of HTTP
    Column("answer", LargeBinary),  # sealed
    Column("begun", SmallInteger, nullable=False),  # how often
    Column("worker", String(64)),  # the process that draws it
    Column("lease_until", Double),  # until when nobody else takes it
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Index("ix_job_status_created_at", "status", "created_at"),
)
