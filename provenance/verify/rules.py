"""The rules: layers compared pair by pair, then one verdict. Pure.

A rule looks at the findings and says what agrees and what does not. A disagreement has a name; it
either contradicts the story that the file tells of itself (evidence of tampering, swap, copy or
laundering) or merely leaves it unconfirmed. The verdict follows from these alone:

    any contradiction                                     contradicted
    else the credential proves the file's origin          established
    else a record is recovered                            recovered
    else any signal at all                                unconfirmed
    else                                                  none

So a further contradiction can never make a verdict stronger, and a mark alone never establishes.
"""

from collections.abc import Callable, Iterator

from provenance.credential.credential import (
    Contents,
    IngredientState,
    Integrity,
    Revocation,
    State,
)
from provenance.credential.judge import (
    ABOUT_SIGNER,
    BINDING_UNREAD,
    EXPIRED,
    HARD_BINDING_MISMATCHES,
    READERS_DISAGREE,
    TIME_UNTRUSTED,
    altered,
)
from provenance.keys.chain import NO_ANCHOR, OUT_OF_TIME, WRONG_PURPOSE
from provenance.verify.findings import Candidate, Findings
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
    """Whether a record speaks for this picture in place of a credential in the file.

    Of a picture too flat for its fingerprint to tell it from others, the fingerprint must be near
    and something else must lead to the same record: the mark, the very bytes of the file, or the
    recorded credential with its hash intact (one whose certificate has expired since).
    """
    candidate = findings.candidate
    if candidate is None or not candidate.agrees or candidate.stored.state is not State.TRUSTED:
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


def _holds(between: tuple[str, str], detail: str) -> Agreement:
    return Agreement(between=between, holds=True, detail=detail)


def _differs(
    between: tuple[str, str], name: str, detail: str, *, contradicts: bool = False
) -> Agreement:
    return Agreement(
        between=between, holds=False, detail=detail, name=name, contradicts=contradicts
    )


def _credential_and_file(findings: Findings) -> Iterator[Agreement]:
    credential = findings.credential
    pair = ("credential", "file")
    if credential.state is State.UNREADABLE:
        yield _differs(
            pair, "unreadable-credential", credential.reason or "the credential cannot be read"
        )
    elif READERS_DISAGREE in credential.codes.failure:
        yield _differs(
            pair,
            "readers-disagree",
            "two independent readers do not find the same in the credential",
        )
    elif credential.integrity is Integrity.BROKEN:
        yield _broken(findings)
    elif credential.integrity is Integrity.PARTIAL:
        yield _differs(
            pair,
            "over-broad-exclusion",
            "the signer left part of the file unprotected, so that it may have been changed",
        )
    elif credential.integrity is Integrity.INTACT:
        yield _holds(pair, "the file has the bytes that were signed")
    elif BINDING_UNREAD in credential.codes.informational:
        yield _differs(
            pair,
            "binding-not-checked",
            "the credential is bound to the file in a way that only one reader can check",
        )


def _credential_and_specification(findings: Findings) -> Iterator[Agreement]:
    credential = findings.credential
    wrong = [
        code
        for code in credential.codes.failure
        if not code.startswith(ABOUT_SIGNER) and code not in EXPIRED | {READERS_DISAGREE}
    ]
    others = set(wrong) - altered(credential.codes)
    if others and credential.contents is not None:
        yield _differs(
            ("credential", "specification"),
            "malformed-credential",
            f"the credential breaks the rules of its own specification: {min(others)}",
        )


def _broken(findings: Findings) -> Agreement:
    pair = ("credential", "file")
    if _of_another_picture(findings):
        name, detail = "swapped-manifest", "the credential belongs to another picture"
    elif HARD_BINDING_MISMATCHES.issuperset(altered(findings.credential.codes)):
        name, detail = "altered-after-signing", "the file was changed after it was signed"
    else:
        name, detail = "altered-credential", "the credential itself was changed after it was signed"
    return _differs(pair, name, detail, contradicts=True)


