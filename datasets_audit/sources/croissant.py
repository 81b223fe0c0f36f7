"""Croissant metadata (MLCommons): the local files that it distributes.

File objects that are Parquet or tar, and file sets of pictures by their ``includes`` patterns,
relative to the metadata and never leading out of its folder. Digests that are stated are checked.
Remote files are strays: nothing is fetched.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources.folder import PICTURE_SUFFIXES
from datasets_audit.sources.listing import Listing
from datasets_audit.sources.parquet import ParquetFiles
from datasets_audit.sources.source import Source, Stray
from datasets_audit.sources.spool import Spool
from datasets_audit.sources.tar import Tars

PARQUET: Final = ("application/x-parquet", "application/vnd.apache.parquet")
TAR: Final = ("application/x-tar", "application/tar")
MAX_BYTES: Final = 64 << 20  # of the metadata


def open_croissant(path: Path) -> Source:
    """The pictures that the metadata at ``path`` distributes, of one kind of file.

    Raises SourceInvalid: not Croissant, files of several kinds, a digest that does not agree.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceInvalid(f"{path} is larger than {MAX_BYTES:,} bytes.")
        given = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceInvalid(f"{path} cannot be read as JSON-LD: {error}.") from error
    distribution = given.get("distribution") if isinstance(given, dict) else None
    parts = [one for one in distribution or () if isinstance(one, dict)]
    if not parts:
        raise SourceInvalid(f"{path} has no distribution; it lists what belongs to a data set.")
    root, strays = path.parent, list[Stray]()
    parquet, tars, pictures = list[Path](), list[Path](), list[Path]()
    for part in parts:
        for file in _files(part, root, strays):
            kind = str(part.get("encodingFormat", ""))
            if kind in PARQUET or file.suffix == ".parquet":
                parquet.append(file)
            elif kind in TAR or file.suffix == ".tar":
                tars.append(file)
            elif file.suffix.lower() in PICTURE_SUFFIXES:
                pictures.append(file)
            else:
                strays.append(Stray(file.relative_to(root).as_posix(), "no file of pictures"))
    if sum(map(bool, (parquet, tars, pictures))) != 1:
        raise SourceInvalid(
            f"{path} distributes {len(parquet)} Parquet files, {len(tars)} tars and "
            f"{len(pictures)} pictures here; audit one kind at a time, by its folder."
        )
    if parquet:
        return ParquetFiles(root, parquet, sorted(strays))
    if tars:
        return Tars([str(tar) for tar in tars], sorted(strays))
    names = sorted({picture.relative_to(root).as_posix() for picture in pictures})
    listed = Spool(2)
    listed.add((name, name) for name in names)
    return Listing("croissant", root, root, listed, sorted(strays))


def _files(part: Mapping[str, Any], root: Path, strays: list[Stray]) -> Iterator[Path]:
    name = str(part.get("@id") or part.get("name") or "")
    if "FileSet" in str(part.get("@type")):
        includes = part.get("includes") or []
        patterns: Sequence[Any] = includes if isinstance(includes, list) else [includes]
        for pattern in patterns:
            if not isinstance(pattern, str) or pattern.startswith("/") or ".." in pattern:
                strays.append(Stray(name, f"{pattern!r} leads out of the data set"))
                continue
            found = (one for one in root.glob(pattern) if one.is_file() and not one.is_symlink())
            yield from sorted(found)
        return
    address = str(part.get("contentUrl", ""))
    if "://" in address:
        strays.append(Stray(name, f"lies at {address}; nothing is fetched"))
        return
    place = root / address
    if not place.resolve().is_relative_to(root.resolve()) or not place.is_file():
        strays.append(Stray(name, f"{address!r} is no file of the data set"))
        return
    stated = part.get("sha256")
    if isinstance(stated, str):
        with place.open("rb") as file:
            found_digest = file_digest(file, "sha256").hexdigest()
        if found_digest != stated.lower():
            raise SourceInvalid(
                f"{address} is not what its metadata describes: SHA-256 {found_digest[:16]}, "
                f"stated {stated[:16]}. Fetch it again."
            )
    yield place
