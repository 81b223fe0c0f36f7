"""Pictures at a URL that fsspec knows: ``s3://``, ``gs://``, ``file://``, ``memory://`` and others.

Who gives such a URL asks for the network that it needs. Plain ``http`` and ``https`` are not asked:
they cannot list a folder, and an address of a stranger would be fetched.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import PICTURE_SUFFIXES
from datasets_audit.sources.parquet import ParquetFiles, RemoteFile
from datasets_audit.sources.source import Source, Stray, Taken
from datasets_audit.sources.tar import Tars
from provenance.picture import MAX_BYTES

BATCH_PICTURES: Final = 32
REFUSED: Final = ("http", "https", "ftp", "sftp", "ssh", "github", "git", "data", "zip", "tar",
                  "simplecache", "filecache", "blockcache", "reference")  # fmt: skip


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """Some files below ``url``: path, bytes, stamp."""

    url: str
    files: tuple[tuple[str, int, str], ...]

    @property
    def size(self) -> int:
        """How many pictures it yields."""
        return len(self.files)

    def read(self) -> Iterator[Taken]:
        """The files in order."""
        system, root = _system(self.url)
        for name, length, _ in self.files:
            if length > MAX_BYTES:
                said = f"It has {length:,} bytes, more than {MAX_BYTES:,}, the limit."
                yield Taken(name, None, said)
                continue
            try:
                yield Taken(name, system.cat_file(f"{root}/{name}", end=MAX_BYTES))
            except OSError as error:
                yield Taken(name, None, f"It cannot be read: {error}.")

    def stamps(self) -> list[str]:
        """Address, bytes and what the store says of its version."""
        return [f"{self.url}/{name}|{length}|{said}" for name, length, said in self.files]

    def only(self, places: Sequence[int]) -> "RemoteBatch":
        """The files at these places."""
        return RemoteBatch(self.url, tuple(self.files[at] for at in places))


class Remote:
    """Pictures below ``url``, sorted by path."""

    kind = "remote"

    def __init__(self, url: str) -> None:
        self._url = url

    def batches(self) -> Iterator[RemoteBatch]:
        """Everything, sorted by path."""
        files = self._listing[0]
        for start in range(0, len(files), BATCH_PICTURES):
            yield RemoteBatch(self._url, tuple(files[start : start + BATCH_PICTURES]))

    def count(self) -> int:
        """How many files have a picture's name."""
        return len(self._listing[0])

    def strays(self) -> Sequence[Stray]:
        """Files whose names promise no picture."""
        return self._listing[1]

    def fetch(self, keys: Collection[str]) -> Iterator[Taken]:
        """The pictures of these keys."""
        files = tuple(one for one in self._listing[0] if one[0] in keys)
        return RemoteBatch(self._url, files).read()

    def annotations(self, _workspace: Path) -> Path | None:
        """None."""
        return None

    @cached_property
    def _listing(self) -> tuple[list[tuple[str, int, str]], list[Stray]]:
        system, root = _system(self._url)
        try:
            found = system.find(root, detail=True)
        except OSError as error:
            raise SourceInvalid(f"{self._url} cannot be listed: {error}.") from error
        files, strays = [], []
        for path, about in found.items():
            name = path.removeprefix(root).lstrip("/")
            if PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES:
                files.append((name, int(about.get("size") or 0), _version(about)))
            else:
                strays.append(Stray(name, "its name is not a picture's"))
        return sorted(files), sorted(strays)


_VERSIONS: Final = ("ETag", "etag", "md5Hash", "mtime", "last_modified", "LastModified", "created")


def _version(about: Mapping[str, Any]) -> str:
    """What a store says of a file that changes when it does."""
    return next((str(about[one]) for one in _VERSIONS if about.get(one)), "")


def open_remote(url: str) -> Source:
    """What lies at a URL: a tar, a Parquet file, or a folder of pictures, of Parquet or of tars.

    Raises SourceInvalid.
    """
    protocol = url.split("://", 1)[0].split("::", 1)[0].lower()
    if protocol in REFUSED or "::" in url:
        raise SourceInvalid(
            f"{protocol} addresses are not asked. Copy the data set here, or give the address of "
            "an object store."
        )
    if url.endswith(".tar"):
        return Tars([url])
    folder, _, last = url.rstrip("/").rpartition("/")
    if last.endswith(".parquet"):
        return _parquet(folder, [last])
    found = Remote(url.rstrip("/"))
    if found.count():
        return found
    names = [stray.key for stray in found.strays()]
    if parquet := [name for name in names if name.endswith(".parquet")]:
        return _parquet(url.rstrip("/"), parquet)
    if tars := [name for name in names if name.endswith(".tar")]:
        return Tars([f"{url.rstrip('/')}/{name}" for name in tars])
    return found


def _parquet(folder: str, names: Sequence[str]) -> ParquetFiles:
    """Parquet files below the URL ``folder``. Raises SourceInvalid."""
    system, root = _system(folder)
    remote = {}
    for name in names:
        try:
            about = system.info(f"{root}/{name}")
        except OSError as error:
            raise SourceInvalid(f"{folder}/{name} cannot be read: {error}.") from error
        version = f"{about.get('size')}|{_version(about)}"
        remote[Path(name)] = RemoteFile(f"{folder}/{name}", version)
    return ParquetFiles(Path(), list(remote), remote=remote)


def _system(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        system, root = fsspec.url_to_fs(url)
    except (ImportError, ValueError, OSError) as error:
        raise SourceInvalid(f"{url} cannot be opened: {error}.") from error
    return system, root.rstrip("/")
