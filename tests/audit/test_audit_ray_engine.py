"""The engine on Ray: the same answers as here, on workers that die, and nothing left behind."""

import os
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from datasets_audit import DeclaredUse, audit, ray_engine
from datasets_audit.engine import LocalEngine
from datasets_audit.errors import EngineUnavailable, WorkerLost
from datasets_audit.example import make_example
from datasets_audit.ray_cluster import start_here
from datasets_audit.ray_engine import RayEngine
from tests.support.ray_work import die_at_first_sight, note

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="needs Ray: pip install 'wardmark[ray]'"
)
LISTENING = "0A"  # state of a socket in /proc/net/tcp
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One for the tests that do not look at how one is started."""
    ray = start_here(2)
    yield
    ray.shutdown()


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [*found, *(below for child in found for below in descendants(child))]


def addresses_listened_on(pids: list[int]) -> set[str]:
    """Hexadecimal, as /proc has them, of TCP sockets that these processes listen on."""
    sockets = set()
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                sockets.add(str(file.readlink()).removeprefix("socket:[").rstrip("]"))
            except OSError:
                continue  # closed since
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        row[1].partition(":")[0] for row in rows if row[3] == LISTENING and row[9] in sockets
    }


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_same_audit_comes_out_byte_for_byte_and_ray_is_gone_after_it(tmp_path: Path) -> None:
    example = make_example(tmp_path / "example")
    listened: set[str] = set()
    others = set(descendants(os.getpid()))  # servers of other tests

    def listening() -> set[str]:
        return addresses_listened_on([p for p in descendants(os.getpid()) if p not in others])

    def look(_what: str, done: int, total: int) -> None:
        if done == total:
            listened.update(listening())

    for engine in ("local", "ray"):
        audit(
            example.images,
            name="example",
            annotations=example.annotations,
            reference=example.reference,
            out=tmp_path / engine,
            engine=engine,
            progress=look,
            use=DeclaredUse.COMMERCIAL,
            as_of=date(2026, 6, 30),
            secret=bytes(32),
            workers=2,
        )
    local, ray = files_of(tmp_path / "local"), files_of(tmp_path / "ray")
    assert [name for name in local if local[name] != ray.get(name)] == []
    assert set(local) == set(ray)
    assert listened, "while Ray ran, its processes listened somewhere"
    assert listened <= LOOPBACK
    assert listening() == set()


def test_a_cluster_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(EngineUnavailable, match=r"127\.0\.0\.1:1"):
        next(RayEngine(1).map(abs, [1]))


@pytest.mark.usefixtures("cluster")
class TestOnARunningCluster:
    def test_results_come_in_the_order_of_the_work(self) -> None:
        work = range(-40, 0)
        assert list(RayEngine(2).map(abs, work)) == list(LocalEngine(1).map(abs, work))

    def test_an_error_in_the_work_comes_through(self) -> None:
        with pytest.raises(ZeroDivisionError):
            list(RayEngine(2).map((1).__truediv__, [1, 0]))

    def test_a_batch_that_kills_every_worker_ends_the_pass(self) -> None:
        with pytest.raises(WorkerLost, match="over one batch"):
            list(RayEngine(2).map(os._exit, [3]))

    def test_a_worker_that_dies_once_costs_nothing(self, tmp_path: Path) -> None:
        marks = [str(tmp_path / name) for name in "abc"]
        assert list(RayEngine(2).map(die_at_first_sight, marks)) == marks

    def test_closed_early_it_begins_no_more_work(self, tmp_path: Path) -> None:
        results = RayEngine(1).map(note, [str(tmp_path / f"{n}") for n in range(200)])
        next(results)
        results.close()
        assert len(list(tmp_path.iterdir())) < 100

    def test_a_machine_with_other_versions_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import ray

        ray_engine._check_versions(ray)
        monkeypatch.setattr(ray_engine, "version", lambda _tool: "0.0")  # here, not on the workers
        with pytest.raises(EngineUnavailable, match="simplejpeg"):
            ray_engine._check_versions(ray)
