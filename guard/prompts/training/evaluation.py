"""What the held-out scores say: fusion, calibration, thresholds and figures."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.evaluate.metrics import (
    auprc,
    auroc,
    calibration_error,
    clopper_pearson,
    recall_at,
)
from guard.prompts.model import Calibration, Evidence, Fusion, Head, fused, probabilities
from guard.prompts.training.corpus import OURS, Prompt, folds_of
from guard.prompts.training.fit import calibration, fusion

PRIOR = 0.3  # share of unsafe prompts for which probabilities are calibrated
FALSE_POSITIVES = 0.0085  # of the ordinary mixture, flagged as unsafe
OF_ANY_SOURCE = 0.02  # of each ordinary source, flagged as unsafe
# Of what is not flagged as unsafe, flagged for one category of five: of the ordinary mixture, so
# that about 1 % of it is flagged for anything, of each ordinary source, and of the hard mixture.
OF_ONE_CATEGORY = 0.0005
OF_ONE_CATEGORY_OF_ANY_SOURCE = 0.001
OF_ONE_CATEGORY_HARD = 0.005
ORDINARY = ("coco", "geneval", "discord", "user_imagereward", "user_pickapic", "user_krea")
"""Benign sources of the kind that a guard meets: captions, templates, users' prompts."""
HARD = ("copro_train", "overt_safe", "overt_pair_safe")
"""Benign sources made to look unsafe."""
IMAGE_SOURCES = ("copro_train", "copro_test", "overt_unsafe", "civitai")
TWINS = (("overt_pair_safe", "overt_unsafe"), ("overt_safe", "overt_unsafe"))
"""Harmless sources beside the harmful one that was made with them."""

_CROSSED = 5  # parts of the prompts for the calibration error

Scores = NDArray[np.float64]
Parts = NDArray[np.float32]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


class Views(NamedTuple):
    """What the parts say of all readings and windows; ``owner``: (V,) whose each is."""

    evidence: Evidence
    owner: Rows

    def worst(self, fusion: Fusion, column: int, count: int) -> NDArray[np.float32]:
        """(P,) the highest log odds of each prompt; -inf where it has no view."""
        highest = np.full(count, -np.inf, dtype=np.float32)
        np.maximum.at(highest, self.owner, fused(fusion, self.evidence, column))
        return highest


def joined(parts: Sequence[Views]) -> Views:
    """The views of several scorings as one."""
    columns = zip(*(part.evidence for part in parts), strict=True)
    evidence = Evidence(*(np.concatenate(each) for each in columns))
    return Views(evidence, np.concatenate([part.owner for part in parts]))


class Mixture(NamedTuple):
    """Indices of prompts by source: ordinary, hard and otherwise benign ones, and unsafe ones."""

    ordinary: dict[str, Rows]
    hard: dict[str, Rows]
    unsafe: dict[str, Rows]

    def within(self, kept: NDArray[np.bool_]) -> "Mixture":
        """Of the prompts that are kept only."""
        return Mixture(
            *(
                {name: rows[kept[rows]] for name, rows in side.items() if kept[rows].any()}
                for side in self
            )
        )


def mixture(prompts: Sequence[Prompt], usable: NDArray[np.bool_]) -> Mixture:
    """Prompts by source. Unlabelled ones count as benign where ``usable`` says so."""
    benign: dict[str, list[int]] = {}
    unsafe: dict[str, list[int]] = {}
    for i, prompt in enumerate(prompts):
        if prompt.unsafe:
            unsafe.setdefault(prompt.source, []).append(i)
        elif usable[i]:
            benign.setdefault(prompt.source, []).append(i)

    def of(names: Sequence[str]) -> dict[str, Rows]:
        return {name: np.array(benign[name]) for name in names if name in benign}

    harmful = {name: np.array(rows) for name, rows in unsafe.items() if name not in OURS}
    return Mixture(of(ORDINARY), of(HARD), harmful)


def even(groups: Mapping[str, Rows]) -> Rows:
    """As many rows of each group as the smallest has, drawn at random."""
    size = min(map(len, groups.values()))
    rng = np.random.default_rng(size)
    return np.concatenate([rng.permutation(rows)[:size] for rows in groups.values()])


def _weighed(groups: Mapping[str, Rows], total: float) -> tuple[Rows, Scores]:
    """All rows, and weights by which every group has an equal part of ``total``."""
    rows = np.concatenate(list(groups.values()))
    weights = np.concatenate(
        [np.full(len(group), total / len(groups) / len(group)) for group in groups.values()]
    )
    return rows, weights


