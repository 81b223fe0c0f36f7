"""Read a credential and judge it: by c2pa-rs, by our own reader, and by what both let through."""

import io
from datetime import datetime

import orjson

from provenance.credential.container import (
    REMOTE_POINTER,
    STORE_UUID,
    VIDEO,
    find_store,
    holds_stores,
    kind_of,
    made_of_crumbs,
    picture_spans,
)
from provenance.credential.contents import Json
from provenance.credential.coverage import coverage
from provenance.credential.credential import Codes, Coverage, Credential, Integrity, State
from provenance.credential.engine import context
from provenance.credential.judge import Found, judge
from provenance.credential.reader import Malformed, Reading, open_store
from provenance.credential.revocation import ask_authority
from provenance.fetch import Fetcher
from provenance.keys.trust import TrustAnchors

STORE_MEDIA_TYPE = "application/c2pa"
ADDITIONAL_EXCLUSIONS = "assertion.dataHash.additionalExclusionsPresent"

PARTIAL_COVERAGE = "wardmark.coverage.partial"
SEVERAL_STORES = "wardmark.store.several"


def read(
    data: bytes,
    trust: TrustAnchors,
    at: datetime | None = None,
    revocation: Fetcher | None = None,
) -> Credential:
    """The credential inside an encoded picture or film, judged against ``trust``.

    ``at`` (aware, default now) is the moment at which the signer's certificate must be valid, where
    no trusted time stamp says when it was used. ``revocation``: asks the signer's authority (OCSP)
    whether the certificate was revoked; without, nothing is fetched. Whatever the bytes hold, the
    answer is a Credential; only bytes that are neither raise PictureInvalid. Credentials are
    read in PNG, JPEG, WebP, TIFF, AVIF and MP4 files; in others they are found, and said not to be
    read.
    """
    kind = kind_of(data)
    found = find_store(data, kind) if holds_stores(kind) else None
    if found is None:
        return _without_store(data, kind)
    if kind == VIDEO and made_of_crumbs(data):
        return _unreadable("the film is made of more boxes than any needs")
    if found.stores > 1:
        return _unreadable("the file holds several credentials side by side", SEVERAL_STORES)
    # Nothing reaches c2pa that our own reader does not find sound, and c2pa is given the very store
    # that was looked at, wherever it would have looked itself.
    reading = _reading(found.store)
    report = reading if isinstance(reading, str) else _report(data, kind, trust, found.store)
    if isinstance(reading, str) or isinstance(report, str):
        return _unreadable(str(report))
    exclusions = reading.exclusions(data)
    covered = None
    if exclusions is not None:
        covered = coverage(len(data), exclusions, found.spans, picture_spans(data, kind))
    answers = ask_authority(reading.chain, trust, revocation) if revocation else None
    found_here = Found(report, reading, reading.binding(data))
    return _with_coverage(judge(found_here, trust, at, answers), covered)


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
    reading = _reading(store)
    report = reading if isinstance(reading, str) else _report(store, STORE_MEDIA_TYPE, trust)
    if isinstance(reading, str) or isinstance(report, str):
        return _unreadable(str(report))
    return judge(Found(report, reading, binding=None), trust, at)


def portrait(store: bytes) -> bytes | None:
    """The encoded picture of itself that a store carries and has signed; None where it has none.

    Of whom the signature is, is not asked here.
    """
    reading = _reading(store)
    return None if isinstance(reading, str) else reading.portrait()


def _reading(store: bytes) -> Reading | str:
    """Our own reading, or in words why there is none."""
    try:
        return open_store(store)
    except Malformed as error:
        return f"the credential cannot be read: {error}"


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


def _with_coverage(credential: Credential, covered: Coverage | None) -> Credential:
    """Add the coverage, and what it does to integrity."""
    # c2pa-rs calls additional what it leaves out of a TIFF itself: the count of the own field.
    left_out = (
        covered.bytes_excluded > 0
        if covered is not None
        else ADDITIONAL_EXCLUSIONS in credential.codes.informational
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


def _unreadable(reason: str, code: str | None = None) -> Credential:
    failure = (code,) if code else ()
    return Credential(state=State.UNREADABLE, reason=reason, codes=Codes(failure=failure))
