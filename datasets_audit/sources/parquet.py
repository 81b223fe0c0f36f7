"""Parquet files that hold pictures, or the paths of pictures (``row`` says in which columns)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import stamp_of
from datasets_audit.sources.listing import Listed, ListedBatch
from datasets_audit.sources.row import (
    BYTES_COLUMNS,
    KEY_COLUMNS,
    PATH_COLUMNS,
    bytes_of,
    key_of,
    path_of,
    taken_of,
)
from datasets_audit.sources.source import Stray, Taken
from datasets_audit.sources.tar import open_location

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

PIECE_ROWS: Final = 8_192  # of a row group, taken together: their findings are held in memory
LISTED_ROWS: Final = 256  # paths in one batch
ROWS_IN_MEMORY: Final = 16  # pictures of some MB each, read together from one row group
BUFFER: Final = 1 << 20  # bytes of a column that are read ahead; without, all of a row group

FETCH_ROWS: Final = 10_000  # rows searched for a picture to show; keys have no index


class RemoteFile(NamedTuple):
    """A file at a URL that fsspec opens. ``version``: what changes when it does."""

    url: str
    version: str


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group of one file; ``first`` is the number of its first row in the file, from 1."""

    root: Path
    file: Path
    group: int
    first: int
    rows: int
    places: Sequence[int] | None = None  # of the rows to take, ascending; all without
    remote: "RemoteFile | None" = None  # where the file lies, if not on this machine

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return self.rows if self.places is None else len(self.places)

    def stamps(self) -> list[str]:
        """Those of the file with the number of the row, and of the pictures that rows lead to."""
        import pyarrow as pa

        if self.remote:
            return [f"{self.remote}|{self.first + at}" for at in self._taken]
        whole = stamp_of(self.file)
        try:
            with opened(self.file) as file:
                kinds = {one.name: one.type for one in file.schema_arrow}
                texts = {name for name, kind in kinds.items() if pa.types.is_string(kind)}
                named = {*PATH_COLUMNS, "image"} & texts | {"image.path"}
                paths = [column.path for column in file.schema if column.path in named]
                table = file.read_row_group(self.group, paths) if paths else None
        except (OSError, pa.ArrowException):
            table = None
        if table is None:
            return [f"{whole}|{self.first + at}" for at in self._taken]
        rows = table.to_pylist()
        return [f"{whole}|{self.first + at}|{self._linked(rows[at])}" for at in self._taken]

    @property
    def _taken(self) -> Sequence[int]:
        return range(self.rows) if self.places is None else self.places

    def _linked(self, row: dict[str, Any]) -> str:
        path = path_of(row)
        return stamp_of(self.file.parent / path) if path else ""

    def only(self, places: Sequence[int]) -> "RowGroup":
        """The rows at these places."""
        taken = self._taken
        if isinstance(places, range) and places.step == 1:
            return replace(self, places=taken[places.start : places.stop])
        return replace(self, places=tuple(taken[at] for at in places))

    def read(self) -> Iterator[Taken]:
        """The rows in order."""
        wanted = set(self._taken)
        last = max(wanted, default=-1)
        for at, taken in enumerate(self._all(wanted)):
            if taken is not None:
                yield taken
            if at == last:
                return

    def _all(self, wanted: set[int]) -> Iterator[Taken | None]:
        """A row that is not ``wanted`` is None, and its picture is not opened."""
        import pyarrow as pa

        name = self.file.relative_to(self.root).as_posix()
        at = self.first
        try:
            with opened(self.file, self.remote) as file:
                columns = _columns(file.schema_arrow, self.file)
                for rows in file.iter_batches(ROWS_IN_MEMORY, [self.group], columns):
                    first = at - self.first
                    if wanted.isdisjoint(range(first, first + len(rows))):
                        yield from [None] * len(rows)
                        at += len(rows)
                        continue
                    for row in rows.to_pylist():
                        here = at - self.first in wanted
                        yield self._row(row, f"{name}#{at}") if here else None
                        at += 1
        except (OSError, pa.ArrowException) as error:
            # The rest of the group is lost, and each of its rows says so.
            for row_number in range(at, self.first + self.rows):
                lost = Taken(f"{name}#{row_number}", None, f"{name} cannot be read: {error}")
                yield lost if row_number - self.first in wanted else None


    def _row(self, row: dict[str, Any], numbered: str) -> Taken:
        if self.remote and bytes_of(row) is None:
            # A path in a file from elsewhere must not lead to a file of this machine.
            return Taken(key_of(row, numbered), None, "The row holds a path and no picture.")
        return taken_of(row, numbered, self.file.parent, self.root)


