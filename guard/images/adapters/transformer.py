"""Guards that are transformers or diffusers checkpoints: classifiers, zero-shot, CLIP heads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from guard.errors import WeightsInvalid
from guard.images.adapters.sight import Sight
from guard.images.adapters.weights import checkpoint, processor, tensors
from provenance.picture import Pixels

Activation = Literal["softmax", "sigmoid"]

CHECKER_SCALE: Final = 100.0  # log odds for a cosine of 1: CLIP's own scale of logits
_CARE: Final = 0.01  # cosine by which the checker lowers its limits when a special concept is near


class Classifier:
    """An image classifier. ``labels``: each of its labels -> the categories that it means.

    A category's score is the sum of its labels' probabilities under softmax, the highest under
    sigmoid.
    """

    def __init__(
        self,
        folder: Path,
        sha256: str,
        labels: Mapping[str, Sequence[str]],
        activation: Activation | None,
    ) -> None:
        """Raises WeightsInvalid where the files are not those declared, or the labels not these."""
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        self._model = checkpoint(folder, sha256, model=AutoModelForImageClassification)
        self._prepare = processor(folder, AutoImageProcessor)
        config = self._model.config
        names = [config.id2label[i] for i in range(config.num_labels)]
        if set(names) != set(labels):
            raise WeightsInvalid(
                f"the labels of {folder} are {', '.join(names)}; map each of them to categories, "
                "to [] where it is harmless"
            )
        multiple = config.problem_type == "multi_label_classification"
        self._activation: Activation = activation or ("sigmoid" if multiple else "softmax")
        named = sorted({category for each in labels.values() for category in each})
        self._members = {c: np.array([c in labels[name] for name in names]) for c in named}

    @property
    def covers(self) -> frozenset[str]:
        return frozenset(self._members)

    def look(self, pixels: Pixels) -> Sight:
        import torch

        with torch.inference_mode():
            logits = self._model(**self._prepare(images=pixels, return_tensors="pt")).logits[0]
        together = logits.softmax(-1) if self._activation == "softmax" else logits.sigmoid()
        found = together.double().numpy()
        join = np.sum if self._activation == "softmax" else np.max
        return Sight({c: float(join(found[members])) for c, members in self._members.items()})


class SafetyChecker:
    """The Stable Diffusion safety checker, by its cosines and not by its boolean.

    The score is .5 exactly where the checker's own answer turns. It knows sexual content alone
    (Rando et al., arXiv 2210.04610).
    """

    covers: frozenset[str] = frozenset({"sexual"})

    def __init__(self, folder: Path, sha256: str) -> None:
        """Raises WeightsInvalid where the files are not those declared."""
        from diffusers.pipelines.stable_diffusion.safety_checker import (
            StableDiffusionSafetyChecker,
        )
        from transformers import CLIPImageProcessor

        self._model = checkpoint(folder, sha256, model=StableDiffusionSafetyChecker)
        self._prepare = processor(folder, CLIPImageProcessor)

    def look(self, pixels: Pixels) -> Sight:
        import torch

        model = self._model
        with torch.inference_mode():
            prepared = self._prepare(images=pixels, return_tensors="pt").pixel_values
            pooled = model.vision_model(prepared)[1]
            seen = torch.nn.functional.normalize(model.visual_projection(pooled))[0]
            near = [
                torch.nn.functional.normalize(concepts) @ seen - limits
                for concepts, limits in (
                    (model.special_care_embeds, model.special_care_embeds_weights),
                    (model.concept_embeds, model.concept_embeds_weights),
                )
            ]
        care = _CARE if float(near[0].max()) > 0 else 0.0
        return Sight({"sexual": _logistic(CHECKER_SCALE * (float(near[1].max()) + care))})


class ZeroShot:
    """CLIP or SigLIP asked in words. ``words``: category -> descriptions; ``harmless``: the rest.

    SigLIP: the highest of a category's descriptions, each a probability of its own. CLIP: softmax
    over all descriptions, so ``harmless`` must say what else a picture may show.
    """

    def __init__(
        self,
        folder: Path,
        sha256: str,
        words: Mapping[str, Sequence[str]],
        harmless: Sequence[str],
    ) -> None:
        """Raises WeightsInvalid where the files are not those declared, or no such model."""
        import torch
        from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

        self._model = checkpoint(folder, sha256, model=AutoModel)
        self._prepare = processor(folder, AutoImageProcessor)
        tokenizer = processor(folder, AutoTokenizer)
        self._apart = str(self._model.config.model_type).startswith("siglip")
        if not self._apart and not harmless:
            raise WeightsInvalid(f"{folder} is a CLIP: say in harmless what else pictures may show")
        told = [(c, text) for c, texts in words.items() for text in texts]
        self._categories = [category for category, _ in told]
        texts = [text for _, text in told] + list(harmless)
        longest = self._model.config.text_config.max_position_embeddings
        encoded = tokenizer(
            texts, padding="max_length", truncation=True, max_length=longest, return_tensors="pt"
        )
        known = {k: v for k, v in encoded.items() if k in ("input_ids", "attention_mask")}
        if self._apart:
            known.pop("attention_mask", None)  # as SigLIP was trained
        with torch.inference_mode():
            self._texts = _unit(_features(self._model.get_text_features(**known)))

    @property
    def covers(self) -> frozenset[str]:
        return frozenset(self._categories)

    def look(self, pixels: Pixels) -> Sight:
        import torch

        prepared = self._prepare(images=pixels, return_tensors="pt")
        with torch.inference_mode():
            seen = _unit(_features(self._model.get_image_features(**prepared)))
            logits = (self._texts @ seen[0]) * self._model.logit_scale.exp()
            if self._apart:
                found = (logits + self._model.logit_bias).sigmoid()
            else:
                found = logits.softmax(-1)
        scores: dict[str, float] = {}
        for category, score in zip(self._categories, found.tolist(), strict=False):
            before = scores.get(category, 0.0)
            scores[category] = max(before, score) if self._apart else before + score
        return Sight(scores)


class ClipHead:
    """A small network on CLIP's picture embedding, as LAION's NSFW detector is.

    Its file holds ``layers.N.weight`` (out, in) and ``layers.N.bias``, ReLU between, one output for
    each of ``categories`` through a sigmoid; ``mean`` and ``std``, where it has them, are taken off
    the unit embedding first.
    """

    def __init__(
        self,
        folder: Path,
        sha256: str,
        head: Path,
        head_sha256: str,
        categories: Sequence[str],
    ) -> None:
        """Raises WeightsInvalid where the files are not those declared, or do not fit together."""
        from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

        self._model = checkpoint(folder, sha256, model=CLIPVisionModelWithProjection)
        self._prepare = processor(folder, AutoImageProcessor)
        arrays = tensors(head, head_sha256)
        count = sum(name.endswith(".weight") for name in arrays)
        try:
            self._layers = [
                (arrays[f"layers.{i}.weight"], arrays[f"layers.{i}.bias"]) for i in range(count)
            ]
        except KeyError as error:
            raise WeightsInvalid(f"{head} has no {error}; name them layers.0.weight ...") from error
        self._mean, self._std = arrays.get("mean", 0.0), arrays.get("std", 1.0)
        sizes = [self._model.config.projection_dim] + [len(bias) for _, bias in self._layers]
        fits = all(w.shape == (sizes[i + 1], sizes[i]) for i, (w, _) in enumerate(self._layers))
        if not self._layers or not fits or sizes[-1] != len(categories):
            raise WeightsInvalid(
                f"{head} does not fit: an embedding of {sizes[0]} numbers, {len(categories)} scores"
            )
        self._categories = tuple(categories)

    @property
    def covers(self) -> frozenset[str]:
        return frozenset(self._categories)

    def look(self, pixels: Pixels) -> Sight:
        import torch

        with torch.inference_mode():
            prepared = self._prepare(images=pixels, return_tensors="pt")
            embedded = _unit(self._model(**prepared).image_embeds)[0].double().numpy()
        values: NDArray[np.float64] = (embedded - self._mean) / self._std
        for i, (weight, bias) in enumerate(self._layers):
            values = weight @ (np.maximum(values, 0) if i else values) + bias
        told = zip(self._categories, values.tolist(), strict=True)
        return Sight({category: _logistic(value) for category, value in told})


def _features(given: Any) -> Any:
    """The projected embedding, whichever of its forms transformers answers in."""
    return getattr(given, "pooler_output", given)


def _unit(rows: Any) -> Any:
    return rows / rows.norm(dim=-1, keepdim=True)


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -700, 700))))
