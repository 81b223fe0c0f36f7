"""The rules: layers compared pair by pair, then one verdict. Pure.

A rule looks at the findings and says what agrees and what does not. A disagreement has a name; it
either contradicts the story that the file tells of itself (evidence of tampering, swap, copy or
laundering) or merely leaves it unconfirmed. The verdict follows from these alone:

    any contradiction                                     contradicted
    else the credential proves the file's origin          established
    else a record or a resolver speaks for the picture    recovered
    else any signal at all                                unconfirmed
    else                                                  none

So a further contradiction can never make a verdict stronger, and a mark alone never establishes.
"""

from collections.abc import Callable, Iterator

from provenance.credential.credential import Contents, Credential, Integrity, State
from provenance.verify.credential_rules import (
    credential_and_file,
    credential_and_ingredients,
    credential_and_mark,
    credential_and_signer,
    credential_and_specification,
)
from provenance.verify.findings import Candidate, Findings
from provenance.verify.record_rules import (
    credential_and_ledger,
    credential_and_record,
    fingerprint_and_record,
    mark_and_record,
    record_and_ledger,
    record_and_stored_credential,
    resolver_and_picture,
)
from provenance.verify.report import Agreement, Inclusion, Origin, Verdict

Rule = Callable[[Findings], Iterator[Agreement]]


def agreements(findings: Findings) -> tuple[Agreement, ...]:
    """What every rule says, contradictions first."""
    said = [agreement for rule in RULES for agreement in rule(findings)]
    return tuple(sorted(said, key=lambda a: (not a.contradicts, a.holds)))


def verdict(findings: Findings, said: tuple[Agreement, ...]) -> Verdict:
    """The verdict that follows from the findings and what the rules said of them."""
    if any(agreement.contradicts for agreement in said):
        return Verdict.CONTRADICTED
    if findings.credential.proves:
        return Verdict.ESTABLISHED
    if is_recovered(findings):
        return Verdict.RECOVERED
    some_signal = (
        findings.credential.state is not State.ABSENT
        or findings.mark is not None
        or findings.candidate is not None
    )
    return Verdict.UNCONFIRMED if some_signal else Verdict.NONE


def is_recovered(findings: Findings) -> bool:
    """Whether a record or a resolver speaks for this picture in place of a credential in it."""
    return recovered_from(findings) is not None


def recovered_from(findings: Findings) -> Credential | None:
    """The stored credential that speaks for this picture: of a record, else of a resolver."""
    candidate, kept = findings.candidate, findings.recovering
    if candidate is not None and _record_speaks(findings, candidate):
        return candidate.stored
    return kept.stored if kept is not None else None


def _record_speaks(findings: Findings, candidate: Candidate) -> bool:
    """Whether a record does. Where the picture is too flat for its fingerprint to tell it from
    others, the fingerprint must be near and something else must lead to the same record: the mark,
    the very bytes of the file, or the recorded credential with its hash intact (one whose
    certificate has expired since)."""
    if not candidate.agrees or candidate.stored.state is not State.TRUSTED:
        return False
    bound = candidate.same_store and findings.credential.integrity is Integrity.INTACT
    led_here = candidate in (findings.by_file, findings.by_mark) or bound
    found = candidate.comparable and not candidate.look_alike
    return candidate.inclusion is not Inclusion.FAILED and (led_here or found)


def origin(contents: Contents | None) -> Origin:
    """How a picture came to be, by the digital source types of a believed credential."""
    if contents is None:
        return Origin.UNKNOWN
    made = {
        _source(action.digital_source_type)
        for action in contents.actions
        if action.action == "c2pa.created"
    }
    ever = {_source(kind) for kind in contents.source_types}
    if "trainedAlgorithmicMedia" in made:
        return Origin.AI_GENERATED
    if ever & {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"}:
        return Origin.AI_EDITED
    if any(kind.startswith("composite") for kind in ever):
        return Origin.COMPOSITE
    if ever & {"digitalCapture", "computationalCapture"}:
        return Origin.CAPTURED
    return Origin.UNKNOWN


def _source(uri: str | None) -> str:
    return (uri or "").rsplit("/", 1)[-1]


# In the order in which the summary names contradictions.
RULES: tuple[Rule, ...] = (
    credential_and_file,
    credential_and_record,
    fingerprint_and_record,
    credential_and_mark,
    credential_and_ingredients,
    record_and_ledger,
    credential_and_ledger,
    credential_and_signer,
    credential_and_specification,
    mark_and_record,
    record_and_stored_credential,
    resolver_and_picture,
)
