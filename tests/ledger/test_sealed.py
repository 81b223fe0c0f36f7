"""Sealed text: readable with its key, silent without it, and bound to its place."""

import json
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import EventInvalid, LedgerCorrupt
from provenance.ledger.event import Event, draft
from provenance.ledger.forgetting import (
    Sealed,
    SubjectKey,
    discloses,
    open_sealed,
    pseudonym,
    seal,
)
from provenance.ledger.forgetting.sealed import open_bytes, seal_bytes
from provenance.ledger.lint import SUBJECTS

SECRET = secrets.token_bytes(32)
KEY = SubjectKey.generate(pseudonym(SECRET, "ada"))
PLAIN = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=4,
    ),
    max_size=4,
)


def changed(sealed: Sealed, **parts: Any) -> Sealed:
    return sealed.model_copy(update={"sealed": sealed.sealed.model_copy(update=parts)})


@given(PLAIN)
def test_what_was_sealed_comes_back_through_the_ledgers_own_json(plain: dict[str, Any]) -> None:
    written = draft(Event("appeal", seal(KEY, plain).body())).body
    sealed = Sealed.of(json.loads(written))
    assert sealed is not None
    opened = open_sealed(KEY, sealed)
    assert opened.plain == plain
    assert discloses(sealed, plain, opened.salt)
    assert not discloses(sealed, plain | {"more": 1}, opened.salt)
    assert not discloses(sealed, plain, secrets.token_bytes(32))


def test_equal_texts_look_different_and_short_ones_look_alike() -> None:
    first, again = seal(KEY, {"said": "yes"}), seal(KEY, {"said": "yes"})
    assert first.sealed.ciphertext != again.sealed.ciphertext
    assert first.sealed.commitment != again.sealed.commitment
    assert len(first.sealed.ciphertext) == len(seal(KEY, {"said": "no"}).sealed.ciphertext)


def test_nothing_of_the_text_or_the_person_stands_in_the_body() -> None:
    body = draft(
        Event("appeal", seal(KEY, {"email": "ada@example.org", "prompt": "x"}).body())
    ).body
    assert "ada" not in body
    assert KEY.secret.hex() not in body
    assert KEY.secret.hex() not in repr(KEY)
    assert str(KEY.secret) not in repr(KEY)


def test_another_key_does_not_open_it() -> None:
    sealed = seal(KEY, {"said": "yes"})
    with pytest.raises(LedgerCorrupt, match="cannot be opened"):
        open_sealed(SubjectKey.generate(KEY.subject), sealed)


def test_no_part_moves_to_another_leaf() -> None:
    one, two = seal(KEY, {"n": 1}), seal(KEY, {"n": 2})
    strangers = [
        changed(one, ciphertext=two.sealed.ciphertext),
        changed(one, nonce=two.sealed.nonce),
        changed(one, commitment=two.sealed.commitment),
        changed(one, key="0" * 32),
        changed(one, ciphertext="no base64"),
        changed(one, ciphertext=""),
        one.model_copy(update={"subject": pseudonym(SECRET, "grace")}),
    ]
    for stranger in strangers:
        with pytest.raises(LedgerCorrupt):
            open_sealed(KEY, stranger)


@given(st.binary(max_size=200), st.integers(min_value=0))
def test_sealed_bytes_open_with_their_key_and_every_changed_byte_is_found(
    plain: bytes, place: int
) -> None:
    sealed = seal_bytes(KEY, plain)
    assert open_bytes(KEY, sealed) == plain
    spoilt = bytearray(sealed)
    spoilt[place % len(spoilt)] ^= 1
    other = SubjectKey.generate(KEY.subject)
    for key, data in ((KEY, bytes(spoilt)), (KEY, sealed[:-1]), (KEY, b""), (other, sealed)):
        with pytest.raises(LedgerCorrupt):
            open_bytes(key, data)


def test_a_body_that_only_looks_sealed_is_named() -> None:
    assert Sealed.of({"n": 1}) is None
    for wrong in (None, {}, {"v": 2}, "text"):
        with pytest.raises(LedgerCorrupt, match="not of that form"):
            Sealed.of({"subject": KEY.subject, "sealed": wrong})


def test_a_pseudonym_needs_the_secret_to_be_guessed() -> None:
    assert pseudonym(SECRET, "ada") == pseudonym(SECRET, "ada")
    assert pseudonym(SECRET, "ada") != pseudonym(SECRET, "Ada")
    assert pseudonym(SECRET, "ada") != pseudonym(secrets.token_bytes(32), "ada")
    with pytest.raises(EventInvalid):
        pseudonym(SECRET, "")


@pytest.mark.parametrize("name", sorted(SUBJECTS))
def test_a_subject_stands_in_a_body_under_a_pseudonym_alone(name: str) -> None:
    assert draft(Event("test", {name: KEY.subject})).body
    for clear in ("ada", "17", 17, KEY.subject[:63], [KEY.subject], {"id": KEY.subject}):
        with pytest.raises(EventInvalid, match="pseudonym"):
            draft(Event("test", {"deep": {name: clear}}))