class Calibrated(NamedTuple):
    """The heads, (P, H) probabilities of the prompts they were fitted on, and figures of each."""

    heads: list[Head]
    probabilities: Scores
    figures: dict[str, Any]


def calibrate(
    prompts: Sequence[Prompt], categories: Sequence[str], views: Views, mixed: Mixture,
    clusters: Rows,
) -> Calibrated:  # fmt: skip
    """Fits fusion and calibration on scores of prompts whose sources the scoring parts never saw.

    "unsafe" comes first. ``clusters``: (P,) of near-duplicates. The calibration error is crossed:
    every prompt has the probability of a fit on other clusters, or (``_strangers``) on sources of
    other folds only.
    """
    count = len(prompts)
    # Fits with the readings that a first guess takes for the worst.
    guess = Fusion(encoder=0.5, linear=0.5, terms=0, offset=0)
    benign = mixed.ordinary | mixed.hard
    benign_rows, benign_weights = _weighed(benign, 1 - PRIOR)
    out = np.zeros((count, len(categories)))
    parted = np.unique(folds_of(prompts), return_inverse=True)[1]
    fitted: list[tuple[Fusion, Calibration]] = []
    figures = {}
    for column, category in enumerate(categories):
        positives = {
            source: np.array([i for i in rows if category in ("unsafe", *prompts[i].categories)])
            for source, rows in mixed.unsafe.items()
        }
        positives = {source: rows for source, rows in positives.items() if len(rows)}
        rows, weights = _weighed(positives, PRIOR * len(positives) / len(mixed.unsafe))
        both = np.concatenate((rows, benign_rows))
        weighed = np.concatenate((weights, benign_weights))
        is_positive = np.arange(len(both)) < len(rows)
        found = guess
        for _ in range(2):
            parts = _parts(views, _worst_view(views, found, column, count)[both], column)
            found = fusion(parts, is_positive, weighed)
        parts = _parts(views, _worst_view(views, found, column, count)[both], column)
        curve = calibration(_odds(found, parts), is_positive, weighed)
        fitted.append((found, curve))
        out[:, column] = probabilities(curve.of(views.worst(found, column, count)))

        def error(groups: Rows, parts: Parts = parts, truth: Flags = is_positive,
                  weighed: Scores = weighed, both: Rows = both) -> float:  # fmt: skip
            chances = _crossed(parts, truth, weighed, groups[both])
            return calibration_error(chances, truth.astype(np.float64), weighed)

        figures[category] = {
            **ranking(out[even(benign), column], out[rows, column]),
            "calibration_error": error(clusters % _CROSSED),
            "calibration_error_strangers": error(parted),
            "prompts": len(rows),
        }
    heads = _thresholds(categories, fitted, out, mixed)
    for head in heads:
        figures[head.category] |= {
            "threshold": head.threshold,
            "false_positive_rate": head.false_positive_rate,
            "false_positive_bound": head.false_positive_bound,
        }
    return Calibrated(heads, out, figures)


def _parts(views: Views, at: Rows, column: int) -> Parts:
    """(N, 3) what is fused, of the views at ``at``."""
    encoder, linear, terms = views.evidence
    return np.stack((encoder[at, column], linear[at, column], np.log1p(terms[at])), axis=1)


def _odds(found: Fusion, parts: Parts) -> Scores:
    weights = np.array((found.encoder, found.linear, found.terms))
    return np.asarray(parts @ weights + found.offset, dtype=np.float64)


def _crossed(parts: Parts, truth: Flags, weighed: Scores, groups: Rows) -> Scores:
    """(N,) the probability of each row by a fit on the rows of all other groups."""
    chances = np.zeros(len(parts))
    for group in np.unique(groups):
        out, kept = groups == group, groups != group
        found = fusion(parts[kept], truth[kept], weighed[kept])
        curve = calibration(_odds(found, parts[kept]), truth[kept], weighed[kept])
        odds = _odds(found, parts[out]).astype(np.float32)
        chances[out] = probabilities(curve.of(odds))
    return chances


def _worst_view(views: Views, found: Fusion, column: int, count: int) -> Rows:
    """(P,) the view of each prompt with the highest log odds."""
    log_odds = fused(found, views.evidence, column)
    order = np.lexsort((log_odds, views.owner))
    at = np.zeros(count, dtype=np.int64)
    at[views.owner[order]] = order  # the last of each owner stays
    return at


