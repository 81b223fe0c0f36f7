"""C2PA credentials: what we state of a picture, signed, and what others state, judged."""

from provenance.credential.claims import (
    Claims,
    DataSet,
    DigitalSourceType,
    RedactedArea,
    SoftBinding,
    SoftwareAgent,
)
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
from provenance.credential.ingredients import Ingredient, Relationship, take_in
from provenance.credential.read import check_store, read
from provenance.credential.sign import Attachments, Signed, Stamper, sign, sign_statements
from provenance.credential.thumbnail import thumbnail

__all__ = [
    "Attachments",
    "Claims",
    "Codes",
    "Contents",
    "Credential",
    "DataSet",
    "DigitalSourceType",
    "Disclosures",
    "Ingredient",
    "IngredientState",
    "Integrity",
    "RedactedArea",
    "Relationship",
    "Revocation",
    "Signed",
    "SoftBinding",
    "SoftwareAgent",
    "Stamper",
    "State",
    "check_store",
    "read",
    "sign",
    "sign_statements",
    "take_in",
    "thumbnail",
]
