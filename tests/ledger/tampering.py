# ruff: noqa: S608 - the statements are our own, and doing harm is their point
"""A database administrator who does not care about triggers."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine

from provenance.ledger.event import leaf
from provenance.ledger.merkle import Frontier, leaf_hash
from provenance.ledger.tiles import tile_row

TABLES = ("event", "tile", "checkpoint", "cosignature", "record")


@contextmanager
def behind_our_back(url: str) -> Iterator[Connection]:
    """A connection with the append-only triggers taken away, committed at the end."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                rows = connection.exec_driver_sql(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                )
                for name in rows.scalars().all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
            else:
                for table in TABLES:
                    connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            yield connection
    finally:
        engine.dispose()


def shift(connection: Connection, first: int, by: int) -> None:
    """Renumber all entries from ``first`` on."""
    connection.exec_driver_sql(f"UPDATE event SET seq = -seq - 1 WHERE seq >= {first}")
    connection.exec_driver_sql(f"UPDATE event SET seq = -seq - 1 + {by} WHERE seq < 0")


def swap(connection: Connection, one: int, two: int) -> None:
    """Let two entries stand in each other's place."""
    connection.exec_driver_sql(f"UPDATE event SET seq = -1 WHERE seq = {one}")
    connection.exec_driver_sql(f"UPDATE event SET seq = {one} WHERE seq = {two}")
    connection.exec_driver_sql(f"UPDATE event SET seq = {two} WHERE seq = -1")


def forge(connection: Connection, seq: int, body: str) -> None:
    """Change a body and the leaf hash beside it."""
    row = connection.exec_driver_sql(
        f"SELECT at, id, kind, version FROM event WHERE seq = {seq}"
    ).one()
    digest = leaf_hash(leaf(row.at, body, row.id, row.kind, row.version)).hex()
    set_blob(connection, "event", "leaf_hash", digest, f"seq = {seq}")
    connection.exec_driver_sql(f"UPDATE event SET body = '{body}' WHERE seq = {seq}")


def forge_tree(connection: Connection) -> None:
    """Make all leaf hashes and tiles anew from the rows as they are; only the key is missing."""
    rows = connection.exec_driver_sql(
        "SELECT seq, at, body, id, kind, version FROM event ORDER BY seq"
    ).all()
    digests = [leaf_hash(leaf(r.at, r.body, r.id, r.kind, r.version)) for r in rows]
    for row, digest in zip(rows, digests, strict=True):
        set_blob(connection, "event", "leaf_hash", digest.hex(), f"seq = {row.seq}")
    for tile in Frontier().extend(digests):
        level, position, root, hashes = tile_row(tile)
        where = f"level = {level} AND position = {position}"
        set_blob(connection, "tile", "root", root.hex(), where)
        set_blob(connection, "tile", "hashes", hashes.hex(), where)


def set_blob(connection: Connection, table: str, column: str, digits: str, where: str) -> None:
    """Write hex digits as bytes, in the words of the database."""
    sqlite = connection.dialect.name == "sqlite"
    value = f"X'{digits}'" if sqlite else f"decode('{digits}', 'hex')"
    connection.exec_driver_sql(f"UPDATE {table} SET {column} = {value} WHERE {where}")


def insert_row(connection: Connection, seq: int, body: str = "{}") -> None:
    """Put in an entry that was never signed, with a leaf hash that fits it."""
    at, event_id, kind = "2026-01-01T00:00:00.000000Z", f"inserted-{seq}", "test"
    digest = leaf_hash(leaf(at, body, event_id, kind, 1)).hex()
    sqlite = connection.dialect.name == "sqlite"
    value = f"X'{digest}'" if sqlite else f"decode('{digest}', 'hex')"
    connection.exec_driver_sql(
        "INSERT INTO event (seq, id, kind, at, version, body, leaf_hash) "
        f"VALUES ({seq}, '{event_id}', '{kind}', '{at}', 1, '{body}', {value})"
    )


def changed_note(note: str) -> str:
    """A note with one bit of its signature turned."""
    head, _, encoded = note.rstrip("\n").rpartition(" ")
    blob = bytearray(base64.b64decode(encoded))
    blob[-1] ^= 1
    return f"{head} {base64.b64encode(bytes(blob)).decode()}\n"
