"""A store and XMP in TIFF (C2PA 2.2, A.3.5; TIFF 6.0, section 2). Pure.

Fields stand in directories that point at what they hold. A changed directory is written anew at
the end of the file; nothing else moves.
"""

from typing import Literal, NamedTuple

from provenance.credential.writer.place import Place
from provenance.errors import PictureInvalid

XMP_TAG, STORE_TAG = 700, 0xCD41
_BYTE, _UNDEFINED = 1, 7
_ENTRY_BYTES = 12
_INLINE = 4  # bytes that a field holds itself
_MAX_ENTRIES = 4096


class _Directory(NamedTuple):
    order: Literal["little", "big"]
    entries: dict[int, bytes]  # by tag, as they stand
    following: bytes  # the offset of the next directory


def xmp(data: bytes) -> bytes | None:
    """The XMP packet in the first directory, or None."""
    return _value(data, _directory(data), XMP_TAG)


def prepare(data: bytes, packet: bytes | None) -> bytes:
    """Without a store; with this XMP packet instead of any other, if one is given."""
    directory = _directory(data)
    entries = dict(directory.entries)
    if STORE_TAG in entries:
        start, length = _field(directory, STORE_TAG)
        data = data[:start] + bytes(len(data[start : start + length])) + data[start + length :]
        del entries[STORE_TAG]
        data = _with_directory(data, directory._replace(entries=entries), b"")
    if packet is None:
        return data
    directory = directory._replace(entries=entries)
    return _with_directory(data, directory, packet, XMP_TAG, _BYTE)


def place(data: bytes, size: int) -> Place:
    """The store is the end of the file."""
    head = _with_directory(data, _directory(data), bytes(size), STORE_TAG, _UNDEFINED)
    return Place(head[: len(head) - size], b"", lambda store: store)


def _with_directory(
    data: bytes, directory: _Directory, content: bytes, tag: int = 0, kind: int = 0
) -> bytes:
    """The file with this directory, and ``content`` behind it in the field ``tag``."""
    order, entries = directory.order, dict(directory.entries)
    start = len(data) + len(data) % 2  # a directory begins on a word
    count = len(entries) + (1 if tag and tag not in entries else 0)
    behind = start + 2 + count * _ENTRY_BYTES + 4
    if tag:
        described = tag.to_bytes(2, order) + kind.to_bytes(2, order)
        entries[tag] = described + len(content).to_bytes(4, order) + behind.to_bytes(4, order)
    written = count.to_bytes(2, order) + b"".join(entries[tag] for tag in sorted(entries))
    return b"".join(
        (
            data[:4],
            start.to_bytes(4, order),
            data[8:],
            b"\0" * (len(data) % 2),
            written,
            directory.following,
            content,
        )
    )


def _directory(data: bytes) -> _Directory:
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    at = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[at : at + 2], order)
    end = at + 2 + count * _ENTRY_BYTES
    if at < 8 or end + 4 > len(data) or not 0 < count <= _MAX_ENTRIES:
        raise PictureInvalid("the TIFF is cut short or damaged; export it again")
    rows = [data[i : i + _ENTRY_BYTES] for i in range(at + 2, end, _ENTRY_BYTES)]
    entries = {int.from_bytes(row[:2], order): row for row in rows}
    return _Directory(order, entries, data[end : end + 4])


def _field(directory: _Directory, tag: int) -> tuple[int, int]:
    """Offset and length of what a field of bytes holds."""
    row = directory.entries[tag]
    length = int.from_bytes(row[4:8], directory.order)
    return int.from_bytes(row[8:12], directory.order), length


def _value(data: bytes, directory: _Directory, tag: int) -> bytes | None:
    if tag not in directory.entries:
        return None
    start, length = _field(directory, tag)
    return data[start : start + length] if length > _INLINE else None
