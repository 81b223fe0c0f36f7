"""WebDataset: tar files of pictures, read in place, never unpacked.

The headers are read once; a batch then seeks to its pictures. Members that lead out (an absolute
name, ``..``), links, devices and members that are no pictures are strays, and one that is larger
than a picture may be is not read.
"""

import tarfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import PICTURE_SUFFIXES, key_of, stamp_of
from datasets_audit.sources.source import Stray, Taken
from datasets_audit.sources.spool import Spool, Strays
from provenance.picture import MAX_BYTES

BATCH_PICTURES: Final = 64
MAX_MEMBERS: Final = 10_000_000  # of one tar


class Member(NamedTuple):
    """A picture in a tar: its key, and where its bytes are."""

    key: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class TarBatch:
    """Some members of one tar. ``location``: a path, or a URL that fsspec opens."""

    location: str
    stamp: str
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return len(self.members)

    def read(self) -> Iterator[Taken]:
        """The members in order."""
        try:
            with open_location(self.location) as file:
                for key, offset, length in self.members:
                    if length > MAX_BYTES:
                        said = f"It has {length:,} bytes, more than {MAX_BYTES:,}, the limit."
                        yield Taken(key, None, said)
                        continue
                    file.seek(offset)
                    data = file.read(length)
                    cut = len(data) < length
                    yield Taken(key, None, "The tar is cut off here.") if cut else Taken(key, data)
        except OSError as error:
            for key, _, _ in self.members:
                yield Taken(key, None, f"The tar cannot be read: {error.strerror or error}.")

    def stamps(self) -> list[str]:
        """Those of the tar, with the place in it."""
        return [f"{self.stamp}|{one.key}|{one.offset}|{one.length}" for one in self.members]

    def only(self, places: Sequence[int]) -> "TarBatch":
        """The members at these places."""
        return TarBatch(self.location, self.stamp, tuple(self.members[at] for at in places))


class Tars:
    """Tar files in the order given. With several, keys begin with the name of the tar."""

    kind = "webdataset"

    def __init__(self, locations: Sequence[str], strays: Iterable[Stray] = ()) -> None:
        """``strays``: what whoever named the tars did not take."""
        self._locations = locations
        self._named = strays

    def batches(self) -> Iterator[TarBatch]:
        """Every picture, in the order of the tars."""
        for number, rows in groupby(self._index[0], itemgetter(1)):
            location = self._locations[number]
            stamp = stamp_of(Path(location)) if "://" not in location else location
            while some := tuple(Member(row[0], *row[2:]) for row in islice(rows, BATCH_PICTURES)):
                yield TarBatch(location, stamp, some)

    def count(self) -> int:
        """Pictures in all tars."""
        return len(self._index[0])

    def strays(self) -> Iterable[Stray]:
        """Members that were not taken."""
        return self._index[1]

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys."""
        for key, number, offset, length in self._index[0].of(keys):
            member = Member(key, offset, length)
            yield from TarBatch(self._locations[number], "", (member,)).read()

    def annotations(self, _workspace: Path) -> Path | None:
        """None: what lies beside pictures in a tar has no common form."""
        return None

    @cached_property
    def _index(self) -> tuple[Spool, Strays]:
        members, strays = Spool(4), Strays(self._named)
        for number, location in enumerate(self._locations):
            prefix = f"{PurePosixPath(location).name}/" if len(self._locations) > 1 else ""
            before = len(members)
            try:
                members.add(_members(location, number, prefix, strays))
            except SourceInvalid as error:
                if len(members) == before:
                    raise
                strays.add(PurePosixPath(location).name, f"not read to its end: {error}")
        return members, strays


def _members(
    location: str, number: int, prefix: str, strays: Strays
) -> Iterator[tuple[str, int, int, int]]:
    """Key, number of the tar, offset and length of each picture."""
    for info in _infos(location):
        why = _refused(info)
        if why is None:
            yield key_of(prefix + info.name), number, info.offset_data, info.size
        elif not info.isdir():
            strays.add(key_of(prefix + info.name), why)


def open_location(location: str) -> IO[bytes]:
    """A file, or what lies at a URL, for reading. Raises OSError."""
    if "://" not in location:
        return Path(location).open("rb")
    import fsspec

    opened: IO[bytes] = fsspec.open(location, "rb").open()
    return opened


def _infos(location: str) -> Iterator[tarfile.TarInfo]:
    try:
        with open_location(location) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for number, info in enumerate(tar):
                if number >= MAX_MEMBERS:
                    raise SourceInvalid(f"{location} has more than {MAX_MEMBERS:,} members.")
                tar.members = []  # type: ignore[attr-defined]  # else it holds all headers
                yield info
    except (OSError, tarfile.TarError, ValueError) as error:
        raise SourceInvalid(
            f"{location} cannot be read as a tar: {error}. A compressed one must be unpacked first."
        ) from error


def _refused(info: tarfile.TarInfo) -> str | None:
    """Why a member is not taken as a picture, None if it is."""
    name = PurePosixPath(info.name)
    if info.issym() or info.islnk():
        return "a link; links are not followed"
    if not info.isfile() or info.sparse is not None:
        return "not a plain file"
    if name.is_absolute() or ".." in name.parts or "\\" in info.name or "\0" in info.name:
        return "its name leads out of the tar"
    if name.suffix.lower() not in PICTURE_SUFFIXES:
        return "its name is not a picture's"
    return None
