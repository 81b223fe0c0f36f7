"""The verdict in a sentence for a person who reads newspapers, not specifications. Pure."""

from collections.abc import Sequence

from provenance.credential.credential import Contents, Credential, Disclosures, SignerFinding
from provenance.verify.findings import Candidate, Findings, Resolved
from provenance.verify.report import Agreement, Origin, Verdict
from provenance.verify.rules import recovered_from

ORIGIN_WORDS = {
    Origin.AI_GENERATED: "an AI-generated picture",
    Origin.AI_EDITED: "a picture edited with AI",
    Origin.CAPTURED: "a picture taken with a camera",
    Origin.COMPOSITE: "a picture put together from others",
    Origin.UNKNOWN: "a picture whose making is not stated",
}

NONE_FOUND = (
    "No credential, no watermark that we can read and no matching record was found; "
    "this says nothing on whether the picture was made by AI."
)
NONE_IN_FILM = (
    "No credential was found, and films are not searched for anything else; "
    "this says nothing on whether the film was made by AI."
)
SMALLER_CAVEAT = " The picture is so large that watermarks were looked for in a smaller copy only."
DEVELOPMENT_CAVEAT = (
    " The signature is by a development certificate, which only the installation that made it"
    " trusts."
)


def summarise(
    findings: Findings, said: Sequence[Agreement], verdict: Verdict, origin: Origin
) -> str:
    """One sentence, and a second where the signer is a development one."""
    credential, candidate = findings.credential, findings.candidate
    if verdict is Verdict.ESTABLISHED:
        film = findings.fingerprint is None
        return _established(credential, origin, film=film) + _caveat(credential)
    if verdict is Verdict.RECOVERED:
        stored = recovered_from(findings)
        if candidate is not None and stored is candidate.stored:
            return _recovered(findings, candidate, said, origin) + _caveat(stored)
        if findings.recovering is not None:
            kept = findings.recovering
            return _resolved(findings, kept, said, origin) + _caveat(kept.stored)
    if verdict is Verdict.CONTRADICTED:
        worst = next(agreement for agreement in said if agreement.contradicts)
        others = [a.name for a in said if a.contradicts and a.name and a is not worst]
        also = f", also {', '.join(others)}" if others else ""
        return f"This file contradicts itself: {worst.detail} ({worst.name}{also})."
    if verdict is Verdict.UNCONFIRMED:
        reasons = [f"{a.detail} ({a.name})" for a in said if not a.holds]
        why = "; ".join(reasons) or "what it says cannot be checked without a ledger"
        return f"This file carries a sign of its origin that nothing confirms: {why}."
    if findings.fingerprint is None:
        return NONE_IN_FILM
    return NONE_FOUND + (SMALLER_CAVEAT if findings.searched_smaller else "")


def _established(credential: Credential, origin: Origin, *, film: bool) -> str:
    stated = credential.contents.disclosures if credential.contents else Disclosures()
    what = ORIGIN_WORDS[origin]
    if film:
        what = what.replace("picture", "film")
    return (
        f"This is {what}{_maker(stated)}, signed by {_name(credential.signer)} "
        "and unchanged since."
    )


def _recovered(
    findings: Findings, candidate: Candidate, said: Sequence[Agreement], origin: Origin
) -> str:
    way = {
        id(findings.by_file): "its bytes lead",
        id(findings.by_mark): "its watermark leads",
        id(findings.by_credential): "its content identifier leads",
    }.get(id(candidate), "its fingerprint leads")
    flat = "" if candidate.comparable else ", with too little detail to be sure of it"
    stated = _disclosures(candidate.stored.contents)
    return (
        f"This looks like a copy of {ORIGIN_WORDS[origin]}{_maker(stated)}: {_lost(said)}, "
        f"but {way} to record {candidate.record.content_id}, whose credential by "
        f"{_name(candidate.stored.signer)} holds and whose fingerprint agrees{flat} "
        f"(chance of an unrelated picture: {candidate.chance:.0e}); "
        "the copy itself may have been changed."
    )


def _resolved(findings: Findings, kept: Resolved, said: Sequence[Agreement], origin: Origin) -> str:
    way = "its watermark leads" if kept.bound and findings.mark else "its looks lead"
    stated = _disclosures(kept.stored.contents)
    return (
        f"This looks like a copy of {ORIGIN_WORDS[origin]}{_maker(stated)}: {_lost(said)}, "
        f"but {way} to a credential by {_name(kept.stored.signer)} that {kept.resolver} keeps, "
        f"whose own picture looks the same (chance of an unrelated picture: {kept.chance:.0e}); "
        "the copy itself may have been changed."
    )


def _lost(said: Sequence[Agreement]) -> str:
    """What became of the file's own credential."""
    return next(
        (a.detail for a in said if a.between[0] == "credential" and not a.holds),
        "the file carries no usable credential",
    )


def _disclosures(contents: Contents | None) -> Disclosures:
    return contents.disclosures if contents else Disclosures()


def _maker(stated: Disclosures) -> str:
    system = " ".join(part for part in (stated.system, stated.version) if part)
    with_system = f" made with {system}" if system else ""
    by = f" by {stated.provider}" if stated.provider else ""
    on = f" on {stated.created_at[:10]}" if stated.created_at else ""
    return f"{with_system}{by}{on}"


def _name(signer: SignerFinding | None) -> str:
    if signer is None:
        return "an unnamed signer"
    return signer.name or signer.organisation or "an unnamed signer"


def _caveat(credential: Credential) -> str:
    development = credential.signer is not None and credential.signer.development
    return DEVELOPMENT_CAVEAT if development else ""
