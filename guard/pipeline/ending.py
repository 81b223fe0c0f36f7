"""How a request ends of which nothing is delivered: refused, or stopped. Both are recorded."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal

from guard.errors import DecisionRefused, PolicyRefused, ReviewRequired
from guard.pipeline.entry_ids import refusal_id, stopped_id
from guard.pipeline.observing import timed
from guard.pipeline.trail import Trail
from policies.decision import Action, Decision, Scalar
from policies.errors import Refused, WardmarkError
from provenance.errors import EventConflict, ProvenanceUnavailable
from provenance.ledger import Event, Ledger

What = Literal["prompt", "image", "input"]
"""What is judged: the prompt, a picture that was drawn, or the one that was sent in."""

_NAMES: Mapping[What, str] = {
    "prompt": "prompt",
    "image": "picture",
    "input": "picture that was sent in",
}


def refuse(
    ledger: Ledger,
    account: Mapping[str, Any],
    what: What,
    decision: Decision,
    trail: Trail,
    *,
    index: int | None = None,
    ruled: bool = False,
) -> DecisionRefused:
    """Record the refusal of picture ``index``, or of what was asked; returns the error to raise.

    ``account``: what the ledger is told of the request. ``ruled``: a person had let pass what was
    asked. Raises LedgerUnavailable.
    """
    decision_id = str(account["decision_id"])
    steps = {"ran": list(trail.ran), "not_run": list(trail.not_run)}
    body = {**account, "stage": what, "steps": steps}
    with timed("ledger"):
        ledger.append([Event("refusal", body, refusal_id(decision_id, index, ruled=ruled))])
    kind = PolicyRefused if decision.action is Action.BLOCK else ReviewRequired
    return kind(refusal_message(decision, what, decision_id), decision, decision_id)


def refusal_message(decision: Decision, what: What, decision_id: str) -> str:
    """One sentence for each strictest reason, and what to quote."""
    worst = [reason for reason in decision.reasons if reason.action is decision.action]
    said = "; ".join(dict.fromkeys(reason.message for reason in worst))
    verb = "was refused" if decision.action is Action.BLOCK else "is held for review"
    return f"the {_NAMES[what]} {verb}: {said} (decision {decision_id})"


@contextmanager
def recorded_if_stopped(
    ledger: Ledger, decision_id: str, tenant: Scalar
) -> Iterator[Callable[[str], None]]:
    """Record where a request ended that ended neither delivered nor refused: at the step that the
    yielded function was told last. ``tenant`` as the ledger holds it."""
    step = "admit"

    def at(name: str) -> None:
        nonlocal step
        step = name

    try:
        yield at
    except Refused:
        raise  # recorded as a refusal
    except (WardmarkError, KeyboardInterrupt) as stop:
        code = stop.code if isinstance(stop, WardmarkError) else "cancelled"
        body = {"decision_id": decision_id, "stopped_at": step, "code": code, "tenant": tenant}
        # Where the ledger itself is down, the first error is the one to tell.
        with suppress(ProvenanceUnavailable, EventConflict):  # or it had stopped before
            ledger.append([Event("stopped", body, stopped_id(decision_id))])
        raise
