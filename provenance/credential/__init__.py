"""C2PA credentials: what we state of a picture, signed, and what others state, judged."""

from provenance.credential.claims import Claims, DigitalSourceType, SoftBinding, SoftwareAgent
from provenance.credential.sign import Signed, sign

__all__ = [
    "Claims",
    "DigitalSourceType",
    "Signed",
    "SoftBinding",
    "SoftwareAgent",
    "sign",
]
