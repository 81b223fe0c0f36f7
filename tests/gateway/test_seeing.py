"""What operators see: logs, metrics and traces, of everything that happens and of no prompt."""

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from prometheus_client.parser import text_string_to_metric_families

from guard.assessment import Assessment
from guard.deployment import score_windows
from guard.errors import SafetyUnavailable
from guard.gateway import create_app, logs
from guard.gateway.callers import ApiKeys, KeyTerms, Role
from guard.gateway.health import Readiness
from guard.gateway.metrics import MAX_RULES, OTHER, Metrics
from guard.images.calibration import Calibration, CategoryCalibration
from policies.decision import Action, Decision, PolicyRef, Reason
from provenance.home import SETTINGS_FILE, Home
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.deployment import pipeline_of, with_provenance
from tests.support.signer import InMemorySigner

SECRET = "xylophone"  # stands in every prompt here, and nowhere else
FIGHT = ScriptedPromptAssessor({"fight": {"violence": 0.97}})
WAIT_SECONDS = 30
T = TypeVar("T")
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def app(home: Home) -> FastAPI:
    images = ScriptedImageAssessor(covers=frozenset({"violence"}))
    return create_app(home, pipeline_of(home, prompts=FIGHT, images=images))


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    with served(app) as url:
        yield url


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logger = logging.getLogger("guard")
    before = (logger.handlers, logger.level, logger.propagate)
    logs.install(stream)
    yield stream
    logger.handlers, logger.level, logger.propagate = before


_exporter = InMemorySpanExporter()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    if not isinstance(trace.get_tracer_provider(), TracerProvider):  # one for a whole process
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(_exporter))
        trace.set_tracer_provider(provider)
    _exporter.clear()
    yield _exporter
    _exporter.clear()


def draw(address: str, prompt: str) -> httpx.Response:
    return httpx.post(f"{address}/v1/images/generations", json={"prompt": prompt})


def use_everything(address: str) -> None:
    assert draw(address, f"a calm {SECRET}").status_code == 200
    assert draw(address, f"a {SECRET} fight").status_code == 400
    wrong = {"prompt": SECRET, "n": SECRET, SECRET: 1}
    assert httpx.post(f"{address}/v1/images/generations", json=wrong).status_code == 400
    assert httpx.post(f"{address}/v1/moderations", json={"input": SECRET}).status_code == 200
    assert httpx.get(f"{address}/v1/{SECRET}", params={"q": SECRET}).status_code == 404


def samples(address: str, **headers: str) -> Samples:
    answer = httpx.get(f"{address}/metrics", headers=headers)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def lines(logged: io.StringIO, number: int = 1) -> list[dict]:
    """The first ``number`` lines, which are written when their answers have left."""
    after(lambda: logged.getvalue().count("\n") >= number)
    return [json.loads(line) for line in logged.getvalue().splitlines()]


def requests_in(spans: InMemorySpanExporter, number: int = 1) -> list[ReadableSpan]:
    """The spans of ``number`` requests, which end when their answers have left."""

    def found() -> list[ReadableSpan]:
        kinds = [span for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER]
        return kinds if len(kinds) >= number else []

    return after(found)


