"""No store reaches a decoder unless its lengths hold: c2pa-rs believes them before it looks."""

import contextlib
import io
import struct

import cbor2
import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from provenance.credential import State, check_store, read
from provenance.credential.cbor import MAX_DEPTH, decode, is_well_formed
from provenance.credential.container import REMOTE_POINTER, STORE_UUID, find_store
from provenance.credential.reader import Malformed, open_store
from provenance.credential.reader.cose import claim_signature
from provenance.credential.reader.jumbf import MAX_STORE_BYTES, parse
from provenance.keys import TrustAnchors
from provenance.picture import encode
from tests.credential.authority import Authority
from tests.credential.forge import CREATED, forge_png
from tests.credential.scenery import encoded, picture

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=40)
    | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(ANYTHING, st.booleans())
def test_what_is_written_as_cbor_is_well_formed_and_a_part_of_it_is_not(
    value: object, indefinite: bool
) -> None:
    out = io.BytesIO()
    cbor2.CBOREncoder(out, indefinite_containers=indefinite).encode(value)
    written = out.getvalue()
    assert is_well_formed(written)
    assert not any(is_well_formed(written[:cut]) for cut in range(len(written)))


@given(ANYTHING, st.booleans())
def test_what_is_written_as_cbor_is_read_as_it_was(value: object, indefinite: bool) -> None:
    out = io.BytesIO()
    cbor2.CBOREncoder(out, indefinite_containers=indefinite).encode(value)
    assert decode(out.getvalue() + b"padding") == value


@given(st.binary(max_size=60))
def test_another_reader_reads_the_same_or_nothing_is_read(data: bytes) -> None:
    try:
        value = decode(data)
    except Malformed:
        return
    if "Tagged" not in repr(value):  # to cbor2 some tags mean dates and numbers
        assert repr(cbor2.load(io.BytesIO(data))).replace("nan", "None").replace(
            "undefined", "None"
        ) == repr(value)


@pytest.mark.parametrize(
    "twice", [b"\xa2\x61a\x01\x61a\x02", b"\xbf\x61a\x01\x61a\x02\xff", b"\xa2\x01\x00\x18\x01\x00"]
)
def test_a_key_that_stands_twice_is_refused(twice: bytes) -> None:
    """Which of the two is meant, two readers could take differently."""
    with pytest.raises(Malformed, match="twice"):
        decode(twice)


@pytest.mark.parametrize("major", [2, 3, 4, 5])
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_a_length_beyond_the_end_is_not_well_formed(major: int, width: int) -> None:
    head = bytes([major << 5 | 24 + width.bit_length() - 1])
    assert not is_well_formed(head + b"\xff" * width + b"\0" * 20)


def test_endless_nesting_is_not_well_formed() -> None:
    assert is_well_formed(b"\x81" * (MAX_DEPTH - 1) + b"\0")
    assert not is_well_formed(b"\x81" * 100_000 + b"\0")
    assert not is_well_formed(b"\xc1" * 100_000 + b"\0")


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x9b\x00\x00\x00\x0f\xff\xff\xff\xff",  # a list of 68 billion
        b"\xbb\x00\x00\x00\x0f\xff\xff\xff\xff",  # a map of them
        b"\xa1\x61a\x9a\x7f\xff\xff\xff",  # the like, further in
        b"\x7a\x7f\xff\xff\xff",  # a text of 2 GB
    ],
)
def test_a_credential_that_announces_billions_is_unreadable_at_once(bomb: bytes) -> None:
    """c2pa-rs 0.91.3 takes as much memory as the text says it has."""
    authority = Authority()
    honest = b"\x41" * 40
    note = {"c2pa.actions.v2": CREATED, "org.example.note": {"text": honest}}
    data = forge_png(encoded(), authority.signer(), note)
    assert read(data, authority.trust).state is State.TRUSTED
    at = data.index(cbor2.dumps({"text": honest}))
    found = read(data[:at] + bomb + data[at + len(bomb) :], authority.trust)
    assert found.state is State.UNREADABLE
    assert "CBOR" in (found.reason or "")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (b"", "fit"),
        (b"\0\0\0\x09jumb", "fit"),
        (box(b"jumb", b"\0\0\0\xffcbor"), "fit"),
        (box(b"jumb", box(b"brob", b"x")), "compressed"),
        (box(b"jumb", box(b"cbor", b"\x9b" + b"\xff" * 8)), "CBOR"),
        (box(b"jumb", box(b"cbor", b"")), "CBOR"),
        (box(b"jumb", box(b"free", b"") * 30_000), "too many"),
        (b"\0" * (MAX_STORE_BYTES + 1), "larger"),
    ],
)
def test_an_unsound_store_is_unreadable_and_says_why(store: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        parse(store)
    found = check_store(store, TrustAnchors())
    assert found.state is State.UNREADABLE
    assert words in (found.reason or "")


def test_boxes_in_boxes_have_an_end() -> None:
    nested = box(b"free", b"")
    for _ in range(500):
        nested = box(b"jumb", nested)
    with pytest.raises(Malformed, match="too many"):
        parse(nested)


def test_a_protected_header_is_looked_into_as_well() -> None:
    bomb = decode(cbor2.dumps(cbor2.CBORTag(18, [b"\x9b" + b"\xff" * 8, {}, None, b"s"])))
    honest = decode(cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -7}), {}, None, b"s"])))
    assert claim_signature(honest).algorithm is not None
    with pytest.raises(Malformed):
        claim_signature(bomb)


def test_two_chains_in_one_signature_are_none() -> None:
    """Else one could be shown to c2pa-rs and the other to us."""
    authority = Authority()
    data = forge_png(encoded(), authority.signer(), {"c2pa.actions.v2": CREATED})
    store = find_store(data, "image/png").store  # type: ignore[union-attr]
    (leaf,) = open_store(store).chain
    second = forge_png(
        encoded(),
        authority.signer(),
        {"c2pa.actions.v2": CREATED},
        unprotected={"x5chain": leaf.public_bytes(Encoding.DER)},
    )
    assert read(data, authority.trust).state is State.TRUSTED
    assert read(second, authority.trust).state is not State.TRUSTED


@given(st.sampled_from([b"\xd2", b"\x84", b"\xd2\x84"]), st.binary(max_size=60))
def test_no_header_raises_anything_but_malformed(head: bytes, rest: bytes) -> None:
    with contextlib.suppress(Malformed):
        claim_signature(decode(head + rest))


def test_a_credential_where_none_is_read_is_not_passed_over() -> None:
    jpeg = encode(picture(), "jpeg")
    assert read(jpeg + STORE_UUID, TrustAnchors()).state is State.UNREADABLE
    assert "remote" in (read(jpeg + REMOTE_POINTER, TrustAnchors()).reason or "")
    gif = b"GIF89a" + np.zeros(20, np.uint8).tobytes()
    assert read(gif, TrustAnchors()).state is State.ABSENT
    assert "image/gif" in (read(gif + STORE_UUID, TrustAnchors()).reason or "")
