"""The prompt model: an encoder and a linear model, fused and calibrated for each category.

``prompt.json`` holds the record: the SHA-256 of every other file, and for each category how the
parts become a probability and where it is flagged.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from guard.errors import WeightsInvalid
from guard.prompts.encoder import Encoder
from guard.prompts.linear import LinearModel
from guard.prompts.rules import explicit_terms
from policies.decision import Frozen

MANIFEST = "prompt.json"
LINEAR = "prompt-linear.safetensors"
ENCODER = "prompt-encoder.onnx"
TOKENIZER = "prompt-tokenizer.json"
_FILES = (LINEAR, ENCODER, TOKENIZER)

_CLIP = 15.0  # log odds; beyond, a probability says no more

Matrix = NDArray[np.float32]


class Fusion(Frozen):
    """Fused log odds = encoder * its logit + linear * its logit + terms * ln(1 + t) + offset.

    ``t``: explicit terms in the text beyond the first (``rules.explicit_terms``). Platt's sigmoid
    (1999) over three numbers instead of one.
    """

    encoder: float = Field(ge=0)
    linear: float = Field(ge=0)
    terms: float = Field(ge=0)
    offset: float


class Calibration(Frozen):
    """From fused log odds to calibrated ones: straight pieces between points, all of which rise.

    So the order of prompts is the fusion's. Beyond the ends the outermost pieces go on.
    """

    fused: tuple[float, ...] = Field(min_length=2)
    calibrated: tuple[float, ...]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        steps = zip(pairwise(self.fused), pairwise(self.calibrated), strict=True)
        if not all(a < b and c < d for (a, b), (c, d) in steps):
            raise ValueError("points of a calibration must rise")
        return self

    def of(self, log_odds: Matrix) -> Matrix:
        """Calibrated log odds of fused ones, of any shape."""
        x, y, slopes = self._pieces
        beyond = slopes[0] * np.minimum(log_odds - x[0], 0)
        beyond += slopes[-1] * np.maximum(log_odds - x[-1], 0)
        return np.asarray(np.interp(log_odds, x, y) + beyond, dtype=np.float32)

    @cached_property
    def _pieces(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The points, and the slopes between them."""
        x, y = np.array(self.fused), np.array(self.calibrated)
        return x, y, np.diff(y) / np.diff(x)


class Head(Frozen):
    """One category: how its probability is made, and where it is flagged.

    ``threshold`` is the probability at which ``false_positive_rate`` of the benign mixture is
    flagged; ``false_positive_bound`` is the upper end of the 95 % Clopper-Pearson interval on it.
    """

    category: str
    fusion: Fusion
    calibration: Calibration
    threshold: float = Field(ge=0, le=1)
    false_positive_rate: float = Field(ge=0, le=1)
    false_positive_bound: float = Field(ge=0, le=1)


class Manifest(Frozen):
    """What ``prompt.json`` says of the files beside it. ``sha256``: of each, in hex."""

    name: str
    version: str
    sha256: Mapping[str, str]
    prior: float = Field(gt=0, lt=1)
    heads: tuple[Head, ...]


class Evidence(NamedTuple):
    """What the parts say of N texts. ``encoder``, ``linear``: (N, H) logits; ``terms``: (N,)."""

    encoder: Matrix
    linear: Matrix
    terms: Matrix


