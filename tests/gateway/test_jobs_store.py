"""The table of jobs: one holder at a time, nothing in clear, nothing for others to see."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from guard.errors import IdempotencyConflict, JobNotFound, QueueFull, StillRunning
from guard.gateway.answers import Answer
from guard.gateway.jobs import store
from guard.gateway.jobs.sealing import Seal
from guard.gateway.jobs.store import Claimed, Jobs, Status
from provenance.errors import LedgerCorrupt
from provenance.ledger.database import Database
from tests.support.databases import postgresql_server, postgresql_url, url

__all__ = ["postgresql_server", "postgresql_url", "url"]

SECRET = bytes(32)
DONE = Answer(200, b'{"data": []}')
REFUSED = Answer(400, b'{"error": {}}')


def opened(url: str, worker: str, keep: float = 60.0, secret: bytes = SECRET) -> Jobs:
    return Jobs(Database(url), Seal(secret), keep, worker)


@pytest.fixture
def jobs(url: str) -> Iterator[Jobs]:
    made = opened(url, "one")
    yield made
    made.close()


@pytest.fixture
def other(url: str) -> Iterator[Jobs]:
    made = opened(url, "two")
    yield made
    made.close()


def run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that are taken from now on are over at once."""
    monkeypatch.setattr(store, "LEASE_SECONDS", -1.0)


def test_a_job_goes_from_the_queue_to_its_answer(jobs: Jobs, other: Jobs) -> None:
    put = jobs.put("key_1", b"a calm sea")
    assert put.status is Status.QUEUED
    assert jobs.waiting() == 1
    claimed = other.claim()
    assert claimed == Claimed(put.id, b"a calm sea", 1)
    assert jobs.claim() is None
    assert jobs.find("key_1", put.id).status is Status.IN_PROGRESS
    assert other.finish(put.id, DONE)
    found = jobs.find("key_1", put.id)
    assert (found.status, found.answer) == (Status.COMPLETED, DONE)
    refused = jobs.put("key_1", b"a fight")
    other.claim()
    other.finish(refused.id, REFUSED)
    assert jobs.find("key_1", refused.id).status is Status.FAILED


def test_more_jobs_than_may_wait_are_told_to_come_back(jobs: Jobs, url: str) -> None:
    small = Jobs(Database(url), Seal(SECRET), 60.0, "small", most=2)
    first = small.put("key_1", b"1", "k")
    small.put("key_1", b"2")
    with pytest.raises(QueueFull) as full:
        small.put("key_1", b"3")
    assert full.value.retry_after > 0
    assert small.put("key_1", b"1", "k").id == first.id, "what is there already is no more"
    jobs.claim()
    assert small.put("key_1", b"3").status is Status.QUEUED
    small.close()


def test_jobs_are_begun_in_the_order_of_coming(jobs: Jobs) -> None:
    put = [jobs.put("key_1", b"%d" % i).id for i in range(5)]
    assert [claimed.id for _ in put if (claimed := jobs.claim())] == put


def test_nobody_else_sees_a_job_or_its_answer(jobs: Jobs) -> None:
    put = jobs.put("key_1", b"a calm sea")
    for asked in (lambda: jobs.find("key_2", put.id), lambda: jobs.cancel("key_2", put.id)):
        with pytest.raises(JobNotFound):
            asked()
    assert jobs.find("key_1", put.id).status is Status.QUEUED


def test_neither_request_nor_answer_stands_in_the_database_in_clear(jobs: Jobs, url: str) -> None:
    put = jobs.put("key_1", b"a calm sea", key="my key")
    jobs.claim()
    engine = create_engine(url)

    def stored() -> list[bytes]:
        with engine.connect() as connection:
            row = connection.execute(text("SELECT * FROM job")).one()
            return [v if isinstance(v, bytes) else str(v).encode() for v in row]

    assert not any(b"calm" in value or b"my key" in value for value in stored())
    jobs.finish(put.id, DONE)
    assert not any(b"data" in value for value in stored())
    with engine.connect() as connection:
        assert connection.execute(text("SELECT request FROM job")).scalar_one() is None
    engine.dispose()


def test_an_answer_opens_nowhere_else(jobs: Jobs, url: str) -> None:
    first, second = jobs.put("key_1", b"one"), jobs.put("key_1", b"two")
    for answer in (Answer(200, b'"one"'), Answer(200, b'"two"')):
        claimed = jobs.claim()
        assert claimed is not None
        jobs.finish(claimed.id, answer)
    engine = create_engine(url)
    with engine.begin() as connection:
        swap = "UPDATE job SET answer = (SELECT answer FROM job WHERE id = :a) WHERE id = :b"
        connection.execute(text(swap), {"a": first.id, "b": second.id})
    engine.dispose()
    with pytest.raises(LedgerCorrupt, match=r"commitment\.key"):
        jobs.find("key_1", second.id)
    stranger = opened(url, "three", secret=bytes(31) + b"x")
    with pytest.raises(LedgerCorrupt, match=r"commitment\.key"):
        stranger.find("key_1", first.id)
    stranger.close()


