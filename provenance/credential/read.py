"""Read a credential and judge it: c2pa-rs first, then what c2pa-rs lets through."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from provenance.credential.container import (
    REMOTE_POINTER,
    STORE_UUID,
    find_store,
    holds_stores,
)
from provenance.credential.contents import (
    UNTRUSTED,
    Json,
    SignatureInfo,
    codes_of,
    contents_of,
    exclusions_of,
    signature_of,
    worst_ingredient,
)
from provenance.credential.coverage import coverage
from provenance.credential.credential import (
    Codes,
    Coverage,
    Credential,
    IngredientState,
    Integrity,
    Revocation,
    SignerFinding,
    State,
    TimeFinding,
)
from provenance.credential.engine import context
from provenance.credential.store import claim_chain, unsound
from provenance.keys.chain import (
    NO_ANCHOR,
    OUT_OF_TIME,
    WRONG_PURPOSE,
    ChainFinding,
    check_chain,
    is_development,
)
from provenance.keys.trust import TrustAnchors
from provenance.picture import media_type

STORE_MEDIA_TYPE = "application/c2pa"

TRUSTED = "signingCredential.trusted"
# c2pa-rs says expired of any certificate that is out of its time now, and then untrusted as well.
EXPIRED = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})
HARD_BINDINGS = ("assertion.dataHash", "assertion.boxesHash", "assertion.bmffHash")
HARD_BINDING_MATCHES = frozenset(f"{binding}.match" for binding in HARD_BINDINGS)
HARD_BINDING_MISMATCHES = frozenset(f"{binding}.mismatch" for binding in HARD_BINDINGS)
ADDITIONAL_EXCLUSIONS = "assertion.dataHash.additionalExclusionsPresent"

PARTIAL_COVERAGE = "wardmark.coverage.partial"
SEVERAL_STORES = "wardmark.store.several"
INGREDIENT_FAILED = "wardmark.ingredient.failed"
TIME_UNTRUSTED = "wardmark.time.untrusted"

DEVELOPMENT_NOTE = (
    "development certificate: trusted only by the installation that made it, not for production"
)


def read(data: bytes, trust: TrustAnchors, at: datetime | None = None) -> Credential:
    """The credential inside an encoded picture, judged against ``trust``.

    ``at`` (aware, default now) is the moment at which the signer's certificate must be valid, where
    no trusted time stamp says when it was used. Nothing is fetched. Whatever the bytes hold, the
    answer is a Credential; only bytes that are no picture at all raise PictureInvalid. Credentials
    are read in PNG, JPEG and WebP files; in others they are found, and said not to be read.
    """
    kind = media_type(data)
    found = find_store(data, kind) if holds_stores(kind) else None
    if found is None:
        return _without_store(data, kind)
    if found.stores > 1:
        return _unreadable("the file holds several credentials side by side", SEVERAL_STORES)
    if fault := unsound(found.store):
        return _unreadable(f"the credential cannot be read: {fault}")
    # c2pa is given the very store that was looked at, wherever it would have looked itself.
    report = _report(data, kind, trust, found.store)
    if isinstance(report, str):
        return _unreadable(report)
    exclusions = exclusions_of(report)
    covered = None if exclusions is None else coverage(len(data), exclusions, found.spans)
    return _with_binding(_judge(report, found.store, trust, at), covered)


def _without_store(data: bytes, kind: str) -> Credential:
    if STORE_UUID in data:
        where = "in the wrong place" if holds_stores(kind) else f"in a file of the kind {kind}"
        return _unreadable(f"there is a credential {where}, which is not read")
    if REMOTE_POINTER in data:
        return _unreadable("the credential lies at a remote address, which is not fetched")
    return Credential(state=State.ABSENT)


def check_store(store: bytes, trust: TrustAnchors, at: datetime | None = None) -> Credential:
    """A manifest store without its picture, as the ledger keeps it.

    Signature, statements, ingredients and signer are judged as in ``read``. That the picture is
    the one that was signed cannot be: integrity is ``not-checked``.
    """
    if fault := unsound(store):
        return _unreadable(f"the credential cannot be read: {fault}")
    report = _report(store, STORE_MEDIA_TYPE, trust)
    if isinstance(report, str):
        return _unreadable(report)
    return _judge(report, store, trust, at, detached=True)


def _report(data: bytes, kind: str, trust: TrustAnchors, store: bytes | None = None) -> Json | str:
    """c2pa's JSON on a sound store, or in words why there is none."""
    import c2pa

    try:
        with c2pa.Reader(
            kind, io.BytesIO(data), manifest_data=store, context=context(trust)
        ) as reader:
            report: Json = orjson.loads(reader.detailed_json())
            return report
    except c2pa.C2paError as error:
        return f"the credential cannot be read ({error})"
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        return "the credential cannot be read (its statements are not text)"


