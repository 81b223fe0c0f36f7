"""Disks that are full and logs that are cut off, under processes that really write to them."""

import os
import random
import shutil
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import postgresql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workers import kill, nursery

import migrations
from provenance.errors import LedgerUnavailable
from provenance.ledger import Event, Ledger, LedgerKey, Tampering

ROOM = 2 * 2**20  # bytes that a file of the server may have: a disk that is soon full
BULK = [Event("test", {"bytes": random.Random(n).randbytes(25_000).hex()}) for n in range(200)]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[str]:
    """A ledger on a server whose files cannot grow."""
    installed = postgresql.binaries()
    if installed is None or find_spec("psycopg") is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.Server(installed, largest_file=ROOM) as server:
        migrations.upgrade(server.url)
        yield server.url


def test_a_server_without_room_records_nothing_by_halves(full: str, key: LedgerKey) -> None:
    with Ledger(full, key) as ledger:
        before = ledger.append([Event("test", {})])
        head = ledger.checkpoint()
        with pytest.raises(LedgerUnavailable, match=r"could not extend|No space|too large"):
            ledger.append(BULK)
        assert ledger.checkpoint() == head
        assert ledger.append([Event("test", {})])[0].index == before[0].index + 1
        assert ledger.verify().ok


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LedgerKey, str, int]:
    """A ledger in SQLite whose writer was killed, so that its log was never put in order.

    Its folder, its key, its last checkpoint and how many entries it has.
    """
    folder = tmp_path_factory.mktemp("killed")
    url, key = f"sqlite:///{folder / 'ledger.db'}", folder / "ledger.key"
    migrations.upgrade(url)
    own = LedgerKey.create(key, "killed.test")
    said = folder / "said"
    with nursery() as hatch:
        pid = hatch.start("write", url, key, "w", 0, said)
        while not said.exists() or said.read_bytes().count(b"\n") < 40:
            time.sleep(0.01)
        kill(pid)
    whole = folder / "whole"
    whole.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):
        shutil.copy(folder / name, whole)
    with Ledger(f"sqlite:///{copy_of(whole, folder / 'read')}", own) as ledger:
        return whole, own, ledger.checkpoint().note, ledger.size


def copy_of(whole: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(whole, folder) / "ledger.db"


@settings(max_examples=25)
@given(data=st.data())
def test_a_log_of_sqlite_that_was_cut_off_is_found_by_who_kept_a_checkpoint(
    killed: tuple[Path, LedgerKey, str, int], data: st.DataObject
) -> None:
    whole, key, kept, size = killed
    file = copy_of(whole, whole.parent / "cut")
    log = file.with_name("ledger.db-wal")
    length = log.stat().st_size
    os.truncate(log, data.draw(st.integers(0, length), label="bytes left"))
    with Ledger(f"sqlite:///{file}", key) as ledger:
        left = ledger.size
        found = {finding.what for finding in ledger.verify(witnessed=[kept]).findings}
        assert ledger.verify().ok  # what is left is a history that was once the whole
        assert found == ({Tampering.HISTORY_REWOUND} if left < size else set())
        ledger.append([Event("test", {})])
        assert ledger.verify().ok
        assert ledger.verify(witnessed=[kept]).ok == (left == size)
