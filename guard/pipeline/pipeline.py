"""The way of one request.

    admit -> assess prompt -> decide -> generate -> assess image -> decide (redact)
          -> release -> deliver

An edit enters by the same door: before anything is drawn, the picture that was sent in is read for
where it comes from, assessed and decided on as what is drawn will be.

Each arrow is one function that returns the value which the next one takes. Every step that ran
leaves a receipt, and a request that ends early is recorded with the steps that did not run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Literal

from guard.assessment import Assessment, ImageAssessor, PromptAssessor
from guard.errors import DecisionRefused, SafetyUnavailable
from guard.generation import Core, CoreInfo, GenerationRequest
from guard.generation.core import Domain
from guard.generation.noise_mark import NoiseMark
from guard.pipeline.account import Judgement, kept
from guard.pipeline.admit import admit
from guard.pipeline.draw import Progress, draw, marked_from_the_start
from guard.pipeline.ending import What, recorded_if_stopped, refuse
from guard.pipeline.facts import facts_of
from guard.pipeline.held import Held, Ruling, Shelf, lifted
from guard.pipeline.label import draw_label
from guard.pipeline.observing import begun, tell, timed
from guard.pipeline.redact import redact, redacted_areas
from guard.pipeline.release import Draft, Provenance, Released, content_payload, release
from guard.pipeline.repaint import repaint
from guard.pipeline.request import ImageRequest
from guard.pipeline.sent_in import SentIn, fitted, open_sent
from guard.pipeline.source import Source, read_source
from guard.pipeline.trail import DISCHARGES, EDIT_STEPS, REQUIRED_STEPS, Trail
from guard.pipeline.word_regions import with_regions_of_words
from policies.candidate import Candidate
from policies.categories import CATEGORIES
from policies.decision import Action, Decision, Obligation, Scalar
from policies.policy import Policy
from provenance.credential import RedactedArea
from provenance.ledger.commitment import commitment
from provenance.picture import Pixels

STEPS_OF_AN_EDIT = (*REQUIRED_STEPS, *EDIT_STEPS)
PARTS: Mapping[What, str] = {"prompt": "prompt_stage", "image": "image", "input": "input_image"}
"""Where the judgements stand in the body of an entry."""


@dataclass(frozen=True)
class Refusal:
    """One picture of several that did not pass."""

    index: int
    error: DecisionRefused


@dataclass(frozen=True)
class Outcome:
    """What became of a request: pictures to deliver, and those that were refused. ``source``: the
    picture that was sent in to be edited."""

    decision_id: str
    asked: GenerationRequest
    prompt_assessment: Assessment
    prompt_decision: Decision
    released: tuple[Released, ...]
    refusals: tuple[Refusal, ...]
    source: Source | None = None


@dataclass(frozen=True, eq=False)
class _Look:
    """A picture as it was judged, and redacted where that was decided. ``accounts``: of the
    judgements, by their part in the body of an entry. ``redacted``: where."""

    pixels: Pixels
    seen: Assessment
    decision: Decision
    accounts: dict[str, Any]
    trail: Trail
    redacted: tuple[RedactedArea, ...] = ()


@dataclass(frozen=True)
class _Case:
    """What stays the same for all pictures of one request."""

    decision_id: str
    request: ImageRequest
    asked: GenerationRequest
    core: CoreInfo
    prompt: Judgement
    created_at: datetime
    work: str
    source: Source | None = None
    input: _Look | None = None
    ruling: Ruling | None = None

    @property
    def decided(self) -> tuple[Decision, ...]:
        """What was decided before anything was drawn."""
        return (self.prompt.decision, *((self.input.decision,) if self.input else ()))


@dataclass(frozen=True)
class Pipeline:
    """A core between its guards. Building one checks that the policy can be kept here.

    ``candidate``: a policy on trial, which is asked and recorded and has no say. ``shelf``: keeps
    what is held for review, if anything does. ``training``: gives what is known now of what the
    core learnt from, by name of the policy's field. ``noise_mark``: marks the noise that the core
    begins with, as a second channel.
    """

    core: Core
    prompt_assessor: PromptAssessor
    image_assessor: ImageAssessor
    policy: Policy
    provenance: Provenance
    commitment_key: bytes
    candidate: Candidate | None = None
    shelf: Shelf | None = None
    training: Callable[[], Mapping[str, Scalar]] | None = None
    noise_mark: NoiseMark | None = None

    def __post_init__(self) -> None:
        document = self.policy.document
        possible = document.obligations.union(*(rule.obligations for rule in document.rules))
        impossible = possible - DISCHARGES.keys()
        if impossible:
            raise SafetyUnavailable(
                f"policy {self.policy.ref.name} obliges to {', '.join(sorted(impossible))}, which"
                " no part of this deployment does; choose another policy"
            )
        if self.provenance.settings.redaction == "core" and not self.core.info.inpaints:
            raise SafetyUnavailable(
                f"redaction in wardmark.toml is core, and {self.core.info.name} does not paint over"
                " a part of a picture; choose pixelate, blur or inpaint, or another core"
            )
        if unmet := self._unmet(self.core.info.domain):
            raise SafetyUnavailable(
                f"policy {self.policy.ref.name} needs pictures assessed for {', '.join(unmet)},"
                f" core {self.core.info.name} is open, and no assessor covers them; declare one"
                " as [[image_guards]] in wardmark.toml (docs/image-guard.md), or choose a policy"
                " that does not require them"
            )

    def _unmet(self, domain: Domain) -> tuple[str, ...]:
        """What the policy requires to be assessed of a core of ``domain``, and nobody does."""
        covered = frozenset(CATEGORIES) & self.image_assessor.covers
        return self.policy.unmet_requirements(covered, domain)

    def run(
        self,
        request: ImageRequest,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        work: str | None = None,
        ruling: Ruling | None = None,
    ) -> Outcome:
        """Take one request the whole way.

        ``work``: the name of what is delivered at most once, however often it is begun: its content
        ids follow from it, and the ledger takes each of them once (EventConflict). ``ruling``: what
        was asked had been held, and a person lets it pass.

        Raises InvalidRequest, PolicyRefused or ReviewRequired (for the prompt, or where every
        picture was refused), Unavailable where a part is down, GenerationCancelled. All but
        InvalidRequest are in the ledger.
        """
        sent = open_sent(request.edit) if request.edit else None
        asked = admit(request, self.core.info, sent)
        decision_id = f"dec_{token_hex(8)}" if ruling is None else ruling.decision_id
        begun(decision_id)
        trail = (Trail(required=STEPS_OF_AN_EDIT) if sent else Trail()).after("admit")
        ledger = self.provenance.ledger
        tenant = kept("caller.tenant", request.caller.tenant, self.commitment_key)
        with recorded_if_stopped(ledger, decision_id, tenant) as at:
            core, source = self.core.info, None
            if sent is not None:
                at("read_input")
                with timed("read_input"):
                    source = read_source(sent, self.provenance)
                trail = trail.after("read_input", source.receipt)
                if not source.known:  # what comes of it may show what it shows
                    core = core.model_copy(update={"domain": "open"})

            at("assess_prompt")
            with timed("assess_prompt"):
                (assessment,) = self.prompt_assessor.assess([asked.prompt])
            trail = trail.after("assess_prompt", {"assessor": str(assessment.assessor)})
            judged = self._judge(assessment, request, asked, core)
            decision = judged.decision
            trail = trail.after("decide_prompt", {"action": decision.action.value})
            now, name = datetime.now(UTC), work or decision_id
            case = _Case(
                decision_id, request, asked, core, judged, now, name, source, ruling=ruling
            )
            if decision.action >= Action.REDACT and not lifted(ruling, decision):
                raise self._stop(case, "prompt", decision, assessment, trail)  # no redacting words
            if source is not None:
                case, trail = self._pass_input(case, source.sent, trail, at)

            at("generate")
            marked = (self.noise_mark, self.commitment_key, case.work)
            case = replace(case, asked=marked_from_the_start(case.asked, *marked))
            with timed("generate"):
                drawn = draw(self.core, case.asked, progress, cancelled)
            said: dict[str, Scalar] = {"core": self.core.info.name}
            if case.asked.noise is not None:
                said["noise_marked"] = True
            trail = trail.after("generate", said)

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
        return Outcome(
            decision_id,
            case.asked,
            assessment,
            decision,
            tuple(released),
            tuple(refusals),
            source,
        )

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
        trail = trail.after("assess_image", _looked(seen))
        if self.provenance.settings.word_evidence:
            one = case.asked.part(index, 1)
            seen = with_regions_of_words(self.core, one, case.prompt.assessment, seen)
        look = self._look(case, "image", pixels, seen, trail)
        decision, trail = look.decision, look.trail
        decided = (*case.decided, decision)
        obligations = frozenset[Obligation]().union(*(each.obligations for each in decided))
        if Action.LABEL in (each.action for each in decided):
            obligations |= {Obligation.VISIBLE_LABEL}
        draft = Draft(
            pixels=look.pixels,
            format=case.request.format,
            decision_id=case.decision_id,
            policy=decision.policy,
            obligations=obligations,
            core=self.core.info,
            created_at=case.created_at,
            account=self._account(case, case.asked.seed + index) | look.accounts,
            payload=content_payload(self.commitment_key, case.work, index),
            ingredients=(case.source.ingredient,) if case.source else (),
            redacted=look.redacted,
        )
        if decision.action >= Action.REVIEW:
            raise self._stop(case, "image", decision, look.seen, trail, index, draft)
        at("release")
        return self._finish(draft, trail)

    def release_held(self, held: Held, ruling: Ruling) -> Released:
        """Take a picture that was held the rest of its way, with the ruling in its account.

        It is the picture that the person saw, under the policy that held it. Raises
        ProvenanceUnavailable, EventConflict where it was released before.
        """
        if held.draft is None:
            raise SafetyUnavailable("no picture is held here; run the request with its ruling")
        draft = replace(held.draft, account={**held.draft.account, "ruling": ruling.model_dump()})
        if held.request.edit is not None:
            source = read_source(open_sent(held.request.edit), self.provenance)
            draft = replace(draft, ingredients=(source.ingredient,))
        return self._finish(draft, held.trail)

    def _finish(self, draft: Draft, trail: Trail) -> Released:
        if Obligation.VISIBLE_LABEL in draft.obligations:
            draft = replace(draft, pixels=draw_label(draft.pixels))
            trail = trail.after("label")
        return release(draft, trail, self.provenance)

    def _stop(
        self,
        case: _Case,
        what: What,
        decision: Decision,
        seen: Assessment,
        trail: Trail,
        picture: int | None = None,
        draft: Draft | None = None,
    ) -> DecisionRefused:
        """Record that this does not pass; returns the error to raise. What is held for a person is
        kept first, where there is a shelf."""
        if self.shelf is not None and decision.action is not Action.BLOCK:
            request = case.request.model_copy(update={"seed": case.asked.seed})
            held = Held(case.decision_id, picture, request, decision, trail, seen.regions, draft)
            with timed("keep"):
                self.shelf.keep(held)
        account = self._account(case, None) if draft is None else draft.account
        ledger, ruled = self.provenance.ledger, case.ruling is not None
        return refuse(ledger, account, what, decision, trail, index=picture, ruled=ruled)

    def _pass_input(
        self, case: _Case, sent: SentIn, trail: Trail, at: Callable[[str], None]
    ) -> tuple[_Case, Trail]:
        """Look at the picture that was sent in. Raises DecisionRefused, and SafetyUnavailable where
        the policy demands to know what it shows and nobody can tell."""
        at("assess_input")
        with timed("assess_input"):
            (seen,) = self.image_assessor.assess([sent.pixels], files=[sent.data])
        trail = trail.after("assess_input", _looked(seen))
        at("decide_input")
        look = self._look(case, "input", sent.pixels, seen, trail)
        case = replace(case, input=look)
        if look.decision.action >= Action.REVIEW and not lifted(case.ruling, look.decision):
            raise self._stop(case, "input", look.decision, look.seen, look.trail)
        if case.ruling is None and (unmet := self._unmet(case.core.domain)):
            raise SafetyUnavailable(
                f"policy {self.policy.ref.name} needs pictures assessed for {', '.join(unmet)},"
                " this one comes from elsewhere, and no assessor covers them; edit a picture as it"
                " was delivered here, or supply an assessor"
            )
        original = case.asked.original
        if look.pixels is not sent.pixels and original is not None:
            redacted = sent.showing(look.pixels)
            size = (case.asked.width, case.asked.height)
            update = {"original": fitted(redacted, *size, original.strength)}
            case = replace(case, asked=case.asked.model_copy(update=update))
        return case, look.trail

    def _look(
        self,
        case: _Case,
        what: Literal["image", "input"],
        pixels: Pixels,
        seen: Assessment,
        trail: Trail,
    ) -> _Look:
        """Decide on a picture, redact it where that is the decision, and decide again."""
        part = PARTS[what]
        judged = self._judge(seen, case.request, case.asked, case.core, what)
        decision = judged.decision
        trail = trail.after(f"decide_{what}", {"action": decision.action.value})
        accounts = {part: self._account_of(case, judged)}
        areas: tuple[RedactedArea, ...] = ()
        if decision.action is Action.REDACT:
            objected = [region for region in seen.regions if region.category is not None]
            style = self.provenance.settings.redaction
            areas = redacted_areas(pixels, objected)
            if style == "core":
                pixels = repaint(self.core, pixels, areas, case.asked.seed)
            else:
                pixels = redact(pixels, objected, style)
            step = "redact" if what == "image" else "redact_input"
            trail = trail.after(step, {"regions": len(objected), "style": style})
            with timed(f"assess_{what}"):
                (seen,) = self.image_assessor.assess([pixels])
            judged = self._judge(seen, case.request, case.asked, case.core, what)
            again = after_redaction(judged.decision)
            judged = judged._replace(decision=again)
            accounts[f"{part}_redacted"] = self._account_of(case, judged)
            decision = again.model_copy(
                update={
                    "obligations": again.obligations | decision.obligations,
                    "reasons": (*decision.reasons, *again.reasons),
                }
            )
        return _Look(pixels, seen, decision, accounts, trail, areas)

    def _judge(
        self,
        assessment: Assessment,
        request: ImageRequest,
        asked: GenerationRequest,
        core: CoreInfo,
        what: What = "prompt",
    ) -> Judgement:
        facts = facts_of(
            assessment,
            caller=request.caller,
            core=core,
            asked=asked,
            visible_label=request.visible_label,
            sent_in=None if what == "prompt" else what == "input",
            training=self.training() if self.training else None,
        )
        with timed(f"decide_{what}"):
            decision = self.policy.decide(facts)
        tell(assessment, decision)
        return Judgement(assessment, facts, decision)

    def _account_of(self, case: _Case, judged: Judgement) -> dict[str, Any]:
        return judged.account(self.commitment_key, case.decision_id, self.candidate)

    def _account(self, case: _Case, seed: int | None) -> dict[str, Any]:
        """What the ledger is told of any request: identifiers and reasons, never the prompt."""
        account: dict[str, Any] = {
            "decision_id": case.decision_id,
            "prompt_commitment": commitment(self.commitment_key, case.asked.prompt),
            "prompt_stage": self._account_of(case, case.prompt),
            "seed": seed,
            "steps_asked": case.asked.steps,
        }
        if case.source is not None:
            account["source"] = case.source.account(self.commitment_key)
        if case.asked.original is not None:
            account["strength_asked"] = case.asked.original.strength
        if case.asked.noise is not None:
            account["noise_marked"] = True
        if case.ruling is not None:
            account["ruling"] = case.ruling.model_dump()
        return account | (case.input.accounts if case.input else {})


def _looked(seen: Assessment) -> dict[str, Scalar]:
    """What the receipt of a look at a picture says. What was not looked for is never safe."""
    unseen = ", ".join(sorted(seen.not_assessed))
    return {"assessor": str(seen.assessor), "not_assessed": unseen}


def after_redaction(decision: Decision) -> Decision:
    """What a decision on a redacted picture comes to: what redaction cannot mend is for a person.

    Obligations are left as they are. Used for replay too.
    """
    if decision.action < Action.REDACT:
        return decision
    return decision.model_copy(update={"action": max(decision.action, Action.REVIEW)})
