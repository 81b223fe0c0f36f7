"""Where a manifest store lies inside a picture's file. Pure; bounded by the file itself.

Sources: C2PA 2.2, appendix A.3 (PNG caBX, JPEG APP11 with JUMBF, RIFF C2PA chunk, TIFF tag) and A.5
(BMFF); PNG 3rd edition, section 5; ITU-T T.81, annex B; ISO/IEC 19566-5, annex D; RIFF (Multimedia
Programming Interface); TIFF 6.0, section 2; ISO/IEC 14496-12, section 4.2.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from provenance.credential.reader.binding import BMFF_UUID, top_boxes
from provenance.errors import PictureInvalid
from provenance.picture import media_type

# What a store begins with: its type, a UUID. And what XMP says of a credential kept elsewhere.
STORE_UUID = bytes.fromhex("6332706100110010800000AA00389B71")
REMOTE_POINTER = b"dcterms:provenance"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_STORE_TAG = 0xCD41
BMFF_PURPOSE = b"manifest\0"
MAX_PARTS = 100_000  # chunks or segments that are looked at; a picture of 64 megapixels has 25,000

VIDEO = "video/mp4"
PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"mif1")
MAX_VIDEO_BOXES = 20_000  # inside one another; an hour of film has a few hundred
_WITH_BOXES_INSIDE = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"udta", b"mvex", b"moof"}
    | {b"traf", b"mfra", b"skip", b"tref", b"meta", b"ilst"}
)


class Span(NamedTuple):
    """Bytes ``start`` to ``end`` (excluded) of the file."""

    start: int
    end: int


class EmbeddedStore(NamedTuple):
    """A store as it lies in a file.

    ``store``: the bytes of the first one. ``spans``: what the stores and their container's headers
    take up in the file, in order. ``stores``: how many there are; more than one is a fault.
    """

    store: bytes
    spans: tuple[Span, ...]
    stores: int


def is_video(data: bytes) -> bool:
    """Whether these are boxes of a kind that is not a picture's."""
    return data[4:8] == b"ftyp" and data[8:12] not in PICTURE_BRANDS


def kind_of(data: bytes) -> str:
    """The media type of a picture or film. Raises PictureInvalid if it is none that is read."""
    return VIDEO if is_video(data) else media_type(data)


def made_of_crumbs(data: bytes) -> bool:
    """Whether a film has more boxes than any needs: each costs whoever reads them."""
    left, waiting = MAX_VIDEO_BOXES, [(0, len(data))]
    while waiting:
        at, end = waiting.pop()
        while at + 8 <= end:
            left -= 1
            if left < 0:
                return True
            length, header = int.from_bytes(data[at : at + 4], "big"), 8
            if length == 1:
                length, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
            if length < header or at + length > end:
                length = end - at
            if data[at + 4 : at + 8] in _WITH_BOXES_INSIDE:
                waiting.append((at + header, at + length))
            at += length
    return False


def holds_stores(media_type: str) -> bool:
    """Whether this is a kind of file in which ``find_store`` can look."""
    return media_type in _CONTAINERS


def find_store(data: bytes, media_type: str) -> EmbeddedStore | None:
    """The store inside ``data``, or None.

    A damaged file is read as far as it goes. Raises PictureInvalid when ``data`` does not begin
    like ``media_type``, or that is not a kind in which stores are kept.
    """
    try:
        begins_right, stores_of = _CONTAINERS[media_type]
    except KeyError:
        raise PictureInvalid(
            "credentials are kept in PNG, JPEG, WebP, TIFF, AVIF and MP4 files, not in"
            f" {media_type}"
        ) from None
    if not begins_right(data):
        raise PictureInvalid(f"these bytes are not of the kind {media_type}")
    found = list(stores_of(data))
    if not found:
        return None
    spans = tuple(sorted(span for _, spans in found for span in spans))
    return EmbeddedStore(store=found[0][0], spans=spans, stores=len(found))


