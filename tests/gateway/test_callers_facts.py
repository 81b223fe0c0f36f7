"""What is known of a caller reaches policy wherever something is decided, and costs are fair."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, KeyTerms, Limits, Role, Scope
from provenance.callers import FrictionSettings
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.deployment import pipeline_of, policy_from

CALM = "a calm sea under a pale morning sky with a single white sail"
FACTS = {
    "role": "{field: caller.role, op: ==, limit: moderator}",
    "tenant": "{field: caller.tenant, op: ==, limit: newsroom}",
    "region": "{field: caller.region, op: ==, limit: DE}",
    "age": "{field: caller.age_verified, op: is_true}",
    "quota": "{field: quota.left, op: ==, limit: 5}",
    "share": "{field: quota.share, op: ==, limit: 0}",
    "probing": "{field: caller.probing, op: ==, limit: 0}",
}
HEAD = "name: own\nversion: '1'\napplies: here\ndescription: of this test\n"
LONG = 30.0  # seconds for a job, on a busy machine


@pytest.fixture
def keys(home: Home) -> Iterator[ApiKeys]:
    made = ApiKeys.of(home)
    yield made
    made.close()


def limited(keys: ApiKeys, pictures: int, **more: object) -> str:
    terms = KeyTerms.model_validate({"limits": Limits(pictures_per_day=pictures), **more})
    return keys.create(terms).token


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_every_fact_of_a_caller_reaches_generations_moderations_and_the_guardrail(
    home: Home, keys: ApiKeys, tmp_path: Path
) -> None:
    rules = "".join(
        f"  - id: {name}\n    stage: prompt\n    when: {when}\n    action: block\n"
        f"    on_missing: error\n    message: {name}\n"
        for name, when in FACTS.items()
    )
    policy = policy_from(tmp_path, f"{HEAD}rules:\n{rules}")
    token = limited(
        *(keys, 5), role=Role.MODERATOR, tenant="newsroom", region="DE", age_verified=True
    )
    guardrail = {"texts": [CALM], "request_data": {}, "input_type": "request"}
    with (
        served(create_app(home, pipeline_of(home, policy=policy))) as url,
        httpx.Client(base_url=url, headers=bearer(token)) as client,
    ):
        checked = client.post("/v1/moderations", json={"input": CALM}).json()
        drawn = client.post("/v1/images/generations", json={"prompt": CALM}).json()
        asked = client.post("/beta/litellm_basic_guardrail_api", json=guardrail).json()
    (result,) = checked["results"]
    assert {reason["rule"] for reason in result["gateway"]["reasons"]} == set(FACTS)
    assert {reason["rule"] for reason in drawn["error"]["gateway"]["reasons"]} == set(FACTS)
    (guarded,) = asked["gateway"]["results"]
    assert {reason["rule"] for reason in guarded["reasons"]} == set(FACTS)


def test_a_stream_over_the_quota_is_an_ordinary_429(home: Home, keys: ApiKeys) -> None:
    with (
        served(create_app(home, pipeline_of(home))) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=limited(keys, 1), max_retries=0) as client,
    ):
        events = list(client.images.generate(prompt=CALM, stream=True))
        assert events[-1].type == "image_generation.completed"
        with pytest.raises(openai.RateLimitError) as refused:
            list(client.images.generate(prompt=CALM, stream=True))
    assert refused.value.code == "insufficient_quota"


def test_the_same_request_again_under_its_key_costs_no_picture(home: Home, keys: ApiKeys) -> None:
    token = limited(keys, 1)
    headers = {**bearer(token), "idempotency-key": "one"}
    route, body = "/v1/images/generations", {"prompt": CALM}
    with (
        served(create_app(home, pipeline_of(home))) as url,
        httpx.Client(base_url=url, headers=headers) as client,
    ):
        answers = [client.post(route, json=body) for _ in range(3)]
        other = client.post(route, json=body, headers={"idempotency-key": "two"})
        again = client.post(route, json=body)
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json() == answers[2].json()
    assert other.json()["error"]["code"] == "insufficient_quota"
    assert again.status_code == 200, "what was refused took nothing from its own"


def test_a_job_is_counted_once_and_its_refusal_is_an_attempt(home: Home, keys: ApiKeys) -> None:
    token = limited(keys, 1)
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.97}})
    app = create_app(home, pipeline_of(home, prompts=prompts))
    app.state.callers.friction._settings = FrictionSettings(slow_after=2, stop_after=2)
    put = {"prefer": "respond-async", "idempotency-key": "one", **bearer(token)}
    with served(app) as url, httpx.Client(base_url=url) as client:
        jobs = [
            client.post("/v1/images/generations", json={"prompt": CALM}, headers=put)
            for _ in range(2)
        ]
        other = client.post("/v1/images/generations", json={"prompt": CALM}, headers=bearer(token))
        unlimited = bearer(keys.create(KeyTerms()).token)
        for number in range(3):
            body = {"prompt": f"a fight between two soldiers in a village {'xyz'[number] * 5}"}
            headers = {"prefer": "respond-async", **unlimited}
            job = client.post("/v1/images/generations", json=body, headers=headers)
            until = time.monotonic() + LONG
            while client.get(job.headers["location"], headers=unlimited).json()["status"] not in (
                *("completed", "failed"),
            ):
                assert time.monotonic() < until
                time.sleep(0.05)
        body = {"prompt": "a fight between two soldiers in a village at dawn"}
        stopped = client.post("/v1/images/generations", json=body, headers=headers)
    assert [job.status_code for job in jobs] == [202, 202]
    assert jobs[0].json()["id"] == jobs[1].json()["id"]
    assert other.json()["error"]["code"] == "insufficient_quota"
    assert (stopped.status_code, stopped.json()["error"]["code"]) == (429, "probing_suspected")


def test_edits_are_counted_and_their_people_told_apart(home: Home, keys: ApiKeys) -> None:
    from provenance.picture import encode
    from tests.support.core import textured_picture

    token = limited(keys, 2, scopes=frozenset({Scope.EDIT}))
    picture = encode(textured_picture("somebody's", 256, 256, 9), "png")
    with (
        served(create_app(home, pipeline_of(home))) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=token, max_retries=0) as client,
    ):
        assert client.images.edit(image=picture, prompt=CALM, n=2, user="ada").data
        with pytest.raises(openai.RateLimitError):
            client.images.edit(image=picture, prompt=CALM)
        with pytest.raises(openai.PermissionDeniedError):
            client.images.generate(prompt=CALM)
