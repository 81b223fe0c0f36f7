"""The keys under which a deployment marks: a file of theirs, the current one first.

Who has a key can read its marks, write others and take them out, so the file is a secret (mode
0600). A key that was replaced stays in the file: pictures that left under it are still found.
"""

import hashlib
import os
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from provenance.errors import MarkKeyInvalid

KEY_BYTES: Final = 32
MOST_KEYS: Final = 16
"""In one file. Each is looked for in every picture, so detection takes that many times as long."""

_ID_DOMAIN: Final = b"wardmark-mark-key/1\x00"
_HEADING: Final = "# Keys of watermarks, the current one first. Whoever has one can forge marks.\n"


class MarkKey(NamedTuple):
    """``key``: KEY_BYTES of secret. ``since``: when it became the current one."""

    key: bytes
    since: datetime


def key_id(key: bytes) -> str:
    """16 hex digits that name a key and give nothing of it away."""
    return hashlib.sha256(_ID_DOMAIN + key).hexdigest()[:16]


def create_mark_keys(path: Path) -> tuple[MarkKey, ...]:
    """A file with one fresh key, mode 0600. Never overwrites. Raises MarkKeyInvalid."""
    keys = (_fresh(),)
    try:
        _write_new(path, keys)
    except FileExistsError:
        raise MarkKeyInvalid(f"{path} is there already; a key is never overwritten.") from None
    except OSError as error:
        raise MarkKeyInvalid(f"The file of keys {path} cannot be written: {error}.") from error
    return keys


def load_mark_keys(path: Path) -> tuple[MarkKey, ...]:
    """The keys of a file, the current one first. Raises MarkKeyInvalid."""
    try:
        with path.open(encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise MarkKeyInvalid(
                    f"{path} is open to others, who could forge marks with it. Run: chmod 600"
                    f" {path}; and rotate the key if somebody may have read it."
                )
            lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
        keys = tuple(
            MarkKey(bytes.fromhex(written), datetime.fromisoformat(since))
            for written, since in lines
        )
    except FileNotFoundError:
        raise MarkKeyInvalid(
            f"{path} is missing. Restore it from a backup: without it, the marks of pictures that"
            " were delivered are not found. Only a deployment that delivered none may start anew,"
            " with: wardmark mark-keys create"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: not ASCII, not hex, not a time
        raise MarkKeyInvalid(f"{path} cannot be read: {error}. Restore it.") from error
    if not keys or any(len(key.key) != KEY_BYTES for key in keys):
        raise MarkKeyInvalid(f"{path} does not hold keys of {KEY_BYTES} bytes. Restore it.")
    return keys


def rotate_mark_keys(path: Path) -> tuple[MarkKey, ...]:
    """A fresh key before those that the file holds, which stay. Raises MarkKeyInvalid."""
    keys = load_mark_keys(path)
    if len(keys) >= MOST_KEYS:
        raise MarkKeyInvalid(
            f"{path} holds {len(keys)} keys, and each is looked for in every picture. Take the"
            " oldest line out; marks under that key are then no longer found."
        )
    rotated = (_fresh(), *keys)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        try:
            _write_new(temporary, rotated)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MarkKeyInvalid(
            f"{path} cannot be replaced: {error}. The keys are as they were."
        ) from error
    return rotated


def _fresh() -> MarkKey:
    return MarkKey(secrets.token_bytes(KEY_BYTES), datetime.now(UTC).replace(microsecond=0))


def _write_new(path: Path, keys: tuple[MarkKey, ...]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_HEADING)
        file.writelines(f"{key.key.hex()} {key.since.isoformat()}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
