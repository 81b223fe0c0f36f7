"""Several gateways over one database, some of them killed: each job is delivered at most once."""

import random
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from provenance.home import Home
from tests.gateway.process import gateway
from tests.support.databases import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

PATIENCE = 120.0  # seconds, on a busy machine
JOBS = 8


def hosts(tmp_path: Path, url: str) -> tuple[Path, Path]:
    """The homes of two hosts that share a database, and therefore their keys."""
    first = tmp_path / "first"
    Home.create(first, provider="Test provider", version="0.0").ledger.close()
    if url:
        file = first / "wardmark.toml"
        file.write_text(file.read_text().replace('database = ""', f'database = "{url}"'))
        shutil.copytree(first, tmp_path / "second")
        return first, tmp_path / "second"
    return first, first


def ask(address: str, number: int) -> str:
    """The place of a new job."""
    answer = httpx.post(
        f"{address}/v1/images/generations",
        json={"prompt": f"a calm sea {number}", "n": 2},
        headers={"prefer": "respond-async"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def ends(address: str, places: list[str]) -> dict[str, dict[str, Any]]:
    """Each job, once all are done."""
    until = time.monotonic() + PATIENCE
    done: dict[str, dict[str, Any]] = {}
    while len(done) < len(places):
        assert time.monotonic() < until, f"{len(places) - len(done)} jobs are not done"
        for place in set(places) - set(done):
            job = httpx.get(address + place, timeout=PATIENCE).json()
            if job["status"] not in ("queued", "in_progress"):
                done[place] = job
        time.sleep(0.05)
    return done


def check(home: Path, jobs: dict[str, dict[str, Any]]) -> int:
    """How many jobs were lost. Whatever anybody got is on record, once, and the ledger holds."""
    opened = Home.open(home)
    recorded = [entry.id for entry in opened.ledger.entries(kind="delivery")]
    lost = 0
    got: list[str] = []
    for job in jobs.values():
        if job["status"] == "completed":
            got += [datum["gateway"]["content_id"] for datum in job["result"]["data"]]
        else:
            assert (job["status"], job["error"]["code"]) == ("failed", "job_interrupted")
            lost += 1
    assert len(got) == len(set(got)) == 2 * (len(jobs) - lost)
    assert set(got) <= set(recorded)
    # Of a job that was lost something was recorded before, and nothing was drawn after.
    assert len(recorded) - len(got) <= 2 * lost
    assert opened.ledger.verify().ok
    opened.ledger.close()
    return lost


@pytest.mark.parametrize(
    "database", [pytest.param("sqlite", marks=pytest.mark.slow), "postgresql"]
)
def test_two_gateways_share_their_jobs_and_one_takes_over_when_the_other_is_killed(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    first, second = hosts(tmp_path, url)
    with gateway(first) as (one, kill), gateway(second) as (other, _):
        places = [ask(one, number) for number in range(JOBS)]
        assert httpx.get(other + places[0], timeout=PATIENCE).status_code == 200
        time.sleep(random.Random(database).uniform(0.1, 0.4))
        kill()
        jobs = ends(other, places)
    assert check(second, jobs) <= 2  # as many as one process draws at once


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_gateways_that_are_killed_again_and_again_deliver_each_job_at_most_once(
    tmp_path: Path, seed: int, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgresql_url") if seed % 2 else ""
    first, second = hosts(tmp_path, url)
    rng = random.Random(seed)
    with gateway(second) as (steady, _):
        places = []
        for kills in range(4):
            with ExitStack() as life:
                address, kill = life.enter_context(gateway(first))
                places += [ask(address, 10 * kills + number) for number in range(4)]
                time.sleep(rng.uniform(0.0, 1.0))
                kill()
        jobs = ends(steady, places)
    check(second, jobs)
