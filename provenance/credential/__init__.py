"""C2PA credentials: what we state of a picture, signed, and what others state, judged."""

from provenance.credential.claims import Claims, DigitalSourceType, SoftBinding, SoftwareAgent
from provenance.credential.credential import (
    Codes,
    Contents,
    Credential,
    Disclosures,
    IngredientState,
    Integrity,
    Revocation,
    State,
)
from provenance.credential.read import check_store, read
from provenance.credential.sign import Signed, sign

__all__ = [
    "Claims",
    "Codes",
    "Contents",
    "Credential",
    "DigitalSourceType",
    "Disclosures",
    "IngredientState",
    "Integrity",
    "Revocation",
    "Signed",
    "SoftBinding",
    "SoftwareAgent",
    "State",
    "check_store",
    "read",
    "sign",
]
