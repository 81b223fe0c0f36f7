"""What became of a request can be read again: with reasons, without the prompt, by who may."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from openai import BadRequestError, OpenAI
from sqlalchemy import create_engine, text
from sqlalchemy import event as hooks

from guard.errors import GenerationCancelled, ReviewRequired
from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, KeyTerms, Role
from guard.pipeline import Caller, ImageRequest
from guard.review import Review, SealedShelf, Verdict
from policies.policy import Policy
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.deployment import GUARDED, pipeline_of, policy_from

FIGHT = ScriptedPromptAssessor({"fight": {"violence": 0.97}})


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_from(tmp_path, GUARDED)


@pytest.fixture
def address(home: Home, policy: Policy) -> Iterator[str]:
    images = ScriptedImageAssessor(({"shocking": 0.9}, ()))
    pipeline = pipeline_of(home, policy=policy, prompts=FIGHT, images=images)
    with served(create_app(home, pipeline)) as url:
        yield url


def token(home: Home, role: Role = Role.USER, tenant: str | None = None) -> dict[str, str]:
    made = ApiKeys.of(home).create(KeyTerms(role=role, tenant=tenant))
    return {"authorization": f"Bearer {made.token}"}


def refused(address: str) -> str:
    with (
        OpenAI(base_url=f"{address}/v1", api_key="any") as client,
        pytest.raises(BadRequestError) as error,
    ):
        client.images.generate(prompt="a fight")
    body = error.value.body
    assert isinstance(body, dict)
    return str(body["gateway"]["decision_id"])


def test_a_refusal_is_read_again_with_its_reasons_and_without_the_prompt(address: str) -> None:
    named = refused(address)
    answer = httpx.get(f"{address}/v1/decisions/{named}")
    assert answer.status_code == 200
    document = answer.json()
    (ending,) = document["endings"]
    assert (document["id"], ending["result"], ending["content_id"]) == (named, "refused", None)
    (prompt,) = ending["stages"]
    assert (prompt["stage"], prompt["action"]) == ("prompt", "block")
    assert prompt["reasons"][0]["message"] == "violence is not drawn here"
    assert [step["step"] for step in ending["receipts"]] == [
        "admit",
        "assess_prompt",
        "decide_prompt",
    ]
    assert "generate" in ending["not_run"]
    assert "a fight" not in answer.text


def test_pictures_of_one_request_end_each_in_their_own_way(address: str, home: Home) -> None:
    with OpenAI(base_url=f"{address}/v1", api_key="any") as client:
        answer = client.images.generate(prompt="a calm sea", n=2)
    gateway = (answer.model_extra or {})["gateway"]
    (datum,) = answer.data or []
    content_id = (datum.model_extra or {})["gateway"]["content_id"]
    document = httpx.get(f"{address}/v1/decisions/{gateway['decision_id']}").json()
    held, delivered = document["endings"]
    assert (held["result"], delivered["result"]) == ("held", "delivered")
    assert delivered["content_id"] == content_id
    assert delivered["seed"] == held["seed"] + 1
    assert [stage["stage"] for stage in held["stages"]] == ["prompt", "image"]
    discharged = {step["obligation"] for step in delivered["receipts"]}
    assert discharged >= {"watermark", "credential", "ledger"}
    assert "credential" in held["not_run"]
    assert {home.ledger.prove(one["entry"]).index for one in (held, delivered)} == {
        held["index"],
        delivered["index"],
    }


def test_margins_are_for_those_who_tune_thresholds(address: str, home: Home) -> None:
    url = f"{address}/v1/decisions/{refused(address)}"
    asker = httpx.get(url).json()["endings"][0]["stages"][0]
    assert asker["reasons"][0]["because"] == [{"field": "score.violence", "op": ">="}]
    assert not {"scores", "thresholds"} & asker.keys()
    for role in (Role.MODERATOR, Role.AUDITOR, Role.ADMIN):
        stage = httpx.get(url, headers=token(home, role)).json()["endings"][0]["stages"][0]
        (because,) = stage["reasons"][0]["because"]
        assert (because["limit"], because["value"]) == (0.5, 0.97)
        assert stage["scores"]["violence"] == 0.97


def test_a_decision_of_another_tenant_does_not_exist(
    address: str, home: Home, policy: Policy
) -> None:
    theirs = pipeline_of(home, policy=policy, images=ScriptedImageAssessor(({"shocking": 0.9}, ())))
    with pytest.raises(ReviewRequired) as held:
        theirs.run(ImageRequest(prompt="a calm sea", caller=Caller(tenant="acme")))
    url = f"{address}/v1/decisions/{held.value.decision_id}"
    assert httpx.get(url, headers=token(home, tenant="acme")).status_code == 200
    for other in (token(home, tenant="umbrella"), token(home, Role.ADMIN, "umbrella"), {}):
        answer = httpx.get(url, headers=other)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "decision_not_found")
    assert httpx.get(url, headers=token(home, Role.MODERATOR)).status_code == 200


def test_a_request_that_stopped_says_where_and_of_whose(
    address: str, home: Home, policy: Policy
) -> None:
    pipeline = pipeline_of(home, policy=policy)
    asked = ImageRequest(prompt="a calm sea", caller=Caller(tenant="acme"))
    with pytest.raises(GenerationCancelled):
        pipeline.run(asked, cancelled=lambda: True)
    (stopped,) = home.ledger.entries(kind="stopped")
    url = f"{address}/v1/decisions/{stopped.body['decision_id']}"
    (ending,) = httpx.get(url, headers=token(home, tenant="acme")).json()["endings"]
    assert (ending["result"], ending["stopped_at"], ending["code"]) == (
        "stopped",
        "generate",
        "cancelled",
    )
    assert httpx.get(url, headers=token(home, tenant="umbrella")).status_code == 404
    assert "acme" not in str(stopped.body)


def test_a_released_picture_is_fetched_by_its_tenant_with_the_ruling_on_record(
    home: Home, policy: Policy
) -> None:
    images = ScriptedImageAssessor(({"shocking": 0.9}, ()))
    pipeline = replace(pipeline_of(home, policy=policy, images=images), shelf=SealedShelf(home))
    with pytest.raises(ReviewRequired) as held:
        pipeline.run(ImageRequest(prompt="a calm sea", caller=Caller(tenant="acme")))
    named = held.value.decision_id
    with served(create_app(home, pipeline)) as address:
        url = f"{address}/v1/decisions/{named}"
        mine, other = (token(home, tenant=tenant) for tenant in ("acme", "umbrella"))
        assert httpx.get(f"{url}/pictures", headers=mine).json()["data"] == []
        review = Review(home, lambda: pipeline)
        (file,) = review.rule(named, 0, Verdict.RELEASE, by="key_17", words="harmless")
        (datum,) = httpx.get(f"{url}/pictures", headers=mine).json()["data"]
        assert base64.b64decode(datum["b64_json"]) == file.data
        assert httpx.get(f"{url}/pictures", headers=other).status_code == 404
        waited, delivered = httpx.get(url, headers=mine).json()["endings"]
        assert (waited["ruling"]["ruling"], delivered["result"]) == ("release", "delivered")
        assert "by" not in waited["ruling"]
        told = httpx.get(url, headers=token(home, Role.MODERATOR)).json()["endings"][0]
        assert told["ruling"]["by"] == "key_17"


@pytest.mark.parametrize("named", ["dec_0123456789abcdef", "dec_x", "a%2Fb", "x" * 5000, "%00"])
def test_an_unknown_id_is_not_found_in_the_one_shape(address: str, named: str) -> None:
    answer = httpx.get(f"{address}/v1/decisions/{named}")
    assert answer.status_code == 404
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}


def test_no_table_is_read_through_to_find_a_decision(home: Home, policy: Policy) -> None:
    from guard.decisions import find_decision

    pipeline = pipeline_of(home, policy=policy)
    made = pipeline.run(ImageRequest(prompt="a calm sea", count=2)).decision_id
    asked: list[tuple[str, object]] = []
    engine = home.ledger._database._engine

    def note(_c: object, _u: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    hooks.listen(engine, "before_cursor_execute", note)
    assert len(find_decision(home.ledger, made).record.endings) == 2
    hooks.remove(engine, "before_cursor_execute", note)
    other = create_engine(home.ledger_url)
    with other.connect() as connection:
        plans = [
            row.detail
            for statement, values in asked
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
        ]
        assert connection.execute(text("SELECT count(*) FROM event")).scalar_one() > 0
    other.dispose()
    assert plans
    assert not [plan for plan in plans if plan.startswith(("SCAN event", "SCAN record"))]
