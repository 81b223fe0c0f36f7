"""The second reader: every algorithm, time stamps, and what it finds that c2pa-rs does not."""

import io
from datetime import UTC, datetime, timedelta

import c2pa
import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from provenance.credential import (
    Credential,
    IngredientState,
    Integrity,
    State,
    check_store,
    read,
    sign,
)
from provenance.credential.container import find_store
from provenance.credential.engine import context
from provenance.credential.judge import READERS_DISAGREE, TIME_UNTRUSTED
from provenance.credential.read import portrait
from provenance.credential.reader import Binding, Malformed, open_store
from provenance.credential.reader.binding import BMFF_UUID
from provenance.credential.reader.der import NotDer, values
from provenance.credential.reader.timestamp import read_token
from provenance.credential.registry import BINDING_FORM, UNKNOWN_SOURCE, UNREGISTERED_BINDING
from provenance.keys import KeySigner, TrustAnchors
from provenance.keys.chain import MALFORMED, OUT_OF_TIME
from provenance.picture import Format
from tests.credential.authority import DAY, Authority
from tests.credential.forge import (
    CREATED,
    Forgery,
    Key,
    Picture,
    edit_of,
    ingredient,
    manifests_of,
    pen,
    pen_of,
)
from tests.credential.scenery import claims, encoded, picture
from tests.credential.stamps import TimeStamping

