"""Where a deployment's signing key lies: the table ``[signer]`` of its settings, and what it opens.

    [signer]
    kind = "pem"                  # pem | pkcs12 | pkcs11 | aws-kms; without the table, the ring
    key = "/etc/wardmark/signer.key"
    chain = "/etc/wardmark/signer.pem"
    password_env = "WARDMARK_KEY_PASSWORD"

A password or PIN stands in the environment or in a file, never in the settings.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import model_validator

from policies.decision import Frozen
from provenance.errors import SignerUnavailable
from provenance.keys.ring import RingSigner
from provenance.keys.service import aws_kms
from provenance.keys.signer import HOW, KeySigner, Signer, check_time, checked, parse_signer
from provenance.keys.token import TokenSigner


class Kind(StrEnum):
    """Where a key lies. ring: in the home itself, managed by ``wardmark keys``."""

    RING = "ring"
    PEM = "pem"
    PKCS12 = "pkcs12"
    PKCS11 = "pkcs11"
    AWS_KMS = "aws-kms"


_NEEDS = {
    Kind.RING: frozenset[str](),
    Kind.PEM: frozenset({"key", "chain"}),
    Kind.PKCS12: frozenset({"key"}),
    Kind.PKCS11: frozenset({"chain", "module", "token", "label"}),
    Kind.AWS_KMS: frozenset({"chain", "key_id"}),
}


class SignerSettings(Frozen):
    """``key`` and ``chain``: files, relative to the home. ``module``, ``token`` and ``label``: of
    PKCS#11. ``key_id``: of AWS KMS. ``password_env`` or ``password_file``: where the password of a
    file, or a token's PIN, is found."""

    kind: Kind = Kind.RING
    key: Path | None = None
    chain: Path | None = None
    module: Path | None = None
    token: str = ""
    label: str = ""
    key_id: str = ""
    password_env: str = ""
    password_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> "SignerSettings":
        missing = sorted(name for name in _NEEDS[self.kind] if not getattr(self, name))
        if missing:
            raise ValueError(f"a signer of kind {self.kind} needs {', '.join(missing)}")
        return self


def open_signer(
    settings: SignerSettings, home: Path, ring: Path, *, now: datetime | None = None
) -> Signer:
    """The signer that ``settings`` name. ``ring``: the home's own folder of keys.

    Raises SignerUnavailable where a file, a password or the software that it needs is missing, or
    where its certificate is out of its time.
    """
    openers: dict[Kind, Callable[[], Signer]] = {
        Kind.RING: lambda: RingSigner(ring),
        Kind.PEM: lambda: parse_signer(
            _read(home, settings.key),
            _read(home, settings.chain),
            str(settings.key),
            password=_password(settings, home),
            now=now,
        ),
        Kind.PKCS12: lambda: parse_pkcs12(
            _read(home, settings.key), str(settings.key), _password(settings, home), now=now
        ),
        Kind.PKCS11: lambda: TokenSigner(
            module=settings.module or Path(),
            token=settings.token,
            label=settings.label,
            pin=(_password(settings, home) or b"").decode(),
            certificate_chain=_chain(home, settings, now),
        ),
        Kind.AWS_KMS: lambda: aws_kms(settings.key_id, _chain(home, settings, now)),
    }
    return openers[settings.kind]()


def parse_pkcs12(
    data: bytes, where: str, password: bytes | None, *, now: datetime | None = None
) -> KeySigner:
    """A signer of a PKCS#12 file (RFC 7292), which holds key and chain. Raises as parse_signer."""
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(data, password)
    except ValueError as error:
        raise SignerUnavailable(
            f"{where} cannot be read ({error}); check the file and its password"
        ) from error
    if key is None or leaf is None:
        raise SignerUnavailable(f"{where} lacks a private key or its certificate; {HOW}")
    chain = b"".join(
        c.public_bytes(serialization.Encoding.PEM)
        for c in (leaf, *_in_order(leaf, others))
    )
    return checked(key, chain, where, now=now)


def _in_order(leaf: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """The issuers of ``leaf`` upwards, without a root: a PKCS#12 file has them in any order."""
    ordered, below = [], leaf
    by_subject = {c.subject: c for c in others}
    while (above := by_subject.pop(below.issuer, None)) is not None:
        if above.subject != above.issuer:
            ordered.append(above)
        below = above
    return ordered


def _read(home: Path, file: Path | None) -> bytes:
    path = home / (file or Path())
    try:
        return path.read_bytes()
    except OSError as error:
        raise SignerUnavailable(
            f"{path} cannot be read ({error.strerror}); check [signer] in the settings"
        ) from error


def _chain(home: Path, settings: SignerSettings, now: datetime | None) -> bytes:
    chain = _read(home, settings.chain)
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise SignerUnavailable(f"{settings.chain} holds no certificate chain in PEM") from error
    check_time(leaf, str(settings.chain), now or datetime.now(UTC))
    return chain


def _password(settings: SignerSettings, home: Path) -> bytes | None:
    if settings.password_file is not None:
        return _read(home, settings.password_file).rstrip(b"\r\n")
    if not settings.password_env:
        return None
    if settings.password_env not in os.environ:
        raise SignerUnavailable(
            f"the environment does not set {settings.password_env}, which the signer needs"
        )
    return os.environ[settings.password_env].encode()
