"""Parquet files that hold pictures, or the paths of pictures (``row`` says in which columns)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import stamp_of
from datasets_audit.sources.row import BYTES_COLUMNS, KEY_COLUMNS, PATH_COLUMNS, path_of, taken_of
from datasets_audit.sources.source import Stray, Taken

if TYPE_CHECKING:
    import pyarrow as pa

PIECE_ROWS: Final = 8_192  # of a row group that holds paths alone
ROWS_IN_MEMORY: Final = 16  # pictures of some MB each, read together from one row group

FETCH_ROWS: Final = 10_000  # rows searched for a picture to show; keys have no index


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group of one file; ``first`` is the number of its first row in the file, from 1."""

    root: Path
    file: Path
    group: int
    first: int
    rows: int
    places: tuple[int, ...] | None = None  # of the rows to take; all without

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return self.rows if self.places is None else len(self.places)

    def stamps(self) -> list[str]:
        """Those of the file with the number of the row, and of the pictures that rows lead to."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        whole = stamp_of(self.file)
        try:
            with pq.ParquetFile(self.file) as file:
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
        import pyarrow.parquet as pq

        name = self.file.relative_to(self.root).as_posix()
        at = self.first
        try:
            with pq.ParquetFile(self.file) as file:
                columns = _columns(file.schema_arrow, self.file)
                for rows in file.iter_batches(ROWS_IN_MEMORY, [self.group], columns):
                    first = at - self.first
                    if wanted.isdisjoint(range(first, first + len(rows))):
                        yield from [None] * len(rows)
                        at += len(rows)
                        continue
                    for row in rows.to_pylist():
                        here = at - self.first in wanted
                        numbered = f"{name}#{at}"
                        folder = self.file.parent
                        yield taken_of(row, numbered, folder, self.root) if here else None
                        at += 1
        except (OSError, pa.ArrowException) as error:
            # The rest of the group is lost, and each of its rows says so.
            for row_number in range(at, self.first + self.rows):
                lost = Taken(f"{name}#{row_number}", None, f"{name} cannot be read: {error}")
                yield lost if row_number - self.first in wanted else None


class ParquetFiles:
    """Parquet files below ``root``, in the order given; a batch is a row group."""

    kind = "parquet"

    def __init__(
        self, root: Path, files: Sequence[Path], strays: Sequence[Stray] = ()
    ) -> None:
        """``strays``: what whoever named the files did not take."""
        self._root = root
        self._files = files
        self._strays = strays

    def batches(self) -> Iterator[RowGroup]:
        """Every row group of every file."""
        return iter(self._groups)

    def count(self) -> int:
        """Rows of all files, from their footers."""
        return sum(group.size for group in self._groups)

    def strays(self) -> Sequence[Stray]:
        """Every row is taken as a picture, so what was there beside the files."""
        return self._strays

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys among the first FETCH_ROWS rows."""
        missing, looked_at = set(keys), 0
        for group in self._groups:
            if not missing or looked_at >= FETCH_ROWS:
                return
            for taken in group.read():
                if taken.key in missing:
                    missing.remove(taken.key)
                    yield taken
            looked_at += group.size

    def annotations(self, _workspace: Path) -> Path | None:
        """None."""
        return None

    @cached_property
    def _groups(self) -> list[RowGroup]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        groups: list[RowGroup] = []
        for path in self._files:
            try:
                with pq.ParquetFile(path) as file:
                    held = {*BYTES_COLUMNS} & {*_columns(file.schema_arrow, path)}
                    first = 1
                    for index in range(file.metadata.num_row_groups):
                        size = file.metadata.row_group(index).num_rows
                        group = RowGroup(self._root, path, index, first, size)
                        # Groups of a million paths are taken in pieces: their findings are held
                        # in memory. Groups of pictures are small, or nobody could load them.
                        groups += (
                            [
                                group.only(range(at, min(at + PIECE_ROWS, size)))
                                for at in range(0, size, PIECE_ROWS)
                            ]
                            if size > PIECE_ROWS and not held
                            else [group]
                        )
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