def picture_spans(data: bytes, media_type: str) -> tuple[Span, ...] | None:
    """Where the encoded pixels lie; None for a kind of file in which that is not looked for."""
    if media_type == "image/png":
        chunks = ((kind, Span(at + 8, end - 4)) for at, kind, end in _png_chunks(data))
        return tuple(span for kind, span in chunks if kind in (b"IDAT", b"fdAT"))
    if media_type == "image/jpeg":
        scan = max((span.end for span in _jpeg_segments(data)), default=2)
        return (Span(scan, len(data)),)
    return None


_Found = tuple[bytes, tuple[Span, ...]]


def _png(data: bytes) -> Iterator[_Found]:
    for at, kind, end in _png_chunks(data):
        if kind == b"caBX":
            yield data[at + 8 : end - 4], (Span(at, min(end, len(data))),)


def _png_chunks(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Where each chunk starts, its kind, and where it ends; up to IEND."""
    at = len(PNG_SIGNATURE)
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            return
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield at, data[at + 4 : at + 8], end
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end


def _webp(data: bytes) -> Iterator[_Found]:
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2  # chunks are padded to an even length
        if data[at : at + 4] == b"C2PA":
            yield data[at + 8 : at + 8 + length], (Span(at, min(end, len(data))),)
        at = end


def _jpeg(data: bytes) -> Iterator[_Found]:
    """Joins the APP11 segments of each JUMBF box: a segment holds at most 64 KB."""
    boxes: dict[bytes, tuple[bytearray, list[Span]]] = {}
    for span in _jpeg_segments(data):
        payload = data[span.start + 4 : span.end]
        # CI "JP", instance (2), sequence number (4), then the box's own header.
        if data[span.start + 1] != 0xEB or payload[:2] != b"JP" or payload[12:16] != b"jumb":
            continue
        instance = payload[2:4]
        first = instance not in boxes
        joined, spans = boxes.setdefault(instance, (bytearray(), []))
        joined += payload[8:] if first else payload[16:]  # later segments repeat the header
        spans.append(span)
    for joined, spans in boxes.values():
        yield bytes(joined), tuple(spans)


def _jpeg_segments(data: bytes) -> Iterator[Span]:
    """Marker segments up to the start of the scan; marker and length included."""
    at = 2
    for _ in range(MAX_PARTS):
        if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] == 0xDA:
            return
        if data[at + 1] == 0xFF:  # a fill byte before a marker
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4:
            return
        yield Span(at, min(end, len(data)))
        at = end


def _tiff(data: bytes) -> Iterator[_Found]:
    """A field in the first directory, which points at the store."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(at: int, width: int) -> int:
        return int.from_bytes(data[at : at + width], order)

    directory = number(4, 4)
    for entry in range(number(directory, 2)):
        at = directory + 2 + 12 * entry
        if at + 12 > len(data):
            return
        length, start = number(at + 4, 4), number(at + 8, 4)
        if number(at, 2) == TIFF_STORE_TAG and start + length <= len(data):
            # c2pa-rs leaves the field's own count of bytes out of the hash as well.
            spans = (Span(at + 4, at + 8), Span(start, start + length))
            yield data[start : start + length], spans


def _bmff(data: bytes) -> Iterator[_Found]:
    for start, length in top_boxes(data):
        box = data[start : start + length]
        if box[4:24] == b"uuid" + BMFF_UUID and box[28:].startswith(BMFF_PURPOSE):
            # Version, flags, purpose, and the offset of a Merkle box stand before the store.
            yield box[28 + len(BMFF_PURPOSE) + 8 :], (Span(start, start + length),)


_CONTAINERS: dict[str, tuple[Callable[[bytes], bool], Callable[[bytes], Iterator[_Found]]]] = {
    "image/png": (lambda data: data.startswith(PNG_SIGNATURE), _png),
    "image/jpeg": (lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    "image/webp": (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    "image/tiff": (lambda data: data[:4] in (b"II*\0", b"MM\0*"), _tiff),
    "image/avif": (lambda data: data[4:8] == b"ftyp", _bmff),
    VIDEO: (is_video, _bmff),
}
