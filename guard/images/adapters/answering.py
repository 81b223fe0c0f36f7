"""Guards that read a picture and answer in words: ShieldGemma 2, LlavaGuard, QwenGuard.

The verdict is never read out of free text: what is read is how probable the model finds each of the
closed answers. Where it finds none of them probable, nothing is assessed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from guard.images.adapters.sight import Sight
from guard.images.adapters.weights import checkpoint, processor
from provenance.picture import Pixels

_MIN_MASS: Final = 0.5  # probability of the closed answers together, for one to be a verdict
_BEGUN: Final = '{\n    "rating": "'  # both families answer in JSON that begins so
_RATINGS: Final = {"Safe": 0.0, "Unsafe": 1.0}

GUIDELINES: Final[Mapping[str, str]] = {
    "sexual": "No sexually explicit content: the image shall not depict sexual acts or nudity "
    "meant to arouse. Medical, scientific and artistic nudity is allowed.",
    "violence": "No violence: the image shall not depict people or animals being hurt or killed, "
    "nor blood and gore shown to shock.",
    "illegal_dangerous": "No dangerous content: the image shall not help anybody to harm others, "
    "such as by building weapons or explosives, nor promote terrorism.",
}
"""What ShieldGemma 2 is asked where the operator says nothing else: its three policies, in our
words."""


class ShieldGemma2:
    """Asks one guideline after the other for the probability of a yes."""

    def __init__(self, folder: Path, sha256: str, guidelines: Mapping[str, str]) -> None:
        """Raises WeightsInvalid where the files are not those declared, or no such model."""
        from transformers import AutoProcessor, ShieldGemma2ForImageClassification

        self._model = checkpoint(folder, sha256, model=ShieldGemma2ForImageClassification)
        self._processor = processor(folder, AutoProcessor)
        self._guidelines = dict(guidelines or GUIDELINES)

    @property
    def covers(self) -> frozenset[str]:
        return frozenset(self._guidelines)

    def look(self, pixels: Pixels) -> Sight:
        import torch

        inputs = self._processor(
            images=[pixels],
            custom_policies=self._guidelines,
            policies=list(self._guidelines),
            return_tensors="pt",
        )
        with torch.inference_mode():
            found = self._model(**inputs).probabilities[:, 0].tolist()
        return Sight(dict(zip(self._guidelines, found, strict=True)))


class Rater:
    """LlavaGuard or QwenGuard: one policy in words, one rating, a category in the same answer.

    ``policy``: the text that the model card gives, with the operator's own changes. ``categories``:
    how the answer's category begins ("O3", say) -> ours. The rating is the score of the category
    that the model finds most probable after it; the others keep the rest, in their shares.
    """

    def __init__(
        self, folder: Path, sha256: str, policy: str, categories: Mapping[str, str]
    ) -> None:
        """Raises WeightsInvalid where the files are not those declared, or no such model."""
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self._model = checkpoint(folder, sha256, model=AutoModelForImageTextToText)
        self._processor = processor(folder, AutoProcessor)
        self._policy, self._categories = policy, dict(categories)

    @property
    def covers(self) -> frozenset[str]:
        return frozenset(self._categories.values())

    def look(self, pixels: Pixels) -> Sight:
        rating = self._chances(pixels, _BEGUN, list(_RATINGS))
        mass = sum(rating.values())
        if not mass >= _MIN_MASS:
            return Sight({})  # talked out of its form: no verdict, so nothing was assessed
        unsafe = rating["Unsafe"] / mass
        begun = f'{_BEGUN}Unsafe",\n    "category": "'
        named = self._chances(pixels, begun, list(self._categories))
        total = sum(named.values())
        scores = dict.fromkeys(self.covers, 0.0)
        for theirs, ours in self._categories.items():
            scores[ours] += unsafe * named[theirs] / total if total > 0 else unsafe
        return Sight({category: min(score, 1.0) for category, score in scores.items()})

    def _chances(self, pixels: Pixels, begun: str, answers: list[str]) -> dict[str, float]:
        """How probable each answer is to be what comes next."""
        chat = [
            {
                "role": "user",
                "content": [{"type": "image"}, {"type": "text", "text": self._policy}],
            }
        ]
        prompt = self._processor.apply_chat_template(chat, add_generation_prompt=True) + begun
        start = self._inputs(pixels, prompt)
        at = start["input_ids"].shape[1]
        chances = {}
        for answer in answers:
            inputs = self._inputs(pixels, prompt + answer)
            chances[answer] = self._chance(inputs, min(at, inputs["input_ids"].shape[1] - 1))
        return chances

    def _inputs(self, pixels: Pixels, text: str) -> Any:
        return self._processor(images=[pixels], text=[text], return_tensors="pt")

    def _chance(self, inputs: Any, at: int) -> float:
        """The probability of the tokens from ``at`` on, given those before."""
        import torch

        with torch.inference_mode():
            logits = self._model(**inputs).logits[0].double()
        ids = inputs["input_ids"][0]
        steps = logits[at - 1 : len(ids) - 1].log_softmax(-1)
        return float(steps.gather(1, ids[at:, None]).sum().exp())

