"""An endpoint that speaks /v1/moderations: asked in batches, asked again, and never a pass."""

import json
from typing import Any

import pytest

from guard.errors import SafetyUnavailable
from guard.prompts.adapters.crosswalk import OPENAI
from guard.prompts.adapters.endpoint import MAX_ANSWER
from guard.prompts.adapters.moderations import BATCH, ModerationsAssessor
from policies.categories import CATEGORIES
from tests.adapters.endpoint import Answer, Asked, endpoint, honest


def at(url: str, **settings: Any) -> ModerationsAssessor:
    return ModerationsAssessor(url, sleep=lambda _: None, **settings)


def test_its_scores_become_our_categories() -> None:
    with endpoint() as there:
        guard = at(there.url, model="omni", key="secret", threshold=0.6)
        good, bad = guard.assess(["a boat", "a bomb"])
        (asked,) = there.asked
    assert asked == Asked(
        "/v1/moderations", "Bearer secret", {"input": ["a boat", "a bomb"], "model": "omni"}
    )
    assert bad.scores["violence"] == bad.scores["unsafe"] == 0.9
    assert good.scores["violence"] == 0.01
    assert set(bad.thresholds.values()) == {0.6}
    assert bad.not_assessed == frozenset(CATEGORIES) - set(OPENAI.values())


def test_what_the_endpoint_flags_is_flagged_whatever_its_number() -> None:
    def timid(asked: Asked) -> dict[str, Any]:
        said = honest(asked)
        for result in said["results"]:
            result["category_scores"] = dict.fromkeys(OPENAI, 0.1)
        return said

    with endpoint(timid) as there:
        (bad,) = at(there.url).assess(["a bomb"])
    assert bad.scores["violence"] == bad.scores["unsafe"] == bad.thresholds["violence"]
    assert bad.scores["sexual"] == 0.1


def test_a_category_that_it_does_not_speak_of_is_not_assessed() -> None:
    def brief(asked: Asked) -> dict[str, Any]:
        flags = {"violence": False}
        one = {"flagged": False, "categories": flags, "category_scores": {"violence": 0.2}}
        return {"results": [one for _ in asked.body["input"]]}

    with endpoint(brief) as there:
        (found,) = at(there.url).assess(["a boat"])
    assert set(found.scores) == {"violence", "unsafe"}
    assert "sexual" in found.not_assessed


def test_many_prompts_go_in_batches_and_come_back_in_order() -> None:
    texts = [f"boat {i}" if i % 7 else f"bomb {i}" for i in range(2 * BATCH + 3)]
    with endpoint() as there:
        found = at(there.url).assess(texts)
        assert [len(asked.body["input"]) for asked in there.asked] == [BATCH, BATCH, 3]
    assert [each.scores["violence"] > 0.5 for each in found] == ["bomb" in text for text in texts]


def test_a_prompt_that_says_nothing_is_not_sent() -> None:
    with endpoint() as there:
        nothing, bad = at(there.url).assess([" \n", "bomb"])
        assert [asked.body["input"] for asked in there.asked] == [["bomb"]]
    assert set(nothing.scores.values()) == {0.0}
    assert bad.scores["violence"] == 0.9


@pytest.mark.parametrize("text", ["\ud800 boat", "\x00", "🙂🍆", "x" * 32_000])
def test_strange_texts_arrive_as_valid_unicode(text: str) -> None:
    with endpoint() as there:
        assert at(there.url).assess([text])[0].scores["violence"] == 0.01
        there.asked[0].body["input"][0].encode("utf-8")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_outage_that_passes_is_waited_out(status: int) -> None:
    pauses: list[float] = []
    with endpoint() as there:
        there.script = lambda asked: (
            Answer(status, headers={"Retry-After": "1"}) if len(there.asked) < 3 else honest(asked)
        )
        guard = ModerationsAssessor(there.url, retries=2, sleep=pauses.append)
        assert guard.assess(["bomb"])[0].scores["violence"] == 0.9
    assert pauses == [1.0, 1.0]


def test_a_long_pause_that_was_asked_for_is_not_kept() -> None:
    pauses: list[float] = []
    busy = Answer(429, headers={"Retry-After": "86400"})
    with endpoint(lambda _: busy) as there, pytest.raises(SafetyUnavailable):
        ModerationsAssessor(there.url, retries=1, sleep=pauses.append).assess(["a"])
    assert pauses == [4.0]


BROKEN = {
    "down": Answer(503),
    "refused": Answer(401),
    "moved": Answer(302, headers={"Location": "http://127.0.0.1:1/"}),
    "not JSON": Answer(200, b"<html>"),
    "another form": Answer(200, b'{"results": [{"flagged": "perhaps"}]}'),
    "too few": Answer(200, b'{"results": []}'),
    "cut off": Answer(200, b'{"results": [', {"Content-Length": "99999"}),
    "too long": Answer(200, b" " * (MAX_ANSWER + 1)),
    "drop by drop": Answer(200, b" " * 10_000, drip=0.02),
}


@pytest.mark.parametrize("how", BROKEN)
def test_an_answer_that_is_none_is_an_outage_and_never_a_pass(how: str) -> None:
    secret = "a most private prompt"
    with endpoint(lambda _: BROKEN[how]) as there, pytest.raises(SafetyUnavailable) as raised:
        at(there.url, key="the-key", timeout=0.5, retries=1).assess([secret])
    assert secret not in str(raised.value)
    assert "the-key" not in str(raised.value)


def test_nobody_there_is_an_outage() -> None:
    with endpoint() as there:
        pass
    with pytest.raises(SafetyUnavailable, match="did not answer 2 times"):
        at(there.url, retries=1).assess(["a"])


@pytest.mark.parametrize(
    "url", ["http://example.org/v1", "ftp://127.0.0.1/", "127.0.0.1", "https://", "http://10.0.0.1"]
)
def test_prompts_are_not_sent_in_clear_to_other_machines(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        ModerationsAssessor(url)


def test_our_own_gateway_can_be_the_endpoint() -> None:
    """Its answer has the form that this adapter reads."""
    from guard.check import Checker
    from guard.gateway.moderations import _result  # the form, without a server around it
    from policies.load import load_policy
    from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor

    words = {"bomb": {"violence": 0.9}}
    checker = Checker(
        ScriptedPromptAssessor(words), ScriptedImageAssessor(), load_policy("default")
    )

    def ours(asked: Asked) -> dict[str, Any]:
        return {"results": [_result("text", checker.text(t)) for t in asked.body["input"]]}

    with endpoint(lambda asked: json.loads(json.dumps(ours(asked)))) as there:
        good, bad = at(there.url).assess(["a boat", "a bomb"])
    assert good.scores["violence"] < 0.5 < bad.scores["violence"]
