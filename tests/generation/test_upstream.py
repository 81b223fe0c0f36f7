"""Cores behind an address: what they are asked, and what each way of failing comes to."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard.errors import (
    CoreFailed,
    CoreUnavailable,
    GenerationCancelled,
    InvalidRequest,
    UpstreamRefused,
)
from guard.generation import Core, GenerationRequest
from guard.generation.core import Original
from guard.generation.declared import declared_cores, load_named_core
from guard.generation.upstream.breaker import Breaker
from guard.generation.upstream.comfyui import filled
from guard.generation.upstream.service import Service
from provenance.errors import HomeInvalid
from provenance.picture import decode, encode
from tests.generation.upstreams import (
    GRAPH,
    Asked,
    ComfyUI,
    Said,
    Script,
    automatic1111,
    drawn,
    openai_images,
    slowly,
    upstream,
)

KEY = "UPSTREAM_TEST_KEY"


@pytest.fixture
def core_of(tmp_path: Path) -> Callable[..., Core]:
    """Declares a core as wardmark.toml would, and loads it."""
    (tmp_path / "graph.json").write_text(json.dumps(GRAPH))

    def load(kind: str, url: str, **more: Any) -> Core:
        table: dict[str, Any] = {"kind": kind, "name": "elsewhere", "url": url, **more}
        if kind == "openai":
            table |= {"model": "m", "url": f"{url}/v1"}
        if kind == "comfyui":
            digest = hashlib.sha256((tmp_path / "graph.json").read_bytes()).hexdigest()
            table = {"graph": "graph.json", "graph_sha256": digest} | table
        return load_named_core("elsewhere", [table], tmp_path)

    return load


def asked(**changed: Any) -> GenerationRequest:
    base = GenerationRequest(
        prompt="a boat on the sea", width=256, height=320, steps=4, guidance=5.0, seed=7
    )
    return base.model_copy(update=changed)


def honest() -> dict[str, Script]:
    return {"openai": openai_images, "automatic1111": automatic1111, "comfyui": ComfyUI()}


KINDS = ("openai", "automatic1111", "comfyui")


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_come_in_order_each_from_its_seed(kind: str, core_of: Callable[..., Core]) -> None:
    more = {"sends": ["seed"]} if kind == "openai" else {}
    with upstream(honest()[kind]) as service:
        core = core_of(kind, service.url, **more)
        told: list[tuple[int, int]] = []
        first, second = core.generate_batch(
            [asked(count=2), asked(seed=40)], progress=lambda done, of: told.append((done, of))
        )
    assert (core.info.domain, len(first), len(second)) == ("open", 2, 1)
    for pixels, seed in zip([*first, *second], (7, 8, 40), strict=True):
        assert np.array_equal(pixels, drawn("a boat on the sea", 256, 320, seed))
    assert all(done <= of for done, of in told)


def test_what_a_service_refuses_is_its_refusal_and_not_an_outage(
    core_of: Callable[..., Core],
) -> None:
    with upstream(openai_images) as service:
        core = core_of("openai", service.url)
        for _ in range(4):  # never opens the breaker
            with pytest.raises(UpstreamRefused, match="moderation_blocked") as refused:
                core.generate(asked(prompt="a dragon"))
        assert len(service.asked) == 4
    assert (refused.value.http_status, refused.value.code) == (400, "upstream_refused")
    assert "dragon" not in str(refused.value)


def test_a_picture_that_is_kept_back_is_a_refusal(core_of: Callable[..., Core]) -> None:
    with (
        upstream(lambda _: Said(200, {"data": []})) as service,
        pytest.raises(UpstreamRefused, match="0 of 1"),
    ):
        core_of("openai", service.url).generate(asked())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (Said(401), CoreUnavailable, "key"),
        (Said(404), CoreUnavailable, "address"),
        (Said(500), CoreUnavailable, "broke"),
        (Said(422, {"detail": []}), CoreFailed, "wardmark.toml"),
        (Said(200, b"<html>"), CoreFailed, "JSON"),
        (Said(200, []), CoreFailed, "API"),
    ],
)
def test_every_failure_has_words_and_a_kind(
    kind: str, said: Said, error: type[Exception], words: str, core_of: Callable[..., Core]
) -> None:
    with upstream(lambda _: said) as service, pytest.raises(error, match=words):
        core_of(kind, service.url).generate(asked())


@pytest.mark.parametrize(
    "picture",
    [b"no picture", np.zeros((320, 256, 3), np.uint8), drawn("x", 256, 256, 0)],
    ids=["not one", "black", "another size"],
)
def test_what_is_no_picture_of_that_size_is_not_let_on(
    picture: Any, core_of: Callable[..., Core]
) -> None:
    data = picture if isinstance(picture, bytes) else encode(picture, "png")
    image = base64.b64encode(data).decode()
    with (
        upstream(lambda _: Said(200, {"images": [image]})) as service,
        pytest.raises(CoreFailed),
    ):
        core_of("automatic1111", service.url).generate(asked())


def test_work_is_asked_for_again_only_where_it_was_not_begun() -> None:
    answers = [Said(429, retry_after="0"), Said(503), Said(200, {"done": True})]
    with upstream(lambda _: answers.pop(0)) as service:
        answer = Service(service.url, sleep=lambda _: None).post("/work", json={})
        assert (answer.json(), len(service.asked)) == ({"done": True}, 3)
    with upstream(lambda _: Said(500)) as service:
        with pytest.raises(CoreUnavailable):
            Service(service.url, sleep=lambda _: None).post("/work", json={})
        assert len(service.asked) == 1


def test_nobody_there_is_an_outage() -> None:
    with upstream(openai_images) as service:
        gone = service.url
    with pytest.raises(CoreUnavailable, match="ConnectError"):
        Service(gone, sleep=lambda _: None).post("/work", json={})


def test_a_service_that_fails_is_left_alone_and_then_tried_once() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, cool_off=10.0, clock=lambda: now[0])
    status = [500]
    with upstream(lambda _: Said(status[0])) as service:
        asking = Service(service.url, breaker=breaker, sleep=lambda _: None)
        for _ in range(2):
            with pytest.raises(CoreUnavailable, match="status 500"):
                asking.post("/work", json={})
        with pytest.raises(CoreUnavailable, match="not asked now"):
            asking.post("/work", json={})
        assert len(service.asked) == 2
        now[0] = 11.0
        with pytest.raises(CoreUnavailable, match="status 500"):
            asking.post("/work", json={})
        with pytest.raises(CoreUnavailable, match="not asked now"):
            asking.post("/work", json={})
        now[0] = 22.0
        status[0] = 200
        assert asking.post("/work", json={}).status == 200
        assert asking.post("/work", json={}).status == 200


def test_too_slow_an_answer_is_an_outage(core_of: Callable[..., Core]) -> None:
    with (
        upstream(slowly(openai_images, 1.0)) as service,
        pytest.raises(CoreUnavailable, match="no whole answer within"),
    ):
        core_of("openai", service.url, timeout=0.2).generate(asked())


@pytest.mark.parametrize("kind", KINDS)
def test_who_leaves_stops_the_work_there_too(kind: str, core_of: Callable[..., Core]) -> None:
    script = ComfyUI(looks=10_000) if kind == "comfyui" else slowly(honest()[kind], 1.5)
    with upstream(script) as service:
        begun = time.monotonic()

        def cancelled() -> bool:
            return bool(service.asked) and time.monotonic() > begun + 0.2

        with pytest.raises(GenerationCancelled):
            core_of(kind, service.url).generate(asked(), cancelled=cancelled)
        stops = {"automatic1111": ["/sdapi/v1/interrupt"], "comfyui": ["/queue", "/interrupt"]}
        assert [p for p in service.paths() if p in stops.get(kind, [])] == stops.get(kind, [])
        if kind == "openai":
            assert service.left.wait(5.0)


def edit(masked: bool) -> GenerationRequest:
    pixels = drawn("before", 256, 320, 1)
    mask = np.zeros((320, 256), np.bool_)
    mask[100:200, 50:150] = True
    return asked(original=Original(pixels, mask if masked else None, 0.6))


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", ["openai", "automatic1111"])
def test_an_edit_changes_what_the_mask_says_and_nothing_else(
    kind: str, masked: bool, core_of: Callable[..., Core]
) -> None:
    more = {"edits": True} if kind == "openai" else {}
    request = edit(masked)
    assert request.original is not None
    with upstream(honest()[kind]) as service:
        (pixels,) = core_of(kind, service.url, **more).generate(request)
        (sent,) = [one for one in service.asked if one.method == "POST"]
    before, mask = request.original.pixels, request.original.mask
    changed = (pixels != before).any(axis=2)
    assert changed.any()
    if mask is not None:
        assert not changed[~mask].any()
    assert _sent_picture(kind, sent) == before.tobytes()
    if kind == "openai":
        assert ("mask" in sent.parts) == masked
    else:
        assert ("mask" in sent.body, sent.body["denoising_strength"]) == (masked, 0.6)


def _sent_picture(kind: str, sent: Asked) -> bytes:
    data = (
        sent.parts["image"] if kind == "openai" else base64.b64decode(sent.body["init_images"][0])
    )
    return decode(data).pixels.tobytes()


def test_no_prompt_changes_a_graph() -> None:
    hostile = '{seed}", "class_type": "Evil'
    graph = filled(GRAPH, asked(prompt=hostile))
    assert graph["6"] == {**GRAPH["6"], "inputs": {"text": hostile, "clip": ["4", 1]}}
    assert graph["3"]["inputs"] == {"seed": 7, "steps": 4}
    assert graph["9"] == GRAPH["9"]
    nested = filled(GRAPH, asked(prompt="{negative_prompt}", negative_prompt="fog"))
    assert nested["6"]["inputs"]["text"] == "{negative_prompt}"


def test_a_graph_that_was_changed_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_text(json.dumps(GRAPH))
    table = {
        "kind": "comfyui",
        "name": "c",
        "url": "http://127.0.0.1:1",
        "graph": "graph.json",
        "graph_sha256": "0" * 64,
    }
    with pytest.raises(CoreUnavailable, match="not the graph that was declared"):
        load_named_core("c", [table], tmp_path)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        ("{", "no graph in JSON"),
        ('{"nodes": []}', "API format"),
        ('{"1": {"class_type": "X", "inputs": {"text": "{prompt}"}}}', r"\{height\}, \{seed\}"),
    ],
)
def test_what_is_no_template_is_said(tmp_path: Path, graph: str, words: str) -> None:
    (tmp_path / "graph.json").write_text(graph)
    digest = hashlib.sha256(graph.encode()).hexdigest()
    table = {"kind": "comfyui", "name": "c", "url": "https://example.org", "graph": "graph.json"}
    with pytest.raises(HomeInvalid, match=words):
        load_named_core("c", [table | {"graph_sha256": digest}], tmp_path)


def test_settings_are_passed_on_only_where_the_service_takes_them(
    core_of: Callable[..., Core],
) -> None:
    with upstream(openai_images) as service:
        core_of("openai", service.url).generate(asked())
        with pytest.raises(InvalidRequest, match="negative prompt"):
            core_of("openai", service.url).generate(asked(negative_prompt="fog"))
        sends = ["seed", "steps", "negative_prompt"]
        core_of("openai", service.url, sends=sends).generate(asked(negative_prompt="fog"))
        plain, extended = (request.body for request in service.asked)
    assert plain.keys() == {"model", "prompt", "n", "size"}
    assert (extended["seed"], extended["steps"], extended["negative_prompt"]) == (7, 4, "fog")


def test_a_key_is_sent_and_a_missing_one_stops_the_start(
    core_of: Callable[..., Core], monkeypatch: pytest.MonkeyPatch
) -> None:
    with upstream(openai_images) as service:
        monkeypatch.delenv(KEY, raising=False)
        with pytest.raises(CoreUnavailable, match=KEY):
            core_of("openai", service.url, key_variable=KEY)
        monkeypatch.setenv(KEY, "word")
        core_of("openai", service.url, key_variable=KEY).generate(asked())
        assert service.asked[-1].authorization == "Bearer word"
        monkeypatch.setenv(KEY, "user:word")
        core_of("openai", service.url, key_variable=KEY).generate(asked())
        assert str(service.asked[-1].authorization).startswith("Basic ")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "openai", "name": "a", "url": "https://x.example/v1"}, "model"),
        ({"kind": "nothing", "name": "a"}, "kind"),
        ({"kind": "openai", "name": "a b", "url": "https://x.example", "model": "m"}, "name"),
        ({"kind": "openai", "name": "a", "url": "https://x.example", "model": "m", "x": 1}, "x"),
    ],
)
def test_a_wrong_declaration_is_said_with_its_place(table: dict[str, Any], words: str) -> None:
    with pytest.raises(HomeInvalid, match=words):
        declared_cores([table])


def test_plain_http_beyond_this_machine_has_to_be_allowed(tmp_path: Path) -> None:
    table = {"kind": "automatic1111", "name": "a", "url": "http://draws.example:7860"}
    with pytest.raises(HomeInvalid, match="plain_http"):
        load_named_core("a", [table], tmp_path)
    assert load_named_core("a", [table | {"plain_http": True}], tmp_path).info.name == "a"


def test_two_cores_of_one_name_are_refused() -> None:
    table = {"kind": "automatic1111", "name": "a", "url": "https://a.example"}
    with pytest.raises(HomeInvalid, match="twice"):
        declared_cores([table, table])
