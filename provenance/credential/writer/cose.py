"""COSE_Sign1 over a claim, of a size that is known before it is signed. Pure but for the signer.

Sources: RFC 9052 (COSE), RFC 9360 (x5chain), C2PA 2.2, sections 13.2 (signatures) and 14.5 (time
stamps, ``sigTst2``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from provenance.errors import SignerUnavailable
from provenance.keys.signer import Algorithm, Signer

_ALG, _X5CHAIN = 1, 33
_ALGORITHM_IDS = {Algorithm.ES256: -7, Algorithm.ED25519: -8}
_SIGN1_TAG = 18
SIGNATURE_BYTES = 64  # r and s of P-256, or Ed25519

Stamp = Callable[[bytes], bytes | None]
"""A time stamp token (DER) over these bytes, or None where policy lets it be missing."""


@dataclass(frozen=True)
class Envelope:
    """What surrounds a signature by ``signer``; ``reserve``: bytes kept for a time stamp token."""

    signer: Signer
    reserve: int = 0

    @property
    def protected(self) -> bytes:
        """The protected header: algorithm and certificates."""
        return _protected(self.signer.alg, self.signer.certificate_chain)

    def placeholder(self) -> bytes:
        """As long as what ``seal`` will return."""
        return _envelope(self.protected, bytes(SIGNATURE_BYTES), {"pad": bytes(self.reserve)})

    def seal(self, claim: bytes, stamp: Stamp | None = None) -> bytes:
        """Sign ``claim``, and have the signature stamped. Raises SignerUnavailable.

        A token that is longer than ``reserve`` is refused: what was hashed has its size by now.
        """
        protected = self.protected
        payload = cbor2.dumps(["Signature1", protected, b"", claim])
        signature = self.signer.sign(payload)
        verify_own(self.signer, payload, signature)
        if self.signer.alg is Algorithm.ES256:
            r, s = decode_dss_signature(signature)
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        headers: dict[str, object] = {}
        if stamp is not None:
            stamped = ["CounterSignature", protected, b"", cbor2.dumps(signature)]
            if (token := stamp(cbor2.dumps(stamped))) is not None:
                headers["sigTst2"] = {"tstTokens": [{"val": token}]}
        return _padded(protected, signature, headers, len(self.placeholder()))


@lru_cache(maxsize=16)
def _protected(algorithm: Algorithm, chain: bytes) -> bytes:
    certificates = x509.load_pem_x509_certificates(chain)
    der = [certificate.public_bytes(Encoding.DER) for certificate in certificates]
    x5chain = der if len(der) > 1 else der[0]
    return cbor2.dumps({_ALG: _ALGORITHM_IDS[algorithm], _X5CHAIN: x5chain})


@lru_cache(maxsize=16)
def _public_key(chain: bytes) -> CertificatePublicKeyTypes:
    return x509.load_pem_x509_certificates(chain)[0].public_key()


def _envelope(protected: bytes, signature: bytes, headers: dict[str, object]) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(_SIGN1_TAG, [protected, headers, None, signature]))


def _padded(protected: bytes, signature: bytes, headers: dict[str, object], size: int) -> bytes:
    """An envelope of exactly ``size`` bytes.

    A byte string's own head grows with it, so that one padding cannot have every length; a second
    one takes what is left (C2PA 2.2, section 13.2.4).
    """
    lacking = size - len(_envelope(protected, signature, headers | {"pad": b""}))
    if lacking < 0:
        raise SignerUnavailable(
            f"the time stamp is {-lacking} bytes longer than the room kept for it; use another time"
            " stamping authority, or one that sends fewer certificates"
        )
    for second in ({}, {"pad2": b""}):
        for pad in range(lacking, max(lacking - 9, -1), -1):
            sealed = _envelope(protected, signature, headers | {"pad": bytes(pad)} | second)
            if len(sealed) == size:
                return sealed
    raise AssertionError("one of two paddings always fits")  # see the tests


def verify_own(signer: Signer, data: bytes, signature: bytes) -> None:
    """Raise SignerUnavailable unless the leaf's key made ``signature``: a key service that was
    given another key would otherwise produce credentials that nobody can verify."""
    key = _public_key(signer.certificate_chain)
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            raise SignerUnavailable("the leaf certificate holds neither a P-256 nor Ed25519 key")
    except InvalidSignature as error:
        raise SignerUnavailable("the key does not belong to the leaf certificate") from error
