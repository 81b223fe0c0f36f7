"""Asking an assessor what it says of a text with some of its words left out."""

from collections.abc import Sequence

import numpy as np

from guard.assessment import Assessment, PromptAssessor
from guard.explain.attribution import Masks, Scores
from guard.explain.words import Piece, kept

_SURE = 1e-4  # probabilities are kept this far from 0 and 1, so that log odds are finite


class Asker:
    """Assesses a text with pieces left out; each distinct remainder once."""

    def __init__(
        self, text: str, pieces: Sequence[Piece], assessor: PromptAssessor, categories: list[str]
    ) -> None:
        self.text, self.pieces, self.categories = text, pieces, categories
        self._assessor = assessor
        self._known: dict[str, Assessment] = {}

    @property
    def asked(self) -> int:
        """How many distinct texts were assessed."""
        return len(self._known)

    def assess(self, masks: Masks) -> list[Assessment | None]:
        """One assessment a mask; none where nothing is left to assess."""
        texts = [kept(self.text, self.pieces, mask) for mask in masks.tolist()]
        new = [text for text in dict.fromkeys(texts) if text and text not in self._known]
        if new:
            self._known |= zip(new, self._assessor.assess(new), strict=True)
        return [self._known.get(text) for text in texts]

    def value(self, masks: Masks) -> Scores:
        """(M, C) log odds. To say nothing, or what cannot be assessed, is to say the least."""
        scores = np.array(
            [
                [each.scores.get(c, np.nan) if each else np.nan for c in self.categories]
                for each in self.assess(masks)
            ]
        )
        least = np.nanmin(scores, axis=0, initial=1.0)
        inside = np.clip(np.where(np.isnan(scores), least, scores), _SURE, 1 - _SURE)
        return np.asarray(np.log(inside / (1 - inside)))
