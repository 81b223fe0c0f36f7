"""Parquet files that hold pictures, or the paths of pictures.

The picture's column is ``image`` (a struct of bytes and path, as Hugging Face datasets write it, or
plain bytes), ``bytes``, or a path in ``path``, ``file`` or ``image_path``, relative to the folder
of the Parquet file. The key is the first of ``key``, ``id``, ``file``, ``path``, ``image.path``,
else ``<parquet file>#<row>``, the first row being 1.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import stamp_of
from datasets_audit.sources.source import Stray, Taken
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import read_file

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_COLUMNS: Final = ("image", "bytes")
PATH_COLUMNS: Final = ("path", "file", "image_path")
KEY_COLUMNS: Final = ("key", "id", "file", "path")
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
                named = {*PATH_COLUMNS, "image"}
                leaves = [column.path for column in file.schema]
                paths = [one for one in leaves if one in named or one == "image.path"]
                table = file.read_row_group(self.group, paths) if paths else None
        except (OSError, pa.ArrowException):
            table = None
        if table is None or "image" in paths:  # bytes without a path
            return [f"{whole}|{self.first + at}" for at in self._taken]
        rows = table.to_pylist()
        return [f"{whole}|{self.first + at}|{self._linked(rows[at])}" for at in self._taken]

    @property
    def _taken(self) -> Sequence[int]:
        return range(self.rows) if self.places is None else self.places

    def _linked(self, row: dict[str, Any]) -> str:
        image = row.get("image")
        path = image.get("path") if isinstance(image, dict) else None
        path = path or next((row[name] for name in PATH_COLUMNS if row.get(name)), None)
        return stamp_of(self.file.parent / path) if isinstance(path, str) else ""

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
                        yield self._take(row, f"{name}#{at}") if here else None
                        at += 1
        except (OSError, pa.ArrowException) as error:
            # The rest of the group is lost, and each of its rows says so.
            for row_number in range(at, self.first + self.rows):
                lost = Taken(f"{name}#{row_number}", None, f"{name} cannot be read: {error}")
                yield lost if row_number - self.first in wanted else None

    def _take(self, row: dict[str, Any], numbered: str) -> Taken:
        image = row.get("image")
        data = row.get("bytes")
        path = next((row[name] for name in PATH_COLUMNS if isinstance(row.get(name), str)), None)
        if isinstance(image, dict):
            data, path = image.get("bytes"), image.get("path") or path
        elif isinstance(image, bytes):
            data = image
        elif isinstance(image, str):
            path = image
        stated = next((row[name] for name in KEY_COLUMNS if row.get(name) is not None), path)
        key = numbered if stated is None else str(stated)
        if isinstance(data, bytes):
            return Taken(key, data)
        if not path:
            return Taken(key, None, "The row holds neither bytes nor a path.")
        place = (self.file.parent / path).resolve()
        if not place.is_relative_to(self.root.resolve()):
            return Taken(key, None, f"The path {path!r} leads out of the data set.")
        try:
            return Taken(key, read_file(place))
        except (PictureInvalid, PictureTooLarge) as error:
            return Taken(key, None, str(error).replace(str(place), path))


class ParquetFiles:
    """Parquet files below ``root``, in the order given; a batch is a row group."""

    kind = "parquet"

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self._root = root
        self._files = files

    def batches(self) -> Iterator[RowGroup]:
        """Every row group of every file."""
        return iter(self._groups)

    def count(self) -> int:
        """Rows of all files, from their footers."""
        return sum(group.size for group in self._groups)

    def strays(self) -> Sequence[Stray]:
        """None: every row is taken as a picture."""
        return ()

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
