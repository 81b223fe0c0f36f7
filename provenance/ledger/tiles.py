"""The hashes of the tree as the database holds them."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from provenance.errors import LedgerCorrupt
from provenance.ledger import tables
from provenance.ledger.merkle import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile


class StoredTiles:
    """Reads the tiles of the tree of ``size`` leaves; a ``HashReader``.

    Full tiles are rows. A partial tile is put together from what lies below it: leaf hashes of
    events at level 0, roots of full tiles above.
    """

    def __init__(self, connection: Connection, size: int) -> None:
        self._connection = connection
        self._size = size
        self._read: dict[tuple[int, int], Sequence[bytes]] = {}

    def hashes(self, level: int, tile: int) -> Sequence[bytes]:
        """All hashes of one tile. Raises ``LedgerCorrupt`` when any is missing."""
        found = self._read.get((level, tile))
        if found is None:
            found = self._read[level, tile] = self._fetch(level, tile)
        return found

    def _fetch(self, level: int, tile: int) -> Sequence[bytes]:
        start = tile * TILE_WIDTH
        width = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - start)
        tiles, events = tables.tile.c, tables.event.c
        if width == TILE_WIDTH:
            row = self._connection.execute(
                select(tiles.hashes).where(tiles.level == level, tiles.position == tile)
            ).scalar()
            hashes = split_hashes(row or b"")
        elif level == 0:
            query = select(events.leaf_hash).where(events.seq >= start, events.seq < start + width)
            hashes = list(self._connection.execute(query.order_by(events.seq)).scalars())
        else:
            query = select(tiles.root).where(
                tiles.level == level - 1, tiles.position >= start, tiles.position < start + width
            )
            hashes = list(self._connection.execute(query.order_by(tiles.position)).scalars())
        if len(hashes) != width:
            raise LedgerCorrupt(
                f"Tile {tile} of level {level} has {len(hashes)} of {width} hashes. "
                "Run: wardmark ledger verify"
            )
        return hashes


def split_hashes(row: bytes) -> list[bytes]:
    """A tile's bytes as its hashes."""
    return [row[i : i + HASH_BYTES] for i in range(0, len(row), HASH_BYTES)]


def tile_row(tile: Tile) -> tuple[int, int, bytes, bytes]:
    """A full tile as a row of the table."""
    return tile.level, tile.position, tile.root, b"".join(tile.hashes)
