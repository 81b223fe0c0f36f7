"""Trains the linear prompt model.

    python -m guard.prompts.training --data DIR --out DIR [--budget 10m]

Leaves each family of sources out in turn, which gives every prompt a score by a model that has not
seen it, and every unsafe prompt one by a model that has not seen its source: calibration,
thresholds and all figures rest on those. The weights that are shipped come from a last run over
everything. Writes the weights, their record and
evaluation.json.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from guard.prompts import rules
from guard.prompts.fold import fold
from guard.prompts.linear import write
from guard.prompts.reading import Reading
from guard.prompts.training import evaluation
from guard.prompts.training.corpus import EVALUATION_ONLY, Prompt, clusters, read, split
from guard.prompts.training.fit import Weights, logistic
from guard.prompts.training.harmless import sentences, with_tail
from guard.prompts.training.matrix import Buckets, Views, select, views, vocabulary_of
from guard.prompts.training.obfuscation import OBFUSCATIONS
from guard.prompts.vocabulary import Vocabulary

# "shocking" counts towards "unsafe" but has no head: one source alone has examples of it, so that
# nothing could tell whether a head had learnt the category or the source.
HEADS = ("unsafe", "sexual", "violence", "hate_harassment", "self_harm", "illegal_dangerous")
VERSION = "0.1.0"

SEED = 20_251
MOST = 2_400  # prompts of a source and label
MOST_FOR_WORDS = 8_000  # prompts of a source and label that the vocabulary is taken from
STRENGTH = 30.0  # inverse of the L2 penalty; 10 to 300 differ by less than .01 AUROC
STEPS = 45  # of L-BFGS
OTHER_HARM = 0.3  # weight of other harm as a negative of a head: a prompt has one label
TAILED = 0.25  # share of image prompts that get a tail of style words
DISGUISED = 0.1  # share of prompts that come a second time, disguised


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def budget(text: str) -> float:
    """Seconds of "90", "90s", "10m" or "1h"."""
    units = {"s": 1, "m": 60, "h": 3600}
    return float(text.rstrip("smh")) * units.get(text[-1:], 1)


class Augmented(NamedTuple):
    """Prompts as they are trained on: feature rows, and which prompt each comes from."""

    rows: list[Buckets]
    prompt: NDArray[np.int64]


def augmented(prompts: list[Prompt], seen: Views, vocabulary: Vocabulary) -> Augmented:
    """Every prompt, some with a tail of style words, some a second time in disguise."""
    rng = random.Random(SEED)  # noqa: S311 - reproducible draws, no secret
    rows = seen.first()
    tailed = [i for i, p in enumerate(prompts) if p.image_prompt and rng.random() < TAILED]
    texts = [with_tail(prompts[i].text, rng) for i in tailed]
    for i, row in zip(tailed, views(texts, vocabulary).first(), strict=True):
        rows[i] = row
    again = [i for i in range(len(prompts)) if rng.random() < DISGUISED]
    ways = list(OBFUSCATIONS.values())
    hidden = views([rng.choice(ways)(prompts[i].text, rng) for i in again], vocabulary)
    return Augmented(rows + hidden.last(), np.array([*range(len(prompts)), *again]))


def targets(prompts: list[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(P, H) labels, and (P, H) in [0, 1] how far each label is to be believed."""
    labels = np.zeros((len(prompts), len(HEADS)), dtype=np.float32)
    belief = np.ones_like(labels)
    for i, prompt in enumerate(prompts):
        if prompt.unsafe:
            belief[i] = OTHER_HARM
            for head, category in enumerate(HEADS):
                if category == "unsafe" or category in prompt.categories:
                    labels[i, head] = belief[i, head] = 1
    return labels, belief


