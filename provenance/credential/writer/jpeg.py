"""A store and XMP in JPEG (C2PA 2.2, A.3.1; ITU-T T.81, annex B; ISO/IEC 19566-5, annex D)."""

from collections.abc import Iterator

from provenance.credential.writer.place import Place
from provenance.errors import PictureInvalid

XMP = b"http://ns.adobe.com/xap/1.0/\0"
_APP0, _APP1, _APP11 = 0xE0, 0xE1, 0xEB
_START_OF_SCAN = 0xDA
_MOST = 0xFFFF - 2  # bytes that a segment holds beside its marker and length
_JUMBF = b"JP\x00\x01"  # what the segment holds, and which box it is of: we write one
_JUMBF_HEAD = len(_JUMBF) + 4  # and its number


def xmp(data: bytes) -> bytes | None:
    """The XMP packet in the file, or None. Extended XMP is not read."""
    for marker, content, _ in _segments(data):
        if marker == _APP1 and content.startswith(XMP):
            return content[len(XMP) :]
    return None


def prepare(data: bytes, packet: bytes | None) -> bytes:
    """Without a store; with this XMP packet instead of any other, if one is given."""
    kept, after, behind_first, changed = [], 2, 0, packet is not None
    for marker, content, whole in _segments(data):
        after += len(whole)
        store = marker == _APP11 and content[:2] == b"JP" and content[12:16] == b"jumb"
        if store or (packet and marker == _APP1 and content.startswith(XMP)):
            changed = True
            continue
        kept.append(whole)
        if marker in (_APP0, _APP1) and behind_first == len(kept) - 1:
            behind_first = len(kept)  # JFIF and Exif want to be first
    if not changed:
        return data
    if packet is not None:
        kept.insert(behind_first, _segment(_APP1, XMP + packet))
    return data[:2] + b"".join(kept) + data[after:]


def place(data: bytes, _: int) -> Place:
    """The store stands behind JFIF, Exif and XMP."""
    at = 2
    for marker, _content, whole in _segments(data):
        if marker not in (_APP0, _APP1):
            break
        at += len(whole)
    return Place(data[:at], data[at:], _wrap)


def _wrap(store: bytes) -> bytes:
    """Segments of at most 64 KB, numbered from 1, each with the header of the store's box."""
    room = _MOST - _JUMBF_HEAD - 8
    parts = [store[8:][at : at + room] for at in range(0, len(store) - 8, room)]
    return b"".join(
        _segment(_APP11, _JUMBF + number.to_bytes(4, "big") + store[:8] + part)
        for number, part in enumerate(parts, 1)
    )


def _segment(marker: int, content: bytes) -> bytes:
    if len(content) > _MOST:
        raise PictureInvalid("the metadata do not fit into a JPEG segment of 64 KB; shorten them")
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def _segments(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Marker, content and the whole of each segment up to the scan."""
    at = 2
    while data[at : at + 2] != bytes((0xFF, _START_OF_SCAN)):
        begin = at
        while data[at : at + 2] == b"\xff\xff":  # fill bytes before a marker
            at += 1
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at : at + 1] != b"\xff" or end < at + 4 or end > len(data):
            raise PictureInvalid("the JPEG is cut short or damaged; export it again")
        yield data[at + 1], data[at + 4 : end], data[begin:end]
        at = end
