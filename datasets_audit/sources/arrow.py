"""Hugging Face ``datasets`` on disk: Arrow streams as ``save_to_disk`` writes them.

A folder with ``state.json`` names its files in order; one with ``dataset_dict.json`` holds such a
folder for each split, and keys begin with the name of the split. A batch is a record batch. Paths
are not followed: a data set that was saved holds its pictures.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import stamp_of
from datasets_audit.sources.row import BYTES_COLUMNS, KEY_COLUMNS, PATH_COLUMNS, taken_of
from datasets_audit.sources.source import Stray, Taken

if TYPE_CHECKING:
    import pyarrow as pa

STATE: Final = "state.json"
SPLITS: Final = "dataset_dict.json"
PIECE_ROWS: Final = 8_192  # of a record batch


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """One record batch of one Arrow file; ``first`` is the number of its first row, from 1."""

    file: Path
    name: str
    number: int
    first: int
    places: Sequence[int]

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return len(self.places)

    def read(self) -> Iterator[Taken]:
        """The rows in order."""
        import pyarrow as pa

        try:
            with pa.memory_map(str(self.file)) as source:
                batches = pa.ipc.open_stream(source)
                batch = next(islice(batches, self.number, None))
                taken = [name for name in batch.schema.names if name in _WANTED]
                rows = batch.select(taken)
                for at in self.places:
                    (row,) = rows.slice(at, 1).to_pylist()
                    yield self._named(row, at)
        except (OSError, pa.ArrowException, StopIteration) as error:
            for at in self.places:
                numbered = f"{self.name}#{self.first + at}"
                yield Taken(numbered, None, f"{self.name} cannot be read: {error}")

    def _named(self, row: dict[str, Any], at: int) -> Taken:
        folder = self.file.parent
        taken = taken_of(row, f"#{self.first + at}", folder, folder)
        return taken._replace(key=f"{self.name}{'' if taken.key[0] == '#' else '/'}{taken.key}")

    def stamps(self) -> list[str]:
        """Those of the file, with the number of the row."""
        whole = stamp_of(self.file)
        return [f"{whole}|{self.name}|{self.first + at}" for at in self.places]

    def only(self, places: Sequence[int]) -> "RecordBatch":
        """The rows at these places."""
        return replace(self, places=tuple(self.places[at] for at in places))


_WANTED: Final = {*BYTES_COLUMNS, *PATH_COLUMNS, *KEY_COLUMNS}


class SavedDataset:
    """A data set, or a dictionary of splits, that was saved to the folder ``root``."""

    kind = "huggingface"

    def __init__(self, root: Path) -> None:
        self._root = root

    def batches(self) -> Iterator[RecordBatch]:
        """Every record batch of every file."""
        return iter(self._batches)

    def count(self) -> int:
        """Rows of all files."""
        return sum(batch.size for batch in self._batches)

    def strays(self) -> Sequence[Stray]:
        """None: every row is taken as a picture."""
        return ()

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys."""
        for batch in self._batches:
            yield from (taken for taken in batch.read() if taken.key in keys)

    def annotations(self, _workspace: Path) -> Path | None:
        """None."""
        return None

    @cached_property
    def _batches(self) -> list[RecordBatch]:
        if not (self._root / SPLITS).is_file():
            return list(_of(self._root, self._root.name))
        splits = _said(self._root / SPLITS).get("splits")
        if not isinstance(splits, list) or not all(_is_name(one) for one in splits):
            raise SourceInvalid(f"{self._root / SPLITS} does not name its splits.")
        return [batch for split in splits for batch in _of(self._root / split, split)]


def _of(folder: Path, name: str) -> Iterator[RecordBatch]:
    import pyarrow as pa

    files = _said(folder / STATE).get("_data_files")
    named = [one.get("filename") for one in files or () if isinstance(one, dict)]
    if not named or not all(_is_name(one) for one in named):
        raise SourceInvalid(f"{folder / STATE} names no files of this folder. Save it anew.")
    first = 1
    for file in named:
        path = folder / str(file)
        try:
            with pa.memory_map(str(path)) as source:
                stream = pa.ipc.open_stream(source)
                _check(stream.schema, path)
                for number, batch in enumerate(stream):
                    # In pieces: what is found of one is held in memory.
                    for at in range(0, batch.num_rows, PIECE_ROWS):
                        places = range(at, min(at + PIECE_ROWS, batch.num_rows))
                        yield RecordBatch(path, name, number, first, places)
                    first += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            raise SourceInvalid(f"{path} cannot be read as Arrow: {error}.") from error


def _check(schema: "pa.Schema", path: Path) -> None:
    if not {*BYTES_COLUMNS, *PATH_COLUMNS} & {*schema.names}:
        raise SourceInvalid(
            f"{path} has no column of pictures ({', '.join(BYTES_COLUMNS)}); it has "
            f"{', '.join(schema.names)}."
        )


def _said(path: Path) -> dict[str, Any]:
    try:
        given = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceInvalid(f"{path} cannot be read: {error}.") from error
    return given if isinstance(given, dict) else {}


def _is_name(given: object) -> bool:
    """A plain name, which cannot lead out of a folder."""
    return isinstance(given, str) and Path(given).name == given and given not in ("", ".", "..")
