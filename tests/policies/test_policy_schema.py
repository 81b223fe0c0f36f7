"""What an editor is told agrees with what loads, and what is written out loads as the same."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.cases import FOLDER
from policies.fields import FIELDS
from policies.load import document_of, load_effective, pack_names, packs_folder
from policies.policy import Policy, digest_of
from policies.rendering import rendered
from policies.schema import cases_schema, policy_schema
from policies.source import read_source
from tests.policies.documents import document, documents, rule
from tests.policies.json_schema import valid
from tests.policies.test_policy_documents import BROKEN
from tests.policies.test_policy_inclusion import REFUSED, change, joined, named

calm = settings(deadline=None, max_examples=60)
SCHEMA, CASES = policy_schema(), cases_schema()
BEYOND_A_SCHEMA = {
    # Places and texts, which are judged before there is data; and what spans several keys.
    "a score that may not rise",
    "a negated score that may not rise",
    "a second rule of the same name",
    "no rules",
    "nothing of the threshold",
}


def data(text: str) -> Any:
    return read_source(text, "own.yaml").data


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_and_its_cases_are_valid(name: str) -> None:
    file = packs_folder() / f"{name}.yaml"
    assert valid(data(file.read_text(encoding="utf-8")), SCHEMA)
    beside = packs_folder() / FOLDER / f"{name}.yaml"
    assert valid(data(beside.read_text(encoding="utf-8")), CASES)


@calm
@given(drawn=documents())
def test_what_loads_is_valid(drawn: dict[str, Any]) -> None:
    assert valid(drawn, SCHEMA)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_does_not_load_is_marked_in_the_editor(name: str) -> None:
    text, _ = BROKEN[name]
    try:
        given_ = yaml.safe_load(text)
    except yaml.YAMLError:
        return  # the editor's own parser marks it
    assert valid(given_, SCHEMA) is (name in BEYOND_A_SCHEMA | {"a key twice"})


@pytest.mark.parametrize(
    "name",
    [
        "an override that neither sets nor drops",
        "an override without a reason",
        "an override with another id",
        "too many",
    ],
)
def test_a_broken_override_is_marked_in_the_editor(name: str) -> None:
    given_, _ = REFUSED[name]
    assert not valid(given_, SCHEMA)


def test_the_schema_names_every_field_with_its_meaning() -> None:
    told = {
        one["properties"]["field"]["const"]: one["description"]
        for one in SCHEMA["$defs"]["Comparison"]["anyOf"]
    }
    assert told == {field.name: field.meaning for field in FIELDS.values()}
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"stage": "prompt", "scores": {"violence": 0.5}}, True),
        ({"stage": "prompt", "scores": {"violense": 0.5}}, False),
        ({"stage": "prompt", "scores": {"violence": 5}}, False),
        ({"stage": "prompt", "fields": {"core.domain": "ajar"}}, False),
        ({"stage": "prompt", "fields": {"count": True}}, False),
        ({"stage": "prompt", "not_assessed": ["violense"]}, False),
    ],
)
def test_cases_are_checked_in_the_editor(facts: dict[str, Any], expected: bool) -> None:
    case = {"name": "one", "facts": facts, "expect": {"action": "allow", "rules": []}}
    assert valid({"cases": [case]}, CASES) is expected


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_written_out_loads_as_the_same(name: str) -> None:
    pack = load_effective(name)
    again = document_of(read_source(rendered(pack), "out.yaml"))
    assert digest_of(again) == digest_of(pack.document)


@calm
@given(drawn=documents(), because=st.text(min_size=1, max_size=40))
def test_whatever_is_written_out_loads_as_the_same(drawn: dict[str, Any], because: str) -> None:
    rules = drawn["rules"]
    dropped = [change(rules[0]["id"]) | {"because": because}] if len(rules) > 1 else []
    top = named("top", rule({"field": "qr.present", "op": "is_true"}), includes=["drawn"])
    held = joined(top | {"overrides": dropped}, drawn)
    text = rendered(held)
    assert document_of(read_source(text, "out.yaml")) == held.document
    assert f"# Digest: {Policy(held.document).digest}" in text


@pytest.mark.parametrize("word", ["1e5", "17", "007", "true", "null", "0.5", "no"])
def test_a_word_that_looks_like_something_else_is_written_in_quotes(word: str) -> None:
    clause = {"field": "caller.region", "op": "==", "limit": word}
    name = word.replace(".", "")
    held = joined(document(rule(clause, id=name)) | {"name": name, "version": word})
    assert document_of(read_source(rendered(held), "out.yaml")) == held.document
