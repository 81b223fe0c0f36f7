"""What the held-out scores say: calibration, thresholds and the figures of evaluation.json."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.prompts.linear import Head, Platt
from guard.prompts.training.corpus import Prompt
from guard.prompts.training.fit import platt
from guard.prompts.training.metrics import (
    Bound,
    auprc,
    auroc,
    calibration_error,
    clopper_pearson,
    recall_at,
)

PRIOR = 0.3  # share of unsafe prompts for which probabilities are calibrated
FALSE_POSITIVES = 0.01  # of the benign mixture, at the shipped thresholds
BENIGN = (
    "coco", "geneval", "discord", "copro_train", "overt_safe", "overt_pair_safe",
    "user_imagereward", "user_pickapic", "user_krea",
)  # fmt: skip
IMAGE_SOURCES = ("copro_train", "copro_test", "overt_unsafe", "civitai")
_DISGUISED_A_FAMILY = 40  # prompts

Scores = NDArray[np.float64]


class Disguised(NamedTuple):
    """The "unsafe" logit of a disguised prompt. ``prompt``: its index."""

    prompt: int
    logit: float


class Report(NamedTuple):
    """Heads for the manifest, figures for evaluation.json."""

    heads: list[Head]
    figures: dict[str, Any]


class Mixture(NamedTuple):
    """Benign prompts, as many of each source, and unsafe ones. Indices of prompts."""

    benign: dict[str, NDArray[np.int64]]
    unsafe: dict[str, NDArray[np.int64]]


def picked(prompts: Sequence[Prompt], held: NDArray[np.bool_], seed: int) -> list[int]:
    """Unsafe prompts of the held-out family that are disguised to measure recall."""
    rows = [i for i in np.flatnonzero(held).tolist() if prompts[i].unsafe]
    return random.Random(seed).sample(rows, min(len(rows), _DISGUISED_A_FAMILY))  # noqa: S311


def mixture(prompts: Sequence[Prompt], usable: NDArray[np.bool_]) -> Mixture:
    """Prompts by source. Unlabelled ones count as benign where ``usable`` says so."""
    benign: dict[str, list[int]] = {}
    unsafe: dict[str, list[int]] = {}
    for i, prompt in enumerate(prompts):
        if prompt.unsafe:
            unsafe.setdefault(prompt.source, []).append(i)
        elif usable[i] and prompt.source in BENIGN:
            benign.setdefault(prompt.source, []).append(i)
    return Mixture(
        {source: np.array(rows) for source, rows in benign.items()},
        {source: np.array(rows) for source, rows in unsafe.items()},
    )


def _even(
    groups: Mapping[str, NDArray[np.int64]], total: float
) -> tuple[NDArray[np.int64], Scores]:
    """All rows, and weights by which every group has an equal part of ``total``."""
    rows = np.concatenate(list(groups.values()))
    weights = np.concatenate(
        [np.full(len(group), total / len(groups) / len(group)) for group in groups.values()]
    )
    return rows, weights


def _threshold(benign: Mapping[str, Scores]) -> tuple[float, Bound]:
    """The probability that ``FALSE_POSITIVES`` of the mixture exceed, and the bound on that share.

    The bound is on an even draw from all sources, as large as the smallest allows: strata only
    narrow a binomial's spread, so Clopper-Pearson holds and errs on the safe side.
    """
    size = min(map(len, benign.values()))
    rng = np.random.default_rng(size)
    drawn = np.concatenate([rng.permutation(scores)[:size] for scores in benign.values()])
    threshold = float(np.quantile(drawn, 1 - FALSE_POSITIVES, method="higher"))
    return threshold, clopper_pearson(int((drawn >= threshold).sum()), len(drawn))


def _sigmoid(calibration: Platt, logits: NDArray[np.float32]) -> Scores:
    scaled = np.clip(calibration.slope * logits.astype(np.float64) + calibration.offset, -15, 15)
    return np.asarray(1 / (1 + np.exp(-scaled)), dtype=np.float64)


def _figures(safe: Scores, unsafe: Scores) -> dict[str, float]:
    return {
        "auroc": auroc(safe, unsafe),
        "auprc": auprc(safe, unsafe),
        "tpr_at_fpr_0.005": recall_at(safe, unsafe, 0.005),
        "tpr_at_fpr_0.01": recall_at(safe, unsafe, 0.01),
        "tpr_at_fpr_0.05": recall_at(safe, unsafe, 0.05),
    }


def evaluate(
    prompts: Sequence[Prompt],
    heads: Sequence[str],
    logits: NDArray[np.float32],
    strange: NDArray[np.float32],
    usable: NDArray[np.bool_],
    disguised: Mapping[str, Sequence[Disguised]],
) -> Report:
    """``logits``: (P, H), each row by a model that never saw the prompt, nor, where it is unsafe,
    its family. ``strange``: the same by a model that never saw its family, safe or not; NaN where
    a prompt has none.
    ``usable``: (P,) which unlabelled prompts count as benign.
    """
    mixed = mixture(prompts, usable)
    benign_rows, benign_weights = _even(mixed.benign, 1 - PRIOR)
    size = min(map(len, mixed.benign.values()))
    rng = np.random.default_rng(size)
    drawn = np.concatenate([rng.permutation(rows)[:size] for rows in mixed.benign.values()])
    found: list[Head] = []
    by_category: dict[str, Any] = {}
    probabilities = np.zeros(logits.shape)
    for column, category in enumerate(heads):
        positives = {
            source: np.array([i for i in rows if category in ("unsafe", *prompts[i].categories)])
            for source, rows in mixed.unsafe.items()
        }
        positives = {source: rows for source, rows in positives.items() if len(rows)}
        share = len(positives) / len(mixed.unsafe)
        rows, weights = _even(positives, PRIOR * share)
        both = np.concatenate((rows, benign_rows))
        weighed = np.concatenate((weights, benign_weights))
        is_positive = np.arange(len(both)) < len(rows)
        calibration = platt(logits[both, column], is_positive, weighed.astype(np.float32))
        probabilities[:, column] = _sigmoid(calibration, logits[:, column])
        scores = {source: probabilities[each, column] for source, each in mixed.benign.items()}
        threshold, bound = _threshold(scores)
        found.append(
            Head(
                category=category,
                calibration=calibration,
                threshold=threshold,
                false_positive_rate=bound.rate,
                false_positive_bound=bound.high,
            )
        )
        by_category[category] = {
            **_figures(probabilities[drawn, column], probabilities[rows, column]),
            "threshold": threshold,
            "false_positive_rate": bound._asdict(),
            "calibration_error": calibration_error(
                probabilities[both, column], is_positive.astype(np.float64), weighed
            ),
            "prompts": len(rows),
        }
    unsafe = probabilities[:, 0]
    threshold = found[0].threshold
    foreign = _sigmoid(found[0].calibration, strange[:, 0])
    even_unsafe = np.concatenate(list(mixed.unsafe.values()))
    image_unsafe = np.concatenate([mixed.unsafe[s] for s in IMAGE_SOURCES if s in mixed.unsafe])
    return Report(
        found,
        {
            "core": {
                "by source, mean": _mean_by_source(
                    unsafe, drawn, mixed.unsafe, tuple(mixed.unsafe)
                ),
                "by source of image prompts, mean": _mean_by_source(
                    unsafe, drawn, mixed.unsafe, IMAGE_SOURCES
                ),
                "image prompts, pooled": _figures(unsafe[drawn], unsafe[image_unsafe]),
                "all prompts, pooled": _figures(unsafe[drawn], unsafe[even_unsafe]),
            },
            "categories": by_category,
            "sources": {
                source: {
                    **_figures(unsafe[drawn], unsafe[rows]),
                    "recall": float((unsafe[rows] >= threshold).mean()),
                    "prompts": len(rows),
                }
                for source, rows in sorted(mixed.unsafe.items())
            },
            "false_positives": {
                source: clopper_pearson(int((unsafe[rows] >= threshold).sum()), len(rows))._asdict()
                for source, rows in sorted(mixed.benign.items())
            },
            "false_positives_of_unseen_sources": {
                source: clopper_pearson(
                    int((foreign[rows] >= threshold).sum()), len(rows)
                )._asdict()
                for source, rows in sorted(mixed.benign.items())
                if not np.isnan(foreign[rows]).any()
            },
            "obfuscations": _under_disguise(found[0], unsafe, disguised),
        },
    )


def _mean_by_source(
    scores: Scores, benign: NDArray[np.int64], unsafe: Mapping[str, NDArray[np.int64]],
    sources: Sequence[str],
) -> dict[str, float]:  # fmt: skip
    each = [
        _figures(scores[benign], scores[unsafe[source]]) for source in sources if source in unsafe
    ]
    return {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}


def _under_disguise(
    head: Head, unsafe: Scores, disguised: Mapping[str, Sequence[Disguised]]
) -> dict[str, dict[str, float]]:
    """Recall under each disguise and of the same prompts plain, at the shipped threshold."""
    out: dict[str, dict[str, float]] = {}
    for name, results in disguised.items():
        logits = np.array([result.logit for result in results], dtype=np.float32)
        plain = unsafe[[result.prompt for result in results]] >= head.threshold
        hidden = _sigmoid(head.calibration, logits) >= head.threshold
        out[name] = {
            "plain_recall": float(plain.mean()),
            "recall": float(hidden.mean()),
            "still_flagged": float(hidden[plain].mean()),
        }
    return out
