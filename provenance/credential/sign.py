"""Claims and a picture become a signed picture."""

import io
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from provenance.credential.claims import Claims
from provenance.credential.container import find_store
from provenance.credential.engine import context
from provenance.credential.manifest import manifest
from provenance.errors import PictureInvalid, SignerUnavailable
from provenance.keys.signer import Signer
from provenance.keys.trust import TrustAnchors


@dataclass(frozen=True)
class Signed:
    """``data``: the picture with its credential inside. ``store``: the credential alone, as the
    ledger keeps it (a C2PA manifest store)."""

    data: bytes
    store: bytes


def sign(data: bytes, media_type: str, claims: Claims, signer: Signer) -> Signed:
    """Put a credential that states ``claims`` into an encoded PNG, JPEG or WebP.

    The pixels are not touched. Raises PictureInvalid when ``data`` is not of ``media_type`` or
    carries a credential already (a second signature would drop the first without a trace), and
    SignerUnavailable when the signer or its certificate cannot be used.
    """
    import c2pa

    if find_store(data, media_type) is not None:
        raise PictureInvalid(
            "this picture already carries a credential, which signing would erase; "
            "verify it, or sign a picture without one"
        )
    algorithm = c2pa.C2paSigningAlg[signer.alg.name]
    chain = signer.certificate_chain.decode("ascii")
    attempt = _Attempt(signer)
    out = io.BytesIO()
    try:
        with (
            c2pa.Signer.from_callback(attempt, algorithm, chain, None) as native,
            c2pa.Builder(manifest(claims, media_type), context(TrustAnchors())) as builder,
        ):
            store: bytes = builder.sign(native, media_type, io.BytesIO(data), out)
    except c2pa.C2paError as error:
        cause = attempt.failure or error
        raise SignerUnavailable(
            f"the picture could not be signed: {cause}; check the signing key and certificate"
        ) from cause
    return Signed(data=out.getvalue(), store=store)


class _Attempt:
    """The callback of one signature: keeps what went wrong, which c2pa would swallow."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.failure: SignerUnavailable | None = None

    def __call__(self, data: bytes) -> bytes:
        try:
            signature = self.signer.sign(data)
            _verify(self.signer, data, signature)
        except SignerUnavailable as error:
            self.failure = error
            raise
        return signature


def _verify(signer: Signer, data: bytes, signature: bytes) -> None:
    """Raise SignerUnavailable unless the leaf's key made ``signature``: a key service that was
    given another key would otherwise produce credentials that nobody can verify."""
    leaf = x509.load_pem_x509_certificates(signer.certificate_chain)[0]
    key = leaf.public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            raise SignerUnavailable("the leaf certificate holds neither a P-256 nor Ed25519 key")
    except InvalidSignature as error:
        raise SignerUnavailable("the key does not belong to the leaf certificate") from error
