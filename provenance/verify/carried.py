"""The ledger's proof in a credential, checked with nothing but the ledger's public key."""

from collections.abc import Iterator

from provenance.credential.credential import Credential
from provenance.errors import (
    KeyOutdated,
    LedgerCorrupt,
    LedgerEntryNotFound,
    LedgerKeyInvalid,
    ProofInvalid,
)
from provenance.ledger.bundle import Bundle, read_assertion
from provenance.ledger.note import Verifier
from provenance.record import Record
from provenance.verify.findings import CarriedProof
from provenance.verify.report import Inclusion
from provenance.verify.sources import RecordSource, Sources


def carried_proof(
    credential: Credential, record: Record | None, sources: Sources, ledger: RecordSource | None
) -> CarriedProof | None:
    """What is to be said of the proof in ``credential``; None where it carries none.

    ``record``: of the content id that the credential states, from ``ledger``, where there is one.
    """
    stated = credential.contents.ledger if credential.contents else None
    if stated is None:
        return None
    known = {verifier.name: verifier for verifier in _verifiers(sources, ledger)}
    if stated.log not in known:
        return CarriedProof(stated.log, Inclusion.UNAVAILABLE)
    try:
        bundle = read_assertion(stated.model_dump())
        bundle.verify(known[stated.log])
    except KeyOutdated:
        return CarriedProof(stated.log, Inclusion.UNAVAILABLE)
    except ProofInvalid:
        return CarriedProof(stated.log, Inclusion.FAILED)
    same = _is_of(record, bundle, ledger) if record and ledger else None
    return CarriedProof(stated.log, Inclusion.PROVED, same)


def _verifiers(sources: Sources, ledger: RecordSource | None) -> Iterator[Verifier]:
    yield from sources.ledger_keys
    if ledger is not None:
        try:
            yield ledger.verifier
        except LedgerKeyInvalid:
            return


def _is_of(record: Record, bundle: Bundle, ledger: RecordSource) -> bool | None:
    """Whether the proof is of the decision that led to ``record``; None where that names none."""
    try:
        decision = ledger.prove(record.content_id).leaf.body.get("decision_entry")
        if not isinstance(decision, str):
            return None
        return ledger.prove(decision).leaf.hash() == bundle.digest
    except (LedgerEntryNotFound, LedgerCorrupt, ProofInvalid):
        return None
