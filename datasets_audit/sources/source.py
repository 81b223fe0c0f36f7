"""What the audit asks of a source of pictures.

A source lists its pictures in batches, in an order that is the same every time; a batch travels to
a worker process and yields the bytes there. Nothing a source comes across is passed over in
silence: what is not taken as a picture is a ``Stray``.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from datasets_audit.errors import SourceInvalid


class Taken(NamedTuple):
    """The bytes of one picture, or in ``problem`` why they could not be had."""

    key: str
    data: bytes | None
    problem: str | None = None


class Stray(NamedTuple):
    """Something in the source that was not taken as a picture, and why."""

    key: str
    why: str


class Batch(Protocol):
    """Some pictures of a source. Picklable and small: it names pictures, it does not hold them."""

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        ...

    def read(self) -> Iterator[Taken]:
        """The pictures in order, one in memory at a time."""
        ...

    def stamps(self) -> Sequence[str]:
        """For each picture, in order, what changes when it does; found without opening it."""
        ...

    def only(self, places: Sequence[int]) -> "Batch":
        """The pictures at these places, in order."""
        ...


class Source(Protocol):
    """A data set as it lies."""

    @property
    def kind(self) -> str:
        """What it is: "folder", "parquet"."""
        ...

    def batches(self) -> Iterator[Batch]:
        """Everything, in an order that depends on the source alone."""
        ...

    def count(self) -> int:
        """How many pictures ``batches`` yields."""
        ...

    def strays(self) -> Iterable[Stray]:
        """What was not taken, by key."""
        ...

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """Some pictures again, to show them; a source may give up on those that are costly."""
        ...

    def annotations(self, workspace: Path) -> Path | None:
        """The annotations that the source itself carries, perhaps written below ``workspace``."""
        ...


def open_source(source: Path | str) -> Source:
    """The source at a path or URL, by what lies there.

    A folder: of pictures, else of a saved Hugging Face data set, of Parquet, of tars. A file:
    ``.parquet``, ``.tar``, a manifest (``.csv``, ``.tsv``, ``.jsonl``), COCO or Croissant
    (``.json``, ``.jsonld``). Raises SourceInvalid: not there, of another kind, without a picture.
    """
    if "://" in str(source):
        from datasets_audit.sources.remote import open_remote

        opened = open_remote(str(source))
    elif Path(source).is_dir():
        opened = _of_folder(Path(source))
    elif Path(source).is_file():
        opened = _of_file(Path(source))
    else:
        raise SourceInvalid(f"{source} is not there. Check the path.")
    if not opened.count():
        raise SourceInvalid(f"{source} holds no picture.")
    return opened


def _of_folder(path: Path) -> Source:
    from datasets_audit.sources.arrow import SPLITS, STATE, SavedDataset
    from datasets_audit.sources.folder import Folder
    from datasets_audit.sources.parquet import ParquetFiles
    from datasets_audit.sources.tar import Tars

    if (path / STATE).is_file() or (path / SPLITS).is_file():
        return SavedDataset(path)
    folder = Folder(path)
    if folder.count():
        return folder
    if parquet := sorted(path.rglob("*.parquet")):
        return ParquetFiles(path, parquet)
    if tars := sorted(path.rglob("*.tar")):
        return Tars([str(tar) for tar in tars])
    raise SourceInvalid(
        f"{path} holds no picture, no Parquet file and no tar. Give the folder that does."
    )


def _of_file(path: Path) -> Source:
    from datasets_audit.sources.coco import open_coco
    from datasets_audit.sources.croissant import open_croissant
    from datasets_audit.sources.listing import open_manifest
    from datasets_audit.sources.parquet import ParquetFiles
    from datasets_audit.sources.tar import Tars

    match path.suffix.lower():
        case ".parquet":
            return ParquetFiles(path.parent, (path,))
        case ".tar":
            return Tars([str(path)])
        case ".csv" | ".tsv" | ".jsonl" | ".ndjson":
            return open_manifest(path)
        case ".jsonld":
            return open_croissant(path)
        case ".json":
            with path.open("rb") as file:
                is_croissant = b'"@context"' in file.read(4096)
            return open_croissant(path) if is_croissant else open_coco(path)
    raise SourceInvalid(
        f"{path} is not a kind of data set that is read: a folder, .parquet, .tar, .csv, .jsonl, "
        "COCO or Croissant (.json)."
    )