def _of_another_picture(findings: Findings) -> bool:
    stated = findings.credential.content_id
    if stated is None:
        return False
    others = [c.record.content_id for c in (findings.by_file, findings.by_mark) if c is not None]
    return any(other != stated for other in others) or (
        findings.by_credential is not None and findings.by_credential.unrelated
    )


def _credential_and_signer(findings: Findings) -> Iterator[Agreement]:
    credential = findings.credential
    failures = set(credential.codes.failure)
    pair = ("credential", "signer")
    if credential.state is State.TRUSTED:
        yield _holds(pair, "the signer is one that is trusted here")
    if credential.revocation is Revocation.REVOKED:
        yield _differs(pair, "revoked", "the signer's certificate was revoked")
    if WRONG_PURPOSE in failures:
        yield _differs(
            pair,
            "signer-not-entitled",
            "the signer's certificate was not issued for signing credentials",
        )
    out_of_time = bool(failures & EXPIRED) or OUT_OF_TIME in failures
    if out_of_time and credential.state is not State.TRUSTED:
        yield _differs(
            pair,
            "expired-without-time",
            "the signer's certificate is out of its time, "
            "and no trusted time stamp says when it signed",
        )
    if NO_ANCHOR in failures or credential.state is State.VALID:
        yield _differs(pair, "unknown-signer", "nobody who is trusted here vouches for the signer")
    if TIME_UNTRUSTED in credential.codes.informational:
        yield _differs(
            ("credential", "time"),
            "untrusted-time",
            "nobody who is trusted here vouches for the time at which it was signed",
        )


def _credential_and_ingredients(findings: Findings) -> Iterator[Agreement]:
    pair = ("credential", "ingredients")
    worst = findings.credential.worst_ingredient
    if worst is IngredientState.INVALID:
        yield _differs(
            pair,
            "laundered-ingredient",
            "the picture was made from one whose own credential did not hold",
            contradicts=True,
        )
    elif worst in (IngredientState.VALID, IngredientState.NOT_VALIDATED):
        yield _differs(
            pair,
            "unknown-ingredient",
            "the picture was made from one whose signer nobody vouches for",
        )


def _credential_and_mark(findings: Findings) -> Iterator[Agreement]:
    contents, mark = findings.credential.contents, findings.mark
    if contents is None:
        return
    pair = ("credential", "watermark")
    stated = {binding.alg: binding.value for binding in contents.soft_bindings}
    if mark is None:
        if findings.algs_tried & stated.keys():
            yield _differs(
                pair,
                "mark-missing",
                "the credential names a watermark that cannot be read in this file",
            )
        return
    expected = stated.get(mark.alg) if stated else contents.disclosures.content_id
    if expected is None:
        return
    if expected == mark.payload:
        yield _holds(pair, "the watermark carries what the credential states")
    else:
        yield _differs(
            pair,
            "mark-mismatch",
            "the watermark carries another identifier than the credential states",
            contradicts=True,
        )


def _mark_and_record(findings: Findings) -> Iterator[Agreement]:
    mark = findings.mark
    if mark is None or not findings.ledger_asked:
        return
    pair = ("watermark", "record")
    if findings.by_mark is not None:
        yield _holds(pair, "the watermark leads to a record")
    elif mark.detection.known_as:
        yield _differs(
            pair,
            "foreign-mark",
            f"the watermark is the fixed one of {mark.detection.known_as}, which anybody can write",
        )
    else:
        yield _differs(
            pair,
            "mark-without-record",
            "the watermark's identifier stands in no record of this ledger",
        )


