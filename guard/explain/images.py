"""Why a picture was flagged: where, what is written there, and what would have to be covered."""

from collections.abc import Mapping

from guard.assessment import Assessment, ImageAssessor, Region
from guard.explain.masking import Judge, MaskedChange, Masker, smallest_mask
from guard.explain.prompts import flagged, nearest
from policies.decision import Action, Frozen, Scalar
from provenance.picture import Pixels

_SHOWN_FIELDS = ("match.", "memorised.", "qr.", "text.", "face.", "view.")
_NEARNESS = (".distance", ".score")  # how facts are named that say how near to a limit it was


class ImageExplanation(Frozen):
    """Which part of a picture did it, and what would pass.

    ``scores``, ``thresholds``: of the explained categories, the flagged ones or else the nearest;
    empty where nothing was scored. ``regions``: what the assessor itself points at, with or without
    a category. ``fields``: facts about lists, codes and text. ``change``: none where
    no covering was found to bring a milder decision. ``not_assessed``: what nobody looked for.
    ``scored``: false where it is for somebody who must not learn how near the scores were.
    """

    method: str = "greedy masking"
    passes: bool
    scores: Mapping[str, float]
    thresholds: Mapping[str, float]
    regions: tuple[Region, ...]
    fields: Mapping[str, Scalar]
    change: MaskedChange | None
    not_assessed: tuple[str, ...]
    pictures_assessed: int
    scored: bool = True

    def without_scores(self) -> "ImageExplanation":
        """For who appeals: how near a score is to its threshold, or a picture to a listed one,
        would guide an attack."""
        regions = tuple(region.model_copy(update={"score": 1.0}) for region in self.regions)
        change = self.change.model_copy(update={"scores": {}}) if self.change else None
        return self.model_copy(
            update={
                "scores": {},
                "thresholds": {},
                "regions": regions,
                "fields": {n: v for n, v in self.fields.items() if not n.endswith(_NEARNESS)},
                "change": change,
                "scored": False,
            }
        )


def explain_image(
    pixels: Pixels,
    whole: Assessment,
    assessor: ImageAssessor,
    *,
    judge: Judge | None = None,
) -> ImageExplanation:
    """Explain ``whole``, what ``assessor`` said of ``pixels``, (H, W, 3) uint8 RGB.

    ``judge``: what is decided on an assessment; by default block where something is flagged.
    Assesses MAX_PICTURES covered pictures at most. Raises SafetyUnavailable.
    """
    judge = judge or _by_flags
    decision = judge(whole)
    categories = flagged(whole) or (nearest(whole) if whole.scores else [])
    change, asked = None, 0
    if decision > Action.LABEL:
        masker = Masker(pixels, assessor, judge, flagged(whole))
        if decision > masker.reachable:
            change = smallest_mask(masker, whole.regions)
        asked = masker.asked
    return ImageExplanation(
        passes=decision <= Action.LABEL,
        scores={category: whole.scores[category] for category in categories},
        thresholds={c: whole.thresholds[c] for c in categories if c in whole.thresholds},
        regions=whole.regions,
        fields={n: v for n, v in whole.fields.items() if n.startswith(_SHOWN_FIELDS)},
        change=change,
        not_assessed=tuple(sorted(whole.not_assessed)),
        pictures_assessed=asked,
    )


def _by_flags(found: Assessment) -> Action:
    return Action.BLOCK if flagged(found) else Action.ALLOW
