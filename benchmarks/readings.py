"""What reading a prompt in several ways recovers, and what it costs ordinary prompts.

    python benchmarks/readings.py --data DIR

DIR (default: $WARDMARK_DATA/prompts) holds labelled prompts (``*.jsonl.gz``). Each of a sample of
unsafe prompts is disguised in every way that training knows. Printed is the share of its words that
the best reading holds, beside what NFKC and lower case alone recover in the same run. Ordinary
prompts should have one reading: of each benign source, the share that has further ones.
"""

import argparse
import os
import random
import re
import time
import unicodedata
from pathlib import Path

from guard.prompts import load_assessor
from guard.prompts.fold import fold
from guard.prompts.reading import Reading
from guard.prompts.readings import readings_of
from guard.prompts.training.corpus import read
from guard.prompts.training.obfuscation import OBFUSCATIONS

SEED = 20_251
MOST = 400  # prompts of a source and label
DISGUISED = 300  # prompts


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text))


def recovered(meant: frozenset[str], texts: list[str]) -> float:
    """The share of the words that the best of some texts holds."""
    return max(len(meant & words(text)) for text in texts) / max(len(meant), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("WARDMARK_DATA")
    parser.add_argument("--data", type=Path, default=Path(shared) / "prompts" if shared else None)
    directory = parser.parse_args().data
    if directory is None:
        parser.error("name a folder of labelled prompts with --data or $WARDMARK_DATA")
    vocabulary = load_assessor().model.vocabulary
    prompts = read(directory, MOST, SEED)
    unsafe = random.Random(SEED).sample([p.text for p in prompts if p.unsafe], DISGUISED)

    print("| disguise | NFKC and lower case | all readings | readings | ms |")
    print("|---|---|---|---|---|")
    for name, disguise in OBFUSCATIONS.items():
        rng = random.Random(SEED)
        floor = best = count = 0.0
        hidden = [disguise(text, rng) for text in unsafe]
        began = time.process_time()
        found = [readings_of(text, vocabulary) for text in hidden]
        spent = (time.process_time() - began) / len(unsafe)
        for text, typed, readings in zip(unsafe, hidden, found, strict=True):
            meant = words(fold(Reading.of(text)).text)
            floor += recovered(meant, [unicodedata.normalize("NFKC", typed).lower()])
            best += recovered(meant, [reading.text for reading in readings])
            count += len(readings)
        print(
            f"| {name} | {floor / len(unsafe):.3f} | {best / len(unsafe):.3f} "
            f"| {count / len(unsafe):.1f} | {1e3 * spent:.2f} |"
        )

    print("\n| benign source | prompts | with further readings | ms |")
    print("|---|---|---|---|")
    for source in sorted({prompt.source for prompt in prompts if not prompt.unsafe}):
        texts = [p.text for p in prompts if p.source == source and not p.unsafe]
        began = time.process_time()
        further = sum(len(readings_of(text, vocabulary)) > 1 for text in texts)
        spent = (time.process_time() - began) / len(texts)
        print(f"| {source} | {len(texts)} | {further / len(texts):.4f} | {1e3 * spent:.2f} |")


if __name__ == "__main__":
    main()
