"""Jobs over HTTP: asked for now, fetched later, returned by a process that stops."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, KeyTerms
from guard.gateway.drawing import Drawing, packed
from guard.gateway.jobs import store
from guard.pipeline import Caller, ImageRequest
from provenance.home import Home
from provenance.picture import encode
from tests.gateway.conftest import served
from tests.gateway.slow import SlowCore
from tests.support.core import textured_picture
from tests.support.deployment import pipeline_of

PATIENCE = 30.0  # seconds
ASYNC = {"prefer": "respond-async"}


def ask(address: str, prompt: str = "a calm sea", **more: Any) -> httpx.Response:
    headers = {**ASYNC, **more.pop("headers", {})}
    body = {"prompt": prompt, **more}
    return httpx.post(f"{address}/v1/images/generations", json=body, headers=headers)


def wait_for(address: str, accepted: httpx.Response, *wanted: str) -> dict[str, Any]:
    """The job, once its status is one of ``wanted``."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        job = httpx.get(address + accepted.headers["location"]).json()
        if job["status"] in wanted:
            return dict(job)
        time.sleep(0.02)
    raise AssertionError(f"the job is {job['status']}")


def deliveries(home: Home) -> list[str]:
    return [entry.id for entry in home.ledger.entries(kind="delivery")]


@pytest.fixture
def slow() -> Iterator[SlowCore]:
    core = SlowCore()
    yield core
    core.go_on.set()


@pytest.fixture
def hasty(home: Home) -> Home:
    """A home whose gateway does not wait for what runs when it stops."""
    file = home.path / "wardmark.toml"
    file.write_text(file.read_text() + "\n[work]\ngrace = 0.0\n")
    return Home.open(home.path)


def test_a_job_is_accepted_at_once_and_answered_later(address: str, home: Home) -> None:
    accepted = ask(address, n=2)
    assert accepted.status_code == 202
    assert accepted.headers["preference-applied"] == "respond-async"
    queued = accepted.json()
    assert accepted.headers["location"] == f"/v1/jobs/{queued['id']}"
    assert (queued["object"], queued["result"], queued["error"]) == ("job", None, None)
    done = wait_for(address, accepted, "completed", "failed")
    assert done["status"] == "completed"
    content = [datum["gateway"]["content_id"] for datum in done["result"]["data"]]
    assert content == deliveries(home)
    assert done["expires_at"] > done["created_at"]


def test_a_job_that_is_refused_says_why(address: str) -> None:
    failed = wait_for(address, ask(address, "a fight"), "completed", "failed")
    assert failed["status"] == "failed"
    assert failed["result"] is None
    assert failed["error"]["code"] == "moderation_blocked"
    assert failed["error"]["gateway"]["reasons"]


@pytest.mark.parametrize("wrong", [{"size": "100x100"}, {"n": 11}, {"stream": True}])
def test_what_can_never_be_is_not_accepted_as_a_job(address: str, wrong: dict[str, Any]) -> None:
    answer = ask(address, **wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")


def test_a_job_of_somebody_else_does_not_exist(address: str, home: Home) -> None:
    keys = ApiKeys.of(home)
    owner, stranger = (
        {"authorization": f"Bearer {keys.create(KeyTerms()).token}"} for _ in range(2)
    )
    keys.close()
    place = address + ask(address, headers=owner).headers["location"]
    assert httpx.get(place, headers=owner).status_code == 200
    for asked in (httpx.get, httpx.delete):
        for who in (stranger, {}):
            answer = asked(place, headers=who)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "job_not_found")


def test_a_job_that_is_cancelled_stops_its_core(home: Home, slow: SlowCore) -> None:
    with served(create_app(home, pipeline_of(home, core=slow))) as address:
        accepted = ask(address)
        assert slow.begun.wait(PATIENCE)
        cancelled = httpx.delete(address + accepted.headers["location"]).json()
        assert cancelled["status"] == "cancelled"
        assert slow.stopped.wait(PATIENCE)
    stopped = [entry.body["code"] for entry in home.ledger.entries(kind="stopped")]
    assert (stopped, deliveries(home)) == (["cancelled"], [])


def test_the_answer_of_a_job_can_be_erased(address: str) -> None:
    accepted = ask(address)
    wait_for(address, accepted, "completed")
    httpx.delete(address + accepted.headers["location"])
    erased = httpx.get(address + accepted.headers["location"]).json()
    assert (erased["status"], erased["result"]) == ("completed", None)


