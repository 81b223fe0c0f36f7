"""The Merkle tree of RFC 6962 in the tiles of C2SP tlog-tiles: arithmetic, no database, no key.

A tree of ``size`` leaves is cut into tiles of up to 256 hashes. Level 0 holds leaf hashes; the
i-th hash of level l is the root of the 256**l leaves from i * 256**l on. Only full tiles are kept;
a ``HashReader`` supplies the rightmost, partial tile of each level from what lies below it.
All hashes are 32 bytes (SHA-256).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple, Protocol

from provenance.errors import ProofInvalid

HASH_BYTES = 32
TILE_HEIGHT = 8  # levels of the tree in one tile, tlog-tiles
TILE_WIDTH = 1 << TILE_HEIGHT  # hashes in a full tile
_PORTION = 16 * TILE_WIDTH  # leaf hashes that are held at once
EMPTY_ROOT = sha256(b"").digest()  # RFC 6962 section 2.1


class Tile(NamedTuple):
    """A full tile. ``position`` counts tiles within ``level``; ``root`` is over ``hashes``."""

    level: int
    position: int
    root: bytes
    hashes: tuple[bytes, ...]


class HashReader(Protocol):
    """Supplies the hashes of one tile of a tree of known size."""

    def hashes(self, level: int, tile: int) -> Sequence[bytes]:
        """All hashes of that tile which the tree has, 1 to 256 of them."""
        ...


class ListedLeaves:
    """The tiles of a small tree whose leaf hashes are all in memory; a ``HashReader``."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self._levels: list[Sequence[bytes]] = [leaf_hashes]

    def hashes(self, level: int, tile: int) -> Sequence[bytes]:
        """All hashes of that tile which the tree has."""
        while len(self._levels) <= level:
            below = self._levels[-1]
            full = range(0, len(below) // TILE_WIDTH * TILE_WIDTH, TILE_WIDTH)
            self._levels.append([root_of(below[i : i + TILE_WIDTH]) for i in full])
        return self._levels[level][tile * TILE_WIDTH : (tile + 1) * TILE_WIDTH]


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of one entry (RFC 6962 section 2.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962 section 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Root of the tree over ``hashes``, which are leaf hashes or roots of equal, full subtrees."""
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        odd = row[len(row) & ~1 :]  # a last node without a partner goes up unchanged
        # node_hash, written out: this loop is most of the work on a tree
        pairs = zip(row[::2], row[1::2], strict=False)
        row = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return row[0]


class Frontier:
    """The right edge of a growing tree: what is needed to append leaves and to know the root.

    It holds the roots of the full subtrees that make up the tree (one for each 1 bit of ``size``,
    largest first) and, for each tile level, the hashes of the tile that is not full yet.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        self._partial: list[list[bytes]] = [[]]

    @classmethod
    def load(cls, reader: HashReader, size: int) -> "Frontier":
        """The frontier of a stored tree of ``size`` leaves."""
        frontier = cls()
        frontier.size = size
        frontier._partial = []
        level, width = 0, size
        while width or level == 0:
            tile, filled = divmod(width, TILE_WIDTH)
            hashes = list(reader.hashes(level, tile)) if filled else []
            frontier._partial.append(hashes)
            peaks = []
            start = 0
            for height in reversed(range(TILE_HEIGHT)):
                if filled >> height & 1:
                    peaks.append(root_of(hashes[start : start + (1 << height)]))
                    start += 1 << height
            frontier._peaks = peaks + frontier._peaks
            level, width = level + 1, width >> TILE_HEIGHT
        return frontier

    def copy(self) -> "Frontier":
        """An independent frontier, so that appending can be given up without a trace."""
        other = Frontier()
        other.size = self.size
        other._peaks = self._peaks.copy()
        other._partial = [hashes.copy() for hashes in self._partial]
        return other

    def extend(self, leaf_hashes: Sequence[bytes]) -> list[Tile]:
        """Append leaves; returns the tiles that became full, in the order in which they did."""
        tiles: list[Tile] = []
        start, end = 0, len(leaf_hashes)
        while start < end:
            if not self._partial[0] and end - start >= TILE_WIDTH:
                # A whole tile at once, which is quicker than leaf by leaf.
                whole = leaf_hashes[start : start + TILE_WIDTH]
                self._partial[0] = list(whole)
                self._climb(root_of(whole), TILE_HEIGHT, tiles)
                start += TILE_WIDTH
            else:
                self._partial[0].append(leaf_hashes[start])
                self._climb(leaf_hashes[start], 0, tiles)
                start += 1
        return tiles

    def _climb(self, node: bytes, height: int, tiles: list[Tile]) -> None:
        """Append the root of the next 2**``height`` leaves, which join what stands beside them."""
        bits = self.size >> height
        self.size += 1 << height
        if height:
            tiles.append(self._full_tile(0, bits, node))
        while bits & 1:
            node = node_hash(self._peaks.pop(), node)
            height, bits = height + 1, bits >> 1
            if height % TILE_HEIGHT == 0:
                tiles.append(self._full_tile(height // TILE_HEIGHT - 1, bits, node))
        self._peaks.append(node)

    def _full_tile(self, level: int, position: int, root: bytes) -> Tile:
        tile = Tile(level, position, root, tuple(self._partial[level]))
        self._partial[level] = []
        if level + 1 == len(self._partial):
            self._partial.append([])
        self._partial[level + 1].append(root)
        return tile

    def root(self) -> bytes:
        """Root of the tree as it stands."""
        if not self._peaks:
            return EMPTY_ROOT
        *left, root = self._peaks
        for peak in reversed(left):
            root = node_hash(peak, root)
        return root


def subtree_root(reader: HashReader, start: int, end: int) -> bytes:
    """Root over the leaves ``start`` to ``end - 1``, a range that RFC 6962's recursion visits."""
    width = end - start
    if width & (width - 1) or start % width:
        middle = start + _split(width)
        return node_hash(subtree_root(reader, start, middle), subtree_root(reader, middle, end))
    level, rest = divmod(width.bit_length() - 1, TILE_HEIGHT)
    tile, offset = divmod(start >> (TILE_HEIGHT * level), TILE_WIDTH)
    return root_of(reader.hashes(level, tile)[offset : offset + (1 << rest)])


def inclusion_path(reader: HashReader, index: int, size: int) -> list[bytes]:
    """Audit path of leaf ``index`` in the tree of ``size`` leaves (RFC 6962 section 2.1.1).

    From the leaf's sibling up to the child of the root; ``0 <= index < size``.
    """
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree_root(reader, middle, end))
            end = middle
        else:
            path.append(subtree_root(reader, start, middle))
            start = middle
    return path[::-1]


def consistency_path(reader: HashReader, old: int, new: int) -> list[bytes]:
    """Proof that the first ``old`` leaves of ``new`` are unchanged (RFC 6962 section 2.1.2).

    ``0 <= old <= new``; empty when ``old`` is 0 or equal to ``new``, where nothing needs proof.
    """
    path: list[bytes] = []
    if old in (0, new):
        return path
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree_root(reader, middle, end))
            end = middle
        else:
            path.append(subtree_root(reader, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(subtree_root(reader, start, end))
    return path[::-1]


def range_path(reader: HashReader, first: int, end: int, size: int) -> list[bytes]:
    """What is needed beside the leaves ``first`` to ``end - 1`` to know the root of all ``size``.

    Roots of the largest subtrees that lie outside of the range, from left to right;
    ``0 <= first < end <= size``.
    """
    path: list[bytes] = []

    def walk(start: int, stop: int) -> None:
        if stop <= first or start >= end:
            path.append(subtree_root(reader, start, stop))
        elif start < first or stop > end:
            middle = start + _split(stop - start)
            walk(start, middle)
            walk(middle, stop)

    walk(0, size)
    return path


def root_from_range(
    leaf_hashes: Iterable[bytes], first: int, end: int, size: int, path: Sequence[bytes]
) -> bytes:
    """The root to which ``path`` (``range_path``) leads from the leaves ``first`` to ``end - 1``.

    Takes the leaf hashes one after the other and keeps few of them. Raises ``ProofInvalid`` when
    there are too few or too many of them, or of the path.
    """
    if not 0 <= first < end <= size:
        raise ProofInvalid(f"There is no range from {first} to {end} in a ledger of {size}.")
    leaves, outside = iter(leaf_hashes), iter(path)

    def walk(start: int, stop: int) -> bytes:
        if stop <= first or start >= end:
            node = next(outside, None)
            if node is None:
                raise ProofInvalid("The path of the range is too short.")
            return node
        if start < first or stop > end:
            middle = start + _split(stop - start)
            left = walk(start, middle)
            return node_hash(left, walk(middle, stop))
        tree = Frontier()
        while tree.size < stop - start:
            portion = list(islice(leaves, min(_PORTION, stop - start - tree.size)))
            if not portion:
                raise ProofInvalid(f"The range ends before entry {end - 1}.")
            tree.extend(portion)
        return tree.root()

    root = walk(0, size)
    if next(leaves, None) is not None:
        raise ProofInvalid(f"The range goes on after entry {end - 1}.")
    if next(outside, None) is not None:
        raise ProofInvalid("The path of the range is too long.")
    return root


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root to which ``path`` leads from the leaf hash ``leaf`` (RFC 9162 section 2.1.3.2).

    Raises ``ProofInvalid`` when the path is too long or too short for ``index`` and ``size``.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"The proof speaks of entry {index} of a ledger of {size} entries.")
    position, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofInvalid("The inclusion path is longer than the tree is high.")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofInvalid("The inclusion path ends before it reaches the root.")
    return node


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of ``new`` leaves extends that of ``old`` (RFC 9162 section 2.1.4.2).

    Raises ``ProofInvalid`` with what does not fit.
    """
    if not 0 <= old <= new:
        raise ProofInvalid(f"A ledger of {new} entries cannot extend one of {old}.")
    if old in (0, new):
        if path or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofInvalid(f"Two different roots are claimed for the ledger of {old} entries.")
        return
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        raise ProofInvalid("The consistency path is empty.")
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = new_node = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofInvalid("The consistency path is longer than the tree is high.")
        if position & 1 or position == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofInvalid("The consistency path ends before it reaches the root.")
    if old_node != old_root:
        raise ProofInvalid(f"The proof does not lead to the root signed at {old} entries.")
    if new_node != new_root:
        raise ProofInvalid(f"The proof does not lead to the root signed at {new} entries.")


def _split(width: int) -> int:
    """Largest power of two smaller than ``width`` (RFC 6962 section 2.1); ``width`` > 1."""
    return 1 << (width - 1).bit_length() - 1
