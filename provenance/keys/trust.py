"""Whom we believe: the certificates at which a signer's chain must end."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from provenance.errors import HomeInvalid

ROOT_FILE = "root.pem"
MAX_TRUST_LIST_BYTES = 16 * 1024 * 1024  # the official C2PA lists are under 1 MB


@dataclass(frozen=True)
class TrustAnchors:
    """Root or intermediate certificates that may vouch for a signer of claims. May be empty."""

    certificates: tuple[x509.Certificate, ...] = ()

    @classmethod
    def from_pem(cls, data: bytes) -> "TrustAnchors":
        """Anchors out of concatenated PEM certificates. Raises HomeInvalid when there are none."""
        if len(data) > MAX_TRUST_LIST_BYTES:
            raise HomeInvalid(f"a trust list over {MAX_TRUST_LIST_BYTES} bytes is not read")
        try:
            return cls(tuple(x509.load_pem_x509_certificates(data)))
        except ValueError as error:
            raise HomeInvalid(
                "the trust list holds no readable PEM certificate; give a file of "
                "'-----BEGIN CERTIFICATE-----' blocks"
            ) from error

    def __or__(self, other: "TrustAnchors") -> "TrustAnchors":
        return TrustAnchors(tuple(dict.fromkeys(self.certificates + other.certificates)))

    @cached_property
    def pem(self) -> str:
        return "".join(
            certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
            for certificate in self.certificates
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the anchors as PEM, so that a report can say which ones it used."""
        return hashlib.sha256(self.pem.encode("ascii")).hexdigest()


def load_trust(path: Path) -> TrustAnchors:
    """Anchors from a PEM file, or from the ``root.pem`` of a directory of keys.

    Raises HomeInvalid when the file is missing or holds no certificate.
    """
    file = path / ROOT_FILE if path.is_dir() else path
    try:
        return TrustAnchors.from_pem(file.read_bytes())
    except OSError as error:
        raise HomeInvalid(
            f"no trust anchors at {file} ({error.strerror}); make a home with: wardmark init"
        ) from error
