"""Edits through the official client, unchanged, against the real server."""

import base64
import io
import time

import httpx
import numpy as np
import openai
import pytest

from provenance.home import Home
from provenance.picture import decode, encode
from tests.support.core import textured_picture

PHOTO = textured_picture("a photograph", 256, 256, 1)
FILE = encode(PHOTO, "png")
MASK = np.zeros((256, 256, 4), np.uint8)
MASK[..., 3] = 255
MASK[64:128, 64:128, 3] = 0


def png(pixels: np.ndarray) -> io.BytesIO:
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    return io.BytesIO(encode(np.ascontiguousarray(pixels[..., :3]), "png", alpha=alpha))


def test_the_official_client_edits_a_picture(client: openai.OpenAI, address: str) -> None:
    answer = client.images.edit(
        image=("photo.png", FILE),
        prompt="a calm sea",
        n=2,
        size="256x256",
        output_format="jpeg",
        extra_body={"seed": 4, "strength": 0.5},
    )
    assert answer.data is not None
    assert len(answer.data) == 2
    data = base64.b64decode(answer.data[0].b64_json or "")
    assert decode(data).media_type == "image/jpeg"
    assert (answer.size, (answer.model_extra or {})["gateway"]["source"]["credential"]) == (
        "256x256",
        "absent",
    )
    report = httpx.post(f"{address}/v1/verify", files={"file": ("x.jpg", data)}).json()
    assert (report["verdict"], report["origin"]) == ("established", "ai-edited")


def test_a_list_of_one_picture_and_a_mask_are_taken(client: openai.OpenAI) -> None:
    answer = client.images.edit(
        image=[io.BytesIO(FILE)], mask=png(MASK), prompt="a calm sea", extra_body={"seed": 4}
    )
    drawn = decode(base64.b64decode((answer.data or [])[0].b64_json or "")).pixels.astype(int)
    away = np.abs(drawn - PHOTO).max(axis=2)
    inside = MASK[..., 3] == 0
    assert np.median(away[inside]) > 20
    assert np.percentile(away[~inside], 99) < 20  # the watermark


def test_an_edit_is_streamed(client: openai.OpenAI) -> None:
    events = list(client.images.edit(image=io.BytesIO(FILE), prompt="a calm sea", stream=True))
    assert [event.type for event in events][-1] == "image_edit.completed"


def test_a_refused_edit_carries_its_reasons(client: openai.OpenAI, home: Home) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(image=io.BytesIO(FILE), prompt="a fight")
    assert refused.value.code == "moderation_blocked"
    (entry,) = home.ledger.entries(kind="refusal")
    assert entry.body["prompt_stage"]["fields"]["asked.edit"] is True


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ({"image": [io.BytesIO(FILE), io.BytesIO(FILE)]}, "invalid_value", "one picture is edited"),
        ({"image": io.BytesIO(b"no picture")}, "invalid_image", "not a picture"),
        ({"mask": png(MASK[:128])}, "invalid_value", "mask is 256x128 and the picture 256x256"),
        ({"mask": png(MASK[..., 3:].repeat(4, 2) | 255)}, None, ""),
        ({"size": "256x128"}, "invalid_value", "stretched"),
        ({"size": "large"}, "invalid_value", "not WIDTHxHEIGHT"),
        ({"model": "dall-e-2"}, "invalid_value", "no model"),
        ({"extra_body": {"strength": 0}}, "invalid_value", "strength"),
        ({"extra_body": {"strength": "much"}}, "invalid_value", "strength"),
        ({"extra_body": {"colour": "red"}}, "invalid_value", "colour"),
        ({"prompt": " "}, "invalid_value", "the prompt is empty"),
    ],
)
def test_what_cannot_be_edited_is_told(
    client: openai.OpenAI, wrong: dict[str, object], code: str | None, words: str
) -> None:
    asked = {"image": io.BytesIO(FILE), "prompt": "a calm sea"} | wrong
    if code is None:  # an opaque white mask: everything may change
        assert client.images.edit(**asked).data  # type: ignore[arg-type]
        return
    with pytest.raises(openai.BadRequestError) as error:
        client.images.edit(**asked)  # type: ignore[arg-type]
    assert error.value.code == code
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"json": {"prompt": "a calm sea"}}, "multipart/form-data"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, "cannot be read"),
        (
            {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            "breaks off",
        ),
        ({"files": {"picture": FILE, "image": FILE}, "data": {"prompt": "a"}}, "not as picture"),
        ({"files": {"image": FILE}}, "prompt"),
        ({"files": {"mask": FILE}, "data": {"prompt": "a"}}, "0 came in"),
        ({"files": {"mask": FILE}, "data": {"prompt": "a", "image": "text"}}, "must be a file"),
        ({"files": {"image": FILE, "image[]": FILE}, "data": {"prompt": "a"}}, "2 came in"),
        ({"files": {"image": FILE}, "data": {"prompt": ["a", "b"]}}, "stands twice"),
        ({"files": {f"image{i}": FILE for i in range(9)}}, "Too many files"),
    ],
)
def test_a_form_that_is_none_has_the_shape_of_every_error(
    address: str, sent: dict[str, object], words: str
) -> None:
    answer = httpx.post(f"{address}/v1/images/edits", **sent)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_a_mask_beyond_its_limit_is_told(address: str) -> None:
    answer = httpx.post(
        f"{address}/v1/images/edits",
        files={"image": FILE, "mask": b"\x89PNG\r\n\x1a\n" + bytes(5 * 2**20)},
        data={"prompt": "a calm sea"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "image_too_large")


def test_an_edit_is_done_as_a_job_and_once_for_a_key(address: str) -> None:
    def ask(**headers: str) -> httpx.Response:
        form = {"files": {"image": FILE}, "data": {"prompt": "a calm sea", "seed": "4"}}
        return httpx.post(f"{address}/v1/images/edits", headers=headers, **form)  # type: ignore[arg-type]

    put = ask(prefer="respond-async")
    assert put.status_code == 202
    place = address + put.headers["location"]
    deadline = time.monotonic() + 60
    while (job := httpx.get(place).json())["status"] not in ("completed", "failed"):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    assert job["result"]["gateway"]["source"]["known"] is False
    first, second = (ask(**{"idempotency-key": "one"}) for _ in range(2))
    assert first.status_code == 200
    assert first.json()["data"] == second.json()["data"]
