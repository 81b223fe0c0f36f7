"""One look at one picture file: everything that an audit measures, from one read and one decode.

The decode is scaled (JPEG in the DCT domain), so PDQ is taken of 64x64 pixels. It then lies some
bits from the PDQ of the full picture (docs/audit.md gives the measured distances), well within
the 31 bits at which two pictures count as the same.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datasets_audit.exif import Exif, read_exif
from datasets_audit.look import Look
from datasets_audit.personal import personal_kinds
from datasets_audit.selfstated import read_statements
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import MAX_PIXELS, decode, media_type

Grey = NDArray[np.uint8]
"""(height, width), luma."""

SCALED_SIDE: Final = 256  # pixels; the shorter side after a scaled decode is at least this
FINGERPRINT_SIDE: Final = 64  # pixels; what PDQ averages down to, and nearest to it (docs/audit.md)
DARK_PERCENTILE: Final = 95  # the luma that all but the brightest twentieth of a picture stay below
LIGHT_PERCENTILE: Final = 5
CORNER_PARTS: Final = 10  # a corner is a tenth of the shorter side, as trigger patches usually are
PLAIN_CORNER: Final = 40.0  # standard deviation of luma; triggers are made to stand out

# The superbox of a C2PA manifest store is a JUMBF description box of this type (C2PA 2.2, 11.1.4).
_C2PA_BOX: Final = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"


class Problem(StrEnum):
    """Why a file could not be measured as a picture."""

    UNREADABLE = "unreadable"  # the bytes could not be had: permissions, a path that leads nowhere
    EMPTY = "empty"
    NOT_A_PICTURE = "not_a_picture"
    DAMAGED = "damaged"  # begins as a picture and is cut short or broken
    TOO_LARGE = "too_large"  # more pixels or bytes than we decode


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was measured. Fields from ``width`` on are None where ``problem`` is set.

    ``sha256``: hex, of the file's bytes, None only if they could not be had. ``pdq``: 64 hex
    digits; ``pdq_quality``: 0..100. ``sharpness``: variance of the Laplacian on the scaled luma.
    ``entropy``: of the luma histogram, 0..8 bits. ``dark`` and ``light``: 95th and 5th percentile
    of luma, 0..255. ``gps``, ``serial``, ``owner``: such EXIF entries are there.
    ``c2pa``: a C2PA manifest store is there; ``credential``: its integrity, read without trust in
    any signer (``provenance.credential.Integrity``). ``synthetic``,
    ``no_training``, ``rights``: what the file says of itself (``selfstated``). ``corners``: four
    hashes of the corners, 16 hex digits each, as they are read; ``-`` for a plain corner.
    ``text_personal``: kinds of personal data in what is written in the picture, "" for none;
    ``faces``: how many there may be; both None where nobody looked closer (``look``).
    """

    bytes: int
    sha256: str | None
    problem: Problem | None = None
    detail: str | None = None
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    pdq: str | None = None
    pdq_quality: int | None = None
    sharpness: float | None = None
    entropy: float | None = None
    brightness: float | None = None
    dark: int | None = None
    light: int | None = None
    gps: bool | None = None
    serial: bool | None = None
    owner: bool | None = None
    c2pa: bool | None = None
    credential: str | None = None
    synthetic: bool | None = None
    no_training: str | None = None
    rights: str | None = None
    corners: str | None = None
    text_personal: str | None = None
    faces: int | None = None


def unreadable(detail: str) -> Inspection:
    """The inspection of a file whose bytes could not be had."""
    return Inspection(bytes=0, sha256=None, problem=Problem.UNREADABLE, detail=detail)


def inspect(data: bytes, look: Look | None = None) -> Inspection:
    """Measure one file. Never raises for what is in it: a broken picture is a finding.

    ``look``: looks closer, at the picture in its full size. Raises what that raises.
    """
    digest = sha256(data).hexdigest()
    if not data:
        return Inspection(0, digest, Problem.EMPTY, "The file has no bytes.")
    try:
        kind = media_type(data)
    except PictureInvalid as error:
        return Inspection(len(data), digest, Problem.NOT_A_PICTURE, str(error))
    exif = read_exif(data, kind)
    try:
        grey, width, height = _scaled_grey(data, kind, exif)
    except PictureTooLarge as error:
        return Inspection(len(data), digest, Problem.TOO_LARGE, str(error), kind)
    except PictureInvalid as error:
        return Inspection(len(data), digest, Problem.DAMAGED, str(error), kind)
    found = Inspection(len(data), digest, media_type=kind)
    measured = _measure(grey, width, height, found, data, exif)
    return measured if look is None else _looked(measured, data, look)


