"""A store and XMP in files of ISO base media boxes: AVIF and MP4. Pure.

The store stands behind ``ftyp``, which moves everything else; what points at places in the file is
moved along. Sources: C2PA 2.2, A.5; ISO/IEC 14496-12, sections 4.2, 8.7.5 (stco, co64) and 8.11.3
(iloc); XMP part 3, section 1.3 (the uuid box).
"""

from collections.abc import Iterator
from typing import NamedTuple

from provenance.credential.writer.boxes import box
from provenance.credential.writer.place import STORE_BOX_UUID, Place, top_boxes
from provenance.errors import PictureInvalid

_XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_FULL_BOX = 4  # bytes of version and flags
_PURPOSE = bytes(_FULL_BOX) + b"manifest\0" + bytes(8)  # and no offset of a Merkle box
_FRAGMENTS = (b"moof", b"sidx")  # whose own offsets we do not move
_PATH_TO_CHUNKS = (b"trak", b"mdia", b"minf", b"stbl")


def xmp(data: bytes) -> bytes | None:
    """The XMP packet in a box of its own, or None. One inside ``meta`` is not read."""
    found = (b[24:] for b in _boxes(data) if b[4:8] == b"uuid" and b[8:24] == _XMP_UUID)
    return next(found, None)


def prepare(data: bytes, packet: bytes | None) -> bytes:
    """Without a store; with this XMP packet instead of any other, if one is given."""
    boxes = _without(_boxes(data), STORE_BOX_UUID)
    if packet is not None:
        boxes = _closed(_without(boxes, _XMP_UUID))
        boxes.append(box(b"uuid", _XMP_UUID + packet))
    return b"".join(boxes)


def place(data: bytes, size: int) -> Place:
    """The store stands behind ``ftyp``."""
    first, *others = _boxes(data)
    if first[4:8] != b"ftyp" or any(other[4:8] in _FRAGMENTS for other in others):
        raise PictureInvalid("a file of this layout cannot carry a credential; export it again")
    move = _Move(since=len(first), by=len(_wrap(bytes(size))))
    tail = b"".join(_moved(other, move) for other in others)
    return Place(first, tail, _wrap, boxed=True)


def _wrap(store: bytes) -> bytes:
    return box(b"uuid", STORE_BOX_UUID + _PURPOSE + store)


def _boxes(data: bytes) -> list[bytes]:
    try:
        return [found for _, found in top_boxes(data)]
    except ValueError:
        raise PictureInvalid("the file is cut short or damaged; export it again") from None


def _closed(boxes: list[bytes]) -> list[bytes]:
    """The last box with a length of its own, so that another can follow."""
    last = boxes[-1]
    if last[:4] == bytes(4):
        last = len(last).to_bytes(4, "big") + last[4:]
    return [*boxes[:-1], last]


class _Move(NamedTuple):
    """All that stands at ``since`` or later moves by so many bytes."""

    since: int
    by: int

    def of(self, offset: int) -> int:
        return self.by if offset >= self.since else 0


def _without(boxes: list[bytes], uuid: bytes) -> list[bytes]:
    """The boxes without those of this uuid, the others moved up."""
    for index, found in enumerate(boxes):
        if found[4:24] == b"uuid" + uuid:
            move = _Move(sum(map(len, boxes[:index])), -len(found))
            rest = [_moved(other, move) for other in boxes[:index] + boxes[index + 1 :]]
            return _without(rest, uuid)
    return boxes


def _moved(found: bytes, move: _Move) -> bytes:
    """A top-level box whose pointers into the file are moved; its length stays."""
    moved = bytearray(found)
    try:
        if found[4:8] == b"meta":
            for start, end in _inside(found, 8 + _FULL_BOX, len(found), b"iloc"):
                _move_items(moved, start, end, move)
        elif found[4:8] == b"moov":
            for start, end in _descend(found, _PATH_TO_CHUNKS):
                for kind, width in ((b"stco", 4), (b"co64", 8)):
                    for first, last in _inside(found, start, end, kind):
                        for at in range(first + 8, last, width):
                            _add(moved, at, width, move.of(_number(moved, at, width)))
    except (OverflowError, IndexError, ValueError):
        raise PictureInvalid("the file's pointers are damaged; export it again") from None
    return bytes(moved)


def _inside(data: bytes, start: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of the boxes of one kind stand."""
    for at, found in top_boxes(data[start:end]):
        if found[4:8] == kind:
            yield start + at + 8, start + at + len(found)


def _descend(data: bytes, path: tuple[bytes, ...]) -> list[tuple[int, int]]:
    spans = [(8, len(data))]
    for kind in path:
        spans = [inner for start, end in spans for inner in _inside(data, start, end, kind)]
    return spans


def _number(data: bytearray, at: int, width: int) -> int:
    if at + width > len(data):
        raise ValueError("beyond the box")
    return int.from_bytes(data[at : at + width], "big")


def _add(data: bytearray, at: int, width: int, by: int) -> None:
    data[at : at + width] = (_number(data, at, width) + by).to_bytes(width, "big")


def _move_items(data: bytearray, start: int, end: int, move: _Move) -> None:
    """Move the places of the items that ``iloc`` keeps in the file itself."""
    version, sizes = data[start], data[start + 4 : start + 6]
    offset_bytes, length_bytes, base_bytes = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_bytes = sizes[1] & 15 if version else 0
    id_bytes = 4 if version == 2 else 2
    at = start + 6
    items = _number(data, at, id_bytes)
    at += id_bytes
    for _ in range(items):
        at += id_bytes
        in_file = not version or not data[at + 1] & 15  # else in idat, or within another item
        at += 2 if version else 0
        base_at = at + 2  # behind the number of the file, which is this one
        base = _number(data, base_at, base_bytes)
        extents = _number(data, base_at + base_bytes, 2)
        at = base_at + base_bytes + 2
        by_base = bool(base_bytes) and base + move.by >= 0
        for extent in range(extents):
            at += index_bytes
            if in_file and (extent == 0 or not by_base):
                by = move.of(base + _number(data, at, offset_bytes))
                field = (base_at, base_bytes) if by_base else (at, offset_bytes)
                _add(data, *field, by)
            at += offset_bytes + length_bytes
            if at > end:
                raise ValueError("beyond the box")
