"""Invisible marks: a payload in the pixels, written and found by interchangeable schemes."""

from collections.abc import Sequence
from typing import Final

from provenance.errors import MarkInvalid
from provenance.watermark.batch import detect_all, embed_all
from provenance.watermark.scheme import FALSE_POSITIVE_LIMIT, Detection, Geometry, Scheme

__all__ = [
    "DEFAULT_SCHEME",
    "FALSE_POSITIVE_LIMIT",
    "SCHEMES",
    "Detection",
    "Geometry",
    "Scheme",
    "detect_all",
    "embed_all",
    "load_scheme",
]

DEFAULT_SCHEME: Final = "lattice"

SCHEMES: Final = ("lattice", "dwtDctSvd", "dwtDct", "rivaGan")


def load_scheme(name: str = DEFAULT_SCHEME, *, keys: Sequence[bytes] = ()) -> Scheme:
    """The scheme of that name; MarkInvalid if there is none.

    ``keys``: of a deployment (keys.py), for the schemes that have keys: the first marks, all are
    looked for, and the public key after them, by which everybody can read and write marks. Without
    any the public key marks.
    """
    if name == "lattice":
        from provenance.watermark.lattice import PUBLIC_KEY, Lattice

        return Lattice((*keys, PUBLIC_KEY))
    if name in ("dwtDct", "dwtDctSvd"):
        from provenance.watermark import dwt

        return dwt.DWT_DCT if name == "dwtDct" else dwt.DWT_DCT_SVD
    if name == "rivaGan":
        from provenance.watermark.rivagan import RivaGan

        return RivaGan()
    raise MarkInvalid(f"Unknown watermark scheme {name!r}. Choose one of {', '.join(SCHEMES)}.")
