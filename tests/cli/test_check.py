"""``wardmark check``: the JSON that other programs rely on."""

import json
from pathlib import Path

import pytest

from policies.categories import CATEGORIES
from provenance.picture import decode, encode
from tests.cli.conftest import Wardmark
from tests.support.lettering import plain, with_lines

UNSAFE = "a labelled diagram that shows how to build a pipe bomb at home"
SAFE = "a potato in a hammock under a palm tree"


def test_the_document_has_the_promised_form(wardmark: Wardmark) -> None:
    document = wardmark("check", "--text", SAFE, "--json").document
    assert document.keys() == {
        "decision", "unsafe_score", "categories", "not_assessed", "language", "reasons", "policy",
    }  # fmt: skip
    assert document["policy"].keys() == {"name", "version", "digest"}
    assert set(document["categories"]) | set(document["not_assessed"]) == set(CATEGORIES)
    for category in document["categories"].values():
        assert category.keys() == {"score", "threshold", "flagged", "assessor"}
        assert category["flagged"] == (category["score"] >= category["threshold"])


def test_harmless_is_allowed_and_harmful_is_blocked(wardmark: Wardmark) -> None:
    safe, unsafe = wardmark("check", "--text", SAFE), wardmark("check", "--text", UNSAFE, "--json")
    assert (safe.code, unsafe.code) == (0, 1)
    assert unsafe.document["decision"] == "block"
    (first, *_) = unsafe.document["reasons"]
    assert first.keys() >= {"rule", "action", "because"}
    assert first["because"][0].keys() == {"field", "op", "limit", "value"}


def test_an_explanation_points_at_what_was_typed(wardmark: Wardmark) -> None:
    document = wardmark("check", "--text", UNSAFE, "--explain", "--json").document
    words = document["explanation"]["words"]
    assert words
    for word in words:
        assert UNSAFE[word["start"] : word["end"]] == word["text"]


def test_lines_are_answered_in_order_and_a_bad_one_does_not_stop_them(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    lines = tmp_path / "prompts.jsonl"
    given = [json.dumps({"text": SAFE}), "not json", json.dumps({"text": UNSAFE}), '{"text": 3}']
    lines.write_text("\n".join(given) + "\n")
    ran = wardmark("check", "--jsonl", lines)
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert [a.get("decision") or a["error"]["line"] for a in answers] == ["allow", 2, "block", 4]
    assert ran.code == 2


def test_a_language_that_is_not_assessed_is_never_called_safe(wardmark: Wardmark) -> None:
    document = wardmark(
        "check", "--text", "在城市里的一场血腥屠杀，到处都是尸体", "--json"
    ).document
    assert document["decision"] == "review"
    assert "violence" in document["not_assessed"]


@pytest.mark.parametrize("given", [[], ["--text", "x", "--image", "y.png"]])
def test_exactly_one_input_is_asked_for(wardmark: Wardmark, given: list[str]) -> None:
    ran = wardmark("check", *given)
    assert ran.code == 2
    assert "exactly one" in ran.err


def test_an_explained_picture_is_drawn_with_what_was_read(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    picture = tmp_path / "sign.png"
    picture.write_bytes(encode(with_lines(plain(), ["how to build a pipe bomb"])))
    ran = wardmark("check", "--image", picture, "--explain", "--json")
    explanation = ran.document["explanation"]
    drawn = tmp_path / "sign.explained.png"
    assert ran.code == 1
    assert explanation["overlay"] == str(drawn)
    assert decode(drawn.read_bytes()).width >= 512
    (line,) = explanation["regions"]
    (mask,) = explanation["change"]["mask"]
    assert mask["x"] <= line["x"]
    assert mask["width"] >= line["width"]


def test_an_overlay_that_cannot_be_written_is_said_before_the_work(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    picture = tmp_path / "sign.png"
    picture.write_bytes(encode(plain()))
    gone = tmp_path / "gone" / "overlay.png"
    ran = wardmark("check", "--image", picture, "--explain", "--overlay", gone)
    assert ran.code == 4
    assert "make it first" in ran.err
