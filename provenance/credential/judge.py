"""One judgement out of what two readers found: trusted only where both agree. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from provenance.credential.contents import (
    UNTRUSTED,
    Json,
    codes_of,
    contents_of,
    same_statements,
    signature_of,
    worst_ingredient,
)
from provenance.credential.credential import (
    Codes,
    Credential,
    IngredientState,
    Integrity,
    Revocation,
    SignerFinding,
    State,
    TimeFinding,
)
from provenance.credential.reader import Binding, Reading, TimeStamp
from provenance.credential.registry import notes_on_statements
from provenance.credential.revocation import revocation_of
from provenance.keys.chain import (
    NO_ANCHOR,
    OUT_OF_TIME,
    REVOKED,
    WRONG_PURPOSE,
    ChainFinding,
    check_chain,
    is_development,
)
from provenance.keys.trust import TrustAnchors

TRUSTED = "signingCredential.trusted"
UNFIT_CERTIFICATE = "signingCredential.invalid"  # its purposes, its usage, or its form
# c2pa-rs says expired of any certificate that is out of its time now, and then untrusted as well.
EXPIRED = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})
HARD_BINDINGS = ("assertion.dataHash", "assertion.boxesHash", "assertion.bmffHash")
HARD_BINDING_MATCHES = frozenset(f"{binding}.match" for binding in HARD_BINDINGS)
HARD_BINDING_MISMATCHES = frozenset(f"{binding}.mismatch" for binding in HARD_BINDINGS)
UNBOUND = "claim.hardBindings.missing"  # by its signer: nothing was changed
ABOUT_SIGNER = ("signingCredential.", "timeStamp.", "wardmark.signer.")

# Our own codes.
READERS_DISAGREE = "wardmark.readers.disagree"
BINDING_UNREAD = "wardmark.binding.unread"
INGREDIENT_FAILED = "wardmark.ingredient.failed"
TIME_UNTRUSTED = "wardmark.time.untrusted"

DEVELOPMENT_NOTE = (
    "development certificate: trusted only by the installation that made it, not for production"
)


@dataclass(frozen=True)
class Found:
    """What both readers found. ``report``: c2pa's JSON; ``reading``: our own of the same store.
    ``binding``: what we found of the file's bytes, None for a store without its picture."""

    report: Json
    reading: Reading
    binding: Binding | None


def altered(codes: Codes) -> frozenset[str]:
    """The failures that say that something is not as it was signed."""
    return frozenset(
        code
        for code in codes.failure
        if code.endswith((".mismatch", ".missing", ".undeclared"))
        and not code.startswith(ABOUT_SIGNER)
        and code != UNBOUND
    )


def judge(
    found: Found,
    trust: TrustAnchors,
    at: datetime | None,
    answers: Sequence[bytes] | None = None,
) -> Credential:
    """The credential. ``at``: when the signer's certificate must be valid, where no trusted time
    stamp says when it was used. ``answers``: of the signer's authority (OCSP), None where it was
    not to be asked."""
    contents = contents_of(found.reading.statements())
    theirs = contents_of(found.report)
    codes = _without_binding(codes_of(found.report), found.binding)
    stamp = found.reading.time_stamp(trust)
    time = _time(found.report, codes, stamp)
    chain = found.reading.chain
    moment = stamp.moment if stamp and time.trusted else at or datetime.now(UTC)
    own = check_chain(chain, trust, moment)
    revocation = _revocation(found, codes, own, trust, moment, answers)
    disagree = (
        contents is None
        or theirs is None
        or not same_statements(contents, theirs)
        or _differ(found, codes)
    )
    revoked = revocation is Revocation.REVOKED
    worst = _worst(found)
    failures = dict.fromkeys(
        [
            *codes.failure,
            *_own_failures(found),
            *own.problems,
            *([READERS_DISAGREE] if disagree else []),
        ]
    )
    notes = [
        *([INGREDIENT_FAILED] if worst is IngredientState.INVALID else []),
        *([TIME_UNTRUSTED] if time.value and not time.trusted else []),
        *([BINDING_UNREAD] if found.binding is Binding.UNREAD else []),
        *notes_on_statements(found.reading),
    ]
    return Credential(
        state=State.INVALID if disagree or revoked else _state(codes, own),
        integrity=Integrity.NOT_CHECKED if disagree else _integrity(codes, found.binding),
        signer=_signer(chain, own, found),
        time=time,
        revocation=revocation,
        worst_ingredient=worst,
        codes=Codes(
            success=codes.success,
            informational=(*codes.informational, *notes),
            failure=tuple(failures),
        ),
        contents=contents or theirs,
    )


