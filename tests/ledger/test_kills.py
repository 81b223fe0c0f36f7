"""kill -9 at random points, again and again: nothing acknowledged is lost, nothing stands twice."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import postgresql
import pytest
from workers import PORTION, Nursery, ids, kill, nursery

import migrations
from provenance.ledger import Ledger, LedgerKey, load_verifier
from provenance.ledger.key import verifier_path

WRITERS = 3
LEADERS = 2
FEW = pytest.param(6, id="a few times")
OFTEN = pytest.param(200, id="200 times", marks=pytest.mark.slow)


class Life:
    """Writers, and whom they depend on, each of which may die at any time."""

    def __init__(self, hatch: Nursery, url: str, folder: Path, *, leaders: int) -> None:
        self._hatch, self._url, self._folder = hatch, url, folder
        self.key = folder / "ledger.key"
        LedgerKey.create(self.key, "kills.test")
        self._signs = verifier_path(self.key) if leaders else self.key
        self._writers = {f"w{i}": self._write(f"w{i}") for i in range(WRITERS)}
        self._leaders = [self._lead() for _ in range(leaders)]

    def _said(self, name: str) -> Path:
        return self._folder / f"{name}.said"

    def acknowledged(self, name: str) -> dict[int, list[int]]:
        """Indexes of the events of each portion, to the last whole line."""
        file = self._said(name)
        lines = file.read_text().split("\n")[:-1]
        portions = [list(map(int, line.split())) for line in lines]
        assert [n for n, *_ in portions] == list(range(len(portions)))
        return {n: indexes for n, *indexes in portions}

    def _progress(self, name: str) -> int:
        """How many portions were acknowledged."""
        file = self._said(name)
        return file.read_bytes().count(b"\n") if file.exists() else 0

    def _write(self, name: str) -> int:
        first = self._progress(name)  # what was in flight is sent again
        return self._hatch.start("write", self._url, self._signs, name, first, self._said(name))

    def _lead(self) -> int:
        return self._hatch.start("lead", self._url, self.key)

    def kill_writer(self, chance: random.Random) -> None:
        name = chance.choice(sorted(self._writers))
        kill(self._writers[name])
        self._writers[name] = self._write(name)

    def kill_leader(self, chance: random.Random) -> None:
        kill(self._leaders.pop(chance.randrange(len(self._leaders))))
        self._leaders.append(self._lead())

    def goes_on(self) -> None:
        """Wait until each writer has something new acknowledged."""
        before = {name: self._progress(name) for name in self._writers}
        until = time.monotonic() + postgresql.PATIENCE
        while any(self._progress(name) <= n for name, n in before.items()):
            assert time.monotonic() < until, "nothing is acknowledged any more"
            time.sleep(0.02)

    def end(self) -> dict[str, dict[int, list[int]]]:
        """Kill all; what was acknowledged to each writer."""
        for pid in (*self._writers.values(), *self._leaders):
            kill(pid)
        return {name: self.acknowledged(name) for name in self._writers}


def live(life: Life, url: str, times: int, deaths: list[Callable[[random.Random], None]]) -> None:
    """Let processes die ``times`` times, then hold the ledger against what was acknowledged."""
    chance = random.Random(times)
    died: Counter[str] = Counter()
    witnessed = []
    life.goes_on()
    for i in range(times):
        if chance.random() < 0.5:  # else in the middle of what the last death left behind
            life.goes_on()
        time.sleep(chance.uniform(0, 0.15))
        death = chance.choice(deaths)
        died[death.__name__] += 1
        death(chance)
        if i % 10 == 0:
            life.goes_on()
            with Ledger(url, load_verifier(verifier_path(life.key))) as ledger:
                witnessed.append(ledger.checkpoint().note)
    life.goes_on()
    said = life.end()
    with Ledger(url, LedgerKey.load(life.key)) as ledger:
        places = {entry.id: entry.index for entry in ledger.entries()}
        assert sorted(places.values()) == list(range(ledger.size))  # each id once, no gap
        for name, portions in said.items():
            for n, indexes in portions.items():
                assert [places[event_id] for event_id in ids(name, n)] == indexes
            # At most what was in flight came to be without being acknowledged, and that whole.
            own = sum(event_id.startswith(f"{name}-") for event_id in places)
            assert own - PORTION * len(portions) in (0, PORTION)
        report = ledger.verify(witnessed=witnessed)
    assert report.ok, report.findings
    print(f"{dict(died)}: {report.size} entries, {report.checkpoints} checkpoints, all fit")


@pytest.fixture(scope="module")
def hatch() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


@pytest.mark.parametrize("times", [FEW, OFTEN])
def test_writers_to_sqlite_that_are_killed(tmp_path: Path, hatch: Nursery, times: int) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrations.upgrade(url)
    life = Life(hatch, url, tmp_path, leaders=0)
    live(life, url, times, [life.kill_writer])


@pytest.mark.parametrize("times", [FEW, OFTEN])
def test_writers_sequencers_and_the_server_of_postgresql_that_are_killed(
    tmp_path: Path, hatch: Nursery, times: int
) -> None:
    installed = postgresql.binaries()
    if installed is None or find_spec("psycopg") is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.Server(installed) as server:
        migrations.upgrade(server.url)
        life = Life(hatch, server.url, tmp_path, leaders=LEADERS)

        def kill_server(_: random.Random) -> None:
            server.kill()
            server.start()

        live(life, server.url, times, [life.kill_writer, life.kill_leader, kill_server])
