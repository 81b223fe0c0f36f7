"""Threads that append at once share transactions, and none of them pays for another's mistake."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from deliveries import a_record
from sqlalchemy import create_engine, text

from policies.errors import WardmarkError
from provenance.errors import EventConflict, LedgerUnavailable
from provenance.ledger import Entry, Event, Ledger
from provenance.ledger.sequencer import _Served, _Ticket

THREADS = 12


def at_once(ledger: Ledger, portions: list[list[Event]]) -> list[list[Entry] | WardmarkError]:
    """Append all portions from threads that begin together while nobody can write yet."""
    return together(ledger, [lambda p=portion: ledger.append(p) for portion in portions])


def together(
    ledger: Ledger, appends: list[Callable[[], list[Entry]]]
) -> list[list[Entry] | WardmarkError]:
    """Call all ``appends`` from threads of their own, so that they wait for the same turn."""

    def call(append: Callable[[], list[Entry]]) -> list[Entry] | WardmarkError:
        try:
            return append()
        except WardmarkError as error:
            return error

    sequencer = ledger._sequencer
    assert sequencer
    with ThreadPoolExecutor(len(appends)) as pool:
        sequencer._writer = _Ticket([], {})  # somebody else's turn
        done = [pool.submit(call, append) for append in appends]
        with sequencer._turn:
            while len(sequencer._waiting) < len(appends):
                sequencer._turn.wait(timeout=0.01)  # until all tickets lie there
            sequencer._writer = None
            sequencer._turn.notify_all()
    return [future.result() for future in done]


def test_those_that_wait_together_are_written_together(ledger: Ledger, url: str) -> None:
    outcomes = at_once(ledger, [[Event("test", {"thread": i})] for i in range(THREADS)])
    indexes = sorted(entry.index for outcome in outcomes for entry in _entries(outcome))
    assert indexes == list(range(THREADS))
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM checkpoint")).scalar() == 1
    engine.dispose()
    assert ledger.verify().ok


def test_who_was_served_just_now_and_comes_again_is_waited_for(ledger: Ledger) -> None:
    sequencer = ledger._sequencer
    assert sequencer
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        threads = frozenset(pool.submit(threading.get_ident).result() for pool in (one, other))
        sequencer._served = _Served(threads, time.monotonic() + 60, took=240)
        first = one.submit(ledger.append, [Event("test", {"n": 1})])
        while not sequencer._waiting:
            time.sleep(0.001)
        second = other.submit(ledger.append, [Event("test", {"n": 2})])
        assert {first.result()[0].index, second.result()[0].index} == {0, 1}
    assert ledger.verify().checkpoints == 1


def test_who_was_served_long_ago_is_not_waited_for(ledger: Ledger) -> None:
    sequencer = ledger._sequencer
    assert sequencer
    sequencer._served = _Served(frozenset({0}), time.monotonic() - 3_600, took=1_800)
    assert ledger.append([Event("test", {})])[0].index == 0  # in less than seven minutes


def test_each_gets_its_own_entries_in_its_own_order(ledger: Ledger) -> None:
    portions = [[Event("test", {"thread": i, "n": n}) for n in range(30)] for i in range(THREADS)]
    for portion, outcome in zip(portions, at_once(ledger, portions), strict=True):
        assert [entry.event for entry in _entries(outcome)] == portion
        indexes = [entry.index for entry in _entries(outcome)]
        assert indexes == list(range(indexes[0], indexes[0] + 30))


def test_a_conflict_stops_its_own_portion_alone(ledger: Ledger) -> None:
    ledger.append([Event("test", {}, id="taken")])
    portions = [[Event("test", {"thread": i})] for i in range(THREADS)]
    portions[3] = [Event("test", {"new": 1}), Event("test", {"other": 1}, id="taken")]
    outcomes = at_once(ledger, portions)
    assert isinstance(outcomes[3], EventConflict)
    assert sum(isinstance(outcome, list) for outcome in outcomes) == THREADS - 1
    assert ledger.checkpoint().size == THREADS
    assert ledger.verify().ok


def test_the_same_event_from_many_threads_is_one_entry(ledger: Ledger) -> None:
    event = Event("test", {"n": 1})
    outcomes = at_once(ledger, [[event] for _ in range(THREADS)])
    assert {entry.index for outcome in outcomes for entry in _entries(outcome)} == {0}
    assert ledger.checkpoint().size == 1


def test_the_same_delivery_from_many_threads_is_one_record(ledger: Ledger) -> None:
    outcomes = together(ledger, [lambda: [ledger.record(a_record())]] * THREADS)
    assert {entry.index for outcome in outcomes for entry in _entries(outcome)} == {0}
    report = ledger.verify()
    assert (report.ok, report.records) == (True, 1)


def test_two_meanings_of_one_id_at_once_leave_one(ledger: Ledger) -> None:
    outcomes = at_once(ledger, [[Event("test", {"n": i}, id="same")] for i in range(4)])
    assert sum(isinstance(outcome, EventConflict) for outcome in outcomes) == 3
    assert ledger.checkpoint().size == 1


def test_an_outage_reaches_everybody_who_waited(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provenance.ledger import database

    monkeypatch.setattr(database.Database, "insert", _no_room)
    outcomes = at_once(ledger, [[Event("test", {"thread": i})] for i in range(THREADS)])
    assert all(isinstance(outcome, LedgerUnavailable) for outcome in outcomes)
    monkeypatch.undo()
    assert ledger.append([Event("test", {})])[0].index == 0


def test_an_interrupted_writer_leaves_a_ledger_that_goes_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provenance.ledger import database

    monkeypatch.setattr(database.Database, "insert", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.append([Event("test", {})])
    monkeypatch.undo()
    assert ledger.append([Event("test", {})])[0].index == 0
    assert ledger.verify().ok


def _no_room(*_: object) -> None:
    raise LedgerUnavailable("The disk is full.")


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _entries(outcome: list[Entry] | WardmarkError) -> list[Entry]:
    assert isinstance(outcome, list), outcome
    return outcome
