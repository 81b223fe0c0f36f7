"""Anchoring: a checkpoint as an entry of Rekor v2 (sigstore's public log), format only.

Rekor is a log that we do not run. A checkpoint that stands in it existed when it was entered, so a
later fork has a witness in public. An entry of the kind hashedrekord holds the SHA-256 of the note
and an ECDSA P-256 signature over it; Rekor v2 refuses plain Ed25519 there, so anchors have a key of
their own, which says nothing but "this note existed". Nothing here speaks to the network: the body
is sent, by whoever decides to, with POST to /api/v2/log/entries.

Source: sigstore/rekor-tiles, CreateEntryRequest and HashedRekordRequestV002 in JSON.
"""

import base64
import hashlib
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from provenance.errors import LedgerKeyInvalid, ProofInvalid
from provenance.ledger.checkpoint import Checkpoint

KEY_DETAILS = "PKIX_ECDSA_P256_SHA_256"
_SIGNED = ec.ECDSA(hashes.SHA256())


def entry(note: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """The request body that anchors a checkpoint. Raises ``ProofInvalid``, ``LedgerKeyInvalid``.

    ``key``: ECDSA P-256.
    """
    Checkpoint.parse(note)
    if not isinstance(key.curve, ec.SECP256R1):
        raise LedgerKeyInvalid("An anchor is signed with an ECDSA key on P-256.")
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    content = note.encode()
    return {
        "hashedRekordRequestV002": {
            "digest": _base64(hashlib.sha256(content).digest()),
            "signature": {
                "content": _base64(key.sign(content, _SIGNED)),
                "verifier": {
                    "publicKey": {"rawBytes": _base64(public)},
                    "keyDetails": KEY_DETAILS,
                },
            },
        }
    }


def check_entry(note: str, body: dict[str, Any], key: ec.EllipticCurvePublicKey) -> Checkpoint:
    """Check that ``body`` anchors ``note`` under ``key``. Raises ``ProofInvalid``."""
    try:
        request = body["hashedRekordRequestV002"]
        digest = base64.b64decode(request["digest"], validate=True)
        signature = base64.b64decode(request["signature"]["content"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise ProofInvalid("This is no entry of the kind hashedrekord 0.0.2.") from error
    if digest != hashlib.sha256(note.encode()).digest():
        raise ProofInvalid("The entry anchors another note.")
    try:
        key.verify(signature, note.encode(), _SIGNED)
    except InvalidSignature:
        raise ProofInvalid("The signature of the anchor does not fit the note.") from None
    return Checkpoint.parse(note)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
