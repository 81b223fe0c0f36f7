"""The official client, unchanged, against the real server."""

import base64
import io

import httpx
import openai
import pytest

from policies.decision import Obligation
from provenance.home import Home
from provenance.picture import decode
from tests.support.core import textured_picture


def test_the_official_client_gets_a_picture_with_receipts(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a calm sea", n=2, extra_body={"seed": 4})
    assert answer.data is not None
    assert len(answer.data) == 2
    first = answer.data[0]
    assert first.b64_json is not None
    assert decode(base64.b64decode(first.b64_json)).width == 256
    assert first.model_extra is not None
    discharged = {r["obligation"] for r in first.model_extra["gateway"]["receipts"]}
    assert {o.value for o in (Obligation.WATERMARK, Obligation.CREDENTIAL, Obligation.LEDGER)} <= (
        discharged
    )


def test_a_refusal_is_not_retried_and_carries_its_reasons(
    client: openai.OpenAI, home: Home
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(prompt="a fight")
    assert refused.value.code == "moderation_blocked"
    body = refused.value.body
    assert isinstance(body, dict)
    (reason,) = [r for r in body["gateway"]["reasons"] if r["rule"] == "violence"]
    assert reason["because"][0]["value"] == 0.97
    assert body["gateway"]["decision_id"] in str(refused.value)
    assert [entry.kind for entry in home.ledger.entries(first=1)] == ["refusal"]


def test_an_unknown_model_and_a_bad_size_are_told_apart_from_a_refusal(
    client: openai.OpenAI,
) -> None:
    for wrong in ({"model": "dall-e-3"}, {"size": "250x250"}, {"extra_body": {"colour": "red"}}):
        with pytest.raises(openai.BadRequestError) as error:
            client.images.generate(prompt="a calm sea", **wrong)  # type: ignore[arg-type]
        assert error.value.code == "invalid_value"


def test_moderations_answer_the_thirteen_categories_and_ours(client: openai.OpenAI) -> None:
    safe, unsafe = client.moderations.create(input=["a calm sea", "a fight"]).results
    assert not safe.flagged
    assert unsafe.flagged
    assert unsafe.categories.violence
    assert unsafe.category_scores.violence == 0.97
    assert "x-privacy" in (unsafe.categories.model_extra or {})


def test_models_name_the_core(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["in-memory"]


def test_verify_recognises_what_was_delivered_and_keeps_nothing(
    client: openai.OpenAI, address: str, home: Home
) -> None:
    (datum,) = client.images.generate(prompt="a calm sea").data or []
    data = base64.b64decode(datum.b64_json or "")
    before = sorted(path.name for path in home.path.rglob("*"))
    answer = httpx.post(f"{address}/v1/verify", files={"file": ("x.png", io.BytesIO(data))})
    assert answer.json()["verdict"] == "established"
    assert sorted(path.name for path in home.path.rglob("*")) == before


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("POST", "/v1/images/generations", b"{", 400, "invalid_value"),
        ("POST", "/v1/images/generations", b'{"prompt": ""}', 400, "invalid_value"),
        ("POST", "/v1/moderations", b'{"input": []}', 400, "invalid_value"),
        ("GET", "/v1/nothing", b"", 404, "not_found"),
        ("DELETE", "/v1/models", b"", 405, "method_not_allowed"),
    ],
)
def test_every_error_has_one_shape(
    address: str, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    answer = httpx.request(
        method, address + path, content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["code"] == code
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_file_that_is_no_picture_is_told_so(address: str) -> None:
    answer = httpx.post(f"{address}/v1/verify", files={"file": ("x.png", b"no picture")})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_image")


def test_a_picture_from_elsewhere_has_no_verdict_about_ai(address: str) -> None:
    from provenance.picture import encode

    data = encode(textured_picture("somebody else's", 256, 256, 9), "png")
    answer = httpx.post(f"{address}/v1/verify", files={"file": ("x.png", data)}).json()
    assert answer["verdict"] == "none"
    assert answer["origin"] == "unknown"


def test_health_and_readiness(address: str) -> None:
    assert httpx.get(f"{address}/healthz").status_code == 200
    ready = httpx.get(f"{address}/readyz").json()
    assert (ready["status"], ready["policy"]["name"]) == ("ready", "default")
