"""What leads beyond the file is held against it: records, the ledger, resolvers.

Each rule is pure and yields what agrees and what does not; provenance/verify/rules.py says what
follows.
"""

from collections.abc import Iterator

from provenance.credential.credential import Contents, State
from provenance.verify.findings import Candidate, Findings, Resolved
from provenance.verify.report import Agreement, Inclusion, differs, holds


def mark_and_record(findings: Findings) -> Iterator[Agreement]:
    """Does the watermark lead to a record?"""
    mark = findings.mark
    if mark is None:
        return
    pair = ("watermark", "record")
    if findings.by_mark is not None:
        yield holds(pair, "the watermark leads to a record")
    elif mark.detection.known_as:  # which is told without any ledger
        yield differs(
            pair,
            "foreign-mark",
            f"the watermark is the fixed one of {mark.detection.known_as}, which anybody can write",
        )
    elif findings.ledger_asked:
        yield differs(
            pair,
            "mark-without-record",
            "the watermark's identifier stands in no record of this ledger",
        )


def fingerprint_and_record(findings: Findings) -> Iterator[Agreement]:
    """Does the picture look like the recorded one?"""
    pair = ("fingerprint", "record")
    marked, found = findings.by_mark, findings.by_fingerprint
    if marked is not None and found is not None and not found.look_alike:
        yield differs(
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
        return differs(pair, unrelated_name, f"{whose} {apart}", contradicts=True)
    if candidate.look_alike:
        detail = f"a recorded picture looks alike, as one would by chance ({candidate.chance:.0%})"
        return differs(pair, "look-alike", detail)
    if candidate.agrees:
        flat = "" if candidate.comparable else ", though it has too little detail to say much"
        return holds(pair, f"the picture looks like the recorded one{flat} {apart}")
    if candidate.comparable:
        name, detail = "altered-copy", "the picture resembles the recorded one but was changed"
    else:
        name, detail = "fingerprint-inconclusive", "the picture has too little detail to compare"
    return differs(pair, name, f"{detail} {apart}")


def credential_and_record(findings: Findings) -> Iterator[Agreement]:
    """Is the credential the recorded one, or a later step of it?"""
    credential, candidate = findings.credential, findings.candidate
    if candidate is None or candidate.look_alike:
        return
    if not candidate.agrees and candidate is not findings.by_credential:
        return
    pair = ("credential", "record")
    if credential.state is State.ABSENT:
        yield differs(
            pair,
            "stripped",
            "the picture was recorded with a credential, which is gone from this file",
        )
    elif candidate.same_store:
        yield holds(pair, "the credential is the recorded one")
    elif credential.contents is not None:
        yield _other_credential(credential.contents, candidate)


def _other_credential(contents: Contents, candidate: Candidate) -> Agreement:
    """The file carries another credential than was recorded: a later step, or a replacement."""
    pair = ("credential", "record")
    recorded = candidate.stored.contents
    if recorded is not None and recorded.manifest in contents.history:
        return holds(pair, "the credential names the recorded one as its origin")
    return differs(
        pair,
        "re-signed",
        "the recorded credential was replaced by another one that does not name it",
        contradicts=True,
    )


def record_and_stored_credential(findings: Findings) -> Iterator[Agreement]:
    """Is the recorded credential one that is trusted here?"""
    candidate = findings.candidate
    if candidate is None:
        return
    state = candidate.stored.state
    if state is not State.TRUSTED:
        yield differs(
            ("record", "stored credential"),
            "stored-credential-untrusted",
            f"the credential kept with the record is {state.value}",
        )


def record_and_ledger(findings: Findings) -> Iterator[Agreement]:
    """Is the record proved to stand in the signed ledger?"""
    candidate = findings.candidate
    if candidate is None or candidate.inclusion is Inclusion.UNAVAILABLE:
        return
    pair = ("record", "ledger")
    if candidate.inclusion is Inclusion.PROVED:
        yield holds(pair, "the record stands in the signed ledger")
    else:
        yield differs(
            pair,
            "record-not-proved",
            "the record does not fit the signed ledger, so one of them was changed",
            contradicts=True,
        )


def credential_and_ledger(findings: Findings) -> Iterator[Agreement]:
    """Does the ledger's proof in the credential hold, and is it of this picture?"""
    carried = findings.carried_proof
    if carried is None or carried.inclusion is Inclusion.UNAVAILABLE:
        return
    pair = ("credential", "ledger")
    if carried.inclusion is Inclusion.FAILED:
        yield differs(
            pair,
            "ledger-proof-broken",
            f"the credential carries a proof of the ledger {carried.log} that does not hold",
        )
    elif carried.of_this is False:
        yield differs(
            pair,
            "ledger-proof-of-another",
            "the ledger's proof in the credential is of another picture's decision",
            contradicts=True,
        )
    else:
        yield holds(
            pair,
            f"the credential carries the proof that its decision is in the ledger {carried.log}",
        )


def resolver_and_picture(findings: Findings) -> Iterator[Agreement]:
    """What do resolvers keep for this picture?"""
    for host in findings.unresolved:
        yield differs(
            ("watermark", "resolver"), "resolver-unavailable", f"{host} could not be asked"
        )
    for found in findings.resolved:
        yield _kept(found)


def _kept(found: Resolved) -> Agreement:
    """What one credential kept by a resolver says of this picture."""
    pair = ("picture", "resolved credential")
    likeness = found.likeness
    if found.stored.state is not State.TRUSTED:
        return differs(
            pair,
            "stored-credential-untrusted",
            f"the credential that {found.resolver} keeps is {found.stored.state.value}",
        )
    if likeness is None or not likeness.comparable:
        return differs(
            pair,
            "resolved-without-likeness",
            f"what {found.resolver} keeps cannot be compared with the picture",
        )
    if likeness.unrelated and found.bound:
        return differs(
            pair,
            "transplanted-mark",
            f"the watermark is of a picture that {found.resolver} keeps, which looks entirely "
            f"different (distance {likeness.distance} of 256)",
            contradicts=True,
        )
    if not likeness.agrees:
        return differs(
            pair,
            "resolved-unlike",
            f"the picture that {found.resolver} keeps looks different "
            f"(distance {likeness.distance} of 256)",
        )
    if not found.recovers:
        return differs(
            pair,
            "look-alike",
            f"{found.resolver} keeps a picture that looks alike, as one would by chance",
        )
    return holds(pair, f"the picture looks like the one that {found.resolver} keeps")
