"""Labelled prompts, read from ``DIR/*.jsonl.gz``, and how they are split.

One JSON object a line: text, unsafe (true, false, or null for not labelled), categories,
image_prompt, source, detail. Prompts are split by source, never by row: sources that were made
together, or by one model, are left out together, and so are near-duplicates.
"""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.errors import InvalidRequest
from guard.prompts.training.harmless import sentences
from guard.prompts.training.phrases import contrasts, everyday
from guard.prompts.training.twins import harmful, harmless
from guard.prompts.training.written import pairs, plain
from policies.categories import CORE_CATEGORIES

FOLDS = {
    "copro": ("copro_train", "copro_test"),
    "overt": ("overt_safe", "overt_pair_safe", "overt_unsafe", "coco"),
    "civitai": ("civitai", "discord", "geneval"),
    "requests": (
        "ailuminate", "harmbench", "sst", "strongreject", "user_imagereward", "user_krea",
    ),
    "posts": ("davidson", "hatecheck", "surge_tox", "toxigen", "user_pickapic"),
}  # fmt: skip
"""Sources that are left out of training together: those made together or by one model are in one
fold, and every fold has both unsafe and benign ones. A source of no fold is only trained on."""
EVALUATION_ONLY = frozenset({"user_krea", "geneval"})
"""Never trained on: the former has no licence, the latter stands for benign sources yet unseen."""
OWN = "own"
EVERYDAY = "everyday"
WRITTEN = "written"
"""The sources of our own sentences: twins and pairs by rule, plain scenes by rule, by hand."""
OURS = frozenset({OWN, EVERYDAY, WRITTEN})

# Labelled by the picture that a model made of them, not by what they ask for: many are harmless.
_UNRELIABLE = {("civitai", "other")}
# As carried, the words of these stand in reverse order: a model would learn that from the only
# source where it is so, and learn that it is harmless.
_REVERSED = {"discord"}


class Prompt(NamedTuple):
    """One labelled prompt. ``unsafe`` speaks of the core categories only; None: nobody knows."""

    text: str
    source: str
    unsafe: bool | None
    categories: frozenset[str]
    image_prompt: bool


def read(directory: Path, most: int, seed: int) -> list[Prompt]:
    """At most ``most`` distinct prompts of each source and label, drawn at random.

    The limit balances the sources, so that none of them decides what harm looks like.
    Raises InvalidRequest where there are none.
    """
    groups: dict[tuple[str, bool], dict[str, Prompt]] = {}
    for path in sorted(directory.glob("*.jsonl.gz")):
        for prompt in _rows(path):
            groups.setdefault((prompt.source, bool(prompt.unsafe)), {})[prompt.text] = prompt
    if not groups:
        raise InvalidRequest(f"No *.jsonl.gz with prompts in {directory}; name the right --data.")
    rng = random.Random(seed)  # noqa: S311 - reproducible draws, no secret
    return [
        prompt
        for group in groups.values()
        for prompt in rng.sample(list(group.values()), min(most, len(group)))
    ]


def _rows(path: Path) -> Iterator[Prompt]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            categories = frozenset(row["categories"] or ())
            unsafe = row["unsafe"]
            if unsafe and not categories & set(CORE_CATEGORIES):
                continue  # likeness, trademarks, privacy: not what these heads are about
            if (row["source"], row["detail"]) in _UNRELIABLE:
                continue
            text = row["text"]
            if row["source"] in _REVERSED:
                text = " ".join(reversed(text.split()))
            yield Prompt(text, row["source"], unsafe, categories, bool(row["image_prompt"]))


def own() -> list[Prompt]:
    """Our own sentences, harmless and harmful."""
    by_rule = list(contrasts())
    safe = (*sentences(), *harmless(), *(pair.harmless for pair in by_rule))
    unsafe = (*harmful(), *((pair.harmful, pair.category) for pair in by_rule))
    by_hand = ((pair.harmful, pair.category) for pair in pairs())
    harmless_by_hand = (*(pair.harmless for pair in pairs()), *plain())
    return [
        *(Prompt(text, OWN, False, frozenset(), True) for text in safe),
        *(Prompt(text, EVERYDAY, False, frozenset(), True) for text in everyday()),
        *(Prompt(text, OWN, True, frozenset({category}), True) for text, category in unsafe),
        *(Prompt(text, WRITTEN, False, frozenset(), True) for text in harmless_by_hand),
        *(Prompt(text, WRITTEN, True, frozenset({category}), True) for text, category in by_hand),
    ]


def pairs_of(prompts: Sequence[Prompt]) -> NDArray[np.int64]:
    """(N, 2) where our own pairs by rule are among the prompts: the harmful one, its twin."""
    at = {prompt.text: i for i, prompt in enumerate(prompts) if prompt.source == OWN}
    both = [(pair.harmful, pair.harmless) for pair in contrasts()]
    return np.array([(at[bad], at[good]) for bad, good in both if {bad, good} <= at.keys()])


def folds_of(prompts: Sequence[Prompt]) -> NDArray[np.str_]:
    """(P,) the fold of each prompt's source, or nothing."""
    by_source = {source: name for name, sources in FOLDS.items() for source in sources}
    return np.array([by_source.get(prompt.source, "") for prompt in prompts])


_MERSENNE = (1 << 31) - 1  # a prime above all buckets
_BANDS = 8
_ROWS = 5  # of a band; a pair of 80 % Jaccard similarity shares a band with p = .96, of 50 %: .22


def clusters(feature_rows: list[NDArray[np.int64]], seed: int) -> NDArray[np.int64]:
    """(N,) a cluster number for each row; near-duplicates share one (MinHash with banding).

    ``feature_rows``: the distinct feature buckets of each text (Broder 1997).
    """
    rng = np.random.default_rng(seed)
    lengths = np.array([max(len(row), 1) for row in feature_rows])
    flat = np.concatenate([row if len(row) else np.zeros(1, np.int64) for row in feature_rows])
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    parent = np.arange(len(feature_rows))
    for _ in range(_BANDS):
        band = np.zeros(len(feature_rows), dtype=np.int64)
        for _ in range(_ROWS):
            a, b = rng.integers(1, _MERSENNE, 2)
            band = band * 1_000_003 + np.minimum.reduceat((flat * a + b) % _MERSENNE, starts)
        order = np.argsort(band, kind="stable")
        same = np.flatnonzero(band[order][1:] == band[order][:-1])
        for i in same:
            _join(parent, int(order[i]), int(order[i + 1]))
    return np.array([_root(parent, i) for i in range(len(parent))])


def _root(parent: NDArray[np.int64], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = int(parent[i])
    return i


def _join(parent: NDArray[np.int64], a: int, b: int) -> None:
    parent[_root(parent, a)] = _root(parent, b)
