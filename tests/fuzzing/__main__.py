"""Fuzzes the readers of credentials until the time is up: python -m tests.fuzzing --seconds N"""

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        _by_chance(chosen.seconds, chosen.seed)
    else:
        _guided(chosen.seconds, chosen.seed)


def _by_chance(seconds: int, seed: int) -> None:
    from tests.fuzzing.inputs import CHECKS, SECONDS, corpus, mutations

    until, tried, slowest = time.monotonic() + seconds, 0, 0.0
    for data in mutations(corpus(), seed):
        for check in CHECKS:
            start = time.process_time()
            check(data)
            took = time.process_time() - start
            slowest = max(slowest, took)
            assert took < SECONDS, f"{check.__name__} took {took:.1f} s"
        tried += 1
        if time.monotonic() >= until:
            break
    print(
        f"{tried} damaged inputs (seed {seed}): each got an answer, the slowest in {slowest:.2f} s"
    )


def _guided(seconds: int, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["provenance.credential", "provenance.keys.chain"]):
        from tests.fuzzing.inputs import CHECKS, corpus

    def one(data: bytes) -> None:
        for check in CHECKS:
            check(data)

    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(corpus()):
            (Path(folder) / str(number)).write_bytes(data)
        limits = [f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=2", "-max_len=60000"]
        atheris.Setup([sys.argv[0], *limits, folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
