"""The tables of callers, as queries use them. ``migrations`` alone creates them.

They share the ledger's database and are not append-only: a key is rotated and revoked in its row,
and what happened to it stands in the ledger.
"""

from sqlalchemy import Boolean, Column, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

_TIME = String(27)  # provenance.ledger.event.format_time

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(16), primary_key=True),  # hexadecimal
    Column("mac", LargeBinary(32), nullable=False),  # of the secret, which is kept nowhere
    Column("previous_mac", LargeBinary(32)),  # of the secret before, good until previous_until
    Column("previous_until", _TIME),
    Column("label", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("tenant", String(128)),
    Column("scopes", String(256), nullable=False),  # separated by spaces
    Column("region", String(2)),
    Column("age_verified", Boolean),
    Column("requests_per_minute", Integer),
    Column("pictures_per_day", Integer),
    Column("created_at", _TIME, nullable=False),
    Column("expires_at", _TIME),
    Column("revoked_at", _TIME),
    Column("last_used", String(10)),  # the day (UTC), no finer
)
