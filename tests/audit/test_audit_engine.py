"""Engines keep order, and a worker that dies is said to have died."""

import os

import pytest

from datasets_audit.engine import LocalEngine
from datasets_audit.errors import WorkerLost


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_work(workers: int) -> None:
    assert list(LocalEngine(workers).map(abs, range(-20, 0))) == list(range(20, 0, -1))


def test_a_worker_that_dies_ends_the_pass_with_what_to_do() -> None:
    with pytest.raises(WorkerLost, match="workers=1"):
        list(LocalEngine(2).map(os._exit, [3]))


def test_an_error_in_the_work_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        list(LocalEngine(2).map((1).__truediv__, [1, 0]))
