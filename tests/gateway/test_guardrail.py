"""LiteLLM's guardrail hook: everything is looked at, and an outage is an outage."""

import base64
from collections.abc import Iterator, Sequence

import httpx
import pytest

from guard.assessment import Assessment, Region
from guard.errors import SafetyUnavailable
from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, KeyTerms
from provenance.home import Home
from provenance.picture import encode
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.core import textured_picture
from tests.support.deployment import pipeline_of

PATH = "/beta/litellm_basic_guardrail_api"
ENCODED = base64.b64encode(encode(textured_picture("x", 64, 64, 1), "png")).decode()
PICTURE = f"data:image/png;base64,{ENCODED}"


class Looking(ScriptedImageAssessor):
    """Objects to the pictures whose numbers it is given."""

    def __init__(self, *objected: int) -> None:
        scripts = [({"violence": 0.97}, ()) if n in objected else ({}, ()) for n in range(9)]
        super().__init__(*scripts)  # type: ignore[arg-type]


@pytest.fixture
def images() -> Looking:
    return Looking(1)


@pytest.fixture
def address(home: Home, images: Looking) -> Iterator[str]:
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.97}})
    with served(create_app(home, pipeline_of(home, prompts=prompts, images=images))) as url:
        yield url + PATH


def asked(address: str, **parts: object) -> dict:
    """As LiteLLM sends it, with everything that it has nothing to say of as null."""
    body: dict[str, object] = {
        "input_type": "request",
        "litellm_call_id": "call-1",
        "litellm_trace_id": None,
        "structured_messages": None,
        "images": None,
        "tools": None,
        "texts": [],
        "request_data": {"user_api_key_hash": "abc"},
        "additional_provider_specific_params": {},
    }
    answer = httpx.post(address, json=body | parts)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_harmless_texts_pass_and_are_not_changed(address: str) -> None:
    answer = asked(address, texts=["a calm sea", "", "another"])
    assert (answer["action"], answer["blocked_reason"]) == ("NONE", None)
    assert len(answer["gateway"]["results"]) == 2
    assert "texts" not in answer


@pytest.mark.parametrize("kind", ["request", "response"])
def test_one_refused_text_blocks_and_says_why(address: str, kind: str) -> None:
    answer = asked(address, input_type=kind, texts=["a calm sea", "a fight"])
    assert answer["action"] == "BLOCKED"
    assert answer["blocked_reason"]
    decisions = [result["decision"] for result in answer["gateway"]["results"]]
    assert decisions == ["allow", "block"]


def test_every_picture_is_looked_at(address: str, images: Looking) -> None:
    answer = asked(address, texts=["two pictures"], images=[PICTURE, ENCODED])
    assert len(images.seen) == 2
    assert answer["action"] == "BLOCKED"


def test_pictures_and_texts_in_messages_alone_are_looked_at_too(
    address: str, images: Looking
) -> None:
    messages = [
        {"role": "system", "content": "be kind"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a fight"},
                {"type": "image_url", "image_url": {"url": PICTURE}},
            ],
        },
        {"role": "assistant", "content": None},
    ]
    answer = asked(address, texts=["be kind"], images=[PICTURE], structured_messages=messages)
    assert answer["action"] == "BLOCKED"
    assert len(answer["gateway"]["results"]) == 3  # each once
    assert len(images.seen) == 1


def test_what_nobody_can_look_at_is_named_and_stops_it(address: str) -> None:
    sound = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}]
    parts = {"structured_messages": sound, "images": ["https://example.com/x.png"]}
    answer = asked(address, **parts)
    assert answer["action"] == "BLOCKED"
    assert answer["gateway"]["not_assessed"] == [
        "structured_messages[0].content[0] (input_audio)",
        "images[0] (an address)",
    ]
    passed = asked(
        address, **parts, additional_provider_specific_params={"on_not_assessed": "pass"}
    )
    assert passed["action"] == "NONE"
    assert passed["gateway"]["not_assessed"] == answer["gateway"]["not_assessed"]


def test_tools_and_what_a_later_litellm_sends_are_named(address: str) -> None:
    answer = asked(address, texts=["x"], tools=[{"type": "function"}], videos=["y"])
    assert answer["action"] == "NONE"
    assert answer["gateway"]["not_assessed"] == ["tools", "videos"]


def test_the_hook_is_no_way_around_what_slows_down_probing(address: str, home: Home) -> None:
    token = ApiKeys.of(home).create(KeyTerms()).token
    headers = {"authorization": f"Bearer {token}"}

    def ask(text: str, kind: str) -> httpx.Response:
        body = {"texts": [text], "input_type": kind}
        return httpx.post(address, json=body, headers=headers)

    tries = [f"a fight of two people in a street at night, try {n}" for n in range(12)]
    assert {ask(text, "response").status_code for text in tries} == {200}  # a model's, not theirs
    answers = [ask(text, "request") for text in tries]
    assert answers[0].json()["action"] == "BLOCKED"
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "probing_suspected"


def test_an_outage_is_an_error_and_never_an_answer(home: Home) -> None:
    class Broken(ScriptedPromptAssessor):
        def assess(self, texts: Sequence[str]) -> list[Assessment]:
            raise SafetyUnavailable("the weights are gone")

    with served(create_app(home, pipeline_of(home, prompts=Broken()))) as url:
        answer = httpx.post(url + PATH, json={"texts": ["a calm sea"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "safety_unavailable")


@pytest.mark.parametrize(
    "parts",
    [
        {"images": ["data:image/png;base64,!!!"]},
        {"images": ["data:image/png;base64,aGVsbG8="]},
        {"texts": ["x" * 40_000]},
        {"texts": [7]},
        {"input_type": "perhaps"},
        {"texts": ["x"] * 600 + [str(n) for n in range(600)]},
        {"additional_provider_specific_params": {"on_not_assessed": "maybe"}},
    ],
)
def test_what_cannot_be_read_is_an_error_in_the_one_shape(
    address: str, parts: dict[str, object]
) -> None:
    answer = httpx.post(address, json=parts)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}


def test_a_region_to_redact_stops_it_since_nothing_is_redacted_here(home: Home) -> None:
    seen = Region(x=1, y=1, width=9, height=9, kind="text", category="privacy", score=0.9)
    images = ScriptedImageAssessor(({"privacy": 0.97}, (seen,)))
    with served(create_app(home, pipeline_of(home, images=images))) as url:
        answer = httpx.post(url + PATH, json={"images": [PICTURE]}).json()
    assert answer["action"] == "BLOCKED"
