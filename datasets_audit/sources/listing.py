"""Pictures that something lists by path: a manifest, COCO, Croissant. Order and keys are its own.

A manifest is CSV, TSV or JSON lines with a column that leads to pictures (``row``) and those of
annotations beside it.
"""

import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import stamp_of
from datasets_audit.sources.row import PATH_COLUMNS, file_of
from datasets_audit.sources.source import Stray, Taken
from datasets_audit.sources.spool import Spool

BATCH_PICTURES: Final = 32
MAX_NAMED: Final = 5  # rows at fault, in one message
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


class Listed(NamedTuple):
    """A picture by its key, and where it lies below the folder of the list."""

    key: str
    path: str


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """Some listed pictures. ``root``: what no path may leave."""

    root: Path
    folder: Path
    listed: tuple[Listed, ...]

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return len(self.listed)

    def read(self) -> Iterator[Taken]:
        """The files in order."""
        for key, path in self.listed:
            yield file_of(key, path, self.folder, self.root)

    def stamps(self) -> list[str]:
        """Those of the files, with the key, which another list may give otherwise."""
        return [f"{key}|{stamp_of(self.folder / path)}" for key, path in self.listed]

    def only(self, places: Sequence[int]) -> "ListedBatch":
        """The pictures at these places."""
        return ListedBatch(self.root, self.folder, tuple(self.listed[at] for at in places))

    def of(self, keys: Collection[str]) -> "ListedBatch":
        """Those of these keys."""
        return ListedBatch(
            self.root, self.folder, tuple(one for one in self.listed if one.key in keys)
        )


class Listing:
    """Pictures of a list. ``carried``: writes the annotations that came with it below a folder."""

    def __init__(
        self,
        kind: str,
        root: Path,
        folder: Path,
        listed: Spool,
        strays: Iterable[Stray] = (),
        carried: Callable[[Path], Path] | None = None,
    ) -> None:
        """``listed``: of key and path, in the order of the list."""
        self.kind = kind
        self._root = root
        self._folder = folder
        self._listed = listed
        self._strays = strays
        self._carried = carried

    def batches(self) -> Iterator[ListedBatch]:
        """Everything in the order of the list."""
        rows = (Listed(*row) for row in self._listed)
        while some := tuple(islice(rows, BATCH_PICTURES)):
            yield ListedBatch(self._root, self._folder, some)

    def count(self) -> int:
        """How many the list names."""
        return len(self._listed)

    def strays(self) -> Iterable[Stray]:
        """What the list speaks of and does not list."""
        return self._strays

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys."""
        listed = tuple(Listed(*row) for row in self._listed.of(keys))
        return ListedBatch(self._root, self._folder, listed).read()

    def annotations(self, workspace: Path) -> Path | None:
        """The manifest itself, or what COCO says of its images."""
        return self._carried(workspace) if self._carried else None


def open_manifest(path: Path) -> Listing:
    """A CSV, TSV or JSON-lines file that lists pictures. Raises SourceInvalid with row numbers."""
    without: list[int] = []
    listed = Spool(2)
    listed.add(_listed(path, without))
    if without:
        some = ", ".join(map(str, without[:MAX_NAMED]))
        more = f" and {len(without) - MAX_NAMED:,} more" if len(without) > MAX_NAMED else ""
        raise SourceInvalid(
            f"{path.name}: rows {some}{more} lead to no picture ({', '.join(PATH_COLUMNS)}). "
            "Correct them."
        )
    return Listing("manifest", path.parent, path.parent, listed, carried=lambda _workspace: path)


def _listed(path: Path, without: list[int]) -> Iterator[Listed]:
    """Key and path of each row; the numbers of those that have none are put into ``without``."""
    for number, row in _rows(path):
        name = next((row[one] for one in PATH_COLUMNS if row.get(one)), None)
        if name is None:
            without.append(number)
            continue
        plain = str(name).replace("\\", "/")
        key = next((row[one] for one in ("key", *PATH_COLUMNS, "id") if row.get(one)), plain)
        yield Listed(str(key).replace("\\", "/").removeprefix("./"), plain)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows with their number as a spreadsheet has it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix in _DELIMITERS:
                reader = csv.DictReader(file, delimiter=_DELIMITERS[path.suffix])
                if not {*PATH_COLUMNS} & {*(reader.fieldnames or ())}:
                    raise SourceInvalid(
                        f"{path.name} has no column that leads to a picture "
                        f"({', '.join(PATH_COLUMNS)}); it has {', '.join(reader.fieldnames or ())}."
                    )
                yield from enumerate(reader, 2)
                return
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    yield number, row if isinstance(row, dict) else {}
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise SourceInvalid(f"{path.name} cannot be read: {error}. Write it as UTF-8.") from error
