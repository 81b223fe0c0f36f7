"""What the file's own credential is held against: file, signer, specification, ingredients, mark.

Each rule is pure and yields what agrees and what does not; provenance/verify/rules.py says what
follows.
"""

from collections.abc import Iterator

from provenance.credential.credential import IngredientState, Integrity, Revocation, State
from provenance.credential.judge import (
    ABOUT_SIGNER,
    BINDING_UNREAD,
    EXPIRED,
    HARD_BINDING_MISMATCHES,
    READERS_DISAGREE,
    TIME_UNTRUSTED,
    UNFIT_CERTIFICATE,
    altered,
)
from provenance.keys.chain import NO_ANCHOR, OUT_OF_TIME, WRONG_PURPOSE
from provenance.verify.findings import Findings
from provenance.verify.report import Agreement, differs, holds


def credential_and_file(findings: Findings) -> Iterator[Agreement]:
    """Has the file the bytes that were signed, and do both readers say so?"""
    credential = findings.credential
    pair = ("credential", "file")
    if credential.state is State.UNREADABLE:
        yield differs(
            pair, "unreadable-credential", credential.reason or "the credential cannot be read"
        )
    elif READERS_DISAGREE in credential.codes.failure:
        yield differs(
            pair,
            "readers-disagree",
            "two independent readers do not find the same in the credential",
        )
    elif credential.integrity is Integrity.BROKEN:
        yield _broken(findings)
    elif credential.integrity is Integrity.PARTIAL:
        yield differs(
            pair,
            "over-broad-exclusion",
            "the signer left part of the file unprotected, so that it may have been changed",
        )
    elif credential.integrity is Integrity.INTACT:
        yield holds(pair, "the file has the bytes that were signed")
    elif BINDING_UNREAD in credential.codes.informational:
        yield differs(
            pair,
            "binding-not-checked",
            "the credential is bound to the file in a way that only one reader can check",
        )


def _broken(findings: Findings) -> Agreement:
    pair = ("credential", "file")
    if _of_another_picture(findings):
        name, detail = "swapped-manifest", "the credential belongs to another picture"
    elif HARD_BINDING_MISMATCHES.issuperset(altered(findings.credential.codes)):
        name, detail = "altered-after-signing", "the file was changed after it was signed"
    else:
        name, detail = "altered-credential", "the credential itself was changed after it was signed"
    return differs(pair, name, detail, contradicts=True)


def _of_another_picture(findings: Findings) -> bool:
    portrait = findings.self_portrait
    if portrait is not None and portrait.unrelated:
        return True
    stated = findings.credential.content_id
    if stated is None:
        return False
    others = [c.record.content_id for c in (findings.by_file, findings.by_mark) if c is not None]
    return any(other != stated for other in others) or (
        findings.by_credential is not None and findings.by_credential.unrelated
    )


def credential_and_signer(findings: Findings) -> Iterator[Agreement]:
    """Is the signer trusted here, entitled, in time and not revoked?"""
    credential = findings.credential
    failures = set(credential.codes.failure)
    pair = ("credential", "signer")
    if credential.state is State.TRUSTED:
        yield holds(pair, "the signer is one that is trusted here")
    if credential.revocation is Revocation.REVOKED:
        yield differs(pair, "revoked", "the signer's certificate was revoked")
    if credential.revocation is Revocation.UNAVAILABLE:
        yield differs(
            pair,
            "revocation-unknown",
            "the signer's authority gave no answer on whether the certificate was revoked",
        )
    if WRONG_PURPOSE in failures or UNFIT_CERTIFICATE in failures:
        yield differs(
            pair,
            "signer-not-entitled",
            "the signer's certificate was not issued for signing credentials",
        )
    out_of_time = bool(failures & EXPIRED) or OUT_OF_TIME in failures
    if out_of_time and credential.state is not State.TRUSTED:
        yield differs(
            pair,
            "expired-without-time",
            "the signer's certificate is out of its time, "
            "and no trusted time stamp says when it signed",
        )
    if NO_ANCHOR in failures or credential.state is State.VALID:
        yield differs(pair, "unknown-signer", "nobody who is trusted here vouches for the signer")
    if TIME_UNTRUSTED in credential.codes.informational:
        yield differs(
            ("credential", "time"),
            "untrusted-time",
            "nobody who is trusted here vouches for the time at which it was signed",
        )


def credential_and_specification(findings: Findings) -> Iterator[Agreement]:
    """Does the credential follow its own specification?"""
    credential = findings.credential
    wrong = [
        code
        for code in credential.codes.failure
        if not code.startswith(ABOUT_SIGNER) and code not in EXPIRED | {READERS_DISAGREE}
    ]
    others = set(wrong) - altered(credential.codes)
    if others and credential.contents is not None:
        yield differs(
            ("credential", "specification"),
            "malformed-credential",
            f"the credential breaks the rules of its own specification: {min(others)}",
        )


def credential_and_ingredients(findings: Findings) -> Iterator[Agreement]:
    """Did the credentials of what it was made from hold?"""
    pair = ("credential", "ingredients")
    worst = findings.credential.worst_ingredient
    if worst is IngredientState.INVALID:
        yield differs(
            pair,
            "laundered-ingredient",
            "the picture was made from one whose own credential did not hold",
            contradicts=True,
        )
    elif worst in (IngredientState.VALID, IngredientState.NOT_VALIDATED):
        yield differs(
            pair,
            "unknown-ingredient",
            "the picture was made from one whose signer nobody vouches for",
        )


def credential_and_mark(findings: Findings) -> Iterator[Agreement]:
    """Does the watermark carry what the credential states?"""
    contents, mark = findings.credential.contents, findings.mark
    if contents is None:
        return
    pair = ("credential", "watermark")
    stated = {binding.alg: binding.value for binding in contents.soft_bindings}
    if mark is None:
        if findings.algs_tried & stated.keys():
            yield differs(
                pair,
                "mark-missing",
                "the credential names a watermark that cannot be read in this file"
                + (", which was looked for in a smaller copy only" * findings.searched_smaller),
            )
        return
    expected = stated.get(mark.alg) if stated else contents.disclosures.content_id
    if expected is None:
        return
    if expected == mark.payload:
        yield holds(pair, "the watermark carries what the credential states")
    else:
        yield differs(
            pair,
            "mark-mismatch",
            "the watermark carries another identifier than the credential states",
            contradicts=True,
        )