def test_a_gateway_that_stops_returns_its_jobs_to_the_next(hasty: Home, slow: SlowCore) -> None:
    with served(create_app(hasty, pipeline_of(hasty, core=slow))) as address:
        accepted = ask(address)
        assert slow.begun.wait(PATIENCE)
    assert slow.stopped.is_set()
    with served(create_app(hasty, pipeline_of(hasty))) as address:
        wait_for(address, accepted, "completed")
    assert len(deliveries(hasty)) == 1


def test_a_gateway_that_stops_finishes_what_runs(home: Home, slow: SlowCore) -> None:
    with ExitStack() as stopping:
        address = stopping.enter_context(served(create_app(home, pipeline_of(home, core=slow))))
        accepted = ask(address)
        assert slow.begun.wait(PATIENCE)
        slow.go_on.set()
    assert len(deliveries(home)) == 1
    with served(create_app(home, pipeline_of(home))) as address:
        assert wait_for(address, accepted, "completed")["result"]


def dead_process(
    home: Home, monkeypatch: pytest.MonkeyPatch, last_act: Callable[[str, ImageRequest], object]
) -> str:
    """A job that a process had claimed when it died, after ``last_act``; its id."""
    request = ImageRequest(prompt="a calm sea", count=2, caller=Caller())
    drawing = Drawing.of(home, lambda: pipeline_of(home))
    put = drawing.jobs.put("anonymous", packed(request))
    monkeypatch.setattr(store, "LEASE_SECONDS", -1.0)
    assert drawing.jobs.claim()
    monkeypatch.undo()
    last_act(put.id, request)
    drawing.jobs.close()
    drawing.places.close()
    return put.id


def test_a_job_of_a_process_that_died_is_drawn_by_another(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = dead_process(home, monkeypatch, lambda *_: None)
    with served(create_app(home, pipeline_of(home))) as address:
        place = httpx.Response(202, headers={"location": f"/v1/jobs/{job_id}"})
        done = wait_for(address, place, "completed", "failed")
    assert done["status"] == "completed"
    assert len(deliveries(home)) == 2


def test_a_job_whose_pictures_were_recorded_before_its_process_died_is_not_delivered_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deliver_and_die(job_id: str, request: ImageRequest) -> None:
        pipeline_of(home).run(request, work=job_id)

    job_id = dead_process(home, monkeypatch, deliver_and_die)
    with served(create_app(home, pipeline_of(home))) as address:
        place = httpx.Response(202, headers={"location": f"/v1/jobs/{job_id}"})
        failed = wait_for(address, place, "completed", "failed")
    assert (failed["status"], failed["error"]["code"]) == ("failed", "job_interrupted")
    assert len(deliveries(home)) == 2


def test_a_core_that_breaks_fails_the_job_with_its_own_code(home: Home) -> None:
    class Broken(SlowCore):
        def generate_batch(self, *_: object, **__: object) -> Any:
            raise ZeroDivisionError

    with served(create_app(home, pipeline_of(home, core=Broken()))) as address:
        failed = wait_for(address, ask(address), "failed")
        assert failed["error"]["code"] == "core_failed"


def test_a_job_that_cannot_be_read_fails_and_the_next_is_drawn(home: Home) -> None:
    drawing = Drawing.of(home, lambda: pipeline_of(home))
    put = drawing.jobs.put("anonymous", b"of a version that is gone")
    with served(create_app(home, pipeline_of(home))) as address:
        place = httpx.Response(202, headers={"location": f"/v1/jobs/{put.id}"})
        failed = wait_for(address, place, "failed")
        assert failed["error"]["code"] == "internal_error"
        assert put.id in failed["error"]["message"]
        wait_for(address, ask(address), "completed")
    drawing.jobs.close()


def test_an_edit_can_be_a_job_too(address: str, home: Home) -> None:
    accepted = httpx.post(
        f"{address}/v1/images/edits",
        files={"image": ("x.png", encode(textured_picture("a sea", 256, 256, 1), "png"))},
        data={"prompt": "a rough sea"},
        headers=ASYNC,
    )
    done = wait_for(address, accepted, "completed", "failed")
    assert done["status"] == "completed", done["error"]
    assert len(deliveries(home)) == 1
