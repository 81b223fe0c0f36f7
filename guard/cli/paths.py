"""Output paths, judged before the work begins."""

import os
from pathlib import Path

from guard.errors import InvalidRequest
from provenance.errors import OutputFailed
from provenance.picture import Format

FORMATS: dict[str, Format] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def format_of(path: Path) -> Format:
    """The format that the ending names. Raises InvalidRequest."""
    named = FORMATS.get(path.suffix.lower())
    if named is None:
        raise InvalidRequest(f"{path.name}: end the name in {', '.join(FORMATS)}")
    return named


def check_writable(path: Path) -> None:
    """Raise OutputFailed where ``path`` could not be written, before anything is made for it."""
    folder = path.parent
    if path.is_dir():
        raise OutputFailed(f"{path} is a folder; name a file")
    if not folder.is_dir():
        raise OutputFailed(f"there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise OutputFailed(f"{path} cannot be written; check the permissions of {folder}")