@contextmanager
def opened(file: Path, remote: RemoteFile | None = None) -> Iterator["pq.ParquetFile"]:
    """A Parquet file, read piece by piece. Raises OSError and ArrowException."""
    import pyarrow.parquet as pq

    if remote is None:
        with pq.ParquetFile(file, buffer_size=BUFFER) as found:
            yield found
        return
    with open_location(remote.url) as handle, pq.ParquetFile(handle, buffer_size=BUFFER) as found:
        yield found


class _Group(NamedTuple):
    """A row group as the footer has it. ``held``: it has a column of bytes, not of paths alone."""

    rows: RowGroup
    held: bool


class ParquetFiles:
    """Parquet files below ``root``, in the order given, by pieces of row groups.

    Rows that hold paths alone are listed as they are read, so that a group is read once; rows that
    hold pictures are read by whoever looks at them.
    """

    kind = "parquet"

    def __init__(
        self,
        root: Path,
        files: Sequence[Path],
        strays: Iterable[Stray] = (),
        remote: Mapping[Path, RemoteFile] | None = None,
    ) -> None:
        """``strays``: what whoever named the files did not take. ``remote``: where ``files`` lie
        that are not on this machine; their rows must hold pictures."""
        self._root = root
        self._files = files
        self._remote = remote or {}
        self._strays = strays

    def batches(self) -> Iterator[RowGroup | ListedBatch]:
        """Every row group of every file."""
        for group, held in self._groups:
            if held:
                for at in range(0, group.size, PIECE_ROWS):
                    yield group.only(range(at, min(at + PIECE_ROWS, group.size)))
            else:
                yield from self._listed(group)

    def count(self) -> int:
        """Rows of all files, from their footers."""
        return sum(group.size for group, _ in self._groups)

    def strays(self) -> Iterable[Stray]:
        """Every row is taken as a picture, so what was there beside the files."""
        return self._strays

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys among the first FETCH_ROWS rows."""
        missing, looked_at = set(keys), 0
        for batch in self.batches():
            if not missing or looked_at >= FETCH_ROWS:
                return
            looked_at += batch.size
            wanted = batch.of(missing) if isinstance(batch, ListedBatch) else batch
            for taken in wanted.read():
                if taken.key in missing:
                    missing.remove(taken.key)
                    yield taken

    def annotations(self, _workspace: Path) -> Path | None:
        """None."""
        return None

    def _listed(self, group: RowGroup) -> Iterator[RowGroup | ListedBatch]:
        import pyarrow as pa

        name = group.file.relative_to(self._root).as_posix()
        at = group.first

        def batch(listed: Iterable[Listed]) -> ListedBatch:
            return ListedBatch(self._root, group.file.parent, tuple(listed))

        try:
            with opened(group.file) as file:
                columns = _columns(file.schema_arrow, group.file)
                for rows in file.iter_batches(LISTED_ROWS, [group.group], columns):
                    listed = [
                        Listed(key_of(row, f"{name}#{number}"), path_of(row) or "")
                        for number, row in enumerate(rows.to_pylist(), at)
                    ]
                    at += len(listed)
                    yield batch(listed)
        except (OSError, pa.ArrowException):
            # The rest of the group is lost, and each of its rows says so: read one by one.
            first, last = at - group.first, group.size
            for here in range(first, last, PIECE_ROWS):
                yield group.only(range(here, min(here + PIECE_ROWS, last)))

    @cached_property
    def _groups(self) -> list[_Group]:
        import pyarrow as pa

        groups: list[_Group] = []
        for path in self._files:
            remote = self._remote.get(path)
            try:
                with opened(path, remote) as file:
                    held = not {*BYTES_COLUMNS}.isdisjoint(_columns(file.schema_arrow, path))
                    if remote and not held:
                        raise SourceInvalid(
                            f"{remote.url} holds paths and no pictures. Give the address of the "
                            "folder that holds them."
                        )
                    first = 1
                    for index in range(file.metadata.num_row_groups):
                        size = file.metadata.row_group(index).num_rows
                        rows = RowGroup(self._root, path, index, first, size, remote=remote)
                        groups.append(_Group(rows, held))
                        first += size
            except (OSError, pa.ArrowException) as error:
                raise SourceInvalid(
                    f"{path} cannot be read as Parquet: {error}. Fetch or write it again."
                ) from error
        return groups


def _columns(schema: "pa.Schema", path: Path) -> list[str]:
    """The columns to read, once there is one that leads to a picture."""
    wanted = {*BYTES_COLUMNS, *PATH_COLUMNS, *KEY_COLUMNS}
    present = [name for name in schema.names if name in wanted]
    if not {*BYTES_COLUMNS, *PATH_COLUMNS}.intersection(present):
        raise SourceInvalid(
            f"{path} has no column that leads to a picture "
            f"({', '.join((*BYTES_COLUMNS, *PATH_COLUMNS))}); it has {', '.join(schema.names)}."
        )
    return present
