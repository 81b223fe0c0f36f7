"""The attack table: what was done to a picture, the verdict, and the name it must be given."""

import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from provenance.credential import Claims, Signed, sign
from provenance.credential.container import find_store
from provenance.credential.manifest import ACTIONS, statements
from provenance.errors import PictureInvalid
from provenance.keys import KeySigner, TrustAnchors
from provenance.picture import encode
from provenance.verify import Origin, Report, Sources, Verdict, verify
from tests.credential.authority import DAY, Authority
from tests.credential.forge import CREATED, STORE_AT, forge_png
from tests.credential.scenery import SCHEME, claims, picture
from tests.credential.test_read import edited, flip, put
from tests.verify.studio import Delivered, Studio

STRANGER = Authority("A stranger")
VOUCHED = Authority("A vouched-for publisher")


class Case(NamedTuple):
    """A file to judge. ``trust``: anchors beside those of the studio."""

    data: bytes
    trust: TrustAnchors = TrustAnchors()


Attack = Callable[[Studio, Delivered, Delivered], Case]


def untouched(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(own.data)


def stripped(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(own.pixels, "png"))


def reencoded_as_jpeg(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(own.pixels, "jpeg", quality=90))


def mark_destroyed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    smaller = cv2.resize(own.pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    return Case(encode(np.asarray(smaller, np.uint8), "jpeg", quality=70))


def mirrored(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(np.ascontiguousarray(own.pixels[:, ::-1]), "png"))


def pixel_byte_flipped(studio: Studio, own: Delivered, other: Delivered) -> Case:
    repacked = bytearray(own.pixels.tobytes())
    repacked[5000] ^= 1
    pixels = np.frombuffer(bytes(repacked), np.uint8).reshape(own.pixels.shape)
    return Case(with_store_of(own, encode(pixels, "png")))


def chunk_added(studio: Studio, own: Delivered, other: Delivered) -> Case:
    text = b"tEXtComment\0a camera took this"
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    return Case(own.data[:-12] + chunk + own.data[-12:])


def repainted_under_its_credential(studio: Studio, own: Delivered, other: Delivered) -> Case:
    painted = own.pixels.copy()
    painted[100:130, 100:130] = 255
    return Case(with_store_of(own, encode(painted, "png")))


def statement_changed(studio: Studio, own: Delivered, other: Delivered) -> Case:
    at = own.data.index(b"Example Pictures")
    return Case(with_chunk_checksum(put(own.data, at, b"Exempla")))


def store_truncated(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store(encode(own.pixels, "png"), own.record.credential[:3000]))


def store_is_garbage(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store(encode(picture(seed=40), "png"), b"garbage" * 50))


def two_stores(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store(own.data, other.record.credential))


def credential_of_another_record(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store_of(other, encode(own.pixels, "png")))


def credential_on_an_unmarked_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(with_store_of(own, encode(picture(seed=41), "png")))


def mark_transplanted(studio: Studio, own: Delivered, other: Delivered) -> Case:
    copied = SCHEME.embed(picture(seed=42), bytes.fromhex(own.record.content_id))
    return Case(encode(copied, "png"))


def mark_transplanted_to_a_signed_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    copied = SCHEME.embed(picture(seed=43), bytes.fromhex(own.record.content_id))
    stated = claims().model_copy(update={"soft_binding": None})
    return vouched(encode(copied, "png"), stated)


def mark_without_record(studio: Studio, own: Delivered, other: Delivered) -> Case:
    marked = SCHEME.embed(picture(seed=44), bytes.fromhex("d00dfeedc0ffee17"))
    return Case(encode(marked, "png"))


def resigned_by_a_stranger(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(own.pixels, "png")
    return Case(sign(plain, "image/png", claims(), STRANGER.signer()).data)


def resigned_with_the_same_claims(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(own.pixels, "png")
    same = claims(own.record.content_id)
    return Case(sign(plain, "image/png", same, STRANGER.signer()).data)


def resigned_by_a_trusted_publisher(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return vouched(encode(own.pixels, "png"), claims(own.record.content_id))


def unmarked_copy_resigned(studio: Studio, own: Delivered, other: Delivered) -> Case:
    smaller = cv2.resize(own.pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    plain = encode(np.asarray(smaller, np.uint8), "png")
    return vouched(plain, claims().model_copy(update={"soft_binding": None}))


def record_claimed_by_a_stranger(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(picture(seed=45), "png")
    return Case(sign(plain, "image/png", claims(own.record.content_id), STRANGER.signer()).data)


def strangers_own_picture(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(picture(seed=46), "png")
    return Case(sign(plain, "image/png", claims(), STRANGER.signer()).data)


def certificate_for_time_stamps(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(VOUCHED.signer([ExtendedKeyUsageOID.TIME_STAMPING]))


def certificate_expired(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return forged(VOUCHED.signer(starts=-20 * DAY, ends=-10 * DAY))


def part_left_unprotected(studio: Studio, own: Delivered, other: Delivered) -> Case:
    plain = encode(picture(seed=47), "png")
    data = forge_png(plain, VOUCHED.signer(), ASSERTIONS, left_out=[(len(plain) - 4000, 2000)])
    return Case(data, VOUCHED.trust)


def parent_laundered(studio: Studio, own: Delivered, other: Delivered) -> Case:
    tampered = flip(own.data, len(own.data) - 500)
    return Case(edited(tampered, studio.signer))


def trusted_publisher(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return vouched(encode(picture(seed=48), "png"), claims())


def nothing_at_all(studio: Studio, own: Delivered, other: Delivered) -> Case:
    return Case(encode(picture(seed=49), "png"))


TABLE: tuple[tuple[Attack, Verdict, str | None], ...] = (
    (untouched, Verdict.ESTABLISHED, None),
    (trusted_publisher, Verdict.ESTABLISHED, "mark-missing"),
    (stripped, Verdict.RECOVERED, "stripped"),
    (reencoded_as_jpeg, Verdict.RECOVERED, "stripped"),
    (mark_destroyed, Verdict.RECOVERED, "stripped"),
    (mirrored, Verdict.RECOVERED, "stripped"),
    (store_truncated, Verdict.RECOVERED, "unreadable-credential"),
    (two_stores, Verdict.RECOVERED, "unreadable-credential"),
    (store_is_garbage, Verdict.UNCONFIRMED, "unreadable-credential"),
    (mark_without_record, Verdict.UNCONFIRMED, "mark-without-record"),
    (strangers_own_picture, Verdict.UNCONFIRMED, "unknown-signer"),
    (certificate_for_time_stamps, Verdict.UNCONFIRMED, "signer-not-entitled"),
    (certificate_expired, Verdict.UNCONFIRMED, "expired-without-time"),
    (part_left_unprotected, Verdict.UNCONFIRMED, "over-broad-exclusion"),
    (pixel_byte_flipped, Verdict.CONTRADICTED, "altered-after-signing"),
    (chunk_added, Verdict.CONTRADICTED, "altered-after-signing"),
    (repainted_under_its_credential, Verdict.CONTRADICTED, "altered-after-signing"),
    (statement_changed, Verdict.CONTRADICTED, "altered-credential"),
    (credential_of_another_record, Verdict.CONTRADICTED, "swapped-manifest"),
    (credential_on_an_unmarked_picture, Verdict.CONTRADICTED, "swapped-manifest"),
    (mark_transplanted, Verdict.CONTRADICTED, "transplanted-mark"),
    (mark_transplanted_to_a_signed_picture, Verdict.CONTRADICTED, "transplanted-mark"),
    (resigned_by_a_stranger, Verdict.CONTRADICTED, "re-signed"),
    (resigned_with_the_same_claims, Verdict.CONTRADICTED, "re-signed"),
    (resigned_by_a_trusted_publisher, Verdict.CONTRADICTED, "re-signed"),
    (unmarked_copy_resigned, Verdict.CONTRADICTED, "re-signed"),
    (record_claimed_by_a_stranger, Verdict.CONTRADICTED, "record-mismatch"),
    (parent_laundered, Verdict.CONTRADICTED, "laundered-ingredient"),
    (nothing_at_all, Verdict.NONE, None),
)


@pytest.mark.parametrize(
    ("attack", "verdict", "name"), TABLE, ids=lambda v: getattr(v, "__name__", "")
)
def test_attack(
    studio: Studio,
    delivered: Delivered,
    another: Delivered,
    attack: Attack,
    verdict: Verdict,
    name: str | None,
) -> None:
    case = attack(studio, delivered, another)
    report = verify(case.data, sources=studio.trusting(case.trust))
    assert report.verdict is verdict, report.summary
    named = {agreement.name for agreement in report.agreement if not agreement.holds}
    assert name in named if name else not named
    if verdict is Verdict.CONTRADICTED:
        assert name
        assert name in report.summary
    if not verdict.answers:
        assert_nothing_is_stated_as_fact(report)


def assert_nothing_is_stated_as_fact(report: Report) -> None:
    assert report.origin is Origin.UNKNOWN
    assert set(report.disclosures.model_dump().values()) == {None}


def test_an_expired_credential_is_recovered_by_the_time_that_the_ledger_proves(
    studio: Studio,
) -> None:
    """The certificate was valid when the record was made; nobody needs a time stamp then."""
    authority = Authority("Last year's signer")
    expired = authority.signer(starts=-400 * DAY, ends=-100 * DAY)

    def seal(png: bytes, stated: Claims) -> Signed:
        data = forge_png(png, expired, assertions_of(stated))
        found = find_store(data, "image/png")
        assert found is not None
        return Signed(data, found.store)

    studio.clock = lambda: datetime.now(UTC) - 200 * DAY
    own = studio.deliver(picture(seed=60), seal=seal)
    report = verify(own.data, sources=studio.trusting(authority.trust))
    assert report.verdict is Verdict.RECOVERED
    assert "expired-without-time" in {a.name for a in report.agreement}


def test_an_edit_that_names_its_parent_is_established(studio: Studio, delivered: Delivered) -> None:
    report = verify(edited(delivered.data, studio.signer), sources=studio.sources)
    assert report.verdict is Verdict.ESTABLISHED


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 500])
def test_what_is_no_picture_is_an_error_with_words(studio: Studio, data: bytes) -> None:
    with pytest.raises(PictureInvalid):
        verify(data, sources=studio.sources)


def test_without_a_ledger_a_stripped_copy_is_unconfirmed(
    studio: Studio, delivered: Delivered
) -> None:
    copy = encode(delivered.pixels, "png")
    for report in (
        verify(copy, sources=studio.sources, use_ledger=False),
        verify(copy, sources=replace(studio.sources, ledger=None)),
    ):
        assert report.verdict is Verdict.UNCONFIRMED
        assert not report.record.found


def test_who_trusts_nobody_establishes_nothing(studio: Studio, delivered: Delivered) -> None:
    for sources in (Sources(ledger=studio.ledger), None):
        assert verify(delivered.data, sources=sources).verdict is Verdict.UNCONFIRMED


ASSERTIONS = {"c2pa.actions.v2": CREATED}


def assertions_of(stated: Claims) -> dict[str, object]:
    listed = statements(stated)
    actions = {"actions": list(listed.actions), "allActionsIncluded": True}
    return {ACTIONS: actions, **listed.assertions}


def vouched(png: bytes, stated: Claims) -> Case:
    return Case(sign(png, "image/png", stated, VOUCHED.signer()).data, VOUCHED.trust)


def forged(signer: KeySigner) -> Case:
    return Case(forge_png(encode(picture(seed=50), "png"), signer, ASSERTIONS), VOUCHED.trust)


def with_store(png: bytes, store: bytes) -> bytes:
    """``png`` with a further store, in a chunk whose checksum is right."""
    chunk = len(store).to_bytes(4, "big") + b"caBX" + store + b"\0\0\0\0"
    return with_chunk_checksum(png[:STORE_AT] + chunk + png[STORE_AT:])


def with_store_of(source: Delivered, png: bytes) -> bytes:
    return with_store(png, source.record.credential)


def with_chunk_checksum(png: bytes) -> bytes:
    """Put right the checksum of the first chunk after IHDR."""
    end = STORE_AT + 8 + int.from_bytes(png[STORE_AT : STORE_AT + 4], "big")
    return put(png, end, zlib.crc32(png[STORE_AT + 4 : end]).to_bytes(4, "big"))
