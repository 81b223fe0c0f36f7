"""What reading a credential promises: no attack reads as trusted and intact, nothing raises."""

import contextlib
import io
import random
from datetime import UTC, datetime

import c2pa
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.credential import (
    Credential,
    IngredientState,
    Integrity,
    Signed,
    State,
    check_store,
    read,
    sign,
)
from provenance.credential.container import find_store
from provenance.credential.engine import context
from provenance.credential.reader import Malformed, open_store
from provenance.errors import PictureInvalid
from provenance.keys import KeySigner, TrustAnchors
from provenance.keys.chain import NO_ANCHOR, OUT_OF_TIME, WRONG_PURPOSE
from tests.credential.authority import DAY, Authority
from tests.credential.forge import CREATED, STORE_AT, forge_png
from tests.credential.scenery import claims, encoded


@pytest.fixture(scope="module")
def signed(signer: KeySigner) -> Signed:
    return sign(encoded(), "image/png", claims(), signer)


def put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def flip(data: bytes, at: int, bit: int = 0) -> bytes:
    return put(data, at, bytes([data[at] ^ (1 << bit)]))


def proves(data: bytes, trust: TrustAnchors) -> bool:
    return read(data, trust).proves


def test_a_picture_without_a_credential_has_none(trust: TrustAnchors) -> None:
    for kind in ("png", "jpeg", "webp"):
        assert read(encoded(kind=kind), trust) == Credential(state=State.ABSENT)


def test_a_changed_pixel_breaks_integrity(signed: Signed, trust: TrustAnchors) -> None:
    found = read(flip(signed.data, len(signed.data) - 500), trust)
    assert (found.state, found.integrity) == (State.INVALID, Integrity.BROKEN)


def test_bytes_added_at_the_end_break_integrity(signed: Signed, trust: TrustAnchors) -> None:
    assert read(signed.data + b"more", trust).integrity is Integrity.BROKEN


def test_a_changed_statement_breaks_integrity(signed: Signed, trust: TrustAnchors) -> None:
    at = signed.data.index(b"Example Pictures")
    found = read(put(signed.data, at, b"Exempla"), trust)
    assert (found.state, found.integrity) == (State.INVALID, Integrity.BROKEN)
    at_store = signed.store.index(b"Example Pictures")
    assert check_store(put(signed.store, at_store, b"Exempla"), trust).state is State.INVALID


def test_a_credential_of_another_picture_does_not_fit(
    signed: Signed, signer: KeySigner, trust: TrustAnchors
) -> None:
    other = encoded(seed=1)
    start, end = find_store(signed.data, "image/png").spans[0]  # type: ignore[union-attr]
    swapped = other[:STORE_AT] + signed.data[start:end] + other[STORE_AT:]
    assert read(swapped, trust).integrity is Integrity.BROKEN


def test_a_truncated_store_is_unreadable(signed: Signed, trust: TrustAnchors) -> None:
    assert check_store(signed.store[:2000], trust).state is State.UNREADABLE
    assert check_store(b"", trust).state is State.UNREADABLE


def test_two_stores_are_never_one(signed: Signed, trust: TrustAnchors) -> None:
    start, end = find_store(signed.data, "image/png").spans[0]  # type: ignore[union-attr]
    doubled = signed.data[:end] + signed.data[start:end] + signed.data[end:]
    found = read(doubled, trust)
    assert found.state is State.UNREADABLE
    assert found.reason == "the file holds several credentials side by side"


def test_a_forgery_without_faults_is_trusted(trust: TrustAnchors) -> None:
    """Or the forgeries below would prove nothing."""
    authority = Authority()
    data = forge_png(encoded(), authority.signer(), {"c2pa.actions.v2": CREATED})
    assert proves(data, authority.trust)


@pytest.mark.parametrize(
    "purpose", [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.OCSP_SIGNING]
)
def test_a_certificate_for_another_purpose_is_invalid_although_c2pa_trusts_it(
    purpose: ExtendedKeyUsageOID,
) -> None:
    authority = Authority()
    data = forge_png(encoded(), authority.signer([purpose]), {"c2pa.actions.v2": CREATED})  # type: ignore[list-item]
    with c2pa.Reader("image/png", io.BytesIO(data), context=context(authority.trust)) as reader:
        assert reader.get_validation_state() == "Trusted"
    found = read(data, authority.trust)
    assert found.state is State.INVALID
    assert WRONG_PURPOSE in found.codes.failure


def test_bytes_left_out_of_the_hash_make_integrity_partial() -> None:
    authority = Authority()
    png = encoded()
    left_out = (len(png) - 5000, 3000)
    data = forge_png(png, authority.signer(), {"c2pa.actions.v2": CREATED}, left_out=[left_out])
    found = read(data, authority.trust)
    assert (found.state, found.integrity) == (State.TRUSTED, Integrity.PARTIAL)
    assert not found.proves
    assert found.coverage is not None
    assert found.coverage.bytes_excluded == 3000
    assert found.coverage.share == pytest.approx(1 - 3000 / len(png))


def test_an_expired_certificate_counts_only_at_its_time() -> None:
    authority = Authority()
    expired = authority.signer(starts=-20 * DAY, ends=-10 * DAY)
    data = forge_png(encoded(), expired, {"c2pa.actions.v2": CREATED})
    now = datetime.now(UTC)
    found = read(data, authority.trust)
    assert (found.state, found.integrity) == (State.INVALID, Integrity.INTACT)
    assert OUT_OF_TIME in found.codes.failure
    assert read(data, authority.trust, at=now - 15 * DAY).state is State.TRUSTED
    assert read(data, authority.trust, at=now - 30 * DAY).state is State.INVALID


