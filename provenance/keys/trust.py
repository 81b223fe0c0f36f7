"""Whom we believe: the certificates at which a signer's chain must end."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from policies.decision import Frozen
from provenance.errors import HomeInvalid

ROOT_FILE = "root.pem"
TSA_FILE = "tsa.pem"
REVOKED_FILE = "revoked.json"
TIME_STAMPING = "time-stamping:"  # before the name of a file of TSA anchors
MAX_TRUST_LIST_BYTES = 16 * 1024 * 1024  # the official C2PA lists are under 1 MB


class Revoked(Frozen):
    """A signer's certificate (SHA-256, hex) that is not believed for what it signed from ``at``."""

    fingerprint: str
    at: AwareDatetime
    reason: str = ""


_REVOKED_LIST = TypeAdapter(tuple[Revoked, ...])


@dataclass(frozen=True)
class TrustAnchors:
    """``certificates``: roots, intermediates or single leaves that may vouch for a signer of
    claims. ``time_stamping``: those that may vouch for a time stamping authority, and for nothing
    else: each of C2PA's lists has a kind, and is believed only for that. Both may be empty.
    ``revoked``: signers that are known to be revoked, whoever vouches for them."""

    certificates: tuple[x509.Certificate, ...] = ()
    time_stamping: tuple[x509.Certificate, ...] = ()
    revoked: tuple[Revoked, ...] = ()

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
            tuple(dict.fromkeys(self.revoked + other.revoked)),
        )

    @cached_property
    def pem(self) -> str:
        """All anchors, of both kinds, without their kind: c2pa-rs does not tell them apart."""
        return _pem(self.certificates) + _pem(self.time_stamping)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the anchors, their kinds and what is revoked, so that a report can say
        which it used."""
        listed = _pem(self.certificates) + "\n" * bool(self.time_stamping)
        revoked = "".join(f"{r.fingerprint} {r.at.isoformat()}\n" for r in self.revoked)
        said = listed + _pem(self.time_stamping) + revoked
        return hashlib.sha256(said.encode("ascii")).hexdigest()


def _pem(certificates: tuple[x509.Certificate, ...]) -> str:
    return "".join(
        certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        for certificate in certificates
    )


def load_trust(path: Path) -> TrustAnchors:
    """Anchors from a PEM file, or from the ``root.pem`` of a directory of keys.

    They vouch for signers of claims; written as ``time-stamping:FILE``, for time stamping
    authorities instead. A directory may also hold ``tsa.pem``, anchors of those, and what it
    revoked. Raises HomeInvalid when the file is missing or holds no certificate.
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
    if for_time:
        return TrustAnchors(time_stamping=anchors.certificates)
    if path.is_dir():
        anchors |= load_time_stamping(path) | TrustAnchors(revoked=load_revoked(path))
    return anchors


def load_revoked(directory: Path) -> tuple[Revoked, ...]:
    """What a directory of keys revoked. Raises HomeInvalid where its list cannot be read: nobody
    is to be believed because a file was damaged."""
    file = directory / REVOKED_FILE
    try:
        return _REVOKED_LIST.validate_json(file.read_bytes()) if file.exists() else ()
    except (OSError, ValidationError) as error:
        raise HomeInvalid(f"{file} cannot be read ({error}); restore it from a backup") from error


def load_time_stamping(directory: Path) -> TrustAnchors:
    """The anchors of time stamping authorities in a directory of keys; none where it has none."""
    file = directory / TSA_FILE
    if not file.exists():
        return TrustAnchors()
    return TrustAnchors(time_stamping=TrustAnchors.from_pem(file.read_bytes()).certificates)
