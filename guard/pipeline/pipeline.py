"""The way of one request.

    admit -> assess prompt -> decide -> generate -> assess image -> decide (redact)
          -> release -> deliver

Each arrow is one function that returns the value which the next one takes. Every step that ran
leaves a receipt, and a request that ends early is recorded with the steps that did not run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from guard.assessment import Assessment, ImageAssessor, PromptAssessor
from guard.errors import (
    DecisionRefused,
    PolicyRefused,
    ReviewRequired,
    SafetyUnavailable,
)
from guard.generation import Core, GenerationRequest
from guard.pipeline.account import Judgement, kept
from guard.pipeline.admit import admit
from guard.pipeline.entry_ids import refusal_id, stopped_id
from guard.pipeline.facts import facts_of
from guard.pipeline.label import draw_label
from guard.pipeline.observing import tell, timed
from guard.pipeline.redact import redact
from guard.pipeline.release import Draft, Provenance, Released, content_payload, release
from guard.pipeline.request import ImageRequest
from guard.pipeline.trail import DISCHARGES, Trail
from policies.candidate import Candidate
from policies.categories import CATEGORIES
from policies.decision import Action, Decision, Obligation
from policies.errors import Refused, WardmarkError
from policies.policy import Policy
from provenance.errors import ProvenanceUnavailable
from provenance.ledger import Event
from provenance.ledger.commitment import commitment
from provenance.picture import Pixels

Progress = Callable[[str, int, int], None]
"""Called with the name of the step, and how much of how much is done."""


@dataclass(frozen=True)
class Refusal:
    """One picture of several that did not pass."""

    index: int
    error: DecisionRefused


@dataclass(frozen=True)
class Outcome:
    """What became of a request: pictures to deliver, and those that were refused."""

    decision_id: str
    asked: GenerationRequest
    prompt_assessment: Assessment
    prompt_decision: Decision
    released: tuple[Released, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class _Case:
    """What stays the same for all pictures of one request."""

    decision_id: str
    request: ImageRequest
    asked: GenerationRequest
    prompt: Judgement
    created_at: datetime
    work: str


@dataclass(frozen=True)
class Pipeline:
    """A core between its guards. Building one checks that the policy can be kept here.

    ``candidate``: a policy on trial, which is asked and recorded and has no say.
    """

    core: Core
    prompt_assessor: PromptAssessor
    image_assessor: ImageAssessor
    policy: Policy
    provenance: Provenance
    commitment_key: bytes
    candidate: Candidate | None = None

    def __post_init__(self) -> None:
        document = self.policy.document
        possible = document.obligations.union(*(rule.obligations for rule in document.rules))
        impossible = possible - DISCHARGES.keys()
        if impossible:
            raise SafetyUnavailable(
                f"policy {self.policy.ref.name} obliges to {', '.join(sorted(impossible))}, which"
                " no part of this deployment does; choose another policy"
            )
        covered = frozenset(CATEGORIES) & self.image_assessor.covers
        unmet = self.policy.unmet_requirements(covered, self.core.info.domain)
        if unmet:
            raise SafetyUnavailable(
                f"policy {self.policy.ref.name} needs pictures assessed for {', '.join(unmet)},"
                f" core {self.core.info.name} is open, and no assessor covers them; supply one, or"
                " choose a policy that does not require them"
            )

    def run(
        self,
        request: ImageRequest,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        work: str | None = None,
    ) -> Outcome:
        """Take one request the whole way.

        ``work``: the name of what is delivered at most once, however often it is begun: its content
        ids follow from it, and the ledger takes each of them once (EventConflict).

        Raises InvalidRequest, PolicyRefused or ReviewRequired (for the prompt, or where every
        picture was refused), Unavailable where a part is down, GenerationCancelled. All but
        InvalidRequest are in the ledger.
        """
        asked = admit(request, self.core.info)
        decision_id = f"dec_{token_hex(8)}"
        trail = Trail().after("admit")
        with self._recorded_if_stopped(decision_id, request) as at:
            at("assess_prompt")
            with timed("assess_prompt"):
                (assessment,) = self.prompt_assessor.assess([asked.prompt])
            trail = trail.after("assess_prompt", {"assessor": str(assessment.assessor)})
            judged = self._judge(assessment, request, asked)
            decision = judged.decision
            trail = trail.after("decide_prompt", {"action": decision.action.value})
            now, name = datetime.now(UTC), work or decision_id
            case = _Case(decision_id, request, asked, judged, now, name)
            if decision.action >= Action.REDACT:  # words cannot be pixelated: a person looks
                account = self._account(case, None)
                raise self._refuse(case, None, assessment, decision, trail, account)

            at("generate")
            with timed("generate"):
                drawn = self._draw(asked, progress, cancelled)
            trail = trail.after("generate", {"core": self.core.info.name})

            at("assess_image")
            if progress:
                progress("check and sign", 0, len(drawn))
            with timed("assess_image"):
                assessed = self.image_assessor.assess(drawn)
            released, refusals = [], []
            for index, (pixels, seen) in enumerate(zip(drawn, assessed, strict=True)):
                try:
                    released.append(self._pass_picture(case, index, pixels, seen, trail, at))
                except DecisionRefused as refused:
                    refusals.append(Refusal(index, refused))
                if progress:
                    progress("check and sign", index + 1, len(drawn))
        if not released:
            raise refusals[0].error
        return Outcome(decision_id, asked, assessment, decision, tuple(released), tuple(refusals))

    def _draw(
        self,
        asked: GenerationRequest,
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> list[Pixels]:
        """All pictures of a request, in batches that the core can hold."""
        drawn: list[Pixels] = []
        while len(drawn) < asked.count:
            done = len(drawn)
            batch = min(self.core.info.max_batch, asked.count - done)
            part = asked.model_copy(update={"seed": asked.seed + done, "count": batch})

            def report(step: int, steps: int, done: int = done) -> None:
                if progress:
                    whole = steps * -(-asked.count // self.core.info.max_batch)
                    progress("generate", step + steps * (done // self.core.info.max_batch), whole)

            drawn += self.core.generate(part, progress=report, cancelled=cancelled)
        return drawn

    def _pass_picture(
        self,
        case: _Case,
        index: int,
        pixels: Pixels,
        seen: Assessment,
        trail: Trail,
        at: Callable[[str], None],
    ) -> Released:
        """From one drawn picture to a released file. Raises DecisionRefused."""
        at("decide_image")
        trail = trail.after("assess_image", {"assessor": str(seen.assessor)})
        judged = self._judge(seen, case.request, case.asked)
        decision = judged.decision
        trail = trail.after("decide_image", {"action": decision.action.value})
        account = self._account(case, case.asked.seed + index)
        account["image"] = self._account_of(case, judged)
        if decision.action is Action.REDACT:
            objected = [region for region in seen.regions if region.category is not None]
            pixels = redact(pixels, objected)
            trail = trail.after("redact", {"regions": len(objected)})
            with timed("assess_image"):
                (seen,) = self.image_assessor.assess([pixels])
            judged = self._judge(seen, case.request, case.asked)
            again = after_redaction(judged.decision)
            account["image_redacted"] = self._account_of(case, judged._replace(decision=again))
            decision = again.model_copy(
                update={
                    "obligations": again.obligations | decision.obligations,
                    "reasons": (*decision.reasons, *again.reasons),
                }
            )
        if decision.action >= Action.REVIEW:
            raise self._refuse(case, index, seen, decision, trail, account)

        obligations = case.prompt.decision.obligations | decision.obligations
        if Action.LABEL in (case.prompt.decision.action, decision.action):
            obligations |= {Obligation.VISIBLE_LABEL}
        if Obligation.VISIBLE_LABEL in obligations:
            pixels = draw_label(pixels)
            trail = trail.after("label")
        at("release")
        draft = Draft(
            pixels=pixels,
            format=case.request.format,
            decision_id=case.decision_id,
            policy=decision.policy,
            obligations=obligations,
            core=self.core.info,
            created_at=case.created_at,
            account=account,
            payload=content_payload(self.commitment_key, case.work, index),
        )
        return release(draft, trail, self.provenance)

    def _judge(
        self, assessment: Assessment, request: ImageRequest, asked: GenerationRequest
    ) -> Judgement:
        facts = facts_of(
            assessment,
            caller=request.caller,
            core=self.core.info,
            asked=asked,
            visible_label=request.visible_label,
        )
        with timed(f"decide_{assessment.subject}"):
            decision = self.policy.decide(facts)
        tell(assessment, decision)
        return Judgement(assessment, facts, decision)

    def _account_of(self, case: _Case, judged: Judgement) -> dict[str, Any]:
        return judged.account(self.commitment_key, case.decision_id, self.candidate)

    def _account(self, case: _Case, seed: int | None) -> dict[str, Any]:
        """What the ledger is told of any request: identifiers and reasons, never the prompt."""
        return {
            "decision_id": case.decision_id,
            "prompt_commitment": commitment(self.commitment_key, case.asked.prompt),
            "prompt_stage": self._account_of(case, case.prompt),
            "seed": seed,
            "steps_asked": case.asked.steps,
        }

    def _refuse(
        self,
        case: _Case,
        index: int | None,
        assessment: Assessment,
        decision: Decision,
        trail: Trail,
        account: dict[str, Any],
    ) -> DecisionRefused:
        """Record a refusal of picture ``index``, or of what was asked; returns the error to raise.
        Raises LedgerUnavailable."""
        body = account | {
            "stage": assessment.subject,
            "steps": {"ran": list(trail.ran), "not_run": list(trail.not_run)},
        }
        with timed("ledger"):
            event = Event("refusal", body, refusal_id(case.decision_id, index))
            self.provenance.ledger.append([event])
        kind = PolicyRefused if decision.action is Action.BLOCK else ReviewRequired
        return kind(
            refusal_message(decision, assessment.subject, case.decision_id),
            decision,
            case.decision_id,
        )

    @contextmanager
    def _recorded_if_stopped(
        self, decision_id: str, request: ImageRequest
    ) -> Iterator[Callable[[str], None]]:
        """Record where a request ended that ended neither delivered nor refused."""
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
            tenant = kept("caller.tenant", request.caller.tenant, self.commitment_key)
            body = {"decision_id": decision_id, "stopped_at": step, "code": code, "tenant": tenant}
            # Where the ledger itself is down, the first error is the one to tell.
            with suppress(ProvenanceUnavailable):
                self.provenance.ledger.append([Event("stopped", body, stopped_id(decision_id))])
            raise


def after_redaction(decision: Decision) -> Decision:
    """What a decision on a redacted picture comes to: what redaction cannot mend is for a person.

    Obligations are left as they are. Used for replay too.
    """
    if decision.action < Action.REDACT:
        return decision
    return decision.model_copy(update={"action": max(decision.action, Action.REVIEW)})


def refusal_message(decision: Decision, subject: str, decision_id: str) -> str:
    """One sentence for each strictest reason, and what to quote."""
    worst = [reason for reason in decision.reasons if reason.action is decision.action]
    said = "; ".join(dict.fromkeys(reason.message for reason in worst))
    what = "prompt" if subject == "prompt" else "picture"
    verb = "was refused" if decision.action is Action.BLOCK else "is held for review"
    return f"the {what} {verb}: {said} (decision {decision_id})"