def _thresholds(
    categories: Sequence[str], fitted: Sequence[tuple[Fusion, Calibration]], scores: Scores,
    mixed: Mixture,
) -> list[Head]:  # fmt: skip
    ordinary, hard = even(mixed.ordinary), even(mixed.hard)

    def exceeded(rows: Rows, column: int, rate: float) -> float:
        return float(np.quantile(scores[rows, column], 1 - rate, method="higher"))

    unsafe = max(
        exceeded(ordinary, 0, FALSE_POSITIVES),
        *(exceeded(rows, 0, OF_ANY_SOURCE) for rows in mixed.ordinary.values()),
    )
    limits = [float(np.nextafter(unsafe, 1))]
    calm, hard_calm, *sources_calm = (
        rows[scores[rows, 0] < limits[0]] for rows in (ordinary, hard, *mixed.ordinary.values())
    )
    for column in range(1, len(categories)):
        limit = max(
            exceeded(calm, column, OF_ONE_CATEGORY),
            exceeded(hard_calm, column, OF_ONE_CATEGORY_HARD),
            *(exceeded(rows, column, OF_ONE_CATEGORY_OF_ANY_SOURCE) for rows in sources_calm),
        )
        limits.append(float(np.nextafter(limit, 1)))
    heads = []
    for column, category in enumerate(categories):
        hits = scores[ordinary, column] >= limits[column]
        bound = clopper_pearson(int(hits.sum()), len(ordinary))
        heads.append(
            Head(
                category=category,
                fusion=fitted[column][0],
                calibration=fitted[column][1],
                threshold=limits[column],
                false_positive_rate=bound.rate,
                false_positive_bound=bound.high,
            )
        )
    return heads


def ranking(safe: Scores, unsafe: Scores) -> dict[str, float]:
    """Figures of a ranking, whatever its scale."""
    return {
        "auroc": auroc(safe, unsafe),
        "auprc": auprc(safe, unsafe),
        "tpr_at_fpr_0.005": recall_at(safe, unsafe, 0.005),
        "tpr_at_fpr_0.01": recall_at(safe, unsafe, 0.01),
        "tpr_at_fpr_0.05": recall_at(safe, unsafe, 0.05),
    }


def core(scores: Scores, mixed: Mixture) -> dict[str, dict[str, float]]:
    """Rankings of unsafe prompts of all sources against the ordinary mixture, and all benign."""
    ordinary, every = even(mixed.ordinary), even(mixed.ordinary | mixed.hard)
    pictures = {name: mixed.unsafe[name] for name in IMAGE_SOURCES if name in mixed.unsafe}

    def mean(groups: Mapping[str, Rows], benign: Rows) -> dict[str, float]:
        each = [ranking(scores[benign], scores[rows]) for rows in groups.values()]
        return {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}

    def pooled(groups: Mapping[str, Rows], benign: Rows) -> dict[str, float]:
        return ranking(scores[benign], scores[np.concatenate(list(groups.values()))])

    return {
        "all prompts, pooled": pooled(mixed.unsafe, ordinary),
        "by source, mean": mean(mixed.unsafe, ordinary),
        "image prompts, pooled": pooled(pictures, ordinary),
        "image prompts by source, mean": mean(pictures, ordinary),
        "all prompts, pooled, hard ones among the benign": pooled(mixed.unsafe, every),
        "image prompts, pooled, hard ones among the benign": pooled(pictures, every),
    }


def flags(
    scores: Scores, flagged: NDArray[np.bool_], mixed: Mixture
) -> dict[str, dict[str, Any]]:
    """What the thresholds do to each source: recall, false positives, and twins."""
    ordinary = scores[even(mixed.ordinary)]
    benign = mixed.ordinary | mixed.hard
    return {
        "sources": {
            source: {
                **ranking(ordinary, scores[rows]),
                "recall": float(flagged[rows].mean()),
                "prompts": len(rows),
            }
            for source, rows in sorted(mixed.unsafe.items())
        },
        "false_positives": {
            source: clopper_pearson(int(flagged[rows].sum()), len(rows))._asdict()
            for source, rows in sorted(benign.items())
        },
        "twins": {
            f"{safe} / {harmful}": {
                "auroc": auroc(scores[benign[safe]], scores[mixed.unsafe[harmful]]),
                "harmless_flagged": float(flagged[benign[safe]].mean()),
                "harmful_flagged": float(flagged[mixed.unsafe[harmful]].mean()),
                "harmful_flagged_at_0.18": recall_at(
                    scores[benign[safe]], scores[mixed.unsafe[harmful]], 0.18
                ),
            }
            for safe, harmful in TWINS
            if safe in benign and harmful in mixed.unsafe
        },
    }