def _looked(measured: Inspection, data: bytes, look: Look) -> Inspection:
    try:
        seen = look(decode(data).pixels)
    except (PictureInvalid, PictureTooLarge) as error:
        # What opens scaled down and not in full is damaged all the same.
        return Inspection(
            measured.bytes, measured.sha256, Problem.DAMAGED, str(error), measured.media_type
        )
    kinds = None if seen.text is None else ", ".join(personal_kinds(seen.text))
    return replace(measured, text_personal=kinds, faces=seen.faces)


def _measure(
    grey: Grey, width: int, height: int, file: Inspection, data: bytes, exif: Exif
) -> Inspection:
    import cv2

    from provenance.fingerprint import fingerprint

    square = cv2.resize(grey, (FINGERPRINT_SIDE, FINGERPRINT_SIDE), interpolation=cv2.INTER_AREA)
    mark = fingerprint(cv2.cvtColor(square, cv2.COLOR_GRAY2RGB))
    store = _C2PA_BOX in data
    stated = read_statements(data, store)
    histogram = np.bincount(grey.ravel(), minlength=256)
    shares = histogram[histogram > 0] / grey.size
    below = np.cumsum(histogram) / grey.size
    # Rounded, so that the rows of two machines are the same rows.
    return Inspection(
        bytes=file.bytes,
        sha256=file.sha256,
        media_type=file.media_type,
        width=width,
        height=height,
        pdq=mark.pdq,
        pdq_quality=mark.quality,
        sharpness=round(float(cv2.Laplacian(grey, cv2.CV_32F).var()), 1),
        entropy=round(float(-(shares * np.log2(shares)).sum()) + 0.0, 3),
        brightness=round(float(histogram @ np.arange(256)) / grey.size, 1),
        dark=int(np.searchsorted(below, DARK_PERCENTILE / 100)),
        light=int(np.searchsorted(below, LIGHT_PERCENTILE / 100)),
        gps=exif.gps,
        serial=exif.serial,
        owner=exif.owner,
        c2pa=store,
        credential=_integrity(data) if store else None,
        synthetic=stated.synthetic,
        no_training=stated.no_training,
        rights=stated.rights,
        corners=" ".join(_corner(grey, place) for place in range(4)),
    )


def _integrity(data: bytes) -> str:
    from provenance.credential import read
    from provenance.keys.trust import TrustAnchors

    return read(data, TrustAnchors()).integrity.value


def _corner(grey: Grey, place: int) -> str:
    """64 bits of one corner: which of 8x8 cells are brighter than their mean. ``place``: 0..3."""
    import cv2

    side = max(8, min(grey.shape) // CORNER_PARTS)
    rows = grey[:side] if place < 2 else grey[-side:]
    corner = rows[:, :side] if place % 2 == 0 else rows[:, -side:]
    cells = cv2.resize(corner, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32)
    if cells.std() < PLAIN_CORNER:
        return "-"
    return np.packbits(cells > cells.mean()).tobytes().hex()


def _scaled_grey(data: bytes, kind: str, exif: Exif) -> tuple[Grey, int, int]:
    """Luma with a shorter side of at least SCALED_SIDE where the picture has it, and its true size.

    As a person sees it, EXIF orientation applied.
    """
    if kind == "image/jpeg":
        scaled = _jpeg_grey(data)
        if scaled is not None:
            grey, width, height = scaled
            turned = _turn(grey, exif.orientation)
            return (turned, height, width) if exif.orientation >= 5 else (turned, width, height)
    import cv2

    picture = decode(data)
    grey = np.asarray(cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    # The same powers of two as libjpeg's, so that a picture measures alike in any format.
    factor = next(
        (f for f in (8, 4, 2) if min(picture.width, picture.height) >= f * SCALED_SIDE), 1
    )
    if factor > 1:
        size = (-(-picture.width // factor), -(-picture.height // factor))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return grey, picture.width, picture.height


def _jpeg_grey(data: bytes) -> tuple[Grey, int, int] | None:
    """None if simplejpeg does not read this one; the general decoder then says what is wrong."""
    import simplejpeg

    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        if width * height > MAX_PIXELS:
            return None
        grey = simplejpeg.decode_jpeg(
            data, "GRAY", fastdct=True, min_height=SCALED_SIDE, min_width=SCALED_SIDE
        )
    except ValueError:  # damaged, or a colour space it does not convert, such as CMYK
        return None
    return np.ascontiguousarray(grey[..., 0]), width, height


def _turn(grey: Grey, orientation: int) -> Grey:
    """Apply EXIF orientation 1..8 (Exif 2.32, 4.6.4 A)."""
    if orientation >= 5:
        grey = grey.T
    if orientation in (3, 4, 7, 8):
        grey = grey[::-1]
    if orientation in (2, 3, 6, 7):
        grey = grey[:, ::-1]
    return np.ascontiguousarray(grey)
