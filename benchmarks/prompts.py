"""The prompt assessor in figures.

    python benchmarks/prompts.py --data DIR

DIR (default: $WARDMARK_DATA/prompts) holds labelled prompts (``*.jsonl.gz``) and, for comparison,
word lists (``lexicons/*_en.txt``).
The quality of the model is what its training measured on families of sources left out of training
(``evaluation.json``): the shipped weights have seen most of DIR and are not scored on it. The word
list is scored here and now on the same prompts. So is speed, on this machine.
"""

import argparse
import json
import os
import re
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from guard.prompts import load_assessor
from guard.prompts.fold import fold
from guard.prompts.reading import Reading
from guard.prompts.training.__main__ import MOST, SEED
from guard.prompts.training.corpus import Prompt, read
from guard.prompts.training.evaluation import evaluate
from guard.prompts.training.metrics import clopper_pearson

TIMED = 400  # prompts
BATCH = 64


def word_list(directory: Path, prompts: list[Prompt]) -> dict[str, Any]:
    """Figures of counting listed words, by the same measure as the model's."""
    words = [
        line.strip().lower()
        for path in sorted((directory / "lexicons").glob("*_en.txt"))
        for line in path.read_text("utf-8").splitlines()
        if line.strip()
    ]
    if not words:
        raise SystemExit(f"No word list in {directory / 'lexicons'}; nothing to compare with.")
    listed = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b")
    hits = [len(listed.findall(fold(Reading.of(prompt.text)).text)) for prompt in prompts]
    return evaluate(
        prompts,
        ("unsafe",),
        np.array(hits, dtype=np.float32)[:, None],
        np.array(hits, dtype=np.float32)[:, None],
        np.ones(len(prompts), dtype=np.bool_),
        {},
    ).figures


def show(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def measures(figures: dict[str, float]) -> tuple[str, ...]:
    names = ("auroc", "auprc", "tpr_at_fpr_0.005", "tpr_at_fpr_0.01", "tpr_at_fpr_0.05")
    return tuple(f"{figures[name]:.3f}" for name in names)


def unread(prompts: list[Prompt], sources: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Benign English prompts taken for another language, and false alarms of the minors' rule."""
    assessor = load_assessor()
    rows = []
    for source in sources:
        texts = [p.text for p in prompts if p.source == source and not p.unsafe][:TIMED]
        found = assessor.assess(texts)
        foreign = sum(each.language not in ("en", "zxx") for each in found)
        flagged = sum(
            each.scores.get("sexual_minors", 0.0) >= each.thresholds.get("sexual_minors", 1.0)
            for each in found
        )
        bound = clopper_pearson(flagged, len(texts))
        rows.append(
            (source, f"{foreign / len(texts):.4f}", f"{bound.rate:.4f}", f"{bound.high:.4f}")
        )
    return rows


def speed(prompts: list[Prompt]) -> list[tuple[str, ...]]:
    """Times of one thread: loading, single prompts, batches."""
    began = time.perf_counter()
    assessor = load_assessor()
    loading = time.perf_counter() - began
    texts = [prompt.text for prompt in prompts if 30 <= len(prompt.text.split()) <= 50][:TIMED]
    assessor.assess(texts[:BATCH])
    single = []
    for text in texts:
        began = time.perf_counter()
        assessor.assess([text])
        single.append(time.perf_counter() - began)
    began = time.process_time()
    for at in range(0, len(texts), BATCH):
        assessor.assess(texts[at : at + BATCH])
    cpu = (time.process_time() - began) / len(texts)
    return [
        ("load", f"{1e3 * loading:.0f} ms"),
        ("prompt of 30 to 50 words, p50", f"{1e3 * np.quantile(single, 0.5):.2f} ms"),
        ("prompt of 30 to 50 words, p95", f"{1e3 * np.quantile(single, 0.95):.2f} ms"),
        ("CPU time of one of them, mean", f"{1e3 * cpu:.2f} ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("WARDMARK_DATA")
    default = Path(shared) / "prompts" if shared else None
    parser.add_argument("--data", type=Path, default=default)
    directory = parser.parse_args().data
    if directory is None:
        parser.error("name a folder of labelled prompts with --data or $WARDMARK_DATA")
    prompts = read(directory, MOST, SEED)
    model = json.loads((files("guard.prompts") / "weights" / "evaluation.json").read_text("utf-8"))
    words = word_list(directory, prompts)

    foreign = model["false_positives_of_unseen_sources"]
    header = ("AUROC", "AUPRC", "TPR at FPR .5 %", "1 %", "5 %")
    rows = []
    for cut in model["core"]:
        rows.append((cut, "model", *measures(model["core"][cut])))
        rows.append((cut, "word list", *measures(words["core"][cut])))
    show(
        "Core categories, every source left out of training",
        ("prompts", "scored by", *header),
        rows,
    )
    show(
        "Categories",
        ("category", *header, "threshold", "FPR", "at most", "ECE"),
        [
            (
                category,
                *measures(each),
                f"{each['threshold']:.3f}",
                f"{each['false_positive_rate']['rate']:.4f}",
                f"{each['false_positive_rate']['high']:.4f}",
                f"{each['calibration_error']:.3f}",
            )
            for category, each in model["categories"].items()
        ],
    )
    show(
        "Unsafe sources at the shipped threshold",
        ("source", "prompts", "recall", "word list", *header),
        [
            (
                source,
                str(each["prompts"]),
                f"{each['recall']:.3f}",
                f"{words['sources'][source]['recall']:.3f}",
                *measures(each),
            )
            for source, each in model["sources"].items()
        ],
    )
    show(
        "Benign sources at the shipped threshold",
        ("source", "flagged", "95 % interval", "had the source been unseen", "word list"),
        [
            (
                source,
                f"{each['rate']:.4f}",
                f"{each['low']:.4f} to {each['high']:.4f}",
                f"{foreign[source]['rate']:.4f}" if source in foreign else "",
                f"{words['false_positives'][source]['rate']:.4f}",
            )
            for source, each in model["false_positives"].items()
        ],
    )
    show(
        "Disguised prompts at the shipped threshold",
        ("disguise", "recall in clear", "recall disguised", "of those flagged, still flagged"),
        [
            (
                name,
                f"{each['plain_recall']:.3f}",
                f"{each['recall']:.3f}",
                f"{each['still_flagged']:.3f}",
            )
            for name, each in model["obfuscations"].items()
        ],
    )
    show(
        "The shipped assessor on benign sources: what is no matter of weights",
        ("source", "not read as English", "flagged by the rule on minors", "at most"),
        unread(prompts, tuple(model["false_positives"])),
    )
    show("Speed, one thread", ("what", "time"), speed(prompts))


if __name__ == "__main__":
    main()
