"""The signers of one installation: the active one, those before it, and those that were revoked.

    signer.pem       the active key and its chain in one file, so that both change at once
    next.key         a key whose certificate was asked for (``wardmark keys csr``)
    retired/*.pem    the chains of earlier signers; their keys are gone
    revoked.json     fingerprint, time and reason of each revoked certificate

A running process takes up a new signer, and a revocation, with its next signature (``RingSigner``).
What an earlier signer signed is still believed, for its authority is: only a revocation ends that,
and only for what no trusted time stamp shows to be older.
"""

import json
import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from pydantic import AwareDatetime

from policies.decision import Frozen
from provenance.errors import HomeInvalid, SignerUnavailable
from provenance.keys.chain import is_development
from provenance.keys.lint import refusals
from provenance.keys.signer import HOW, Algorithm, KeySigner, PrivateKey, algorithm_of, parse_signer
from provenance.keys.trust import REVOKED_FILE, Revoked, load_revoked

SIGNER_FILE: Final = "signer.pem"
NEXT_FILE: Final = "next.key"
RETIRED_FOLDER: Final = "retired"


class KeyState(StrEnum):
    """What a signer does now."""

    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


class KeyEntry(Frozen):
    """One signer of the ring. ``fingerprint``: SHA-256 (hex) of its certificate."""

    fingerprint: str
    state: KeyState
    subject: str
    issuer: str
    serial: str
    algorithm: str
    valid_from: AwareDatetime
    valid_until: AwareDatetime
    development: bool
    revoked_at: AwareDatetime | None = None
    reason: str | None = None


def load_signer(directory: Path, *, now: datetime | None = None) -> KeySigner:
    """The active signer of the ring in ``directory``.

    ``now`` (aware, default the present) is when its certificate must be valid. Raises
    SignerUnavailable when there is none, it cannot be read, was revoked, or is out of its time.
    """
    file = directory / SIGNER_FILE
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SignerUnavailable(f"no signer at {file} ({error.strerror}); {HOW}") from error
    signer = parse_signer(data, data, str(file), now=now)
    leaf = x509.load_pem_x509_certificates(signer.certificate_chain)[0]
    if fingerprint(leaf) in {revoked.fingerprint for revoked in load_revoked(directory)}:
        raise SignerUnavailable(f"the certificate in {file} was revoked; {HOW}")
    return signer


class RingSigner:
    """The ring as a signer: each signature is by whoever is active then.

    One signature asks for key and chain; who makes one asks ``current`` first.
    """

    def __init__(self, directory: Path) -> None:
        """Raises SignerUnavailable where there is no active signer that can sign now."""
        self._directory = directory
        self._loaded = load_signer(directory)
        self._seen = self._stamps()

    @property
    def alg(self) -> Algorithm:
        return self.current().alg

    @property
    def certificate_chain(self) -> bytes:
        return self.current().certificate_chain

    def sign(self, data: bytes) -> bytes:
        return self.current().sign(data)

    def current(self) -> KeySigner:
        """The active signer, loaded anew where the ring changed. Raises SignerUnavailable."""
        stamps = self._stamps()
        if stamps != self._seen:
            # In this order: a change in between is seen the next time.
            self._loaded = load_signer(self._directory)
            self._seen = stamps
        return self._loaded

    def _stamps(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(self._directory / name) for name in (SIGNER_FILE, REVOKED_FILE))


