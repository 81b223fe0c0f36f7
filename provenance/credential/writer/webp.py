"""A store and XMP in WebP (C2PA 2.2, A.3.4; WebP container specification). Pure."""

from collections.abc import Iterator

from provenance.credential.writer.place import Place
from provenance.errors import PictureInvalid

_HAS_ALPHA, _HAS_XMP = 0x10, 0x04  # flags of VP8X
_LOSSLESS_BEGIN = 0x2F
_EXTENDED_BYTES = 10  # flags and the sides of the canvas


def xmp(data: bytes) -> bytes | None:
    """The XMP packet in the file, or None."""
    return next((content for kind, content in _chunks(data) if kind == b"XMP "), None)


def prepare(data: bytes, packet: bytes | None) -> bytes:
    """Without a store; with this XMP packet instead of any other, if one is given.

    Metadata need the extended format, so a file of the simple one gets its header.
    """
    chunks = [(kind, content) for kind, content in _chunks(data) if kind != b"C2PA"]
    if packet is not None:
        chunks = [(kind, content) for kind, content in chunks if kind != b"XMP "]
        if not chunks or (chunks[0][0] == b"VP8X" and len(chunks[0][1]) < _EXTENDED_BYTES):
            raise PictureInvalid("the WebP is cut short or damaged; export it again")
        if chunks[0][0] != b"VP8X":
            chunks.insert(0, (b"VP8X", _extended_header(*chunks[0])))
        header = chunks[0][1]
        chunks[0] = (b"VP8X", bytes((header[0] | _HAS_XMP,)) + header[1:])
        chunks.append((b"XMP ", packet))
    return _riff(b"".join(_chunk(*chunk) for chunk in chunks))


def place(data: bytes, size: int) -> Place:
    """The store is the last chunk; the length of the whole stands at the beginning."""
    head = _riff(data[12:], more=len(_chunk(b"C2PA", bytes(size))))
    return Place(head, b"", lambda store: _chunk(b"C2PA", store))


def _riff(content: bytes, more: int = 0) -> bytes:
    return b"RIFF" + (len(content) + 4 + more).to_bytes(4, "little") + b"WEBP" + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def _extended_header(kind: bytes, content: bytes) -> bytes:
    """VP8X for a file that holds one picture only."""
    if kind == b"VP8L" and len(content) >= 5 and content[0] == _LOSSLESS_BEGIN:
        packed = int.from_bytes(content[1:5], "little")
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        flags = _HAS_ALPHA if packed >> 28 & 1 else 0
    elif kind == b"VP8 " and len(content) >= 10:
        width = int.from_bytes(content[6:8], "little") & 0x3FFF
        height = int.from_bytes(content[8:10], "little") & 0x3FFF
        flags = 0
    else:
        width = height = flags = 0
    if not width or not height:
        raise PictureInvalid("the WebP does not begin with a picture; export it again")
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes((flags, 0, 0, 0)) + sides


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk."""
    end = 8 + int.from_bytes(data[4:8], "little")
    at = 12
    while at + 8 <= min(end, len(data)):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > len(data):
            break
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    if at == 12 or at < min(end, len(data)) or end > len(data) + 1:
        raise PictureInvalid("the WebP is cut short or damaged; export it again")