def test_a_job_whose_process_died_is_taken_over(
    jobs: Jobs, other: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = jobs.put("key_1", b"a calm sea")
    run_out(monkeypatch)
    jobs.claim()
    monkeypatch.undo()
    taken = other.claim()
    assert taken == Claimed(put.id, b"a calm sea", 2)
    assert jobs.renew([put.id]) == set()
    assert not jobs.finish(put.id, DONE), "who lost the lease cannot answer"
    assert other.renew([put.id]) == {put.id}
    assert other.finish(put.id, DONE)


def test_a_lease_that_is_renewed_is_kept(jobs: Jobs, other: Jobs) -> None:
    put = jobs.put("key_1", b"a calm sea")
    jobs.claim()
    assert jobs.renew([put.id]) == {put.id}
    assert other.claim() is None


def test_a_job_that_is_given_back_was_never_begun(jobs: Jobs, other: Jobs) -> None:
    put = jobs.put("key_1", b"a calm sea")
    jobs.claim()
    jobs.give_back(put.id)
    assert other.claim() == Claimed(put.id, b"a calm sea", 1)


def test_cancelling_takes_a_job_from_the_queue_and_from_its_holder(
    jobs: Jobs, other: Jobs
) -> None:
    queued = jobs.put("key_1", b"one")
    assert jobs.cancel("key_1", queued.id).status is Status.CANCELLED
    assert other.claim() is None
    running = jobs.put("key_1", b"two")
    other.claim()
    jobs.cancel("key_1", running.id)
    assert other.renew([running.id]) == set()
    assert not other.finish(running.id, DONE)
    assert jobs.find("key_1", running.id).answer is None


def test_cancelling_what_is_done_erases_it(jobs: Jobs) -> None:
    put = jobs.put("key_1", b"one")
    jobs.claim()
    jobs.finish(put.id, DONE)
    assert jobs.cancel("key_1", put.id).status is Status.COMPLETED
    assert jobs.find("key_1", put.id).answer is None


def test_an_answer_goes_when_its_time_is_over(url: str) -> None:
    jobs = opened(url, "one", keep=-1.0)
    put = jobs.put("key_1", b"one")
    with pytest.raises(JobNotFound):
        jobs.find("key_1", put.id)
    assert (jobs.sweep(), jobs.sweep()) == (1, 0)
    jobs.close()


def test_the_same_key_gives_the_same_answer(jobs: Jobs, other: Jobs) -> None:
    begun = jobs.begin("key_1", b"a calm sea", "k")
    assert isinstance(begun, Claimed)
    with pytest.raises(StillRunning):
        other.begin("key_1", b"a calm sea", "k")
    assert other.claim() is None, "what is drawn on the spot is no work for runners"
    jobs.finish(begun.id, DONE)
    assert other.begin("key_1", b"a calm sea", "k") == DONE


def test_a_key_means_one_request_and_is_of_one_caller(jobs: Jobs) -> None:
    jobs.begin("key_1", b"a calm sea", "k")
    with pytest.raises(IdempotencyConflict):
        jobs.begin("key_1", b"a rough sea", "k")
    with pytest.raises(IdempotencyConflict):
        jobs.put("key_1", b"a rough sea", "k")
    assert isinstance(jobs.begin("key_2", b"a rough sea", "k"), Claimed)


def test_a_key_is_free_again_when_nothing_came_of_it(jobs: Jobs) -> None:
    begun = jobs.begin("key_1", b"a calm sea", "k")
    assert isinstance(begun, Claimed)
    jobs.forget(begun.id)
    again = jobs.begin("key_1", b"another sea", "k")
    assert isinstance(again, Claimed)
    assert again.begun == 1


def test_a_key_whose_process_died_is_taken_over_under_the_same_id(
    jobs: Jobs, other: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out(monkeypatch)
    begun = jobs.begin("key_1", b"a calm sea", "k")
    monkeypatch.undo()
    assert isinstance(begun, Claimed)
    assert other.begin("key_1", b"a calm sea", "k") == Claimed(begun.id, b"a calm sea", 2)


def test_a_job_that_is_asked_for_again_under_its_key_is_the_same_job(jobs: Jobs) -> None:
    first = jobs.put("key_1", b"a calm sea", "k")
    assert jobs.put("key_1", b"a calm sea", "k").id == first.id
    assert jobs.waiting() == 1
    with pytest.raises(StillRunning):
        jobs.begin("key_1", b"a calm sea", "k")


def test_two_that_claim_at_once_get_different_jobs(jobs: Jobs, other: Jobs) -> None:
    from concurrent.futures import ThreadPoolExecutor

    put = {jobs.put("key_1", b"%d" % i).id for i in range(20)}
    with ThreadPoolExecutor(4) as threads:
        claims = [threads.submit((jobs, other)[i % 2].claim) for i in range(24)]
    claimed = [found.id for claim in claims if (found := claim.result())]
    assert sorted(claimed) == sorted(put)