def _fingerprint_and_record(findings: Findings) -> Iterator[Agreement]:
    pair = ("fingerprint", "record")
    marked, found = findings.by_mark, findings.by_fingerprint
    if marked is not None and found is not None and not found.look_alike:
        yield _differs(
            pair,
            "transplanted-mark",
            f"the watermark leads to record {marked.record.content_id}, "
            f"but the picture is that of record {found.record.content_id}",
            contradicts=True,
        )
        return
    for candidate, unrelated_name in (
        (marked, "transplanted-mark"),
        (findings.by_credential, "record-mismatch"),
        (findings.by_file, "record-mismatch"),
        (found, "record-mismatch"),
    ):
        if candidate is not None:
            yield _picture_of(candidate, unrelated_name)
            return


def _picture_of(candidate: Candidate, unrelated_name: str) -> Agreement:
    pair = ("fingerprint", "record")
    apart = f"(distance {candidate.distance} of 256)"
    if candidate.unrelated:
        whose = (
            "the watermark was copied from another picture"
            if unrelated_name == "transplanted-mark"
            else "the record named here is of another picture"
        )
        return _differs(pair, unrelated_name, f"{whose} {apart}", contradicts=True)
    if candidate.look_alike:
        detail = f"a recorded picture looks alike, as one would by chance ({candidate.chance:.0%})"
        return _differs(pair, "look-alike", detail)
    if candidate.agrees:
        flat = "" if candidate.comparable else ", though it has too little detail to say much"
        return _holds(pair, f"the picture looks like the recorded one{flat} {apart}")
    if candidate.comparable:
        name, detail = "altered-copy", "the picture resembles the recorded one but was changed"
    else:
        name, detail = "fingerprint-inconclusive", "the picture has too little detail to compare"
    return _differs(pair, name, f"{detail} {apart}")


def _credential_and_record(findings: Findings) -> Iterator[Agreement]:
    credential, candidate = findings.credential, findings.candidate
    if candidate is None or candidate.look_alike:
        return
    if not candidate.agrees and candidate is not findings.by_credential:
        return
    pair = ("credential", "record")
    if credential.state is State.ABSENT:
        yield _differs(
            pair,
            "stripped",
            "the picture was recorded with a credential, which is gone from this file",
        )
    elif candidate.same_store:
        yield _holds(pair, "the credential is the recorded one")
    elif credential.contents is not None:
        yield _other_credential(credential.contents, candidate)


def _other_credential(contents: Contents, candidate: Candidate) -> Agreement:
    """The file carries another credential than was recorded: a later step, or a replacement."""
    pair = ("credential", "record")
    recorded = candidate.stored.contents
    if recorded is not None and recorded.manifest in contents.history:
        return _holds(pair, "the credential names the recorded one as its origin")
    return _differs(
        pair,
        "re-signed",
        "the recorded credential was replaced by another one that does not name it",
        contradicts=True,
    )


def _record_and_stored_credential(findings: Findings) -> Iterator[Agreement]:
    candidate = findings.candidate
    if candidate is None:
        return
    state = candidate.stored.state
    if state is not State.TRUSTED:
        yield _differs(
            ("record", "stored credential"),
            "stored-credential-untrusted",
            f"the credential kept with the record is {state.value}",
        )


def _record_and_ledger(findings: Findings) -> Iterator[Agreement]:
    candidate = findings.candidate
    if candidate is None or candidate.inclusion is Inclusion.UNAVAILABLE:
        return
    pair = ("record", "ledger")
    if candidate.inclusion is Inclusion.PROVED:
        yield _holds(pair, "the record stands in the signed ledger")
    else:
        yield _differs(
            pair,
            "record-not-proved",
            "the record does not fit the signed ledger, so one of them was changed",
            contradicts=True,
        )


# In the order in which the summary names contradictions.
RULES: tuple[Rule, ...] = (
    _credential_and_file,
    _credential_and_record,
    _fingerprint_and_record,
    _credential_and_mark,
    _credential_and_ingredients,
    _record_and_ledger,
    _credential_and_signer,
    _credential_and_specification,
    _mark_and_record,
    _record_and_stored_credential,
)
