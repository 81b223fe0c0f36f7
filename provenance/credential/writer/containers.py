"""Which kinds of file carry a credential, and the module that knows each. Pure."""

from types import ModuleType
from typing import Protocol, cast

from provenance.credential.container import VIDEO, is_video
from provenance.credential.writer import bmff, jpeg, png, tiff, webp
from provenance.credential.writer.place import Place
from provenance.errors import PictureInvalid
from provenance.picture import media_type as media_type_of


class Container(Protocol):
    """What a kind of file is asked for. Each raises PictureInvalid on a damaged file."""

    def xmp(self, data: bytes) -> bytes | None:
        """The XMP packet in the file."""
        ...

    def prepare(self, data: bytes, packet: bytes | None) -> bytes:
        """Without a store; with this XMP packet instead of any other, if one is given."""
        ...

    def place(self, data: bytes, size: int) -> Place:
        """Opened up for a store of ``size`` bytes."""
        ...


_MODULES: dict[str, ModuleType] = {
    "image/png": png,
    "image/jpeg": jpeg,
    "image/webp": webp,
    "image/tiff": tiff,
    "image/avif": bmff,
    VIDEO: bmff,
}


def container_of(data: bytes, media_type: str) -> Container:
    """What knows this kind of file.

    Raises PictureInvalid for a kind that carries no credential here, and for bytes of another one.
    """
    if media_type not in _MODULES:
        raise PictureInvalid(
            f"credentials are written into PNG, JPEG, WebP, TIFF, AVIF and MP4 files, not into"
            f" {media_type}; convert it first"
        )
    fits = is_video(data) if media_type == VIDEO else media_type_of(data) == media_type
    if not fits:
        raise PictureInvalid(f"these bytes are not of the kind {media_type}")
    return cast(Container, _MODULES[media_type])


def xmp_of(data: bytes) -> bytes | None:
    """The XMP packet in a picture of a kind that is signed here; None where none can be read."""
    try:
        return container_of(data, media_type_of(data)).xmp(data)
    except PictureInvalid:
        return None
