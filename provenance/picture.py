"""Pictures in and out: decode within limits, encode once, write whole.

Read: PNG, JPEG, WebP, AVIF, TIFF and GIF, recognised by their first bytes, never by a file's
name. What is done with the less usual ones:

- several frames (GIF, APNG, animated WebP, TIFF pages): the first; ``Picture.frames`` counts them
- grey, palette, CMYK and YCCK: converted to RGB
- 16 bits a channel: the upper 8 are kept; 32-bit and floating point are refused
- alpha (also a PNG's transparent colour): kept apart, and the colour under it as it stands
- EXIF orientation: applied, so that pixels are as a person sees them
- ICC profiles: not applied, values are taken as they stand
"""

import io
import os
import secrets
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from provenance.errors import OutputFailed, PictureInvalid, PictureTooLarge
from provenance.png import write_png

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

Pixels = NDArray[np.uint8]
"""(height, width, 3), RGB."""

Alpha = NDArray[np.uint8]
"""(height, width), 0 transparent to 255 opaque."""

Format = Literal["png", "jpeg", "webp"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
}
"""What ``encode`` writes, by the name of the format."""

MAX_PIXELS: Final = 64_000_000  # 8000x8000: 192 MB of RGB, the most one request may hold
MAX_BYTES: Final = 256 * 2**20  # a file; above MAX_PIXELS of uncompressed RGB

MAX_PARTS: Final = 100_000
"""Chunks of a PNG or segments of a JPEG. 64 megapixels have some 25,000; Pillow takes two
microseconds for each, so a file of nothing else would hold it up for a minute."""

MAX_PAGES: Final = 1000
"""Of a TIFF. Pillow takes ever longer for each: two seconds for 20,000."""

READABLE: Final = "PNG, JPEG, WebP, AVIF, TIFF and GIF"

_DEEP_MODES: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})  # Pillow's 16-bit grey
_UNREADABLE_MODES: Final = frozenset({"I", "F"})  # 32-bit integer and floating point
_DAMAGE: Final = (  # what Pillow's readers raise on damaged files; they have no error of their own
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    RuntimeError,  # of the AVIF decoder
)


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture. ``pixels`` (H, W, 3) uint8 RGB, ``alpha`` (H, W) uint8 or None."""

    pixels: Pixels
    alpha: Alpha | None
    media_type: str
    frames: int

    @property
    def width(self) -> int:
        """In pixels, after EXIF rotation."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels, after EXIF rotation."""
        return int(self.pixels.shape[0])


def media_type(data: bytes) -> str:
    """The media type that the first bytes declare; PictureInvalid if it is none that we read."""
    head = data[:16]
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "image/avif"
    if head[:4] in (b"II*\x00", b"MM\x00*"):
        return "image/tiff"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if not data:
        raise PictureInvalid(f"The file is empty. Give a picture: {READABLE} are read.")
    raise PictureInvalid(
        f"This is not a picture that can be read ({READABLE} are). Check that the file is a"
        " picture whatever its name says, or convert it to PNG first."
    )


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Picture:
    """The pixels of a picture file.

    The header is read first: PictureTooLarge is raised before a pixel is decoded. PictureInvalid
    for anything that is not a whole picture of a kind that is read.
    """
    from PIL import ImageOps
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    if len(data) > max_bytes:
        raise PictureTooLarge(
            f"The file has {len(data):,} bytes, the limit is {max_bytes:,}. Give a smaller one."
        )
    kind = media_type(data)
    if _made_of_crumbs(kind, data):
        raise PictureInvalid(
            f"The file is made of more parts than any picture needs ({MAX_PARTS:,} chunks or"
            f" segments, {MAX_PAGES:,} pages). Export it again, as PNG for instance."
        )
    try:
        image = _read_header(kind, data)
        width, height = image.size
        if width * height > max_pixels:
            raise PictureTooLarge(
                f"The picture is {width}x{height}, the limit is {max_pixels:,} pixels."
                " Scale it down first."
            )
        frames = int(getattr(image, "n_frames", 1))
        image.seek(0)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        pixels, alpha = _channels(image)
    except _DAMAGE as error:
        raise PictureInvalid(
            f"The {kind.removeprefix('image/')} file is damaged, cut short or of a kind that is"
            f" not read ({error}). Fetch or export it again, as 8-bit PNG for instance."
        ) from error
    except (DecompressionBombError, DecompressionBombWarning) as error:
        raise PictureTooLarge(f"A frame of the picture is too large: {error}.") from error
    return Picture(pixels=pixels, alpha=alpha, media_type=kind, frames=frames)


def _made_of_crumbs(kind: str, data: bytes) -> bool:
    """Whether there are more than MAX_PARTS chunks or segments before the end, or the scan; or
    more than MAX_PAGES pages."""
    if kind == "image/tiff":
        return _has_too_many_pages(data)
    if len(data) < MAX_PARTS * 4 or kind not in ("image/png", "image/jpeg"):
        return False
    at = 8 if kind == "image/png" else 2
    for _ in range(MAX_PARTS):
        head = data[at : at + 8]
        if kind == "image/png":
            if len(head) < 8 or head[4:] == b"IEND":
                return False
            at += 12 + int.from_bytes(head[:4], "big")
        else:
            if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA:
                return False
            # A byte that only fills the space before a marker has no length of its own.
            at += 1 if head[1] == 0xFF else 2 + int.from_bytes(head[2:4], "big")
    return True