AUTHORITY = Authority()
PEN = pen(AUTHORITY.signer())
KEYS: dict[str, Key] = {
    "es256": ec.generate_private_key(ec.SECP256R1()),
    "es384": ec.generate_private_key(ec.SECP384R1()),
    "es512": ec.generate_private_key(ec.SECP521R1()),
    "ps256": rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def store_of(data: bytes, kind: str = "image/png") -> bytes:
    found = find_store(data, kind)
    assert found is not None
    return found.store


def c2pa_state(data: bytes, trust: TrustAnchors = AUTHORITY.trust) -> str:
    with c2pa.Reader("image/png", io.BytesIO(data), context=context(trust)) as reader:
        return str(reader.get_validation_state())


def judged(forgery: Forgery, trust: TrustAnchors = AUTHORITY.trust) -> Credential:
    return read(forgery.into(encoded(), PEN), trust)


@pytest.mark.parametrize("name", KEYS)
def test_every_algorithm_is_verified_and_a_changed_claim_is_found(name: str) -> None:
    key = KEYS[name]
    own = pen_of(key, AUTHORITY.leaf(key.public_key()))
    data = Forgery().into(encoded(), own)
    found = read(data, AUTHORITY.trust)
    assert found.proves
    assert found.signer is not None
    assert (found.signer.algorithm or "").lower() == name
    store = store_of(data)
    changed = store.replace(b"forger", b"honest")
    assert open_store(store).failures == ()
    assert open_store(changed).failures == ("claimSignature.mismatch",)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_credential_of_many_segments_is_read_in_every_container(kind: Format) -> None:
    thumbnail = Picture("image/jpeg", bytes(150_001))
    forgery = Forgery({"c2pa.actions.v2": CREATED, "c2pa.thumbnail.claim": thumbnail})
    data = forgery.into(encoded(kind=kind), PEN, kind)
    found = read(data, AUTHORITY.trust)
    assert found.proves
    assert found.coverage is not None
    assert found.coverage.share == 1
    assert found.coverage.pixel_share == (None if kind == "webp" else 1)
    assert portrait(store_of(data, f"image/{kind}")) == thumbnail.data


@pytest.mark.parametrize("kind", ["tiff", "avif"])
def test_tiff_and_avif_are_read_twice_as_well(kind: str, signer: KeySigner) -> None:
    made = io.BytesIO()
    Image.fromarray(picture()).save(made, kind)
    data = sign(made.getvalue(), f"image/{kind}", claims(), signer).data
    trust = TrustAnchors(tuple(x509.load_pem_x509_certificates(signer.certificate_chain)[-1:]))
    found = read(data, trust)
    assert found.proves
    assert found.coverage is not None
    assert found.coverage.share == 1
    embedded = find_store(data, f"image/{kind}")
    assert embedded is not None
    reading = open_store(embedded.store)
    assert reading.binding(data) is Binding.HOLDS
    start, end = embedded.spans[-1]
    for at in range(end if kind == "avif" else 8, len(data) if kind == "avif" else start, 997):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert reading.binding(changed) is Binding.BROKEN, at
    assert reading.binding(data + b"more") is Binding.BROKEN


def test_a_box_that_every_bmff_hash_leaves_out_hides_nothing(signer: KeySigner) -> None:
    """A second box of C2PA's kind is no store, and no hash covers it."""
    made = io.BytesIO()
    Image.fromarray(picture()).save(made, "avif")
    data = sign(made.getvalue(), "image/avif", claims(), signer).data
    box = b"uuid" + BMFF_UUID + bytes(4) + b"hidden\0" + bytes(500)
    found = read(data + (len(box) + 4).to_bytes(4, "big") + box, TrustAnchors())
    assert not found.proves
    assert found.coverage is None or found.coverage.share < 1 or found.state is State.UNREADABLE


def test_a_signature_by_another_key_than_the_leafs_does_not_hold() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    chain = (PEN.chain[0],)
    forged = pen_of(other, AUTHORITY.leaf(other.public_key()))._replace(chain=chain)
    found = read(Forgery().into(encoded(), forged), AUTHORITY.trust)
    assert (found.state, found.integrity) == (State.INVALID, Integrity.BROKEN)


def test_a_parents_own_signature_is_checked_although_its_manifest_is_as_it_was_taken_in() -> None:
    """An editor takes in a forged parent, and writes that all was well with it."""
    parent = manifests_of(store_of(Forgery().into(encoded(), PEN)))[0]
    for forged, expected in (
        (parent, IngredientState.TRUSTED),
        (parent.replace(b"forger", b"honest"), IngredientState.INVALID),
    ):
        edit = Forgery(edit_of(ingredient(forged)), parents=[forged])
        edited = edit.into(encoded(seed=3), PEN)
        assert open_store(store_of(edited)).failures == ()
        assert read(edited, AUTHORITY.trust).worst_ingredient is expected


def test_a_parent_swapped_under_its_reference_is_found() -> None:
    parent, other = (
        manifests_of(store_of(Forgery(label="urn:c2pa:" + "0" * 36).into(encoded(n), PEN)))[0]
        for n in (1, 2)
    )
    edit = Forgery(edit_of(ingredient(parent)), parents=[other])
    data = edit.into(encoded(seed=3), PEN)
    assert open_store(store_of(data)).ingredient_failures == ("ingredient.manifest.mismatch",)
    assert not read(data, AUTHORITY.trust).proves


def test_a_statement_that_the_claim_does_not_name_is_found() -> None:
    data = Forgery(unlisted={"org.example.note": {"made": "by a camera"}}).into(encoded(), PEN)
    assert open_store(store_of(data)).failures == ("assertion.undeclared",)
    assert read(data, AUTHORITY.trust).state is State.UNREADABLE  # c2pa-rs raises


def test_an_outer_length_that_lies_is_not_read_although_c2pa_trusts_it() -> None:
    """No signature covers it, and c2pa-rs does not look at it."""
    data = Forgery().into(encoded(), PEN)
    at = data.index(b"caBX") + 4
    lying = data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
    found = read(lying, AUTHORITY.trust)
    assert found.state is State.UNREADABLE
    assert "fit" in (found.reason or "")


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ({"alg": "org.example.mark", "blocks": [], "pad": b""}, UNREGISTERED_BINDING),
        (
            {"alg": "com.adobe.trustmark.P", "blocks": [{"scope": {}, "value": "MQ=="}]},
            BINDING_FORM,
        ),
    ],
)
def test_a_soft_binding_outside_the_registered_names_and_encoding_is_noted(
    said: object, note: str
) -> None:
    found = judged(Forgery({"c2pa.actions.v2": CREATED, "c2pa.soft-binding": said}))
    assert found.proves
    assert note in found.codes.informational


def test_a_soft_binding_as_the_specification_has_it_is_read_as_bytes() -> None:
    said = {
        "alg": "com.adobe.trustmark.P",
        "pad": b"",
        "blocks": [{"scope": {}, "value": b"\x01\x23"}],
    }
    found = judged(Forgery({"c2pa.actions.v2": CREATED, "c2pa.soft-binding": said}))
    assert found.contents is not None
    assert [binding.value for binding in found.contents.soft_bindings] == ["0123"]
    assert not {BINDING_FORM, UNREGISTERED_BINDING} & set(found.codes.informational)


def test_a_kind_of_source_that_nobody_registered_is_noted() -> None:
    made_up = {"actions": [{"action": "c2pa.created", "digitalSourceType": "http://x/camera"}]}
    assert UNKNOWN_SOURCE in judged(Forgery({"c2pa.actions.v2": made_up})).codes.informational


# Time stamps.


