"""What may stand in an event: canonical JSON, no personal data in clear, no prompts."""

import math
import string
from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from provenance.errors import EventInvalid
from provenance.ledger.event import Event, canonical, draft, leaf
from provenance.ledger.lint import PERSONAL_FIELDS

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
IDS = st.text(string.ascii_letters + string.digits + "._:/-", min_size=1, max_size=128).filter(
    lambda text: text[0].isalnum()
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
@example({"\ue000": 1, "\U0001f600": 2, "a": "\x7f\x1f\u2028"})
@example({"plain": '\x7f\x1f\b\f\n\r\t"\\/', "": [None, True, False, [], {}]})
@example({"floats": [1e20, 5e-324, -0.0, 1.0, 1e16, 123456789.125]})
def test_bodies_are_written_as_rfc_8785_says(value: dict[str, Any]) -> None:
    try:
        written = canonical(value)
    except EventInvalid:
        floats = any(abs(n) >= 2**53 for n in _numbers(value) if isinstance(n, float))
        assert floats, "only numbers that JSON cannot keep may be refused"
        return
    assert written == rfc8785.dumps(value)


def test_enumerations_are_written_as_their_values() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert canonical({Colour.RED: Colour.RED, "list": (Colour.RED,)}) == (
        b'{"list":["red"],"red":"red"}'
    )


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for item in value.values() for n in _numbers(item)]
    if isinstance(value, list):
        return [n for item in value for n in _numbers(item)]
    return [value] if isinstance(value, int | float) else []


@given(st.dictionaries(st.text(string.ascii_lowercase, min_size=9), NUMBERS | TEXTS), IDS)
def test_a_leaf_is_the_canonical_form_of_its_parts(body: dict[str, Any], event_id: str) -> None:
    try:
        drafted = draft(Event("test.kind-1", body, event_id))
    except EventInvalid:
        return
    at = "2026-01-02T03:04:05.000006Z"
    whole = {"at": at, "body": body, "id": event_id, "kind": "test.kind-1", "v": 1}
    assert leaf(at, drafted.body, event_id, "test.kind-1", 1) == rfc8785.dumps(whole)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 2**53, -(2**60), 1e20, "\ud800", object(), b"bytes", {1: 2}, {"s": {1}}],
)
def test_what_json_cannot_keep_is_refused(value: Any) -> None:
    with pytest.raises(EventInvalid):
        draft(Event("test", {"value": value}))


def test_a_body_of_endless_depth_is_refused() -> None:
    body: dict[str, Any] = {}
    body["self"] = body
    with pytest.raises(EventInvalid):
        draft(Event("test", body))


def test_a_leaf_has_room_for_64_kib_and_no_more() -> None:
    draft(Event("test", {"blob": "x" * 65_000}))
    with pytest.raises(EventInvalid, match="Keep the bulk elsewhere"):
        draft(Event("test", {"blob": "x" * 65_536}))


@pytest.mark.parametrize("kind", ["", "Test", "a b", "é", "x" * 65, '"'])
@pytest.mark.parametrize("event_id", ["ok"])
def test_a_kind_is_a_plain_word(kind: str, event_id: str) -> None:
    with pytest.raises(EventInvalid, match="no kind"):
        draft(Event(kind, {}, event_id))


@pytest.mark.parametrize("event_id", ["", "a b", '"', "é", "x" * 129, "-a", "a\n"])
def test_an_id_needs_no_escaping(event_id: str) -> None:
    with pytest.raises(EventInvalid, match="no id"):
        draft(Event("test", {}, event_id))


@pytest.mark.parametrize(
    "body",
    [
        {"who": "ada@example.org"},
        {"deep": [{"er": "write to ada.lovelace+x@mail.example.co.uk, please"}]},
        {"ada@example.org": 1},
        {"who": "jörg@münchen.example"},
    ],
)
def test_an_e_mail_address_never_enters(body: dict[str, Any]) -> None:
    with pytest.raises(EventInvalid, match="e-mail address"):
        draft(Event("test", body))


@pytest.mark.parametrize("name", sorted(PERSONAL_FIELDS))
def test_a_field_for_a_person_or_prompt_never_enters(name: str) -> None:
    for written in (name, name.upper(), "_".join(name), f"{name[0]}-{name[1:]}"):
        with pytest.raises(EventInvalid, match=r"field deep\."):
            draft(Event("test", {"deep": {written: "x"}}))
        with pytest.raises(EventInvalid, match="field"):
            draft(Event("test", {"list": [{"ok": [{written: 1}]}]}))


@pytest.mark.parametrize(
    "body",
    [
        {"policy": {"name": "default", "version": "1"}},
        {"assessor": {"name": "linear"}, "by": "linear@0.1.0"},
        {"prompt_commitment": "ab" * 32, "prompt_stage": {"steps_asked": 20}},
        {"said": 'a value that says "prompt": and "email":'},
        {"at": "3 @ 4", "handle": "@someone"},
        {"list": ["name", "email", "prompt"]},
    ],
)
def test_names_of_things_and_words_about_fields_may_enter(body: dict[str, Any]) -> None:
    assert draft(Event("test", body)).body


def test_a_thing_below_a_thing_is_still_looked_at() -> None:
    with pytest.raises(EventInvalid, match=r"policy\.author\.name"):
        draft(Event("test", {"policy": {"author": {"name": "Ada"}}}))


def test_a_long_word_before_an_at_sign_does_not_hold_up_the_lint() -> None:
    assert draft(Event("test", {"word": "x" * 60_000, "at": " @ "})).body


def test_the_message_does_not_repeat_the_address() -> None:
    with pytest.raises(EventInvalid) as caught:
        draft(Event("test", {"who": "ada@example.org"}))
    assert "ada@example" not in str(caught.value)