def _stamp(file: Path) -> tuple[int, int] | None:
    """Changes whenever the file is replaced; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def activate(directory: Path, key: PrivateKey, chain: bytes) -> KeySigner:
    """Make this key and chain (PEM, leaf first) the active signer; the earlier one retires.

    One file is replaced, so that nobody ever finds the key of one signer and the chain of another.
    """
    retire(directory)
    write(directory / SIGNER_FILE, key_pem(key) + chain, 0o600)
    return KeySigner(key=key, certificate_chain=chain)


def install(directory: Path, chain: bytes, now: datetime) -> KeySigner:
    """Make the chain (PEM, leaf first) that a CA sent the active signer.

    Its key is the one that was made for the request, or the active one. Raises SignerUnavailable
    where it is of neither, or where every validator would refuse it.
    """
    if problems := [refusal.message for refusal in refusals(chain, now)]:
        raise SignerUnavailable(
            f"this chain was not installed: {'; '.join(problems)}; ask the CA for another"
        )
    waiting = directory / NEXT_FILE
    for file in (waiting, directory / SIGNER_FILE):
        if not file.exists():
            continue
        try:
            signer = parse_signer(file.read_bytes(), chain, str(file), now=now)
        except SignerUnavailable:
            continue
        made = activate(directory, signer.key, signer.certificate_chain)
        waiting.unlink(missing_ok=True)
        return made
    raise SignerUnavailable(
        f"no key in {directory} belongs to this chain; it must be of the request that"
        " wardmark keys csr wrote last"
    )


def retire(directory: Path) -> None:
    """Keep the chain of the active signer among the retired; its key stays until it is replaced."""
    for certificates in _chains(directory / SIGNER_FILE):
        folder = directory / RETIRED_FOLDER
        folder.mkdir(exist_ok=True, mode=0o700)
        chain = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)
        write(folder / f"{fingerprint(certificates[0])[:32]}.pem", chain, 0o644)


def entries(directory: Path) -> tuple[KeyEntry, ...]:
    """Every signer of the ring, the active one first, then the newest."""
    revoked = {entry.fingerprint: entry for entry in load_revoked(directory)}
    files = [directory / SIGNER_FILE, *sorted((directory / RETIRED_FOLDER).glob("*.pem"))]
    found: dict[str, KeyEntry] = {}
    for number, file in enumerate(files):
        for leaf, *_ in _chains(file):
            mark = fingerprint(leaf)
            state = KeyState.ACTIVE if number == 0 else KeyState.RETIRED
            said = revoked.get(mark)
            entry = KeyEntry(
                fingerprint=mark,
                state=KeyState.REVOKED if said else state,
                subject=leaf.subject.rfc4514_string(),
                issuer=leaf.issuer.rfc4514_string(),
                serial=f"{leaf.serial_number:x}",
                algorithm=algorithm_of(leaf).value,
                valid_from=leaf.not_valid_before_utc,
                valid_until=leaf.not_valid_after_utc,
                development=is_development(leaf),
                revoked_at=said.at if said else None,
                reason=said.reason if said else None,
            )
            found.setdefault(mark, entry)
    order = {KeyState.ACTIVE: 0, KeyState.RETIRED: 1, KeyState.REVOKED: 1}
    newest_first = sorted(found.values(), key=lambda e: e.valid_from, reverse=True)
    return tuple(sorted(newest_first, key=lambda entry: order[entry.state]))


def revoke(directory: Path, named: str, reason: str, at: datetime) -> KeyEntry:
    """Stop believing a signer, for what it signed from ``at`` (aware) on. Final.

    ``named``: the beginning of its fingerprint or its serial number, in hex digits. Raises
    HomeInvalid where that names none or several, or it was revoked already.
    """
    wanted = named.lower()
    found = [
        entry
        for entry in entries(directory)
        if wanted and (entry.fingerprint.startswith(wanted) or entry.serial == wanted)
    ]
    if len(found) != 1:
        raise HomeInvalid(
            f"{named!r} names {len(found)} signers, not one; wardmark keys list shows all of them"
        )
    if found[0].state is KeyState.REVOKED:
        raise HomeInvalid(f"this signer was revoked on {found[0].revoked_at} already")
    said = Revoked(fingerprint=found[0].fingerprint, at=at, reason=reason)
    listed = (*load_revoked(directory), said)
    document = [entry.model_dump(mode="json") for entry in listed]
    write(directory / REVOKED_FILE, json.dumps(document, indent=1).encode(), 0o644)
    return next(e for e in entries(directory) if e.fingerprint == found[0].fingerprint)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 (hex) of a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def key_pem(key: PrivateKey) -> bytes:
    """A private key as PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write(path: Path, data: bytes, mode: int) -> None:
    """Replace ``path`` whole; the file has ``mode`` before it holds a byte."""
    building = path.with_name(f".{path.name}.new")
    building.unlink(missing_ok=True)
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    building.replace(path)


def _chains(file: Path) -> list[list[x509.Certificate]]:
    """The chain in a file, if there is one that can be read."""
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []
    return [certificates] if certificates else []

