"""The prompt assessor in figures.

    python benchmarks/prompts.py --data DIR

DIR (default: $WARDMARK_DATA/prompts) holds labelled prompts (``*.jsonl.gz``) and, for comparison,
word lists (``lexicons/*_en.txt``). The quality of the model, of its parts alone and of the encoder
as it came is what training measured on folds of sources left out (``evaluation.json``): the shipped
weights have seen most of DIR and are not scored on it. "Source known" is a fifth of all prompts,
scored by parts that know the sources but no near-duplicate of the prompts. The word list is scored
here and now on the same prompts; speed is measured on this machine.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from guard.assessment import Assessment
from guard.evaluate.metrics import clopper_pearson
from guard.explain import explain_prompt
from guard.prompts import TrainedPromptAssessor, load_assessor
from guard.prompts.fold import fold
from guard.prompts.reading import Reading
from guard.prompts.training import evaluation
from guard.prompts.training.__main__ import MOST, SEED
from guard.prompts.training.corpus import EVALUATION_ONLY, OURS, Prompt, own, read
from guard.prompts.training.judged import judged_unsafe
from guard.prompts.training.obfuscation import OBFUSCATIONS

TIMED = 300  # prompts
BATCH = 64
HIDDEN = 200  # harmless prompts, in every disguise
EXPLAINED = 9  # flagged prompts

_FRESH = """
import time
began = time.perf_counter()
from guard.prompts import load_assessor
load_assessor().assess(["a red house by the sea"])
seconds = time.perf_counter() - began
status = open("/proc/self/status").read()  # getrusage would count the parent's memory
print(seconds, status.split("VmHWM:")[1].split()[0])
"""


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
    hits = np.array(
        [len(listed.findall(fold(Reading.of(prompt.text)).text)) for prompt in prompts], float
    )
    usable = np.array([p.unsafe is not None or not judged_unsafe(p.text) for p in prompts])
    mixed = evaluation.mixture(prompts, usable)
    return {
        "core": evaluation.core(hits, mixed),
        **evaluation.flags(hits, hits > 0, mixed),
    }


def show(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def measures(figures: dict[str, float]) -> tuple[str, ...]:
    names = ("auroc", "auprc", "tpr_at_fpr_0.005", "tpr_at_fpr_0.01", "tpr_at_fpr_0.05")
    return tuple(f"{figures[name]:.3f}" for name in names)


def means(model: dict[str, Any], known: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every source weighs alike."""

    def recall(of: dict[str, Any]) -> str:
        return f"{np.mean([each['recall'] for each in of['sources'].values()]):.3f}"

    def flagged(of: dict[str, Any]) -> str:
        rates = of["false_positives"]
        return f"{np.mean([rates[source]['rate'] for source in evaluation.ORDINARY]):.4f}"

    return [
        ("recall, unsafe sources", recall(model), recall(known)),
        ("flagged, ordinary benign sources", flagged(model), flagged(known)),
    ]


def our_own() -> list[tuple[str, ...]]:
    """How many sentences of ours the weights were trained with."""
    counts = Counter((each.source, bool(each.unsafe)) for each in own())
    return [(name, f"{counts[name, True]:,}", f"{counts[name, False]:,}") for name in sorted(OURS)]


def unread(prompts: list[Prompt], assessor: TrainedPromptAssessor) -> list[tuple[str, ...]]:
    """Benign English prompts taken for another language, and false alarms of the rules."""
    rows = []
    for source in (*evaluation.ORDINARY, *evaluation.HARD):
        texts = [p.text for p in prompts if p.source == source and not p.unsafe][:TIMED]
        found = assessor.assess(texts)
        foreign = sum(each.language not in ("en", "zxx") for each in found)
        alarms = []
        for category in ("sexual_minors", "privacy", "injection_evasion"):
            hits = sum(
                each.scores.get(category, 0.0) >= each.thresholds.get(category, 1.0)
                for each in found
            )
            alarms.append(f"{hits}")
        bound = clopper_pearson(0, len(texts))
        rows.append((source, f"{len(texts)}", f"{foreign}", *alarms, f"{bound.high:.4f}"))
    return rows


def harmless_in_disguise(
    prompts: list[Prompt], assessor: TrainedPromptAssessor
) -> dict[str, float]:
    """The share of ordinary prompts of sources never trained on that each disguise gets flagged."""
    rng = random.Random(SEED)
    texts = [p.text for p in prompts if p.source in EVALUATION_ONLY]
    picked = rng.sample(texts, min(len(texts), HIDDEN))
    hidden = {way: [hide(text, rng) for text in picked] for way, hide in OBFUSCATIONS.items()}
    return {
        way: float(np.mean([_is_flagged(each) for each in assessor.assess(texts)]))
        for way, texts in hidden.items()
    }


