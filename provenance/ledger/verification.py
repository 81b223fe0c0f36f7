"""Verification: everything is computed anew, and whatever does not fit is named.

The signed checkpoints are the truth. Leaf hashes and tiles are stored beside the rows; they are
second and third copies that anybody with the database could have changed as well, so they are used
only to tell *which* row is wrong, and believed only as far as they lead to a signed root.

Rows are taken in blocks of 256, one for each tile of level 0. Two trees are grown: one of the
hashes that are believed (the tile's, else the stored leaf hash), and, from the first doubt on, one
of the rows as they are. The one that leads to the next signed root was right.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, type_coerce
from sqlalchemy.types import NullType

from provenance.errors import KeyOutdated, LedgerCorrupt, ProofInvalid
from provenance.ledger import cosigning, records, tables
from provenance.ledger.checkpoint import Checkpoint
from provenance.ledger.displacement import Mismatch, explain
from provenance.ledger.event import leaf
from provenance.ledger.merkle import (
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Frontier,
    Tile,
    leaf_hash,
    root_of,
)
from provenance.ledger.note import Verifier
from provenance.ledger.report import Finding, LedgerReport, Tampering
from provenance.ledger.tiles import StoredTiles, split_hashes

Progress = Callable[[int, int], None]
"""Called with entries done and entries in all."""

Passed = Callable[[str], None]
"""Called with a checkpoint (signed note) up to which everything fits."""

STEP = 16 * TILE_WIDTH  # rows in one query
TOLD_EVERY = 16 * STEP  # rows, which take about half a second
MAX_FINDINGS = 1_000  # a wrecked ledger need not be told row by row
MAX_MISMATCHES = 200_000  # rows that are kept in mind to tell which went where
MAX_LEVELS = 8  # of tiles; 256**8 entries never come
_NOTHING = bytes(HASH_BYTES)  # in place of a row that is gone and whose hash nobody has


class _Head(NamedTuple):
    """A root that was signed; ``kept``: by a witness, outside this database."""

    size: int
    root: bytes
    kept: bool


class _Block(NamedTuple):
    """Up to 256 rows. ``found``: what they hash to; ``believed``: what they should; both in order.

    ``hinted``: a sound tile says what they should hash to.
    """

    first: int
    found: list[bytes | None]
    believed: list[bytes]
    hinted: bool

    @property
    def doubtful(self) -> bool:
        return self.found != self.believed


def verify(
    connection: Connection,
    verifier: Verifier,
    witnessed: Iterable[str] = (),
    progress: Progress | None = None,
    since: Checkpoint | None = None,
    passed: Passed | None = None,
) -> LedgerReport:
    """Recompute rows, tiles, checkpoints and records, in one reading transaction.

    ``since``: rows and tiles before this checkpoint are not read again, unless something is wrong;
    records always are. ``passed`` is told how far everything fits.
    """
    notes = [*witnessed, *([since.note] if since else ())]
    verification = _Verification(connection, verifier)
    kept = verification.witnessed(notes)
    resumed = since is not None and verification.resume(since)
    verification.rows(kept, progress or (lambda _done, _total: None), passed)
    if resumed and not verification.report().ok:  # told precisely only from the beginning
        return verify(connection, verifier, notes, progress)
    verification.unexpected_tiles()
    verification.cosignatures()
    verification.records()
    return verification.report()


class _Verification:
    def __init__(self, connection: Connection, verifier: Verifier) -> None:
        self._connection = connection
        self._verifier = verifier
        self._findings: list[Finding] = []
        self._left_out = 0
        self._signed = self._count(func.max(tables.checkpoint.c.size))
        self._size = self._count(func.max(tables.event.c.seq) + 1)
        self._tree = Frontier()
        self._doubt: Frontier | None = None  # grown of the rows as they are
        self._open: dict[int, Mismatch] = {}  # since the last root that fitted
        self._mismatches: dict[int, Mismatch] = {}
        self._proved = 0
        self._start = 0  # index of the first row that is read
        self._lost = False  # a root did not fit: nothing after it can be told

    def _count(self, expression: ColumnElement[Any]) -> int:
        return int(self._connection.execute(select(func.coalesce(expression, 0))).scalar_one())

    def report(self) -> LedgerReport:
        """The outcome, once all parts were looked at."""
        return LedgerReport(
            origin=self._verifier.name,
            size=self._size,
            proved=self._proved,
            checkpoints=self._count(func.count(tables.checkpoint.c.size)),
            tiles=self._count(func.count(tables.tile.c.root)),
            records=self._count(func.count(tables.record.c.seq)),
            findings=tuple(self._findings),
            findings_left_out=self._left_out,
        )

    def _find(
        self, what: Tampering, detail: str, first: int | None = None, last: int | None = None
    ) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(Finding(what=what, detail=detail, first=first, last=last))
        else:
            self._left_out += 1

    def witnessed(self, notes: Iterable[str]) -> list[_Head]:
        """Checkpoints kept elsewhere, as far as our key signed them."""
        heads = []
        for note in notes:
            try:
                head = Checkpoint.verified(note, self._verifier)
            except ProofInvalid as error:
                self._find(_unsigned(error), f"A witnessed checkpoint: {error}")
                continue
            if head.size > self._signed:
                self._find(
                    Tampering.HISTORY_REWOUND,
                    f"A witness holds a checkpoint of {head.size} entries; the ledger's last one "
                    f"has {self._signed}. What came after was taken back.",
                    first=self._signed,
                    last=head.size - 1,
                )
            heads.append(_Head(head.size, bytes.fromhex(head.root), kept=True))
        return heads

    def resume(self, since: Checkpoint) -> bool:
        """Begin at the last block before ``since``, whose root then has to come out; if possible.

        The tiles of what is left out have to lead to that root together with the block.
        """
        start = max(since.size - 1, 0) // TILE_WIDTH * TILE_WIDTH
        if not 0 < start < min(self._size, self._signed):
            return False
        try:
            self._tree = Frontier.load(StoredTiles(self._connection, start), start)
        except LedgerCorrupt:
            return False
        self._start = start
        return True

    def rows(self, kept: Sequence[_Head], progress: Progress, passed: Passed | None = None) -> None:
        """Grow the tree over all rows and hold it against every root that was signed."""
        if self._size and not self._signed:
            self._find(Tampering.CHECKPOINT_MISSING, "There are entries but no checkpoint.")
        total = max(self._size, self._signed)
        told = self._start
        progress(self._start, total)
        for start in range(self._start, total, STEP):
            end = min(start + STEP, total)
            heads = self._heads(start, end)
            heads += [head for head in kept if start < head.size <= end]
            heads.sort()
            for block in self._blocks(start, end):
                last = block.first + len(block.found)
                self._grow(block, [h for h in heads if block.first < h.size <= last])
            progress(end, total)
            if passed is not None and (end == total or end - told >= TOLD_EVERY):
                self._tell(passed)
                told = end
        self._accept()
        if self._proved < self._signed and not self._lost:
            self._find(
                Tampering.ROWS_UNPROVED,
                "No checkpoint with a good signature vouches for these entries.",
                first=self._proved,
                last=self._signed - 1,
            )
        for finding in explain(self._mismatches):
            self._find(finding.what, finding.detail, finding.first, finding.last)

    def _tell(self, passed: Passed) -> None:
        if not (self._findings or self._mismatches or self._open or self._lost):
            c = tables.checkpoint.c
            note = self._connection.execute(select(c.note).where(c.size == self._proved)).scalar()
            if note is not None:  # what proves most may be a witness's
                passed(note)

    def _heads(self, start: int, end: int) -> list[_Head]:
        """Roots of checkpoints of ``start`` + 1 to ``end`` entries whose signature is good."""
        size = tables.checkpoint.c.size
        heads = []
        for at, root, note in self._connection.execute(
            select(size, _raw(tables.checkpoint.c.root), tables.checkpoint.c.note)
            .where(size > start, size <= end)
            .order_by(size)
        ):
            try:
                head = Checkpoint.verified(note, self._verifier)
            except ProofInvalid as error:
                self._find(_unsigned(error), f"The checkpoint of size {at}: {error}")
                continue
            if (head.size, bytes.fromhex(head.root)) != (at, root):
                self._find(
                    Tampering.CHECKPOINT_CHANGED,
                    f"The checkpoint of size {at} signs other than what "
                    f"stands beside it: size {head.size}, root {head.root}.",
                )
            if start < head.size <= end:
                heads.append(_Head(head.size, bytes.fromhex(head.root), kept=False))
        return heads

    def _blocks(self, start: int, end: int) -> list[_Block]:
        c = tables.event.c
        found: list[bytes | None] = [None] * (end - start)
        stored: list[bytes | None] = [None] * (end - start)
        query = select(c.seq, c.id, c.kind, c.at, c.version, c.body, _raw(c.leaf_hash))
        for row in self._connection.execute(query.where(c.seq >= start, c.seq < end)):
            seq, event_id, kind, at, version, body, digest = row
            found[seq - start] = leaf_hash(leaf(at, body, event_id, kind, version))
            if isinstance(digest, bytes) and len(digest) == HASH_BYTES:
                stored[seq - start] = digest
        tiles = self._tiles(start // TILE_WIDTH, end // TILE_WIDTH)
        blocks = []
        for first in range(start, end, TILE_WIDTH):
            span = slice(first - start, min(first + TILE_WIDTH, end) - start)
            hint = tiles.get(first // TILE_WIDTH)
            blocks.append(self._block(first, found[span], stored[span], hint))
        return blocks

    def _tiles(self, start: int, end: int) -> dict[int, list[bytes]]:
        """Hashes of the tiles of level 0 that are sound in themselves."""
        c = tables.tile.c
        query = select(c.position, _raw(c.root), _raw(c.hashes)).where(
            c.level == 0, c.position >= start, c.position < end
        )
        sound = {}
        for position, root, row in self._connection.execute(query):
            if isinstance(row, bytes) and len(row) == TILE_WIDTH * HASH_BYTES:
                hashes = split_hashes(row)
                if root_of(hashes) == root:
                    sound[position] = hashes
        return sound

    def _block(
        self,
        first: int,
        found: list[bytes | None],
        stored: list[bytes | None],
        hint: list[bytes] | None,
    ) -> _Block:
        believed = hint or [s or f or _NOTHING for s, f in zip(stored, found, strict=True)]
        if stored != believed:
            for i, digest, is_, right in zip(
                range(first, first + len(found)), stored, found, believed, strict=True
            ):
                if is_ == right != digest:
                    detail = f"The leaf hash stored beside entry {i} is not that of the entry."
                    self._find(Tampering.ROW_CHANGED, detail, i, i)
        return _Block(first, found, believed, hint is not None)

    def _grow(self, block: _Block, heads: Sequence[_Head]) -> None:
        """Take in one block, stopping at each signed root within it."""
        if block.doubtful:
            self._doubt = self._doubt or self._tree.copy()
            for i, (right, is_) in enumerate(zip(block.believed, block.found, strict=True)):
                if is_ != right:
                    signed = None if right == _NOTHING or block.first + i >= self._signed else right
                    self._open[block.first + i] = Mismatch(signed, is_)
        for i in range(max(self._signed - block.first, 0), len(block.found)):
            self._open[block.first + i] = Mismatch(None, block.found[i])  # behind the last head
        position = block.first
        for head in heads:
            before = None if block.hinted else self._tree.copy()
            self._extend(block, position, head.size)
            fits = self._lost or self._fits(head)
            if not fits and not (before and self._relocate(block, position, head, before)):
                self._lose(head, block)
            position = head.size
        self._extend(block, position, block.first + len(block.found))

    def _extend(self, block: _Block, start: int, end: int) -> None:
        span = slice(start - block.first, end - block.first)
        for tile in self._tree.extend(block.believed[span]):
            if not self._lost:
                self._check_tile(tile)
        if self._doubt is not None:
            self._doubt.extend([digest or _NOTHING for digest in block.found[span]])

    def _fits(self, head: _Head) -> bool:
        """Whether one of the two trees leads to a signed root; the other one is given up."""
        if self._tree.root() == head.root:
            self._accept(head.size)
        elif self._doubt is not None and self._doubt.root() == head.root:
            # The rows are as signed: what was stored beside them is not.
            for i in sorted(i for i in self._open if i < head.size):
                del self._open[i]
                tiled = i < self._signed - self._signed % TILE_WIDTH
                self._find(
                    Tampering.TILE_CHANGED if tiled else Tampering.ROW_CHANGED,
                    f"Entry {i} is as signed; the hash that is stored for it is not.",
                    first=i,
                    last=i,
                )
            self._tree = self._doubt
        else:
            return False
        self._proved = max(self._proved, head.size)
        if self._doubt is not None:
            self._doubt = self._tree.copy()
        return True

    def _accept(self, size: int | None = None) -> None:
        """What is open up to ``size`` is settled: the rows are wrong there."""
        for i in [i for i in self._open if size is None or i < size]:
            mismatch = self._open.pop(i)
            if len(self._mismatches) < MAX_MISMATCHES:
                self._mismatches[i] = mismatch
            else:
                self._left_out += 1

    def _relocate(self, block: _Block, start: int, head: _Head, before: Frontier) -> bool:
        """No tile tells what stood here: try what else there is, from ``start`` up to the head."""
        span = slice(start - block.first, head.size - block.first)
        here = block.believed[span]
        # A row may have changed places with one that a tile has shown to be wrong,
        exchange = {m.signed: m.found for m in self._open.values() if m.signed and m.found}
        attempts = [[exchange.get(digest, digest) for digest in here]]
        if len(here) == 1:  # and one that was signed alone, with any of its neighbours.
            attempts += [[digest] for digest in block.found if digest]
        for attempt in attempts:
            tree = before.copy()
            tree.extend(attempt)
            if tree.root() == head.root:
                self._tree, self._doubt = tree, tree.copy()
                for i, (right, is_) in enumerate(zip(attempt, block.found[span], strict=True)):
                    if is_ != right:
                        self._open[start + i] = Mismatch(right, is_)
                self._accept(head.size)
                self._proved = head.size
                return True
        return False

    def _lose(self, head: _Head, block: _Block) -> None:
        """A signed root that nothing leads to. After one of our own, nothing can be told."""
        index = head.size - 1
        if head.kept:
            self._find(
                Tampering.HISTORY_FORKED,
                f"A witness holds another history: these rows do not lead to its checkpoint of "
                f"{head.size} entries, which our key signed.",
                first=self._proved,
                last=index,
            )
            return
        self._lost = True
        if index > self._proved:
            self._find(
                Tampering.ROWS_UNPROVED,
                f"These entries do not lead to the root that was signed at {head.size} entries: "
                "some were changed, removed, inserted or swapped, with what is stored of them.",
                first=self._proved,
                last=index,
            )
        elif index not in self._open:
            self._open[index] = Mismatch(_NOTHING, block.found[index - block.first])

    def _check_tile(self, tile: Tile) -> None:
        c = tables.tile.c
        query = select(_raw(c.root), _raw(c.hashes))
        row = self._connection.execute(
            query.where(c.level == tile.level, c.position == tile.position)
        ).first()
        name = f"Tile {tile.position} of level {tile.level}"
        if row is None:
            self._find(Tampering.TILE_MISSING, f"{name} is gone.")
        elif tuple(row) != (tile.root, b"".join(tile.hashes)):
            self._find(Tampering.TILE_CHANGED, f"{name} is not what the entries below it hash to.")

    def unexpected_tiles(self) -> None:
        """Tiles that the signed tree does not have."""
        c = tables.tile.c
        for level in range(MAX_LEVELS):
            full = self._signed >> TILE_HEIGHT * (level + 1)
            query = select(c.position).where(c.level == level, c.position >= full)
            for position in self._connection.execute(query).scalars():
                name = f"Tile {position} of level {level}"
                self._find(Tampering.TILE_UNEXPECTED, f"{name} is of a tree that was not signed.")
        too_high = select(c.level).where(c.level >= MAX_LEVELS)
        for level in self._connection.execute(too_high).scalars():
            self._find(Tampering.TILE_UNEXPECTED, f"There is a tile of level {level}.")

    def cosignatures(self) -> None:
        """Check what witnesses signed against the checkpoint beside which it stands."""
        for detail in cosigning.disagreements(self._connection):
            self._find(Tampering.COSIGNATURE_CHANGED, detail)

    def records(self) -> None:
        """Hold each searchable record against the event that binds it."""
        for seq, detail in records.disagreements(self._connection):
            self._find(Tampering.RECORD_CHANGED, detail, seq, seq)
        for seq in records.missing(self._connection):
            self._find(
                Tampering.RECORD_MISSING, f"Entry {seq} is a delivery without record.", seq, seq
            )
        for seq in records.unexpected(self._connection):
            self._find(
                Tampering.RECORD_UNEXPECTED, f"A record names entry {seq}, no delivery.", seq, seq
            )


def _unsigned(error: ProofInvalid) -> Tampering:
    if isinstance(error, KeyOutdated):
        return Tampering.CHECKPOINT_OUTDATED
    return Tampering.CHECKPOINT_UNSIGNED


def _raw(column: ColumnElement[bytes]) -> ColumnElement[Any]:
    """A column as the database gives it: SQLite keeps a text where bytes belong, if told to."""
    return type_coerce(column, NullType())
