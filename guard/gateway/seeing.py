"""Where requests are watched: how long each took and how it ended goes to logs, metrics and traces.

The outermost ASGI application. It sets the observer of the context (``guard.pipeline.observing``),
so that steps of a request which run in other threads are told to it too.
"""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.assessment import Assessment
from guard.gateway import logs, tracing
from guard.gateway.metrics import OTHER, Metrics
from guard.pipeline.observing import observing
from policies.decision import Decision

UNSAID = 499  # as nginx has it: the client left before there was an answer
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Watcher:
    """What happens on behalf of one request, or of the jobs of a process.

    ``steps``: milliseconds by step, added up where one ran several times.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.steps: dict[str, float] = {}
        self.decision_id: str | None = None

    def began(self, decision_id: str) -> None:
        """The pipeline took a request on."""
        self.decision_id = decision_id
        tracing.began(decision_id)

    def ran(self, step: str, seconds: float) -> None:
        """A step ended."""
        self.steps[step] = self.steps.get(step, 0.0) + seconds * 1000
        self._metrics.ran(step, seconds)
        tracing.ran(step, seconds)

    def decided(self, assessment: Assessment, decision: Decision) -> None:
        """A policy answered."""
        self._metrics.decided(assessment, decision)
        tracing.decided(assessment, decision)


class Seeing:
    """``app``, watched."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watcher = Watcher(self._metrics)
        status = UNSAID
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with observing(watcher):
                await self._app(scope, receive, noted)
        except Exception:
            status = 500  # the answer to it is on its way
            raise
        finally:
            self._tell(scope, watcher, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, watcher: Watcher, status: int, seconds: float) -> None:
        state: dict[str, Any] = scope.get("state", {})
        route = getattr(scope.get("route"), "path", None)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        code = state.get("code")
        self._metrics.request_seconds.labels(route or OTHER, method, status).observe(seconds)
        if code is not None:
            self._metrics.errors.labels(code).inc()
        if not logs.requests.isEnabledFor(20):
            return
        identity = state.get("identity")
        fields = {
            "request_id": state.get("request_id"),
            "method": method,
            "route": route,
            "status": status,
            "code": code,
            "ms": round(seconds * 1000, 3),
            "steps": {step: round(ms, 3) for step, ms in watcher.steps.items()},
            "decision_id": watcher.decision_id,
            "subject": getattr(identity, "subject", None),
        }
        logs.requests.info("request", extra={"fields": fields})
