"""``GET /metrics``: what happens here in numbers, in the text format of Prometheus.

Labels take values out of sets that do not grow with what callers send: steps, routes, rules of the
policies in force, codes of our errors. Nothing of a prompt, a picture or a caller stands in them.

Each process counts for itself. Where several share a port, ``PROMETHEUS_MULTIPROC_DIR`` names a
folder through which each answers for all; ``wardmark serve --workers`` sets it.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool

from guard.assessment import Assessment
from guard.errors import NotAllowed
from guard.gateway.callers import Identified, Role
from guard.gateway.callers.identity import ANONYMOUS
from guard.pipeline.trail import OPTIONAL_STEPS, REQUIRED_STEPS
from policies.decision import Decision
from policies.errors import WardmarkError
from provenance.errors import LedgerEntryNotFound
from provenance.ledger import Ledger

if TYPE_CHECKING:
    from guard.evaluate.drift import Recent

SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
STEPS: Final = frozenset(
    {*REQUIRED_STEPS, *OPTIONAL_STEPS, "read_input", "assess_input", "decide_input", "keep"}
)
OTHER: Final = "other"  # in the place of a label's value beyond its limit
MAX_RULES: Final = 500  # rules that are told apart; policies come and go while a process lives

router = APIRouter(include_in_schema=False)


class Metrics:
    """The metrics of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "wardmark_request_seconds",
            "Requests by route and HTTP status, and how long each took",
            ["route", "method", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        self.errors = Counter(
            "wardmark_errors", "Answers with an error, by its code", ["code"], registry=registry
        )
        self.step_seconds = Histogram(
            "wardmark_step_seconds",
            "How long each step of the pipeline took",
            ["step"],
            buckets=SECONDS,
            registry=registry,
        )
        self.decisions = Counter(
            "wardmark_decisions",
            "Decisions by stage and action",
            ["stage", "action"],
            registry=registry,
        )
        self.assessor_decisions = Counter(
            "wardmark_assessor_decisions",
            "Decisions by the name and version of the assessor whose scores they rest on",
            ["assessor", "stage", "action"],
            registry=registry,
        )
        self.rules = Counter(
            "wardmark_rules_fired",
            "Rules that fired, with the action of each",
            ["rule", "action"],
            registry=registry,
        )
        self.assessments = Counter(
            "wardmark_assessments", "What was assessed, by stage", ["stage"], registry=registry
        )
        self.not_assessed = Counter(
            "wardmark_not_assessed",
            "Assessments that could not speak of a category, of all wardmark_assessments",
            ["stage", "category"],
            registry=registry,
        )
        self.drift = Gauge(
            "wardmark_drift",
            "Population stability index of scores against those that a guard was calibrated on",
            ["stage", "category"],
            registry=registry,
            multiprocess_mode="max",
        )
        self.gap = Gauge(
            "wardmark_drift_ks",
            "Kolmogorov-Smirnov distance of the two sets of scores that wardmark_drift compares",
            ["stage", "category"],
            registry=registry,
            multiprocess_mode="max",
        )
        self._of_now = CollectorRegistry()
        self._rules: set[str] = set()
        self._recent: Recent | None = None

    def ran(self, step: str, seconds: float) -> None:
        """A step of the pipeline took so long."""
        self.step_seconds.labels(step if step in STEPS else OTHER).observe(seconds)

    def decided(self, assessment: Assessment, decision: Decision) -> None:
        """A policy answered."""
        stage = assessment.subject
        if self._recent is not None and stage == "image":
            self._recent.add(assessment)
        self.assessments.labels(stage).inc()
        for category in assessment.not_assessed:
            self.not_assessed.labels(stage, category).inc()
        self.decisions.labels(stage, decision.action.value).inc()
        named = str(assessment.assessor)
        self.assessor_decisions.labels(named, stage, decision.action.value).inc()
        for reason in decision.reasons:
            self.rules.labels(self._rule(reason.rule), reason.action.value).inc()

    def watch_scores(self, windows: Mapping[str, Sequence[float]]) -> None:
        """Hold the scores of pictures against ``windows``, by category: those that their guards
        were calibrated on."""
        if windows:
            from guard.evaluate.drift import Recent

            self._recent = Recent(windows)

    def exposition(self) -> bytes:
        """Everything, of all processes where they share a folder. Asks the ledger."""
        for category, found in (self._recent.drift() if self._recent else {}).items():
            if found.psi is not None and found.ks is not None:
                self.drift.labels("image", category).set(found.psi)
                self.gap.labels("image", category).set(found.ks)
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # it has no types
        return generate_latest(together) + generate_latest(self._of_now)

    def watch(self, ledger: Callable[[], Ledger], waiting: Callable[[], tuple[int, int]]) -> None:
        """Tell of the ledger and the queue as they are when somebody asks. ``waiting``: how many
        wait for the core, and how many are drawn."""
        collector = _Now(ledger, waiting)
        self._of_now.register(collector)
        self.registry.register(collector)

    def _rule(self, rule: str) -> str:
        if rule not in self._rules and len(self._rules) >= MAX_RULES:
            return OTHER
        self._rules.add(rule)
        return rule


class _Now(Collector):
    """What is not counted but looked up: the ledger, and the queue of this process."""

    def __init__(
        self, ledger: Callable[[], Ledger], waiting: Callable[[], tuple[int, int]]
    ) -> None:
        self._ledger = ledger
        self._waiting = waiting

    def describe(self) -> Iterator[Metric]:
        """The names, so that nothing is asked when it is registered."""
        yield from self._families().values()

    def collect(self) -> Iterator[Metric]:
        """The values of now; of a ledger that is down, that it is."""
        families = self._families()
        waiting, running = self._waiting()
        families["queue"].add_metric(["waiting"], waiting)
        families["queue"].add_metric(["running"], running)
        try:
            ledger = self._ledger()
            size = ledger.size
            signed = _signed(ledger)
            last = next(iter(ledger.latest()), None)
        except WardmarkError:
            families["up"].add_metric([], 0)
        else:
            families["up"].add_metric([], 1)
            families["entries"].add_metric([], size)
            families["lag"].add_metric([], max(0, size - signed))
            if last is not None:
                families["last"].add_metric([], last.at.timestamp())
        yield from families.values()

    @staticmethod
    def _families() -> dict[str, GaugeMetricFamily]:
        return {
            "queue": GaugeMetricFamily(
                "wardmark_queue",
                "Requests for pictures in this process: waiting for the core, and running",
                labels=["state"],
            ),
            "up": GaugeMetricFamily("wardmark_ledger_up", "Whether the ledger answers"),
            "entries": GaugeMetricFamily("wardmark_ledger_entries", "Entries of the ledger"),
            "lag": GaugeMetricFamily(
                "wardmark_ledger_lag_entries", "Entries that no signed checkpoint covers yet"
            ),
            "last": GaugeMetricFamily(
                "wardmark_ledger_last_entry_timestamp_seconds", "When the last entry was recorded"
            ),
        }


def _signed(ledger: Ledger) -> int:
    try:
        return ledger.checkpoint().size
    except LedgerEntryNotFound:  # nothing stands in it yet
        return 0


async def _operators(identity: Identified) -> None:
    """Numbers tell what others ask for, so they are not for every caller."""
    if identity.role is Role.USER and identity.subject != ANONYMOUS:
        raise NotAllowed("metrics are for the roles moderator, auditor and admin")


@router.get("/metrics")
async def metrics(request: Request, _: Annotated[None, Depends(_operators)]) -> Response:
    """The text format of Prometheus."""
    counted: Metrics = request.app.state.metrics
    return Response(
        await run_in_threadpool(counted.exposition), headers={"content-type": CONTENT_TYPE_LATEST}
    )
