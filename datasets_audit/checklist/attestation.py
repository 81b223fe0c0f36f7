"""What a person attests, signed with the ledger's key and kept in the ledger.

The event names the item, the SHA-256 of the document, the day, the day on which it ends, and the
person by pseudonym; the name is sealed, so that it can be forgotten. What is signed is the same
without the seal (DSSE), so an attestation can be checked when the name is gone.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from hashlib import file_digest
from pathlib import Path
from typing import Final, Self

import rfc8785
from pydantic import Field, ValidationError, model_validator

from datasets_audit.dsse import DsseSignature, Envelope, opened, seal
from datasets_audit.errors import AttestationInvalid
from policies.decision import Frozen
from policies.frameworks import load_framework
from provenance.errors import EventInvalid, ProofInvalid
from provenance.home import Home
from provenance.ledger import Entry, Event, Ledger
from provenance.ledger.event import Json

KIND: Final = "attestation"
PAYLOAD_TYPE: Final = "application/vnd.wardmark.attestation+json"
MAX_REASON: Final = 500  # characters
RECORDED: Final = ("drift", "evaluation", "incident")
"""Kinds of events that ``record_document`` may write: work that no gateway records by itself."""


class Attestation(Frozen):
    """``item``: ``framework/id``. ``document``: SHA-256, hex. ``subject``: pseudonym of the person.

    ``applies``: False says that the item does not apply, for ``reason``.
    """

    item: str
    subject: str = Field(pattern="^[0-9a-f]{64}$")
    document: str = Field(pattern="^[0-9a-f]{64}$")
    made: date
    expires: date
    applies: bool = True
    reason: str = Field(default="", max_length=MAX_REASON)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.expires <= self.made:
            raise ValueError("it ends before it begins; give a later day")
        if not self.applies and not self.reason:
            raise ValueError("say why the item does not apply")
        return self


class Attested(Frozen):
    """An attestation in its place. ``fault``: why it does not count, None if it does."""

    entry: str
    attestation: Attestation
    fault: str | None = None


def attest(
    home: Home,
    item: str,
    person: str,
    document: Path,
    *,
    made: date,
    expires: date,
    not_applicable: str = "",
) -> Attested:
    """Record that ``person`` attests ``item`` (``framework/id``) by ``document`` until ``expires``.

    ``not_applicable``: why the item does not apply; it stands in the ledger in clear for ever.
    Raises PolicyNotFound, AttestationInvalid, LedgerUnavailable, LedgerKeyInvalid where the home
    has no signing key.
    """
    framework, _, identifier = item.partition("/")
    if identifier not in {control.id for control in load_framework(framework).controls}:
        raise AttestationInvalid(
            f"{framework} has no item {identifier!r}; wardmark checklist {framework} lists them."
        )
    subjects = home.subjects
    try:
        said = Attestation(
            item=item,
            subject=subjects.pseudonym(person),
            document=_digest(document),
            made=made,
            expires=expires,
            applies=not not_applicable,
            reason=not_applicable,
        )
    except ValidationError as error:
        raise AttestationInvalid(f"This cannot be attested: {error.errors()[0]['msg']}.") from error
    signature = seal(PAYLOAD_TYPE, _signed(said), home.ledger_key).signatures[0]
    beside = said.model_dump(mode="json", exclude={"subject"})
    try:
        event = subjects.event(
            KIND, person, {"name": person}, beside | {"signature": signature.model_dump()}
        )
        (entry,) = home.ledger.append([event])
    except EventInvalid as error:
        raise AttestationInvalid(f"This cannot be kept: {error}") from error
    return Attested(entry=entry.id, attestation=said)


def record_document(home: Home, kind: str, document: Path) -> Entry:
    """Record that there is a document on an evaluation, an incident or a measurement of drift.

    Its SHA-256 stands in the ledger, never its words. Raises AttestationInvalid, LedgerUnavailable.
    """
    if kind not in RECORDED:
        raise AttestationInvalid(f"There is no {kind!r} to record; use {', '.join(RECORDED)}.")
    body: dict[str, Json] = {"document": _digest(document), "bytes": document.stat().st_size}
    (entry,) = home.ledger.append([Event(kind, body)])
    return entry


def attestations(ledger: Ledger) -> dict[str, Attested]:
    """The last attestation of every item, by ``framework/id``; those that do not verify too."""
    keys = ledger.keys().keys
    found: dict[str, Attested] = {}
    for entry in ledger.entries(kind=KIND):
        fields = {name: entry.body.get(name) for name in Attestation.model_fields}
        try:
            said = Attestation.model_validate(fields)
            signature = DsseSignature.model_validate(entry.body.get("signature"))
        except ValidationError:
            continue  # an event of this kind that nobody wrote through ``attest``
        payload = _signed(said)
        envelope = Envelope(
            payloadType=PAYLOAD_TYPE,
            payload=b64encode(payload).decode(),
            signatures=(signature,),
        )
        try:
            opened(envelope, PAYLOAD_TYPE, keys)
            fault = None
        except ProofInvalid as error:
            fault = str(error)
        found[said.item] = Attested(entry=entry.id, attestation=said, fault=fault)
    return found


def _signed(said: Attestation) -> bytes:
    fields: Mapping[str, object] = said.model_dump(mode="json")
    return bytes(rfc8785.dumps(dict(fields)))


def _digest(document: Path) -> str:
    try:
        with document.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AttestationInvalid(
            f"The document {document} cannot be read: {error.strerror}. Check the path."
        ) from error
