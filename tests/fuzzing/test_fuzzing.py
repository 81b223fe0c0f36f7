"""Damaged files: a few in every run, many where there is time (make fuzz has no end of them)."""

import itertools
import time

import pytest

from tests.fuzzing.inputs import CHECKS, SECONDS, corpus, mutations

SEED = 20261121


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    return corpus(every=4)


def every_input_gets_an_answer(seeds: list[bytes], inputs: int) -> None:
    for number, data in enumerate(itertools.islice(mutations(seeds, SEED), inputs)):
        for check in CHECKS:
            start = time.process_time()
            check(data)
            took = time.process_time() - start
            assert took < SECONDS, f"input {number} of seed {SEED} took {took:.1f} s"


def test_what_is_in_the_corpus_gets_an_answer_within_the_limits(seeds: list[bytes]) -> None:
    for data in seeds:
        for check in CHECKS:
            check(data)


def test_damaged_files_get_an_answer_and_prove_nothing(seeds: list[bytes]) -> None:
    every_input_gets_an_answer(seeds, 250)


@pytest.mark.slow
def test_many_damaged_files_get_an_answer_and_prove_nothing() -> None:
    every_input_gets_an_answer(corpus(), 30_000)
