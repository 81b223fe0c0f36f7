"""Reading documents: what is refused, where it says so, and what the digest holds fast."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.errors import PolicyInvalid, PolicyNotFound, PolicyUnreadable
from policies.load import document_of, list_policies, load_policy, pack_names, packs_folder
from policies.policy import Policy
from policies.source import MAX_BYTES, MAX_DEPTH, read_source
from tests.policies.documents import document, documents, policy, rule

calm = settings(deadline=None, max_examples=60)

GOOD = """\
name: small
version: "1"
description: Small.
applies: Nowhere
rules:
  - id: violence
    stage: both
    when: {field: score.violence, op: ">=", limit: 0.5}
    action: block
    message: No.
"""
LIMIT = "limit: 0.5}"
WHEN = 'when: {field: score.violence, op: ">=", limit: 0.5}'


def load_text(text: str | bytes) -> Policy:
    return Policy(document_of(read_source(text, "small.yaml")))


def written(clause: str) -> str:
    """GOOD with another clause."""
    return GOOD.replace(WHEN, f"when: {clause}")


BROKEN = {
    "a key that nobody knows": (
        GOOD.replace("    action: block", "    acton: block"),
        [(6, 5, "the key 'action' is missing"), (9, 5, "unknown key 'acton'; did you mean")],
    ),
    "an unknown action": (
        GOOD.replace("action: block", "action: forbid"),
        [(9, 13, "action is 'forbid'; it must be 'allow', 'label'")],
    ),
    "an unknown field": (
        GOOD.replace("score.violence", "score.violense"),
        [(8, 19, "no field 'score.violense'; did you mean 'score.violence'?")],
    ),
    "an unknown operator": (
        GOOD.replace('">="', '"=>"'),
        [(8, 39, "op is '=>'; it must be '>=', '>'")],
    ),
    "an operator of another type": (
        written("{field: language, op: '>=', limit: en}"),
        [(8, 33, "language is a text; it takes ==, !=, in, not_in")],
    ),
    "a limit of another type": (
        written("{field: language, op: '==', limit: 7}"),
        [(8, 46, "language is compared with a text, not 7; quote it")],
    ),
    "a limit that is no probability": (
        GOOD.replace(LIMIT, "limit: 50}"),
        [(8, 52, "a score's limit is a number from 0 to 1, calibrated, or")],
    ),
    "a limit that is not a number": (
        GOOD.replace(LIMIT, "limit: .nan}"),
        [(8, 52, "a score's limit is a number from 0 to 1, calibrated, or")],
    ),
    "a share of the threshold that is more than the whole": (
        GOOD.replace(LIMIT, "limit: calibrated * 1.5}"),
        [(8, 52, "a score's limit is a number from 0 to 1, calibrated, or calibrated * 0.7")],
    ),
    "nothing of the threshold": (
        GOOD.replace(LIMIT, "limit: calibrated * 0.0}"),
        [(8, 52, "a score's limit is a number from 0 to 1, calibrated, or calibrated * 0.7")],
    ),
    "a value that the field never has": (
        written("{field: core.domain, op: '==', limit: opne}"),
        [(8, 49, "core.domain is never 'opne'; did you mean 'open'?")],
    ),
    "an unknown category": (
        written("{field: not_assessed, op: contains_any, limit: [violense]}"),
        [(8, 58, "not_assessed is never 'violense'; did you mean 'violence'?")],
    ),
    "a limit where none belongs": (
        written("{field: qr.present, op: is_true, limit: true}"),
        [(8, 51, "is_true takes no limit")],
    ),
    "a limit that is left out": (
        written("{field: count, op: '>'}"),
        [(8, 11, "count is compared with a number, not None")],
    ),
    "a list that is no list": (
        written("{field: language, op: in, limit: en}"),
        [(8, 44, "in takes a list of 1 to 500 values")],
    ),
    "an empty all": (
        written("{all: []}"),
        [(8, 17, "all is empty; an empty list means nothing, so name at least one")],
    ),
    "an empty any": (
        written("{not: {any: []}}"),
        [(8, 23, "any is empty; an empty list means nothing, so name at least one")],
    ),
    "two shapes in one clause": (
        written("{all: [], any: []}"),
        [(8, 11, "a clause is exactly one of all, any, not, or field with op and limit")],
    ),
    "a clause that is a word": (
        written("violence"),
        [(8, 11, "a clause is exactly one of all, any, not, or field with op and limit")],
    ),
    "a score that may not rise": (
        GOOD.replace('">="', '"<"'),
        [(8, 39, "score.violence < ... would weaken the decision when the score rises")],
    ),
    "a negated score that may not rise": (
        written('{not: {any: [{field: score.violence, op: ">=", limit: 0.5}]}}'),
        [(8, 52, "not score.violence >= ... would weaken the decision when the score rises")],
    ),
    "a second rule of the same name": (
        GOOD + GOOD[GOOD.index("  - id") :],
        [(11, 9, "a second rule 'violence'")],
    ),
    "a key twice": (
        GOOD.replace("action: block", "action: block\n    action: allow"),
        [(10, 5, "the key 'action' stands here a second time")],
    ),
    "a required category that nobody knows": (
        GOOD.replace("rules:", "requires: [violense]\nrules:"),
        [(5, 11, "no category 'violense'; did you mean 'violence'?")],
    ),
    "an obligation that nobody knows": (
        GOOD.replace("rules:", "obligations: [ledger, stamp]\nrules:"),
        [(5, 23, "it must be 'watermark', 'credential'")],
    ),
    "no rules": (GOOD[: GOOD.index("  - id")] + "  []\n", [(6, 3, "rules is empty")]),
    "a version that is read as a number": (
        GOOD.replace('"1"', "1.0"),
        [(2, 10, "version must be a text, not 1.0; put it in quotes")],
    ),
    "a name with a path in it": (
        GOOD.replace("name: small", "name: ../small"),
        [(1, 7, "name is '../small', which does not match")],
    ),
    "an operator without quotes": (
        GOOD.replace('">="', ">="),
        [(8, 39, "must stand in quotes")],
    ),
    "an inequality without quotes": (
        written("{field: language, op: !=, limit: en}"),
        [(8, 33, "must stand in quotes")],
    ),
    "a list instead of a document": ("- a\n- b\n", [(1, 1, "")]),
    "an unclosed list": (written("{all: ["), [(10, 12, "not valid YAML")]),
    "nothing at all": ("# only a remark\n", [(2, 1, "the document is empty")]),
    "two documents": (GOOD + "---\n" + GOOD, [(11, 1, "a second document")]),
    "a control character": (GOOD.replace("Small.", "Sm\x00ll."), [(3, 16, "control character")]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_told_with_line_and_column(name: str) -> None:
    text, expected = BROKEN[name]
    with pytest.raises(PolicyInvalid) as caught:
        load_text(text)
    problems = caught.value.problems
    assert [(line, column) for line, column, _ in problems] == [at[:2] for at in expected]
    for problem, (line, column, said) in zip(problems, expected, strict=True):
        assert said in problem.message
        assert f"small.yaml:{line}:{column}: " in str(caught.value)


def test_the_document_that_the_broken_ones_are_made_from_is_good() -> None:
    assert load_text(GOOD).name == "small"


def test_bytes_that_are_not_utf8_are_told_with_their_place() -> None:
    with pytest.raises(PolicyInvalid, match=r"small\.yaml:3:16: not UTF-8"):
        load_text(GOOD.replace("Small.", "Sm@ll.").encode().replace(b"@", b"\xe9"))


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    with pytest.raises(
        PolicyInvalid, match=r"small\.yaml:1:4: anchors and aliases are not allowed"
    ):
        load_text("\n".join(lines))


@pytest.mark.parametrize("text", ["a: *b", "a: !!python/name:os.system 1", "a: !own 1"])
def test_aliases_and_tags_are_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid, match=r"small\.yaml:1:4: .* not allowed"):
        load_text(text)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_tower_of_brackets_is_refused(opening: str) -> None:
    with pytest.raises(PolicyInvalid, match=f"nested more than {MAX_DEPTH} deep"):
        load_text(opening * 50_000)


def test_a_document_over_the_limit_is_refused(tmp_path: Path) -> None:
    long = GOOD + "#" * (MAX_BYTES - len(GOOD) + 1)
    with pytest.raises(PolicyInvalid, match=f"longer than {MAX_BYTES:,} bytes"):
        load_text(long)
    file = tmp_path / "long.yaml"
    file.write_text(long)
    with pytest.raises(PolicyInvalid, match=f"longer than {MAX_BYTES:,} bytes"):
        load_policy(file)
    assert load_text(long[:-1]).name == "small"


def test_words_that_old_yaml_takes_for_truth_are_words() -> None:
    text = written("{field: caller.region, op: in, limit: [NO, on, y]}")
    clause = load_text(text).document.rules[0].when
    assert clause.model_dump()["limit"] == ("NO", "on", "y")


@calm
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_read_or_refused_but_breaks_nothing(text: str | bytes) -> None:
    with pytest.raises(PolicyInvalid):
        load_text(text)


@calm
@given(drawn=documents())
def test_what_is_written_as_yaml_reads_back_the_same(drawn: dict[str, Any]) -> None:
    assert load_text(yaml.safe_dump(drawn)).digest == policy(drawn).digest


@calm
@given(drawn=documents(), data=st.data())
def test_the_digest_does_not_depend_on_the_order_of_keys(
    drawn: dict[str, Any], data: st.DataObject
) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in data.draw(st.permutations(sorted(value)))}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    assert policy(shuffled(drawn)).digest == policy(drawn).digest


def test_the_digest_does_not_depend_on_layout_or_on_defaults_that_are_written_out() -> None:
    written_out = GOOD.replace("action: block", "action: block\n    on_missing: match")
    assert load_text("# a remark\n" + written_out).digest == load_text(GOOD).digest


def test_the_digest_changes_with_any_value() -> None:
    digests = {
        load_text(GOOD).digest,
        load_text(GOOD.replace("0.5", "0.6")).digest,
        load_text(GOOD.replace("No.", "Nope.")).digest,
        load_text(GOOD.replace("block", "review")).digest,
        load_text(GOOD.replace("both", "image")).digest,
        load_text(GOOD.replace('"1"', '"2"')).digest,
        load_text(GOOD.replace("rules:", "obligations: [ledger]\nrules:")).digest,
    }
    assert len(digests) == 7
    assert all(len(digest) == 64 for digest in digests)


def test_the_digest_is_the_hash_of_canonical_json() -> None:
    """The same by another way: sorted keys and no spaces are RFC 8785 for this document."""
    comparison = {"field": "score.violence", "limit": 0.5, "op": ">="}
    plain = document(
        rule(comparison, id="violence", message="No.", on_missing="match"),
        name="small",
        description="Small.",
    )
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert load_text(GOOD).digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_a_pack_and_its_file_are_one_policy() -> None:
    for name in pack_names():
        assert load_policy(name).digest == load_policy(packs_folder() / f"{name}.yaml").digest
        assert load_policy(name).name == name
    assert [pack.name for pack in list_policies()] == list(pack_names())
    assert {"default", "kids"} <= set(pack_names())


def test_a_file_is_found_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    assert load_policy("own.yaml").digest == load_policy(tmp_path / "own.yaml").digest


@pytest.mark.parametrize("name", ["defautl", "", "../default", "nowhere.yaml", "a/b"])
def test_an_unknown_policy_is_told_with_the_packs(name: str) -> None:
    with pytest.raises(PolicyNotFound, match="default, eu-ai-act-50, kids") as caught:
        load_policy(name)
    assert ("did you mean 'default'?" in str(caught.value)) is (name == "defautl")


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyUnreadable, match="cannot be read"):
        load_policy(tmp_path)
