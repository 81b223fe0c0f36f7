"""Keys that lie in a service: AWS KMS, and any other that is asked by a callback.

A callback takes the bytes to be signed and returns the signature: DER for ES256, 64 raw bytes for
Ed25519. Google Cloud KMS (``asymmetric_sign`` of a SHA-256 digest) and Azure Key Vault
(``CryptographyClient.sign``, whose raw r and s become DER by ``der_signature``) are a line each:
docs/credential.md has them. No software of theirs is needed here.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from provenance.errors import SignerUnavailable
from provenance.keys.signer import Algorithm, algorithm_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

AWS_MAX_MESSAGE = 4096  # bytes that KMS hashes itself
COORDINATE = 32  # bytes of r and of s


@dataclass(frozen=True)
class CallbackSigner:
    """A signer whose key is asked by ``callback``; ``certificate_chain``: PEM, the leaf first.

    Whatever the callback raises becomes SignerUnavailable, naming ``service``: an outage is never
    a picture without a signature.
    """

    certificate_chain: bytes
    callback: Callable[[bytes], bytes]
    service: str = "the key service"

    @property
    def alg(self) -> Algorithm:
        return algorithm_of(x509.load_pem_x509_certificates(self.certificate_chain)[0])

    def sign(self, data: bytes) -> bytes:
        try:
            return self.callback(data)
        except SignerUnavailable:
            raise
        except Exception as error:
            raise SignerUnavailable(
                f"{self.service} did not sign ({type(error).__name__}: {error}); check that it can"
                " be reached and that its key may sign"
            ) from error


def aws_kms(
    key_id: str, certificate_chain: bytes, *, client: "BaseClient | None" = None
) -> CallbackSigner:
    """A signer whose P-256 key lies in AWS KMS (``ECC_NIST_P256``, SIGN_VERIFY).

    ``client``: a boto3 client of KMS; by default one of the environment's region and credentials.
    Raises SignerUnavailable where boto3 is missing (the extra ``kms``) or has no region.
    """
    asked = _kms_client() if client is None else client

    def sign(data: bytes) -> bytes:
        whole = len(data) <= AWS_MAX_MESSAGE
        answer: dict[str, Any] = asked.sign(
            KeyId=key_id,
            Message=data if whole else hashlib.sha256(data).digest(),
            MessageType="RAW" if whole else "DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        return bytes(answer["Signature"])

    return CallbackSigner(certificate_chain, sign, "AWS KMS")


def der_signature(raw: bytes) -> bytes:
    """DER of an ECDSA signature that a service gives as r and s, 32 bytes each."""
    if len(raw) != 2 * COORDINATE:
        raise SignerUnavailable(f"a P-256 signature has {2 * COORDINATE} bytes, this {len(raw)}")
    r, s = raw[:COORDINATE], raw[COORDINATE:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def _kms_client() -> "BaseClient":
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise SignerUnavailable(
            "boto3 is not installed; install it with: pip install 'wardmark[kms]'"
        ) from error
    try:
        return boto3.client("kms")
    except BotoCoreError as error:
        raise SignerUnavailable(f"AWS KMS cannot be asked: {error}") from error
