"""A store and XMP in PNG (C2PA 2.2, A.3.2; PNG 3rd edition, sections 5 and 11.3.3.4). Pure."""

import struct
import zlib
from collections.abc import Iterator

from provenance.credential.container import PNG_SIGNATURE
from provenance.credential.writer.place import Place
from provenance.errors import PictureInvalid

XMP = b"XML:com.adobe.xmp\0"
_HEADER_END = 33  # the signature and IHDR, whose length is fixed
_UNCOMPRESSED = b"\0\0\0\0"  # compression flag and method, no language, no translated keyword


def xmp(data: bytes) -> bytes | None:
    """The XMP packet in the file, or None. A compressed one is not read."""
    for kind, content, _ in _chunks(data):
        if kind == b"iTXt" and content.startswith(XMP + _UNCOMPRESSED):
            return content[len(XMP) + len(_UNCOMPRESSED) :]
    return None


def prepare(data: bytes, packet: bytes | None) -> bytes:
    """Without a store; with this XMP packet instead of any other, if one is given."""
    kept, changed = [], packet is not None
    for kind, content, whole in _chunks(data):
        if kind == b"caBX" or (packet and kind == b"iTXt" and content.startswith(XMP)):
            changed = True
        else:
            kept.append(whole)
    if not changed:
        return data
    if packet is not None:
        kept.insert(1, _chunk(b"iTXt", XMP + _UNCOMPRESSED + packet))
    return PNG_SIGNATURE + b"".join(kept)


def place(data: bytes, _: int) -> Place:
    """The store stands right behind IHDR."""
    return Place(data[:_HEADER_END], data[_HEADER_END:], lambda store: _chunk(b"caBX", store))


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Type, content and the whole of each chunk; what follows IEND comes last, as it stands."""
    at, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if end > len(data) or (at == len(PNG_SIGNATURE)) != (kind == b"IHDR"):
            raise PictureInvalid("the PNG is cut short or damaged; export it again")
        yield kind, data[at + 8 : end - 4], data[at:end]
        at = end
    if at < len(data):
        yield b"", b"", data[at:]
