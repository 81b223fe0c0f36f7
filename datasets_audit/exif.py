"""What a camera wrote into a picture that may name a place or a person.

A reader of just the entries that matter to an audit, tolerant of damage and bounded in work: EXIF
comes from strangers. Sources: TIFF 6.0 section 2, Exif 2.32 tables 4 to 16.
"""

import struct
from dataclasses import dataclass

MAX_ENTRIES = 512  # of one directory; real ones hold some dozens
MAX_HEADER_SEGMENTS = 64  # of a JPEG, before the picture data

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_GPS_IFD = 0x8825
_GPS_LATITUDE = 0x0002
_GPS_LONGITUDE = 0x0004
_OWNER = 0xA430
_BODY_SERIAL = 0xA431
_LENS_SERIAL = 0xA435

_LONG = 4  # TIFF field type: 32 bits, the type of a pointer to another directory
_ENTRY_BYTES = 12


@dataclass(frozen=True, slots=True)
class Exif:
    """``orientation`` is 1..8 (Exif 2.32, 4.6.4 A); the rest says whether such entries are there.

    ``gps``: a latitude or longitude. ``serial``: a serial number of body or lens, which ties
    pictures to one camera and so to its owner. ``owner``: the camera owner's name.
    """

    orientation: int = 1
    gps: bool = False
    serial: bool = False
    owner: bool = False


NO_EXIF = Exif()


def read_exif(data: bytes, media_type: str) -> Exif:
    """The EXIF of a picture file. Damaged or absent EXIF is ``NO_EXIF``: it names nobody."""
    try:
        block = _block(data, media_type)
        return NO_EXIF if block is None else _read(block)
    except (struct.error, IndexError):
        return NO_EXIF


def _block(data: bytes, media_type: str) -> bytes | None:
    if media_type == "image/jpeg":
        return _jpeg_block(data)
    if media_type == "image/png":
        at = data.find(b"eXIf", 8)
        if at < 4:
            return None
        (length,) = struct.unpack_from(">I", data, at - 4)
        return data[at + 4 : at + 4 + length]
    if media_type == "image/webp":
        at = data.rfind(b"EXIF")  # metadata chunks come after the picture's
        if at < 12:
            return None
        (length,) = struct.unpack_from("<I", data, at + 4)
        return data[at + 8 : at + 8 + length].removeprefix(b"Exif\x00\x00")
    if media_type == "image/tiff":
        return data
    return None


def _jpeg_block(data: bytes) -> bytes | None:
    at = 2
    for _ in range(MAX_HEADER_SEGMENTS):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker == 0xFFDA or marker >> 8 != 0xFF:  # start of scan, or not a marker at all
            return None
        if marker == 0xFFE1 and data[at + 4 : at + 10] == b"Exif\x00\x00":
            return data[at + 10 : at + 2 + length]
        at += 2 + length
    return None


def _read(block: bytes) -> Exif:
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None:
        return NO_EXIF
    (first,) = struct.unpack_from(order + "I", block, 4)
    main = _directory(block, order, first)
    camera = _directory(block, order, main.get(_EXIF_IFD, 0))
    place = _directory(block, order, main.get(_GPS_IFD, 0))
    orientation = main.get(_ORIENTATION, 1)
    return Exif(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        gps=_GPS_LATITUDE in place or _GPS_LONGITUDE in place,
        serial=_BODY_SERIAL in camera or _LENS_SERIAL in camera,
        owner=_OWNER in camera,
    )


def _directory(block: bytes, order: str, at: int) -> dict[int, int]:
    """Tags of the directory at ``at`` with their first value; {} for a pointer of 0."""
    if at == 0:
        return {}
    (count,) = struct.unpack_from(order + "H", block, at)
    tags = {}
    for entry in range(min(count, MAX_ENTRIES)):
        where = at + 2 + entry * _ENTRY_BYTES
        tag, kind = struct.unpack_from(order + "HH", block, where)
        (value,) = struct.unpack_from(order + ("I" if kind == _LONG else "H"), block, where + 8)
        tags[tag] = value
    return tags
