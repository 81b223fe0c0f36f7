"""What the audit asks of a source of pictures.

A source lists its pictures in batches, in an order that is the same every time; a batch travels to
a worker process and yields the bytes there. Nothing a source comes across is passed over in
silence: what is not taken as a picture is a ``Stray``.
"""

from collections.abc import Collection, Iterator, Sequence
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

    def strays(self) -> Sequence[Stray]:
        """What was not taken."""
        ...

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """Some pictures again, to show them; a source may give up on those that are costly."""
        ...


def open_source(path: Path) -> Source:
    """The source at ``path``: a folder of pictures, a Parquet file, or a folder of Parquet files.

    Raises SourceInvalid: not there, of another kind, or without a picture.
    """
    from datasets_audit.sources.folder import Folder
    from datasets_audit.sources.parquet import ParquetFiles

    if path.is_dir():
        source: Source = Folder(path)
        if source.count():
            return source
        shards = sorted(path.rglob("*.parquet"))
        if not shards:
            raise SourceInvalid(
                f"{path} holds no picture and no Parquet file. Give the folder that does."
            )
        source = ParquetFiles(path, tuple(shards))
    elif path.suffix == ".parquet" and path.is_file():
        source = ParquetFiles(path.parent, (path,))
    elif path.is_file():
        raise SourceInvalid(f"{path} is not a kind of data set that is read: folder or .parquet.")
    else:
        raise SourceInvalid(f"{path} is not there. Check the path.")
    if not source.count():
        raise SourceInvalid(f"{path} holds no rows.")
    return source