class PromptModel:
    """Scores folded texts, each at most a window long. Immutable, safe between threads."""

    def __init__(self, manifest: Manifest, linear: LinearModel, encoder: Encoder) -> None:
        self.manifest = manifest
        self.linear = linear
        self.encoder = encoder
        self.vocabulary = linear.vocabulary
        self.categories = tuple(head.category for head in manifest.heads)
        self.thresholds = {head.category: head.threshold for head in manifest.heads}

    @classmethod
    def load(cls, directory: Path) -> "PromptModel":
        """Reads and checks the files of ``directory``.

        Raises WeightsInvalid where one is missing or unreadable or a SHA-256 does not match.
        """
        try:
            manifest = Manifest.model_validate_json((directory / MANIFEST).read_bytes())
            files = {name: (directory / name).read_bytes() for name in _FILES}
        except (OSError, ValidationError) as error:
            raise WeightsInvalid(
                f"The prompt model in {directory} cannot be read ({error}). Reinstall the package, "
                "or train it again: python -m guard.prompts.training --help."
            ) from error
        for name, raw in files.items():
            digest, recorded = hashlib.sha256(raw).hexdigest(), manifest.sha256.get(name)
            if digest != recorded:
                raise WeightsInvalid(
                    f"{directory / name} has SHA-256 {digest}, on record is {recorded}. Put back "
                    "the file that belongs to the record; nothing is assessed until then."
                )
        try:
            linear = LinearModel.load(files[LINEAR])
            encoder = Encoder(files[ENCODER], files[TOKENIZER])
        except ValueError as error:
            raise WeightsInvalid(f"{directory} holds no prompt model: {error}") from error
        if not linear.heads == encoder.heads == len(manifest.heads):
            raise WeightsInvalid(
                f"{directory}: {linear.heads} and {encoder.heads} heads, on record are "
                f"{len(manifest.heads)}. Put back the files that belong together."
            )
        return cls(manifest, linear, encoder)

    def evidence(self, texts: Iterable[str]) -> Evidence:
        """What each part says of folded texts."""
        return evidence(texts, self.linear, self.encoder)

    def logits(self, texts: Iterable[str]) -> Matrix:
        """(N, H) calibrated log odds of folded texts."""
        found = self.evidence(texts)
        return np.stack(
            [
                head.calibration.of(fused(head.fusion, found, column))
                for column, head in enumerate(self.manifest.heads)
            ],
            axis=1,
        )

    def contributions(self, text: str) -> Matrix:
        """(len(text), H) what each character adds to each logit in the linear part."""
        return self.linear.contributions(text)


def evidence(texts: Iterable[str], linear: LinearModel, encoder: Encoder) -> Evidence:
    """What an encoder, a linear model and the list of explicit terms say of folded texts."""
    terms: list[int] = []
    lexical: list[Matrix] = []

    def read() -> Iterator[str]:
        for text in texts:
            yield text  # the encoder's threads are at it while the others read
            terms.append(explicit_terms(text))
            lexical.append(linear.logits([text]))

    encoded = encoder.logits(read())
    return Evidence(encoded, np.concatenate(lexical), np.array(terms, dtype=np.float32))


def fused(fusion: Fusion, found: Evidence, column: int) -> Matrix:
    """(N,) fused log odds of one head from the logits of its column, not yet calibrated."""
    return np.asarray(
        fusion.encoder * found.encoder[:, column]
        + fusion.linear * found.linear[:, column]
        + fusion.terms * np.log1p(found.terms)
        + fusion.offset,
        dtype=np.float32,
    )


def probabilities(log_odds: Matrix) -> Matrix:
    """Log odds of any shape to probabilities, strictly within (0, 1)."""
    clipped = np.clip(log_odds, -_CLIP, _CLIP)
    return np.asarray(1 / (1 + np.exp(-clipped)), dtype=np.float32)


def digest_of(directory: Path, rules: Sequence[bytes]) -> str:
    """SHA-256 (hex) over the manifest, which holds those of the weights, and the rules."""
    digest = hashlib.sha256((directory / MANIFEST).read_bytes())
    for rule in rules:
        digest.update(hashlib.sha256(rule).digest())
    return digest.hexdigest()


def write(directory: Path, manifest: Mapping[str, object], files: Mapping[str, bytes]) -> Manifest:
    """Writes the files and their record; ``manifest`` lacks only the SHA-256s."""
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in _FILES}
    complete = Manifest.model_validate({**manifest, "sha256": digests})
    directory.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        (directory / name).write_bytes(files[name])
    record = json.dumps(complete.model_dump(), indent=1) + "\n"
    (directory / MANIFEST).write_text(record, "utf-8")
    return complete
