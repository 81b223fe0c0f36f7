"""The tables of what is held for review and of what was ruled on, as queries use them.

``migrations`` alone creates them. They share the ledger's database and are not append-only: a row
goes with the ruling, or when its time is over. What was asked and drawn stands in it sealed.
"""

from sqlalchemy import Column, LargeBinary, MetaData, SmallInteger, String, Table

metadata = MetaData()

_TIME = String(27)  # provenance.ledger.event.format_time

held = Table(
    "held",
    metadata,
    Column("decision_id", String(20), primary_key=True),
    # counts from 0; -1: the request, of which nothing was drawn
    Column("picture", SmallInteger, primary_key=True, autoincrement=False),
    Column("tenant", String(64)),  # a commitment
    Column("kept_at", _TIME, nullable=False, index=True),
    Column("expires_at", _TIME, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("key", String(32), nullable=False),  # of the store of subjects' keys
    Column("sealed", LargeBinary, nullable=False),
    Column("busy_until", _TIME),  # somebody is ruling on it
)

ruled = Table(
    "ruled",
    metadata,
    Column("decision_id", String(20), primary_key=True),
    Column("picture", SmallInteger, primary_key=True, autoincrement=False),
    Column("ruled_at", _TIME, nullable=False, index=True),
    Column("expires_at", _TIME, nullable=False, index=True),
    Column("key", String(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