def _is_flagged(found: Assessment) -> bool:
    return any(score >= found.thresholds[each] for each, score in found.scores.items())


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall clock and of CPU (this thread's) that a call takes."""
    began, used = time.perf_counter(), time.thread_time()
    call()
    return time.perf_counter() - began, time.thread_time() - used


def speed(prompts: list[Prompt], assessor: TrainedPromptAssessor) -> list[tuple[str, ...]]:
    """Start-up and memory of a fresh process (Linux), single prompts, batches on two threads."""
    fresh = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, check=True)
    seconds, kilobytes = fresh.stdout.split()
    texts = [prompt.text for prompt in prompts if 38 <= len(prompt.text.split()) <= 42][:TIMED]
    assessor.assess(texts[:BATCH])
    encoder = assessor.model.encoder
    folded = [fold(Reading.of(text)).text for text in texts]
    single = [_timed(lambda text=text: assessor.assess([text])) for text in texts]
    alone = [_timed(lambda text=text: encoder.logits([text])) for text in folded]
    whole, bare = np.transpose(single), np.transpose(alone)  # (2, N): wall clock, CPU
    flagged = (text for text in texts if _is_flagged(assessor.assess([text])[0]))
    explained = []
    for text in islice(flagged, EXPLAINED):
        used = time.process_time()  # of all threads
        explain_prompt(text, assessor)
        explained.append(time.process_time() - used)
    step = max(len(prompts) // (20 * BATCH), 1)
    mixed = [prompt.text for prompt in prompts[::step]][: 20 * BATCH]
    began = time.perf_counter()
    for at in range(0, len(mixed), BATCH):
        assessor.assess(mixed[at : at + BATCH])
    rate = len(mixed) / (time.perf_counter() - began)
    return [
        ("start-up: import, load, one prompt", f"{1e3 * float(seconds):.0f} ms"),
        ("memory of that process, at most", f"{float(kilobytes) / 1024:.0f} MiB"),
        *(
            (f"prompt of 40 words, {name}, {clock}", f"{1e3 * np.quantile(times, at):.2f} ms")
            for clock, times in (("wall clock", whole[0]), ("CPU", whole[1]))
            for name, at in (("p50", 0.5), ("p95", 0.95))
        ),
        ("the encoder alone on it, p50, CPU", f"{1e3 * np.quantile(bare[1], 0.5):.2f} ms"),
        ("the encoder alone on it, p95, CPU", f"{1e3 * np.quantile(bare[1], 0.95):.2f} ms"),
        ("all of it against the encoder alone, CPU", f"{whole[1].sum() / bare[1].sum():.2f}"),
        (
            "explaining a flagged prompt of 40 words, p50, CPU",
            f"{np.median(explained):.2f} s",
        ),
        (f"prompts of all sources, batches of {BATCH}, two threads", f"{rate:.0f} a second"),
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

    header = ("AUROC", "AUPRC", "TPR at FPR .5 %", "1 %", "5 %")
    known = model["known"]
    scored = {
        **model["core"],
        "word list": words["core"],
        "model that knows the sources": known["core"],
    }
    show(
        "Core categories, every source left out of training",
        ("prompts", "scored by", *header),
        [(cut, by, *measures(scored[by][cut])) for cut in words["core"] for by in scored],
    )
    show(
        "Categories",
        ("category", *header, "threshold", "FPR", "at most", "ECE", "ECE, strangers"),
        [
            (
                category,
                *measures(each),
                f"{each['threshold']:.3f}",
                f"{each['false_positive_rate']:.4f}",
                f"{each['false_positive_bound']:.4f}",
                f"{each['calibration_error']:.3f}",
                f"{each['calibration_error_strangers']:.3f}",
            )
            for category, each in model["categories"].items()
        ],
    )
    show(
        "Unsafe sources at the shipped thresholds",
        ("source", "prompts", "recall", "source known", "word list", *header),
        [
            (
                source,
                str(each["prompts"]),
                f"{each['recall']:.3f}",
                f"{known['sources'][source]['recall']:.3f}",
                f"{words['sources'][source]['recall']:.3f}",
                *measures(each),
            )
            for source, each in model["sources"].items()
        ],
    )
    show(
        "Benign sources at the shipped thresholds",
        ("source", "flagged", "95 % interval", "source known", "word list"),
        [
            (
                source,
                f"{each['rate']:.4f}",
                f"{each['low']:.4f} to {each['high']:.4f}",
                f"{known['false_positives'][source]['rate']:.4f}",
                f"{words['false_positives'][source]['rate']:.4f}",
            )
            for source, each in model["false_positives"].items()
        ],
    )
    show(
        "Harmless prompts beside the harmful ones made with them",
        ("sources", "scored by", "AUROC", "harmless flagged", "harmful flagged", "at 18 %"),
        [
            (
                pair,
                by,
                f"{each[pair]['auroc']:.3f}",
                f"{each[pair]['harmless_flagged']:.3f}",
                f"{each[pair]['harmful_flagged']:.3f}",
                f"{each[pair]['harmful_flagged_at_0.18']:.3f}",
            )
            for pair in model["twins"]
            for by, each in (
                ("model", model["twins"]),
                ("model that knows the sources", known["twins"]),
                ("word list", words["twins"]),
            )
        ],
    )
    show("Means at the shipped thresholds", ("what", "figure", "source known"), means(model, known))
    show("Our own sentences", ("source", "harmful", "harmless"), our_own())
    assessor = load_assessor()
    harmless = harmless_in_disguise(prompts, assessor)
    show(
        "Disguised prompts at the shipped thresholds",
        (
            "disguise",
            "recall in clear",
            "disguised",
            "disguised / clear",
            "still flagged",
            "harmless flagged",
        ),
        [
            (
                name,
                f"{each['plain_recall']:.3f}",
                f"{each['recall']:.3f}",
                f"{each['recall'] / each['plain_recall']:.3f}",
                f"{each['still_flagged']:.3f}",
                f"{harmless[name]:.3f}",
            )
            for name, each in model["disguises"].items()
        ],
    )
    show(
        "The shipped assessor on benign sources: what is no matter of weights",
        ("source", "prompts", "not read as English", "minors", "privacy", "injection", "0 means <"),
        unread(prompts, assessor),
    )
    show("Speed", ("what", "figure"), speed(prompts, assessor))


if __name__ == "__main__":
    main()
