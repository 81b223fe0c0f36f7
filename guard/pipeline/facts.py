"""Turns assessments into the facts that a policy is evaluated on. Pure."""

from collections.abc import Mapping

from guard.assessment import Assessment
from guard.generation import CoreInfo, GenerationRequest
from guard.pipeline.request import Caller
from policies.decision import Scalar
from policies.facts import Facts


def facts_of(
    assessment: Assessment,
    *,
    caller: Caller,
    core: CoreInfo | None = None,
    asked: GenerationRequest | None = None,
    visible_label: bool | None = None,
    sent_in: bool | None = None,
    training: Mapping[str, Scalar] | None = None,
) -> Facts:
    """Facts of one request at the stage that ``assessment`` speaks of. ``sent_in``: whether it
    speaks of a picture that the caller sent. ``training``: what is known of what the core learnt
    from, by name of the field.

    What is not known is left out, so that a rule's ``on_missing`` decides about it.
    """
    known: dict[str, Scalar] = {
        "stage": assessment.subject,
        "caller.role": caller.role,
        "caller.tenant": caller.tenant,
        "caller.region": caller.region,
        "caller.age_verified": caller.age_verified,
        "caller.probing": caller.probing,
        "language": assessment.language,
        "asked.visible_label": visible_label,
        "image.sent_in": sent_in,
    }
    if caller.quota is not None:
        known |= {"quota.left": caller.quota.left, "quota.share": caller.quota.share}
    if core is not None:
        known |= {"core.name": core.name, "core.domain": core.domain}
    known |= training or {}
    if asked is not None:
        known |= {
            "size.width": asked.width,
            "size.height": asked.height,
            "size.pixels": asked.width * asked.height,
            "count": asked.count,
            "asked.edit": asked.original is not None,
        }
    known |= assessment.fields
    return Facts(
        stage=assessment.subject,
        scores=assessment.scores,
        thresholds=assessment.thresholds,
        not_assessed=assessment.not_assessed,
        fields={name: value for name, value in known.items() if value is not None},
    )