@pytest.mark.parametrize("over_claim", [False, True], ids=["sigTst2", "sigTst"])
def test_a_trusted_time_stamp_keeps_an_expired_credential_alive(over_claim: bool) -> None:
    tsa = TimeStamping(-15 * DAY)
    expired = pen(AUTHORITY.signer(starts=-20 * DAY, ends=-10 * DAY))
    forgery = Forgery(stamp=tsa.stamp, stamped_claim=over_claim)
    data = forgery.into(encoded(), expired)
    found = read(data, AUTHORITY.trust | tsa.trust)
    assert found.time.trusted
    assert found.proves
    stamped = datetime.fromisoformat(found.time.value or "")
    assert abs(stamped - (datetime.now(UTC) - 15 * DAY)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("tsa", "how"),
    [
        (TimeStamping(-15 * DAY), "stamp_of_another"),
        (TimeStamping(-15 * DAY), "stamp_with_a_broken_signature"),
        (TimeStamping(-30 * DAY), "stamp"),  # before the certificate was valid
        (TimeStamping(-15 * DAY, starts=-5 * DAY), "stamp"),
        (TimeStamping(-15 * DAY, purposes=[ExtendedKeyUsageOID.CODE_SIGNING]), "stamp"),
    ],
    ids=["of another", "broken", "too early", "authority not yet valid", "authority for code"],
)
def test_a_time_stamp_that_does_not_hold_saves_nothing(tsa: TimeStamping, how: str) -> None:
    expired = pen(AUTHORITY.signer(starts=-20 * DAY, ends=-10 * DAY))
    data = Forgery(stamp=getattr(tsa, how)).into(encoded(), expired)
    found = read(data, AUTHORITY.trust | tsa.trust)
    assert found.state is State.INVALID
    assert not found.proves


def test_anchors_for_claims_do_not_vouch_for_times_although_c2pa_believes_them() -> None:
    tsa = TimeStamping(-15 * DAY)
    expired = pen(AUTHORITY.signer(starts=-20 * DAY, ends=-10 * DAY))
    data = Forgery(stamp=tsa.stamp).into(encoded(), expired)
    wrong_kind = AUTHORITY.trust | tsa.authority.trust
    assert c2pa_state(data, wrong_kind) == "Trusted"
    found = read(data, wrong_kind)
    assert not found.time.trusted
    assert found.state is State.INVALID
    assert {OUT_OF_TIME} <= set(found.codes.failure)
    assert TIME_UNTRUSTED in found.codes.informational


def test_anchors_for_times_do_not_vouch_for_claims_although_c2pa_believes_them() -> None:
    only_for_time = TrustAnchors(time_stamping=AUTHORITY.trust.certificates)
    data = Forgery().into(encoded(), PEN)
    assert c2pa_state(data, only_for_time) == "Trusted"
    assert read(data, only_for_time).state is State.VALID


TSA = TimeStamping()
TOKEN = TSA.stamp(b"message")


@settings(max_examples=200)
@given(st.data())
def test_no_damage_to_a_time_stamp_raises_or_changes_what_it_says(draw: st.DataObject) -> None:
    token = bytearray(TOKEN)
    honest = read_token(TOKEN, b"message", TSA.trust)
    assert honest.problem is None
    for _ in range(draw.draw(st.integers(1, 3))):
        token[draw.draw(st.integers(0, len(token) - 1))] = draw.draw(st.integers(0, 255))
    try:
        found = read_token(bytes(token), b"message", TSA.trust)
    except (Malformed, LookupError, *MALFORMED):
        return
    assert found.problem is not None or found == honest


@given(st.binary(max_size=80))
def test_der_is_read_to_its_end_or_not_at_all(data: bytes) -> None:
    try:
        found = list(values(data))
    except NotDer:
        return
    assert b"".join(value.whole for value in found) == data


# What two readers see.


@settings(max_examples=150)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_bit_that_c2pa_finds_is_found_without_it(position: float, bit: int) -> None:
    """And the other way round, from the first assertion to the end of the claim."""
    data = DATA
    start, end = data.index(b"c2pa.actions.v2") + 16, data.index(b"c2pa.signature\0")
    at = start + int(position * (end - start))
    changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
    found = read(changed, AUTHORITY.trust)
    assert not found.proves or found == read(data, AUTHORITY.trust)


DATA = Forgery().into(encoded(), PEN)
STORE = store_of(DATA)