def _without_binding(codes: Codes, binding: Binding | None) -> Codes:
    """Of a store alone c2pa compares the hash with the store itself, which never fits."""
    if binding is not None:
        return codes
    failures = tuple(code for code in codes.failure if code not in HARD_BINDING_MISMATCHES)
    return codes.model_copy(update={"failure": failures})


def _own_failures(found: Found) -> tuple[str, ...]:
    broken = found.binding is Binding.BROKEN
    return (*found.reading.failures, *([found.reading.mismatch] if broken else []))


def _differ(found: Found, codes: Codes) -> bool:
    """Whether one reader found something altered, and the other did not."""
    theirs = altered(codes)
    if found.binding is Binding.UNREAD:
        theirs -= HARD_BINDING_MISMATCHES
    ours = _own_failures(found)
    if ours and not theirs:
        return True
    return bool(theirs) and not ours and not found.reading.ingredient_failures


def _worst(found: Found) -> IngredientState:
    """As recorded when each was taken in, and worse where it does not hold by itself."""
    recorded = worst_ingredient(found.report)
    return IngredientState.INVALID if found.reading.ingredient_failures else recorded


def _time(report: Json, codes: Codes, stamp: TimeStamp | None) -> TimeFinding:
    """Trusted where both readers say so of the same moment, and the authority's anchor is one for
    time stamps: c2pa-rs takes any anchor for any purpose."""
    value = signature_of(report).time
    trusted = (
        stamp is not None
        and stamp.problem is None
        and "timeStamp.trusted" in codes.success
        and _moment(value) == stamp.moment.replace(microsecond=0)
    )
    return TimeFinding(value=value, trusted=trusted)


def _moment(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.replace(microsecond=0)


def _state(codes: Codes, own: ChainFinding) -> State:
    """Trusted only where c2pa-rs and our own check of the chain agree."""
    failures = set(codes.failure)
    expired = bool(failures & EXPIRED)
    if failures - EXPIRED - {UNTRUSTED}:
        return State.INVALID
    if WRONG_PURPOSE in own.problems or OUT_OF_TIME in own.problems:
        return State.INVALID
    # Past this line a certificate that is expired now was valid at the moment asked about, and
    # c2pa-rs, which knows only now, calls it untrusted for that reason alone.
    if NO_ANCHOR in own.problems or (UNTRUSTED in failures and not expired):
        return State.VALID
    return State.TRUSTED if expired or TRUSTED in codes.success else State.VALID


def _integrity(codes: Codes, binding: Binding | None) -> Integrity:
    """Intact where both readers compared the file's bytes with what was signed."""
    if altered(codes):
        return Integrity.BROKEN
    matched = HARD_BINDING_MATCHES.intersection(codes.success)
    return Integrity.INTACT if matched and binding is Binding.HOLDS else Integrity.NOT_CHECKED


def _revocation(
    found: Found,
    codes: Codes,
    own: ChainFinding,
    trust: TrustAnchors,
    moment: datetime,
    answers: Sequence[bytes] | None,
) -> Revocation:
    """By what is known here, by the answers that came with the credential, and by those that were
    asked for."""
    signature = found.reading.active.signature
    if REVOKED in own.problems:
        return Revocation.REVOKED
    stapled = signature.ocsp_answers if signature else ()
    said = (*stapled, *(answers or ()))
    checked = revocation_of(found.reading.chain, trust, said, moment) if said else None
    if "signingCredential.ocsp.revoked" in codes.failure or checked is Revocation.REVOKED:
        return Revocation.REVOKED
    if checked is Revocation.GOOD:
        return Revocation.GOOD
    return Revocation.NOT_CHECKED if answers is None else Revocation.UNAVAILABLE


def _signer(chain: Sequence[x509.Certificate], own: ChainFinding, found: Found) -> SignerFinding:
    info = signature_of(found.report)
    if not chain:
        return SignerFinding(
            name=info.common_name,
            organisation=info.organisation,
            issuer=None,
            algorithm=info.algorithm,
            serial=None,
        )
    leaf = chain[0]
    development = own.development or is_development(leaf)
    return SignerFinding(
        name=_first(leaf.subject, NameOID.COMMON_NAME),
        organisation=_first(leaf.subject, NameOID.ORGANIZATION_NAME),
        issuer=leaf.issuer.rfc4514_string(),
        algorithm=info.algorithm,
        serial=f"{leaf.serial_number:x}",
        valid_from=leaf.not_valid_before_utc,
        valid_until=leaf.not_valid_after_utc,
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        anchor=own.anchor,
        development=development,
        note=DEVELOPMENT_NOTE if development else None,
    )


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    values = name.get_attributes_for_oid(oid)
    return str(values[0].value) if values else None
