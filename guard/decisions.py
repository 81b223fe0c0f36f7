"""A decision as the ledger has it: what became of a request, with every reason. Never the prompt.

A request ends in one or more endings: each picture that was delivered, each that was refused or
held, a prompt that was, or a stop on the way. All are found by ids that follow from the decision's.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import AwareDatetime, ValidationError

from guard.errors import DecisionNotFound
from guard.pipeline.entry_ids import ending_ids, ruling_ids
from guard.pipeline.trail import DISCHARGES
from policies.decision import Action, Frozen, Obligation, PolicyRef, Reason
from provenance.errors import LedgerCorrupt
from provenance.ledger import Entry, Ledger

FORM = re.compile(r"dec_[0-9a-f]{16}")
_OBLIGATION = {step: obligation for obligation, step in DISCHARGES.items()}
_JUDGEMENT = {"action", "assessor", "reasons", "policy"}  # what every account of a stage has
_MARGINS: Any = {
    "endings": {
        "__all__": {
            "stages": {
                "__all__": {
                    "scores": True,
                    "thresholds": True,
                    "reasons": {"__all__": {"because": {"__all__": {"limit", "value"}}}},
                }
            },
            "ruling": {"by"},
        }
    }
}


class Result(StrEnum):
    """How a picture, or what was asked for, ended."""

    DELIVERED = "delivered"
    HELD = "held"  # for a person to look at
    REFUSED = "refused"
    STOPPED = "stopped"  # by an outage or by the caller


class Step(Frozen):
    """A step that left its receipt, and the obligation that it discharged."""

    step: str
    obligation: Obligation | None = None


class StageDecision(Frozen):
    """What was decided at one stage. ``stage``: the prompt, the picture, the picture redacted.

    ``scores`` and ``thresholds``: calibrated probabilities by category.
    """

    stage: str
    action: Action
    obligations: tuple[Obligation, ...]
    reasons: tuple[Reason, ...]
    not_assessed: tuple[str, ...]
    assessor: str
    policy: PolicyRef
    scores: Mapping[str, float]
    thresholds: Mapping[str, float]


class RulingOnRecord(Frozen):
    """What a person ruled on something that was held. ``by``: who, an id."""

    ruling: str
    at: AwareDatetime
    by: str
    entry: str


class Ending(Frozen):
    """One entry of the ledger. ``entry`` is its id, for a proof; ``seed`` tells pictures apart.

    ``not_run``: steps without a receipt. ``stopped_at`` and ``code``: where a request stopped, and
    the error.
    """

    result: Result
    at: AwareDatetime
    entry: str
    index: int
    content_id: str | None = None
    seed: int | None = None
    stages: tuple[StageDecision, ...] = ()
    receipts: tuple[Step, ...] = ()
    not_run: tuple[str, ...] = ()
    stopped_at: str | None = None
    code: str | None = None
    ruling: RulingOnRecord | None = None


class DecisionRecord(Frozen):
    """Everything that is on record of one request."""

    id: str
    endings: tuple[Ending, ...]

    def document(self, *, margins: bool) -> dict[str, Any]:
        """As JSON values. Without ``margins``: what each rule asked for and not how far it was
        from firing, which tells somebody who rewords a prompt whether they come closer."""
        return self.model_dump(mode="json", exclude=None if margins else _MARGINS)


class Found(NamedTuple):
    """A decision, and the commitments of the prompt and of the tenant that asked, where there are
    any."""

    record: DecisionRecord
    tenant: str | None
    prompt_commitment: str | None


def find_decision(ledger: Ledger, decision_id: str) -> Found:
    """What the ledger holds under ``decision_id``.

    Raises DecisionNotFound, LedgerUnavailable, LedgerCorrupt.
    """
    entries: list[Entry] = []
    if FORM.fullmatch(decision_id):
        entries = [*ledger.find(ending_ids(decision_id)), *ledger.deliveries(decision_id)]
    if not entries:
        raise DecisionNotFound(
            f"no decision {decision_id!r} is on record; its id stands in the answer to the request"
        )
    entries.sort(key=lambda entry: entry.index)
    ruled = {ruling.id: ruling for ruling in ledger.find(ruling_ids(decision_id))}
    endings = tuple(_with_ruling(ending_of(entry), ruled) for entry in entries)
    body: Mapping[str, Any] = entries[0].body
    record = DecisionRecord(id=decision_id, endings=endings)
    return Found(record, _tenant(body), body.get("prompt_commitment"))


def ending_of(entry: Entry) -> Ending:
    """What an entry of the kinds delivery, refusal and stopped says. Raises LedgerCorrupt."""
    body: Mapping[str, Any] = entry.body
    steps = body.get("steps", {})
    delivered = entry.kind == "delivery"
    ran = [*steps.get("ran", ()), *(["ledger"] if delivered else [])]
    try:
        stages = tuple(_stages(body))
        return Ending(
            result=_result(entry.kind, stages),
            at=entry.at,
            entry=entry.id,
            index=entry.index,
            content_id=entry.id if delivered else None,
            seed=body.get("seed"),
            stages=stages,
            receipts=tuple(Step(step=step, obligation=_OBLIGATION.get(step)) for step in ran),
            not_run=tuple(steps.get("not_run", ())),
            stopped_at=body.get("stopped_at"),
            code=body.get("code"),
        )
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise LedgerCorrupt(
            f"Entry {entry.index} cannot be read as a {entry.kind}. Run: wardmark ledger verify"
        ) from error


def _with_ruling(ending: Ending, ruled: Mapping[str, Entry]) -> Ending:
    found = ruled.get(ending.entry.replace(":refusal:", ":ruling:").removesuffix(":ruled"))
    if ending.result is not Result.HELD or found is None:
        return ending
    body: Mapping[str, Any] = found.body
    ruling = RulingOnRecord(ruling=body["ruling"], at=found.at, by=body["by"], entry=found.id)
    return ending.model_copy(update={"ruling": ruling})


def _result(kind: str, stages: tuple[StageDecision, ...]) -> Result:
    if kind == "delivery":
        return Result.DELIVERED
    if kind == "stopped":
        return Result.STOPPED
    strictest = max((stage.action for stage in stages), key=lambda action: action.severity)
    return Result.REFUSED if strictest is Action.BLOCK else Result.HELD


def _stages(body: Mapping[str, Any]) -> Iterator[StageDecision]:
    """In the order of the way: what was asked first, then what was drawn."""
    accounts = {n: a for n, a in body.items() if isinstance(a, dict) and a.keys() >= _JUDGEMENT}
    asked = ("prompt_stage", "input_image", "input_image_redacted")
    for name in sorted(accounts, key=lambda name: (name not in asked, name != asked[0], name)):
        account = accounts[name]
        assessor = account["assessor"]
        yield StageDecision(
            stage=name.removesuffix("_stage"),
            action=account["action"],
            obligations=tuple(account.get("obligations", ())),
            reasons=tuple(account["reasons"]),
            not_assessed=tuple(account.get("not_assessed", ())),
            assessor=f"{assessor['name']}@{assessor['version']}",
            policy=account["policy"],
            scores=account.get("scores", {}),
            thresholds=account.get("thresholds", {}),
        )


def _tenant(body: Mapping[str, Any]) -> str | None:
    """A request that stopped before it was judged says its tenant by itself."""
    prompt = body.get("prompt_stage")
    said = prompt.get("fields", {}).get("caller.tenant") if prompt else body.get("tenant")
    return said if isinstance(said, str) else None