def test_a_moment_asked_about_does_not_make_a_stranger_trusted(trust: TrustAnchors) -> None:
    expired = Authority().signer(starts=-20 * DAY, ends=-10 * DAY)
    data = forge_png(encoded(), expired, {"c2pa.actions.v2": CREATED})
    found = read(data, trust, at=datetime.now(UTC) - 15 * DAY)
    assert found.state is State.VALID
    assert NO_ANCHOR in found.codes.failure


def edited(parent: bytes, signer: KeySigner) -> bytes:
    """A new picture, signed as an edit of ``parent``."""
    builder = c2pa.Builder({"claim_generator_info": [{"name": "editor"}]}, context(TrustAnchors()))
    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    ingredient = {"title": "parent", "relationship": "parentOf"}
    builder.add_ingredient(ingredient, "image/png", io.BytesIO(parent))
    chain = signer.certificate_chain.decode()
    out = io.BytesIO()
    with c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, chain, None) as native:
        builder.sign(native, "image/png", io.BytesIO(encoded(seed=5)), out)
    return out.getvalue()


def test_an_edit_of_a_tampered_parent_is_found_although_c2pa_trusts_it(
    signed: Signed, signer: KeySigner, trust: TrustAnchors
) -> None:
    data = edited(flip(signed.data, len(signed.data) - 500), signer)
    with c2pa.Reader("image/png", io.BytesIO(data), context=context(trust)) as reader:
        assert reader.get_validation_state() == "Trusted"
    assert read(data, trust).worst_ingredient is IngredientState.INVALID


def test_the_state_of_a_parent_is_kept(
    signed: Signed, signer: KeySigner, trust: TrustAnchors
) -> None:
    assert read(signed.data, trust).worst_ingredient is IngredientState.NONE
    without = read(edited(encoded(), signer), trust)
    assert (without.state, without.worst_ingredient) == (State.TRUSTED, IngredientState.UNSIGNED)
    # The editor above trusts nobody, and says so of its parent.
    assert read(edited(signed.data, signer), trust).worst_ingredient is IngredientState.VALID


def test_the_history_names_the_parent(
    signed: Signed, signer: KeySigner, trust: TrustAnchors
) -> None:
    parent = read(signed.data, trust).contents
    child = read(edited(signed.data, signer), trust).contents
    assert parent is not None
    assert child is not None
    assert parent.manifest in child.history
    assert parent.manifest != child.manifest


def test_a_manifest_that_is_there_twice_has_no_signer(signed: Signed, trust: TrustAnchors) -> None:
    assert len(open_store(signed.store).chain) == 2
    manifest = signed.store[38:]  # after the outer box's header and description
    size = len(signed.store) + len(manifest)
    doubled = size.to_bytes(4, "big") + signed.store[4:] + manifest
    with pytest.raises(Malformed, match="one name"):
        open_store(doubled)
    assert check_store(doubled, trust).state is State.UNREADABLE


def test_what_is_no_picture_is_said_to_be_none(trust: TrustAnchors) -> None:
    for data in (b"", b"hello", b"\x00" * 5000):
        with pytest.raises(PictureInvalid):
            read(data, trust)


@settings(max_examples=60)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_byte_in_covered_ranges_is_found(
    signed: Signed, trust: TrustAnchors, position: float, bit: int
) -> None:
    """Everything outside the credential is covered: the header before it, the picture after it."""
    start, end = find_store(signed.data, "image/png").spans[0]  # type: ignore[union-attr]
    covered = len(signed.data) - (end - start)
    at = int(position * covered)
    data = flip(signed.data, at if at < start else at + end - start, bit)
    # A change in the very first bytes makes it no PNG at all, which is said so.
    with contextlib.suppress(PictureInvalid):
        assert not proves(data, trust)


@settings(max_examples=150)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_byte_of_the_claim_or_a_statement_is_found(
    signed: Signed, trust: TrustAnchors, position: float, bit: int
) -> None:
    """From the first assertion to the end of the claim every byte of content is signed; what is
    not (lengths and toggles of boxes) may at most make the credential unreadable."""
    begin = signed.store.index(b"c2pa.actions.v2") + 16
    end = signed.store.index(b"c2pa.signature\0")
    at = begin + int(position * (end - begin))
    changed = check_store(flip(signed.store, at, bit), trust)
    intact = check_store(signed.store, trust)
    assert changed.state is not State.TRUSTED or changed.contents == intact.contents


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 40))
def test_no_damage_to_a_credential_raises_or_makes_it_say_something_else(
    signed: Signed, trust: TrustAnchors, seed: int, changes: int
) -> None:
    chance = random.Random(seed)
    damaged = bytearray(signed.store)
    for _ in range(changes):
        damaged[chance.randrange(min(3500, len(damaged)))] = chance.randrange(256)
    at = signed.data.index(signed.store)
    for found in (
        read(put(signed.data, at, bytes(damaged)), trust),
        check_store(bytes(damaged), trust),
    ):
        assert found.state is not State.TRUSTED or found.content_id == claims().content_id


@settings(max_examples=60)
@given(st.binary(max_size=400), st.sampled_from(["png", "jpeg", "webp"]))
def test_garbage_after_a_right_beginning_raises_nothing(
    trust: TrustAnchors, garbage: bytes, kind: str
) -> None:
    beginning = {
        "png": b"\x89PNG\r\n\x1a\n",
        "jpeg": b"\xff\xd8\xff\xe0",
        "webp": b"RIFF\x00\x10\x00\x00WEBP",
    }[kind]
    assert not proves(beginning + garbage, trust)


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_garbage_as_a_store_raises_nothing(trust: TrustAnchors, garbage: bytes) -> None:
    assert check_store(garbage, trust).state is State.UNREADABLE
    with pytest.raises(Malformed):
        open_store(garbage)