def _has_too_many_pages(tiff: bytes) -> bool:
    """Follows the chain of directories, each of which names the next (TIFF 6.0, section 2)."""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    at = int.from_bytes(tiff[4:8], order)
    for _ in range(MAX_PAGES):
        following = at + 2 + 12 * int.from_bytes(tiff[at : at + 2], order)
        at = int.from_bytes(tiff[following : following + 4], order)
        if at == 0:
            return False
    return True


def encode(
    pixels: Pixels, format: Format = "png", *, quality: int = 95, alpha: Alpha | None = None
) -> bytes:
    """A picture file of ``pixels`` (H, W, 3) uint8 RGB.

    ``quality`` 1..100 is for JPEG and WebP; PNG is lossless. The same pixels give the same bytes on
    the same kind of processor.
    PictureInvalid for an unknown format, arrays of another shape, or alpha in JPEG.
    """
    import cv2

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise PictureInvalid(
            f"Pixels must be (height, width, 3) uint8, these are {pixels.shape} {pixels.dtype}."
        )
    if format not in MEDIA_TYPES:
        raise PictureInvalid(f"Unknown format {format!r}. Choose one of {', '.join(MEDIA_TYPES)}.")
    if not 1 <= quality <= 100:
        raise PictureInvalid(f"Quality is {quality}; choose 1 to 100.")
    if alpha is not None:
        if format == "jpeg":
            raise PictureInvalid("JPEG cannot keep transparency. Choose png or webp.")
        if alpha.dtype != np.uint8 or alpha.shape != pixels.shape[:2]:
            raise PictureInvalid(f"Alpha must be {pixels.shape[:2]} uint8, it is {alpha.shape}.")
    if format == "png":
        return write_png(pixels if alpha is None else np.dstack([pixels, alpha]))
    bgr = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if alpha is not None:
        bgr = np.dstack([bgr, alpha])
    setting = cv2.IMWRITE_JPEG_QUALITY if format == "jpeg" else cv2.IMWRITE_WEBP_QUALITY
    try:
        done, data = cv2.imencode(f".{format}", bgr, [setting, quality])
    except cv2.error as error:
        raise PictureInvalid(f"{format} cannot hold this picture ({error}). Try png.") from error
    if not done:
        height, width = pixels.shape[:2]
        raise PictureInvalid(f"{format} cannot hold a picture of {width}x{height}. Try png.")
    return bytes(data)


def read_file(path: Path | str, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file, never more than ``max_bytes``.

    PictureInvalid if it is missing, not a file or not readable; PictureTooLarge if it is longer.
    """
    try:
        with Path(path).open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PictureInvalid(f"{path} is not a file. Give the path of a picture.")
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise PictureInvalid(f"{path} cannot be read: {reason}. Check the path.") from error
    if len(data) > max_bytes:
        raise PictureTooLarge(
            f"{path} has more than {max_bytes:,} bytes, the limit. Give a smaller one."
        )
    return data


def write_atomically(path: Path | str, data: bytes | Iterable[bytes]) -> None:
    """Writes a file whole or not at all, replacing what was there; ``data`` may come in pieces.

    The bytes go to a new file in the same directory, to the disk, and then to their name. However
    that ends (full disk, no permission, Ctrl-C), no half-written file is left. OutputFailed.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        try:
            with temporary.open("xb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)  # the name too must outlive a power cut
        finally:
            os.close(directory)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputFailed(
            f"{path} could not be written: {reason}. Nothing half-written was left; check the"
            " folder, its permissions and the free space, then try again."
        ) from error


def _read_header(kind: str, data: bytes) -> "ImageFile":
    """Opens by the one reader of that kind; nothing is decoded yet.

    Pillow's ``Image.open`` is not used: it would offer the bytes to forty readers, and judge the
    size by a limit of its own.
    """
    from PIL.AvifImagePlugin import AvifImageFile
    from PIL.GifImagePlugin import GifImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.TiffImagePlugin import TiffImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    readers: dict[str, type[ImageFile]] = {
        "image/png": PngImageFile,
        "image/jpeg": JpegImageFile,
        "image/webp": WebPImageFile,
        "image/avif": AvifImageFile,
        "image/tiff": TiffImageFile,
        "image/gif": GifImageFile,
    }
    return readers[kind](io.BytesIO(data))


def _channels(image: "Image") -> tuple[Pixels, Alpha | None]:
    if image.mode in _DEEP_MODES:
        grey = (np.array(image) >> 8).astype(np.uint8)  # Pillow's own conversion would clip
        return np.repeat(grey[..., None], 3, axis=2), None
    if image.mode in _UNREADABLE_MODES:
        raise ValueError("32 bits a channel")
    if image.has_transparency_data:
        rgba = np.array(image.convert("RGBA"), dtype=np.uint8)
        return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    return np.array(image.convert("RGB"), dtype=np.uint8), None
