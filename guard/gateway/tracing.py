"""Traces: a span for each step, below the one that FastAPI makes of the request.

Through OpenTelemetry's API, which does nothing until somebody configures its SDK: with the extra
``otel`` spans are sent to where the environment's ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, and nowhere
without it. No prompt stands in a span, so FastAPI is not let record what failed validation.
"""

import logging
import os
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from opentelemetry import trace

from guard.assessment import Assessment
from policies.decision import Decision

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

WHERE = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
log = logging.getLogger(__name__)
_tracer = trace.get_tracer("wardmark")


def config() -> "TelemetryConfig":
    """What FastAPI is told. Where spans are to be sent and cannot be, a warning says so."""
    able = find_spec("opentelemetry.sdk") is not None and _has_exporter()
    if not able and any(name in os.environ for name in WHERE):
        log.warning("traces are not sent; run: pip install 'wardmark[otel]'")
    return {
        "logs": False,  # messages of exceptions and of validation, which quote what was sent
        "operation_spans": False,
        "metrics": False,  # those of Prometheus are enough
        "auto_configure": able,  # from the environment, where it names a place to send to
    }


def _has_exporter() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def ran(step: str, seconds: float) -> None:
    """A span for a step that has just ended."""
    ended = time.time_ns()
    span = _tracer.start_span(step, start_time=ended - int(seconds * 1e9))
    span.end(ended)


def began(decision_id: str) -> None:
    """Name the decision on the request's span."""
    trace.get_current_span().set_attribute("wardmark.decision_id", decision_id)


def decided(assessment: Assessment, decision: Decision) -> None:
    """Note the action and the rules that fired on the request's span."""
    span = trace.get_current_span()
    if span.is_recording():
        rules = [reason.rule for reason in decision.reasons]
        said = {"action": decision.action.value, "rules": rules}
        span.add_event(f"decided {assessment.subject}", said)
