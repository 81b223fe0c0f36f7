"""Rulings and appeals count once, in SQLite and in PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from guard.appeals import Appeals, Outcome, Statement
from guard.decisions import Result, find_decision
from guard.errors import AlreadyRuled, AppealRefused, HeldNotFound, ReviewRequired
from guard.pipeline import ImageRequest, Pipeline
from guard.review import Review, SealedShelf, Verdict
from provenance.home import SETTINGS_FILE, Home
from tests.support.assessors import ScriptedImageAssessor
from tests.support.databases import postgresql_server, postgresql_url, url
from tests.support.deployment import GUARDED, pipeline_of, policy_from

__all__ = ["postgresql_server", "postgresql_url", "url"]

AT_ONCE = 4
TOO_LATE = (AlreadyRuled, HeldNotFound)


@pytest.fixture
def placed(url: str, tmp_path: Path) -> Iterator[Home]:
    """A home whose ledger is in the database ``url``."""
    path = tmp_path / "home"
    Home.create(path, provider="Test provider", version="0.0")
    settings = path / SETTINGS_FILE
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('database = ""', f'database = "{url}"'), encoding="utf-8")
    home = Home.open(path)
    yield home
    home.subjects.keys.close()
    home.ledger.close()


@pytest.fixture
def pipeline(placed: Home, tmp_path: Path) -> Iterator[Pipeline]:
    images = ScriptedImageAssessor(({"shocking": 0.9}, ()))
    made = pipeline_of(placed, policy=policy_from(tmp_path, GUARDED), images=images)
    shelf = SealedShelf(placed)
    yield replace(made, shelf=shelf)
    shelf.close()


@pytest.fixture
def held(pipeline: Pipeline) -> str:
    with pytest.raises(ReviewRequired) as error:
        pipeline.run(ImageRequest(prompt="a calm sea"))
    return error.value.decision_id


def at_once(one: Callable[[int], None]) -> None:
    together = threading.Barrier(AT_ONCE)

    def run(number: int) -> None:
        together.wait()
        one(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_rulings_at_once_one_counts_and_delivers_once(
    placed: Home, pipeline: Pipeline, held: str
) -> None:
    won: list[Verdict] = []

    def rule(number: int) -> None:
        verdict = (Verdict.RELEASE, Verdict.REFUSE)[number % 2]
        with closing(Review(placed, lambda: pipeline)) as review, suppress(*TOO_LATE):
            review.rule(held, 0, verdict, by=f"key_{number}", words="so it is")
            won.append(verdict)

    at_once(rule)
    (verdict,) = won
    results = [ending.result for ending in find_decision(placed.ledger, held).record.endings]
    released = [Result.DELIVERED] if verdict is Verdict.RELEASE else []
    assert results == [Result.HELD, *released]
    with closing(Review(placed, lambda: pipeline)) as review:
        assert review.queue() == ()
        assert len(review.collected(held)) == len(released)
    assert placed.ledger.verify().ok


def test_of_appeals_and_of_answers_at_once_one_counts(placed: Home, held: str) -> None:
    found = find_decision(placed.ledger, held)
    opened: list[str] = []
    answered: list[Outcome] = []

    def appeal(number: int) -> None:
        with suppress(AppealRefused):
            opened.append(Appeals(placed).open(found, Statement(statement=f"no {number}")).id)

    def answer(number: int) -> None:
        outcome = (Outcome.UPHELD, Outcome.OVERTURNED)[number % 2]
        with suppress(AlreadyRuled):
            Appeals(placed).answer(opened[0], outcome, "so it is", by=f"key_{number}")
            answered.append(outcome)

    at_once(appeal)
    (named,) = opened
    assert [one.id for one in Appeals(placed).waiting()] == [named]
    at_once(answer)
    (outcome,) = answered
    assert Appeals(placed).read(named).state == outcome
    assert Appeals(placed).waiting() == ()