@settings(max_examples=60)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_byte_of_the_file_is_found_without_c2pa(position: float, bit: int) -> None:
    found = find_store(DATA, "image/png")
    assert found is not None
    start, end = found.spans[0]
    reading = open_store(found.store)
    at = int(position * (len(DATA) - (end - start)))
    at += (end - start) if at >= start else 0
    changed = DATA[:at] + bytes([DATA[at] ^ 1 << bit]) + DATA[at + 1 :]
    assert reading.binding(DATA) is Binding.HOLDS
    assert reading.binding(changed) is Binding.BROKEN


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.update(exclusions=[{"start": 0, "length": 10**12}]),
        lambda b: b.update(exclusions=[*b["exclusions"], *b["exclusions"]]),
        lambda b: b.update(exclusions=[{"start": -5, "length": 5}]),
        lambda b: b.update(exclusions="all of it"),
        lambda b: b.update(exclusions=[{"start": 33}] * 2000),
        lambda b: b.update(alg="md5"),
        lambda b: b.update(hash="text"),
    ],
    ids=["beyond", "overlapping", "negative", "words", "many", "md5", "text"],
)
def test_a_data_hash_that_could_be_read_in_two_ways_binds_nothing(change: object) -> None:
    found = judged(Forgery(binding=change))  # type: ignore[arg-type]
    assert not found.proves


def test_a_disagreement_of_the_readers_is_told_and_nothing_is_trusted() -> None:
    """A claim that names an assertion box by a path that only one reader resolves."""

    def in_capitals(claim: dict[str, object]) -> None:
        (first, *_) = claim["created_assertions"]  # type: ignore[misc]
        first["alg"] = "SHA256"

    found = judged(Forgery(claim=in_capitals))
    assert not found.proves
    assert READERS_DISAGREE in found.codes.failure or found.integrity is Integrity.BROKEN


def test_a_store_alone_is_judged_without_the_picture() -> None:
    found = check_store(store_of(DATA), AUTHORITY.trust)
    assert (found.state, found.integrity) == (State.TRUSTED, Integrity.NOT_CHECKED)


@settings(max_examples=300)
@given(st.data())
def test_no_damage_to_a_store_raises_anything_but_malformed(draw: st.DataObject) -> None:
    store = bytearray(STORE)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(store) - 1))
        store[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=4))
    try:
        reading = open_store(bytes(store))
    except Malformed:
        return
    reading.statements()
    reading.time_stamp(AUTHORITY.trust)
    assert reading.binding(DATA) in Binding


def test_cbor_of_a_claim_with_a_key_twice_is_not_read() -> None:
    """c2pa-rs takes one of the two; another reader might take the other."""
    honest = cbor2.dumps({"actions": CREATED["actions"]})
    twice = b"\xa2" + honest[1:] + honest[1:]
    found = judged(Forgery({"c2pa.actions.v2": twice}))
    assert found.state is State.UNREADABLE
    assert "twice" in (found.reason or "")


def test_an_assertion_that_a_claim_names_twice_is_not_read() -> None:
    """c2pa-rs keeps a copy for each time: 16 MB named 200 times take gigabytes."""

    def twice(claim: dict[str, object]) -> None:
        claim["created_assertions"] *= 2  # type: ignore[operator]

    found = judged(Forgery(claim=twice))
    assert found.state is State.UNREADABLE
    assert "twice" in (found.reason or "")


@pytest.mark.parametrize(
    "wide",
    [
        {"org.example.a": cbor2.dumps([0] * 300_000), "org.example.b": cbor2.dumps([0] * 300_000)},
        {f"org.example.n{number}": 0 for number in range(2001)},
    ],
    ids=["items", "assertions"],
)
def test_limits_are_those_of_a_whole_store(wide: dict[str, object]) -> None:
    found = judged(Forgery({"c2pa.actions.v2": CREATED, **wide}))
    assert found.state is State.UNREADABLE
    assert "too many" in (found.reason or "")


@pytest.mark.parametrize(("kind", "share"), [("png", 0.0), ("jpeg", 0.5)])
def test_the_share_of_pixels_that_is_protected_is_told(kind: Format, share: float) -> None:
    data = encoded(kind=kind)
    if kind == "png":
        start = data.index(b"IDAT") + 4
        left_out = (start, len(data) - 16 - start)
    else:
        start = data.index(b"\xff\xda")
        left_out = (start, (len(data) - start) // 2)
    found = read(Forgery(left_out=[left_out]).into(data, PEN, kind), AUTHORITY.trust)
    assert found.integrity is Integrity.PARTIAL
    assert found.coverage is not None
    assert found.coverage.pixel_share == pytest.approx(share, abs=0.01)
