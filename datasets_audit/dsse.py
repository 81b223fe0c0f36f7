"""Signed envelopes (DSSE v1, secure-systems-lab/dsse): a payload, its type, and who signed both.

The key is the ledger's (Ed25519). What is signed begins with ``DSSEv1``, which no checkpoint does,
so that neither can be taken for the other.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, ValidationError

from policies.decision import Frozen
from provenance.errors import ProofInvalid
from provenance.ledger import LedgerKey, VerifierKey


class DsseSignature(Frozen):
    """``keyid``: 8 hex digits, the key id of a signed note; ``sig``: base64, 64 bytes."""

    keyid: str
    sig: str


class Envelope(Frozen):
    """A signed payload. ``payload``: base64."""

    payload_type: str = Field(alias="payloadType")
    payload: str
    signatures: tuple[DsseSignature, ...] = Field(min_length=1)


def seal(payload_type: str, payload: bytes, key: LedgerKey) -> Envelope:
    """Sign ``payload`` with ``key``."""
    signature = key.private.sign(pre_authentication(payload_type, payload))
    return Envelope(
        payloadType=payload_type,
        payload=b64encode(payload).decode(),
        signatures=(
            DsseSignature(keyid=key.public.key_id.hex(), sig=b64encode(signature).decode()),
        ),
    )


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed (DSSE protocol, PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def opened(envelope: Envelope, payload_type: str, keys: Iterable[VerifierKey]) -> bytes:
    """The payload, if one of ``keys`` signed it as of that type. Raises ProofInvalid."""
    if envelope.payload_type != payload_type:
        raise ProofInvalid(f"The envelope holds {envelope.payload_type}, not {payload_type}.")
    try:
        payload = b64decode(envelope.payload, validate=True)
        signed = pre_authentication(payload_type, payload)
        signatures = [(one.keyid, b64decode(one.sig, validate=True)) for one in envelope.signatures]
    except ValueError as error:
        raise ProofInvalid(f"The envelope is not base64: {error}.") from error
    for key in keys:
        for keyid, signature in signatures:
            if keyid == key.key_id.hex() and _holds(key, signature, signed):
                return payload
    raise ProofInvalid("No signature of the envelope is of a key of this ledger.")


def load_envelope(path: Path) -> Envelope:
    """Read an envelope from a file. Raises ProofInvalid."""
    try:
        return Envelope.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ProofInvalid(f"{path} is not a signed envelope: {error}") from error


def _holds(key: VerifierKey, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True