def main() -> None:
    parser = argparse.ArgumentParser(prog="guard.prompts.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of *.jsonl.gz")
    parser.add_argument("--out", type=Path, required=True, help="directory for the weights")
    parser.add_argument("--budget", type=budget, default=600.0, help="wall clock, such as 10m")
    arguments = parser.parse_args()
    began = time.monotonic()

    prompts = read(arguments.data, MOST, SEED)
    prompts += [Prompt(s, "own", False, frozenset(), True) for s in sentences()]
    say(f"{len(prompts):,} prompts")
    licensed = np.array([p.source not in EVALUATION_ONLY for p in prompts])
    vocabulary = vocabulary_of(
        prompt.text
        for prompt in read(arguments.data, MOST_FOR_WORDS, SEED)
        if prompt.source not in EVALUATION_ONLY
    )
    seen = views([prompt.text for prompt in prompts], vocabulary)
    near = clusters(seen.first(), SEED)
    drawn = augmented(prompts, seen, vocabulary)
    selection = select(
        [row for row, i in zip(drawn.rows, drawn.prompt, strict=True) if licensed[i]]
    )
    inputs = selection.matrix(drawn.rows)
    scored = selection.matrix(seen.rows)
    say(f"{inputs.shape[0]:,} rows, {inputs.shape[1]:,} features, {len(vocabulary):,} words")

    labels, belief = targets(prompts)
    family, part = split(prompts, near)
    unlabelled = np.array([p.unsafe is None for p in prompts])
    explicit = np.array([rules.is_explicit(fold(Reading.of(p.text)).text) for p in prompts])
    trainable = licensed & ~(unlabelled & explicit)

    def fit(usable: NDArray[np.bool_], share: float) -> Weights:
        rows = np.flatnonzero(usable[drawn.prompt])
        which = drawn.prompt[rows]
        remaining = max(arguments.budget - (time.monotonic() - began), 1.0)
        found = logistic(
            inputs[rows], labels[which], belief[which], STRENGTH, STEPS,
            time.monotonic() + remaining * share,
        )  # fmt: skip
        half = found.weights.astype(np.float16).astype(np.float32)  # as it is shipped
        return Weights(half, found.bias)

    def worst(
        model: Weights, which: csr_matrix, owners: NDArray[np.int64], count: int
    ) -> NDArray[np.float32]:
        logits = which @ model.weights + model.bias
        highest = np.full((count, len(HEADS)), -np.inf, dtype=np.float32)
        np.maximum.at(highest, owners, logits)
        return highest

    families = sorted(set(part))
    left = len(families) + 1
    unseen = np.zeros((len(prompts), len(HEADS)), dtype=np.float32)
    strange = np.full_like(unseen, np.nan)  # scores of prompts whose whole source is unseen
    disguised: dict[str, list[evaluation.Disguised]] = {name: [] for name in OBFUSCATIONS}
    for name in families:
        held, kin = part == name, family == name
        model = fit(trainable & ~kin & ~np.isin(near, near[held]), 1 / left)
        left -= 1
        logits = worst(model, scored, seen.owner, len(prompts))
        unseen[held] = logits[held]
        strange[kin] = logits[kin]
        for obfuscation, results in disguised.items():
            picked = evaluation.picked(prompts, kin, SEED)
            rng_texts = random.Random(SEED)  # noqa: S311
            hidden = [OBFUSCATIONS[obfuscation](prompts[i].text, rng_texts) for i in picked]
            if hidden:
                each = views(hidden, vocabulary)
                logits = worst(model, selection.matrix(each.rows), each.owner, len(hidden))
                results += [
                    evaluation.Disguised(i, float(z[0]))
                    for i, z in zip(picked, logits, strict=True)
                ]
        say(f"without {name}: {int(held.sum()):,} prompts scored")
    final = fit(trainable, 1)

    report = evaluation.evaluate(
        prompts, HEADS, unseen, strange, ~(unlabelled & explicit), disguised
    )
    manifest = write(
        arguments.out,
        {"name": "prompt-linear", "version": VERSION, "prior": evaluation.PRIOR,
         "heads": [head.model_dump() for head in report.heads]},
        {
            "weights": final.weights.astype(np.float16),
            "bias": final.bias.astype(np.float32),
            "buckets": selection.buckets.astype(np.uint32),
            "idf": selection.idf.astype(np.float16),
            **vocabulary.tensors(),
        },
    )  # fmt: skip
    (arguments.out / "evaluation.json").write_text(json.dumps(report.figures, indent=1) + "\n")
    say(f"{manifest.sha256[:12]} in {arguments.out}, {time.monotonic() - began:.0f} s")
    print(json.dumps(report.figures["core"], indent=1))


if __name__ == "__main__":
    main()
