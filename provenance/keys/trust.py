"""Whom we believe: the certificates at which a signer's chain must end."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from provenance.errors import HomeInvalid

ROOT_FILE = "root.pem"
TIME_STAMPING = "time-stamping:"  # before the name of a file of TSA anchors
MAX_TRUST_LIST_BYTES = 16 * 1024 * 1024  # the official C2PA lists are under 1 MB


@dataclass(frozen=True)
class TrustAnchors:
    """``certificates``: roots, intermediates or single leaves that may vouch for a signer of
    claims. ``time_stamping``: those that may vouch for a time stamping authority, and for nothing
    else: each of C2PA's lists has a kind, and is believed only for that. Both may be empty."""

    certificates: tuple[x509.Certificate, ...] = ()
    time_stamping: tuple[x509.Certificate, ...] = ()

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
        return TrustAnchors(
            tuple(dict.fromkeys(self.certificates + other.certificates)),
            tuple(dict.fromkeys(self.time_stamping + other.time_stamping)),
        )

    @cached_property
    def pem(self) -> str:
        """All anchors, of both kinds, without their kind: c2pa-rs does not tell them apart."""
        return _pem(self.certificates) + _pem(self.time_stamping)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the anchors and their kinds, so that a report can say which it used."""
        listed = _pem(self.certificates) + "\n" * bool(self.time_stamping)
        return hashlib.sha256((listed + _pem(self.time_stamping)).encode("ascii")).hexdigest()


def _pem(certificates: tuple[x509.Certificate, ...]) -> str:
    return "".join(
        certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        for certificate in certificates
    )


def load_trust(path: Path) -> TrustAnchors:
    """Anchors from a PEM file, or from the ``root.pem`` of a directory of keys.

    They vouch for signers of claims; written as ``time-stamping:FILE``, for time stamping
    authorities instead. Raises HomeInvalid when the file is missing or holds no certificate.
    """
    named = str(path)
    for_time = named.startswith(TIME_STAMPING)
    path = Path(named.removeprefix(TIME_STAMPING))
    file = path / ROOT_FILE if path.is_dir() else path
    try:
        anchors = TrustAnchors.from_pem(file.read_bytes())
    except OSError as error:
        raise HomeInvalid(
            f"no trust anchors at {file} ({error.strerror}); make a home with: wardmark init"
        ) from error
    return TrustAnchors(time_stamping=anchors.certificates) if for_time else anchors
