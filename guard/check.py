"""Assess and decide, generate nothing: for ``wardmark check`` and the moderations API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import Field

from guard.assessment import Assessment, ImageAssessor, PromptAssessor
from guard.pipeline.admit import check_text
from guard.pipeline.facts import facts_of
from guard.pipeline.observing import tell, timed
from guard.pipeline.request import Caller
from policies.decision import Action, Decision, Frozen, PolicyRef, Reason
from policies.policy import Policy
from provenance.picture import decode


class CategoryScore(Frozen):
    """One category: a calibrated probability, the threshold it is held to, and who says so."""

    score: float = Field(ge=0.0, le=1.0)
    threshold: float = Field(ge=0.0, le=1.0)
    flagged: bool
    assessor: str


class CheckResult(Frozen):
    """The JSON of ``wardmark check``."""

    decision: Action
    unsafe_score: float = Field(ge=0.0, le=1.0)
    categories: Mapping[str, CategoryScore]
    not_assessed: tuple[str, ...]
    language: str | None
    reasons: tuple[Reason, ...]
    explanation: Mapping[str, Any] | None = None
    policy: PolicyRef

    def document(self) -> dict[str, Any]:
        """As JSON values; ``explanation`` only where one was asked for."""
        left_out = {"explanation"} if self.explanation is None else set()
        return self.model_dump(mode="json", exclude=left_out)


@dataclass(frozen=True)
class Checker:
    """Assessors and the policy that decides on what they say."""

    prompt_assessor: PromptAssessor
    image_assessor: ImageAssessor
    policy: Policy

    def text(
        self, text: str, *, explain: bool = False, caller: Caller | None = None
    ) -> CheckResult:
        """Raises InvalidRequest for a text that is empty, too long or not Unicode."""
        check_text(text)
        with timed("assess_prompt"):
            (assessment,) = self.prompt_assessor.assess([text])
        explanation = None
        if explain:
            from guard.explain import explain_prompt

            passes = partial(self._passes, caller=caller or Caller())
            explained = explain_prompt(text, self.prompt_assessor, passes=passes)
            explanation = explained.model_dump(mode="json")
        return self._result(assessment, explanation, caller or Caller())

    def texts(self, texts: Sequence[str], *, caller: Caller | None = None) -> list[CheckResult]:
        """Each of ``texts``, assessed together. Raises InvalidRequest as ``text``."""
        for text in texts:
            check_text(text)
        with timed("assess_prompt"):
            assessments = self.prompt_assessor.assess(texts)
        return [self._result(each, None, caller or Caller()) for each in assessments]

    def image(
        self, data: bytes, *, explain: bool = False, caller: Caller | None = None
    ) -> CheckResult:
        """``data``: a whole file. Raises PictureInvalid or PictureTooLarge."""
        pixels = decode(data).pixels
        explanation = None
        with timed("assess_image"):
            (assessment,) = self.image_assessor.assess([pixels], files=[data])
        if explain:
            from guard.explain import explain_image

            judge = partial(self._judge, caller=caller or Caller())
            explained = explain_image(pixels, assessment, self.image_assessor, judge=judge)
            explanation = explained.model_dump(mode="json")
        return self._result(assessment, explanation, caller or Caller())

    def _judge(self, assessment: Assessment, *, caller: Caller) -> Action:
        return self.policy.decide(facts_of(assessment, caller=caller)).action

    def _passes(self, assessment: Assessment, *, caller: Caller) -> bool:
        return self._judge(assessment, caller=caller) <= Action.LABEL

    def _result(
        self, assessment: Assessment, explanation: Mapping[str, Any] | None, caller: Caller
    ) -> CheckResult:
        with timed(f"decide_{assessment.subject}"):
            decision: Decision = self.policy.decide(facts_of(assessment, caller=caller))
        tell(assessment, decision)
        categories = {
            category: CategoryScore(
                score=score,
                threshold=assessment.thresholds[category],
                flagged=score >= assessment.thresholds[category],
                assessor=str(assessment.assessor),
            )
            for category, score in assessment.scores.items()
            if category != "unsafe"
        }
        return CheckResult(
            decision=decision.action,
            unsafe_score=assessment.scores.get("unsafe", 0.0),
            categories=categories,
            not_assessed=tuple(sorted(assessment.not_assessed)),
            language=assessment.language,
            reasons=decision.reasons,
            explanation=explanation,
            policy=decision.policy,
        )