def _judge(
    report: Json, store: bytes, trust: TrustAnchors, at: datetime | None, *, detached: bool = False
) -> Credential:
    contents = contents_of(report)
    if contents is None:
        return _unreadable("the credential names no active manifest")
    codes = codes_of(report)
    if detached:  # c2pa compares the store's hash with the store itself, which never fits
        failures = tuple(code for code in codes.failure if code not in HARD_BINDING_MISMATCHES)
        codes = codes.model_copy(update={"failure": failures})
    signature = signature_of(report)
    time = TimeFinding(value=signature.time, trusted="timeStamp.trusted" in codes.success)
    moment = _parse_time(signature.time) if time.trusted else None
    chain = claim_chain(store, contents.manifest)
    own = check_chain(chain, trust, moment or at or datetime.now(UTC))
    worst = worst_ingredient(report)
    notes = [
        *([INGREDIENT_FAILED] if worst is IngredientState.INVALID else []),
        *([TIME_UNTRUSTED] if time.value and not time.trusted else []),
    ]
    return Credential(
        state=_state(codes, own),
        integrity=Integrity.NOT_CHECKED if detached else _integrity(codes),
        signer=_signer(chain, own, signature),
        time=time,
        revocation=_revocation(codes),
        worst_ingredient=worst,
        codes=Codes(
            success=codes.success,
            informational=(*codes.informational, *notes),
            failure=(*codes.failure, *own.problems),
        ),
        contents=contents,
    )


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


def _integrity(codes: Codes) -> Integrity:
    about_signer = ("signingCredential.", "timeStamp.", "claimSignature.outsideValidity")
    if any(not code.startswith(about_signer) for code in codes.failure):
        return Integrity.BROKEN
    matched = HARD_BINDING_MATCHES.intersection(codes.success)
    return Integrity.INTACT if matched else Integrity.NOT_CHECKED


def _with_binding(credential: Credential, covered: Coverage | None) -> Credential:
    """Add the coverage, and what it does to integrity."""
    left_out = ADDITIONAL_EXCLUSIONS in credential.codes.informational or (
        covered is not None and covered.bytes_excluded > 0
    )
    if not left_out or credential.integrity is not Integrity.INTACT:
        return credential.model_copy(update={"coverage": covered})
    informational = (*credential.codes.informational, PARTIAL_COVERAGE)
    return credential.model_copy(
        update={
            "coverage": covered,
            "integrity": Integrity.PARTIAL,
            "codes": credential.codes.model_copy(update={"informational": informational}),
        }
    )


def _revocation(codes: Codes) -> Revocation:
    if "signingCredential.ocsp.revoked" in codes.failure:
        return Revocation.REVOKED
    if "signingCredential.ocsp.notRevoked" in codes.success:
        return Revocation.GOOD
    return Revocation.NOT_CHECKED


def _signer(
    chain: Sequence[x509.Certificate], own: ChainFinding, signature: SignatureInfo
) -> SignerFinding:
    if not chain:
        return SignerFinding(
            name=signature.common_name,
            organisation=signature.organisation,
            issuer=None,
            algorithm=signature.algorithm,
            serial=None,
        )
    leaf = chain[0]
    development = own.development or is_development(leaf)
    return SignerFinding(
        name=_first(leaf.subject, NameOID.COMMON_NAME),
        organisation=_first(leaf.subject, NameOID.ORGANIZATION_NAME),
        issuer=leaf.issuer.rfc4514_string(),
        algorithm=signature.algorithm,
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


def _parse_time(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unreadable(reason: str, code: str | None = None) -> Credential:
    failure = (code,) if code else ()
    return Credential(state=State.UNREADABLE, reason=reason, codes=Codes(failure=failure))