def after(happens: Callable[[], T]) -> T:
    """What ``happens`` says once it says something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (said := happens()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return said


def test_a_line_tells_of_a_request_how_it_ended_and_what_took_how_long(
    address: str, logged: io.StringIO
) -> None:
    answer = draw(address, f"a calm {SECRET}")
    (line,) = lines(logged)
    assert (line["event"], line["method"], line["status"]) == ("request", "POST", 200)
    assert line["route"] == "/v1/images/generations"
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["decision_id"] == answer.json()["gateway"]["decision_id"]
    assert line["subject"] == "anonymous"
    assert {"assess_prompt", "generate", "watermark", "credential", "ledger"} <= line[
        "steps"
    ].keys()
    assert sum(line["steps"].values()) <= line["ms"]


def test_a_refusal_and_what_is_wrong_are_logged_by_their_codes(
    address: str, logged: io.StringIO
) -> None:
    use_everything(address)
    assert [line["code"] for line in lines(logged, 5)] == [
        None,
        "moderation_blocked",
        "invalid_value",
        None,
        "not_found",
    ]


def test_no_prompt_stands_in_a_log_a_metric_or_a_trace(
    address: str, logged: io.StringIO, spans: InMemorySpanExporter
) -> None:
    use_everything(address)
    assert SECRET not in str(lines(logged, 5))
    assert SECRET not in httpx.get(f"{address}/metrics").text
    requests_in(spans, 6)
    told = [span for span in spans.get_finished_spans() if SECRET in span.to_json()]
    # The path that a caller made up is in the span of its request, as HTTP conventions have it.
    assert [span.attributes.get("url.path") for span in told if span.attributes] == [
        f"/v1/{SECRET}"
    ]


def test_a_fault_of_ours_is_logged_by_its_place_and_not_by_its_words(
    logged: io.StringIO,
) -> None:
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("guard.anything").exception("it broke")
    (line,) = lines(logged)
    assert line["exception"] == "ValueError"
    assert line["where"][0].startswith(__name__)
    assert SECRET not in logged.getvalue()


def test_metrics_count_requests_steps_decisions_and_rules(address: str) -> None:
    use_everything(address)
    lost = {"route": OTHER, "method": "GET", "status": "404"}
    named = ("wardmark_request_seconds_count", tuple(sorted(lost.items())))
    after(lambda: named in samples(address))
    found = samples(address)

    def count(name: str, **labels: str) -> float:
        return found.get((name, tuple(sorted(labels.items()))), 0)

    route = {"route": "/v1/images/generations", "method": "POST"}
    assert count("wardmark_request_seconds_count", **route, status="200") == 1
    assert count("wardmark_request_seconds_count", **route, status="400") == 2
    assert found[named] == 1
    assert count("wardmark_step_seconds_count", step="assess_prompt") == 3
    assert count("wardmark_step_seconds_count", step="generate") == 1
    assert count("wardmark_decisions_total", stage="prompt", action="block") == 1
    assert count("wardmark_rules_fired_total", rule="violence", action="block") == 1
    assert count("wardmark_errors_total", code="moderation_blocked") == 1
    assert count("wardmark_assessments_total", stage="image") == 1
    assert count("wardmark_not_assessed_total", stage="image", category="sexual") == 1
    assert count("wardmark_ledger_up") == 1
    assert count("wardmark_ledger_lag_entries") == 0
    assert count("wardmark_ledger_entries") == 4  # home, decision, delivery, refusal
    assert count("wardmark_queue", state="waiting") == 0


def test_a_ledger_that_is_down_is_told_and_takes_no_metric_with_it(
    address: str, home: Home
) -> None:
    home.ledger.close()
    (home.path / "ledger.db").rename(home.path / "elsewhere")
    found = samples(address)
    assert found["wardmark_ledger_up", ()] == 0
    assert ("wardmark_ledger_entries", ()) not in found
    (home.path / "elsewhere").rename(home.path / "ledger.db")
    assert samples(address)["wardmark_ledger_up", ()] == 1


def test_labels_do_not_grow_with_what_comes() -> None:
    metrics = Metrics()
    assessment = Assessment(assessor=FIGHT.ref, subject="prompt", scores={})
    policy = PolicyRef(name="p", version="1", digest="00")
    for number in range(MAX_RULES + 10):
        reason = Reason(rule=f"rule-{number}", action=Action.BLOCK, message="x", because=())
        metrics.decided(
            assessment,
            Decision(
                action=Action.BLOCK, obligations=frozenset(), reasons=(reason,), policy=policy
            ),
        )
    for step in ("generate", "made up", "another"):
        metrics.ran(step, 0.1)
    text = metrics.exposition().decode()
    assert text.count("wardmark_rules_fired_total{") == MAX_RULES + 1
    assert text.count("wardmark_step_seconds_count{") == 2


def test_scores_that_move_from_what_a_guard_was_calibrated_on_are_told(home: Home) -> None:
    window = tuple(number / 1000 for number in range(200))
    measured = {name: CategoryCalibration(window=window) for name in ("violence", "sexual")}
    calibration = Calibration(assessor="00", categories=measured)
    twice = Calibration(assessor="01", categories={"sexual": measured["sexual"]})
    guards = []
    for number, each in enumerate((calibration, twice)):
        (home.path / f"{number}.json").write_text(each.model_dump_json())
        guards.append(f'\n[[image_guards]]\nname = "g{number}"\ncalibration = "{number}.json"\n')
    settings = home.path / SETTINGS_FILE
    settings.write_text(settings.read_text() + "".join(guards))
    windows = score_windows(Home.open(home.path))
    assert windows.keys() == {"violence"}  # of sexual nobody can say whose scores they are

    metrics = Metrics()
    metrics.watch_scores(windows)
    policy = PolicyRef(name="p", version="1", digest="00")
    allowed = Decision(action=Action.ALLOW, obligations=frozenset(), reasons=(), policy=policy)
    told = []
    for moved in (0.0, 0.7):
        for score in window:
            scores = {"violence": score + moved}
            seen = Assessment(assessor=FIGHT.ref, subject="image", scores=scores)
            metrics.decided(seen, allowed)
        lines = metrics.exposition().decode().splitlines()
        told.append([figure(lines, name) for name in ("wardmark_drift", "wardmark_drift_ks")])
    (steady, near), (much, far) = told
    assert steady < 0.1
    assert much > 0.25
    assert near < far <= 1
    decided = f'{{action="allow",assessor="{FIGHT.ref}",stage="image"}} {2 * len(window):.1f}'
    assert f"wardmark_assessor_decisions_total{decided}" in lines


def figure(lines: list[str], name: str) -> float:
    start = f'{name}{{category="violence",stage="image"}}'
    (line,) = [line for line in lines if line.startswith(start)]
    return float(line.split()[1])


def test_metrics_are_for_those_who_run_it(home: Home, app: FastAPI) -> None:
    keys = ApiKeys.of(home)
    with served(app) as address:
        for role, status in ((Role.USER, 403), (Role.AUDITOR, 200), (Role.ADMIN, 200)):
            token = keys.create(KeyTerms(role=role)).token
            answer = httpx.get(f"{address}/metrics", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status
    with served(create_app(home, pipeline_of(home), exposed=True)) as address:
        assert httpx.get(f"{address}/metrics").status_code == 401


def test_each_step_is_a_span_below_the_request(address: str, spans: InMemorySpanExporter) -> None:
    answer = draw(address, f"a calm {SECRET}")
    (request,) = requests_in(spans)
    assert request.attributes is not None
    assert request.attributes["wardmark.decision_id"] == answer.json()["gateway"]["decision_id"]
    steps = [span for span in spans.get_finished_spans() if span is not request]
    assert {"assess_prompt", "generate", "assess_image", "credential"} <= {s.name for s in steps}
    for span in steps:
        assert span.parent is not None
        assert request.context is not None
        assert span.parent.span_id == request.context.span_id
        assert (span.start_time or 0) <= (span.end_time or 0)
    assert [event.name for event in request.events] == ["decided prompt", "decided image"]


def test_a_trace_that_a_caller_began_is_carried_on(
    address: str, spans: InMemorySpanExporter
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    httpx.get(f"{address}/v1/models", headers={"traceparent": parent})
    (span,) = requests_in(spans)
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]


def readiness(pipeline: object) -> dict[str, str]:
    return Readiness().missing(pipeline)  # type: ignore[arg-type]


def test_readiness_names_each_part_that_is_missing(home: Home) -> None:
    class Broken(ScriptedPromptAssessor):
        def assess(self, texts: Sequence[str]) -> list[Assessment]:
            raise SafetyUnavailable("the weights are gone")

    class Worse(ScriptedImageAssessor):
        def assess(self, images: object, *, files: object = None) -> list[Assessment]:
            raise ZeroDivisionError(SECRET)

    whole = pipeline_of(home)
    assert readiness(whole) == {}
    assert readiness(pipeline_of(home, prompts=Broken())) == {
        "prompt_guard": "the weights are gone"
    }
    assert readiness(pipeline_of(home, images=Worse())) == {
        "image_guard": "it fails: ZeroDivisionError"
    }
    pulled = InMemorySigner(home.signer, available=False)
    assert set(readiness(with_provenance(whole, signer=pulled))) == {"signer"}
    home.ledger.close()
    (home.path / "ledger.db").rename(home.path / "elsewhere")
    assert set(readiness(whole)) == {"ledger"}
    (home.path / "elsewhere").rename(home.path / "ledger.db")
    assert readiness(whole) == {}


def test_what_is_missing_is_told_with_503_and_looked_at_again_after_a_while(home: Home) -> None:
    token = InMemorySigner(home.signer, available=False)
    app = create_app(home, with_provenance(pipeline_of(home), signer=token))
    now = [0.0]
    app.state.readiness = Readiness(clock=lambda: now[0])
    with served(app) as address:
        answer = httpx.get(f"{address}/readyz")
        assert answer.status_code == 503
        assert set(answer.json()["missing"]) == {"signer"}
        token.available = True
        assert httpx.get(f"{address}/readyz").status_code == 503  # still believed
        now[0] = 60.0
        assert httpx.get(f"{address}/readyz").json()["status"] == "ready"


def test_processes_that_share_a_folder_answer_for_one_another(tmp_path: Path) -> None:
    program = (
        "from guard.gateway.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.ran('generate', 0.5)\n"
        "print(sum('wardmark_step_seconds_count{' in line and line.endswith(' 2.0')"
        " for line in metrics.exposition().decode().splitlines()))\n"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        for _ in range(2)
    ]
    assert [done.stdout.strip() for done in told] == ["0", "1"], told[1].stderr
