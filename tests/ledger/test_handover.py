"""Writers without the key hand over, in PostgreSQL, and a leading sequencer appends for them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from deliveries import a_record
from sqlalchemy import create_engine, insert

from provenance.errors import EventConflict, LedgerKeyInvalid, LedgerUnavailable
from provenance.ledger import Event, Ledger, LedgerKey, queue, tables, verify_inclusion
from provenance.ledger.batch import prepare
from provenance.ledger.event import draft
from provenance.ledger.handover import HandOver
from provenance.ledger.leader import Leader
from provenance.ledger.ticket import Ticket, encode

pytest.importorskip("psycopg", reason="pip install 'wardmark[postgres]'")


@contextmanager
def leading(leader: Leader) -> Iterator[Leader]:
    """``leader`` at work in a thread of its own, from its election on."""
    stop, elected = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(leader.run, stop, elected.set)
        try:
            assert elected.wait(30)
            yield leader
        finally:
            stop.set()
            run.result()
            leader.close()


@pytest.fixture
def url(postgresql_url: str) -> str:
    return postgresql_url


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def leader(url: str, key: LedgerKey, reports: list[str]) -> Iterator[Leader]:
    with leading(Leader(url, key, report=reports.append)) as led:
        yield led


@pytest.fixture
def writer(url: str, key: LedgerKey) -> Iterator[Ledger]:
    """A ledger whose opener has the public half alone."""
    with Ledger(url, key.public) as opened:
        yield opened


def put_by_hand(url: str, content: bytes) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(tables.queue).values(content=content))
    engine.dispose()


def queued(url: str) -> int:
    engine = create_engine(url)
    with engine.begin() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM queue").scalar_one()
    engine.dispose()
    return int(found)


def test_a_writer_without_the_key_gets_its_entries_in_its_order(
    writer: Ledger, leader: Leader, key: LedgerKey, url: str
) -> None:
    entries = writer.append([Event("test", {"n": n, "of": 1.5}) for n in range(100)])
    assert [entry.index for entry in entries] == list(range(100))
    assert [entry.body["n"] for entry in entries] == list(range(100))
    assert verify_inclusion(writer.prove(entries[7].id), key.public).size == 100
    assert writer.verify().ok
    assert queued(url) == 0


def test_a_delivery_is_handed_over_with_its_record(writer: Ledger, leader: Leader) -> None:
    record = a_record(1)
    assert writer.record(record, {"extra": 1}).id == record.content_id
    assert writer.record(record, {"extra": 1}).index == 0
    assert writer.record_by_content_id(record.content_id) == record
    assert writer.verify().ok


def test_a_batch_is_handed_over_whole_and_once(
    writer: Ledger, leader: Leader, key: LedgerKey, url: str
) -> None:
    writer.append([Event("test", {})])
    bodies = [{"n": n, "of": 1.5} for n in range(700)]
    assert writer.append_batch("b", "test", bodies) == range(1, 701)
    assert writer.append_batch("b", "test", bodies) == range(1, 701)
    assert [entry.body for entry in writer.entries(first=1)] == bodies
    assert verify_inclusion(writer.prove("b#7"), key.public).size == 701
    for kind, other in (("test", bodies[1:]), ("test", [*bodies, {}]), ("other", bodies)):
        with pytest.raises(EventConflict, match="batch b"):
            writer.append_batch("b", kind, other)
    report = writer.verify()
    assert (report.ok, report.size, queued(url)) == (True, 701, 0)


def test_batches_single_events_and_deliveries_are_taken_together(
    url: str, key: LedgerKey, writer: Ledger
) -> None:
    for number in range(3):
        put_by_hand(url, encode(prepare(f"b{number % 2}", "test", [{"n": n} for n in range(9)])))
        put_by_hand(url, encode(Ticket([draft(Event("test", {"n": number}))], {})))
    with leading(Leader(url, key)):
        writer.record(a_record(1))
    kinds = [entry.id.partition("#")[0] for entry in writer.entries()]
    assert (kinds.count("b0"), kinds.count("b1"), writer.size) == (9, 9, 22)
    assert writer.verify().ok


def test_large_tickets_are_taken_a_few_at_a_time(
    url: str, key: LedgerKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_BYTES", 1_000)
    for number in range(5):
        put_by_hand(url, encode(prepare(f"b{number}", "test", [{"x": "y" * 400}])))
    with Ledger(url, key) as ledger:
        leader, sizes = Leader(url, key), []
        while leader.drain():
            sizes.append(ledger.size)
        leader.close()
        assert sizes == [3, 5]
        assert [entry.id for entry in ledger.entries()] == [f"b{n}#0" for n in range(5)]


def test_an_event_that_stands_is_not_written_again(writer: Ledger, leader: Leader) -> None:
    again = [Event("test", {"n": 1}, id="a"), Event("test", {"n": 2}, id="b")]
    first = writer.append(again)
    assert writer.append(again) == first
    assert writer.size == 2


def test_an_id_that_means_two_events_is_refused(writer: Ledger, leader: Leader) -> None:
    writer.append([Event("test", {"n": 1}, id="a")])
    with pytest.raises(EventConflict, match="id a"):
        writer.append([Event("test", {"n": 9}, id="z"), Event("test", {"n": 2}, id="a")])
    with pytest.raises(EventConflict, match="id b"):
        writer.append([Event("test", {"n": 1}, id="b"), Event("test", {"n": 2}, id="b")])
    assert writer.size == 1


def test_many_writers_at_once_share_checkpoints_and_lose_nothing(
    url: str, key: LedgerKey, leader: Leader
) -> None:
    def write(name: int) -> list[int]:
        with Ledger(url, key.public) as ledger:
            return [
                ledger.append([Event("test", {"by": name, "n": n})])[0].index for n in range(10)
            ]

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(write, range(8)))
    assert sorted(index for indexes in said for index in indexes) == list(range(80))
    assert all(indexes == sorted(indexes) for indexes in said)
    with Ledger(url, key) as ledger:
        report = ledger.verify()
    assert report.ok
    assert report.checkpoints < 80


def test_without_a_sequencer_nothing_is_recorded_and_it_is_said(
    url: str, key: LedgerKey, writer: Ledger
) -> None:
    impatient = HandOver(writer._database, patience=0.1)
    with pytest.raises(LedgerUnavailable, match="ledger sequence"):
        impatient.commit([draft(Event("test", {}))], {})
    assert queued(url) == 0
    with leading(Leader(url, key)):
        assert writer.append([Event("test", {})])[0].index == 0


def test_who_has_the_key_and_who_has_not_append_side_by_side(
    url: str, key: LedgerKey, writer: Ledger, leader: Leader
) -> None:
    with Ledger(url, key) as owner:
        indexes = [
            ledger.append([Event("test", {"n": n})])[0].index
            for n in range(5)
            for ledger in (owner, writer)
        ]
        assert indexes == list(range(10))
        assert owner.verify().ok


def test_a_second_sequencer_waits_and_takes_over(url: str, key: LedgerKey, writer: Ledger) -> None:
    stop, elected = threading.Event(), threading.Event()
    second = Leader(url, key)
    with ThreadPoolExecutor(1) as pool:
        with leading(Leader(url, key)):
            run = pool.submit(second.run, stop, elected.set)
            writer.append([Event("test", {})])
            assert not elected.wait(0.5)
        assert elected.wait(30)
        assert writer.append([Event("test", {})])[0].index == 1
        stop.set()
        run.result()
    second.close()


def test_two_that_lead_by_mistake_append_nothing_twice(url: str, key: LedgerKey) -> None:
    tickets = [
        encode(Ticket([draft(Event("test", {"n": n}, id=f"e{n}")) for n in (i, i + 1)], {}))
        for i in range(100)
    ]
    for content in tickets:
        put_by_hand(url, content)
    leaders = [Leader(url, key), Leader(url, key)]

    def lead(leader: Leader) -> None:
        leader._careful = True  # a ticket at a time, so that they meet often
        while leader.drain():
            leader._careful = True

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lead, leaders))
    for leader in leaders:
        leader.close()
    with Ledger(url, key) as ledger:
        assert sorted(e.id for e in ledger.entries()) == sorted(f"e{n}" for n in range(101))
        assert ledger.verify().ok


@pytest.mark.parametrize(
    "content",
    [
        b"no json",
        b"{}",
        b'{"events": [["a", "test", "[]"]], "records": []}',
        b'{"events": [["a", "test", "{\\"email\\": \\"x\\"}"]], "records": []}',
        b'{"events": [["a", "delivery", "{}"]], "records": []}',
        b'{"events": [["a", "test"]], "records": []}',
        b'{"events": [["a", "key.rotated", "{}"]], "records": []}',
        b'{"batch": "a", "kind": "test", "bodies": []}',
        b'{"batch": "a", "kind": "test", "bodies": ["7"]}',
        b'{"batch": "a", "kind": "test", "bodies": ["{\\"email\\": \\"x\\"}"]}',
        b'{"batch": "a", "kind": "delivery", "bodies": ["{}"]}',
        b'{"batch": "a", "kind": "key.rotated", "bodies": ["{}"]}',
        b'{"batch": "a#1", "kind": "test", "bodies": ["{}"]}',
        b'{"batch": 7, "kind": "test", "bodies": ["{}"]}',
        b'["batch"]',
    ],
)
def test_a_ticket_that_cannot_be_appended_does_not_harm_the_others(
    url: str, key: LedgerKey, writer: Ledger, reports: list[str], content: bytes
) -> None:
    good = [encode(Ticket([draft(Event("test", {"n": n}))], {})) for n in range(4)]
    for ticket in (*good[:2], content, *good[2:]):
        put_by_hand(url, ticket)
    with leading(Leader(url, key, report=reports.append)):
        assert writer.append([Event("test", {})])[0].index == 4
    assert [report.split(" was ")[0] for report in reports] == ["Ticket 3"]
    assert queued(url) == 0


def test_what_the_database_cannot_hold_is_thrown_out_and_its_writer_is_told(
    url: str, writer: Ledger, leader: Leader, reports: list[str]
) -> None:
    record = a_record(1).model_copy(update={"core": "x" * 129})
    with pytest.raises(LedgerUnavailable, match="its own log"):
        writer.record(record)
    assert "too long" in reports[0]
    assert writer.append([Event("test", {})])[0].index == 0


def test_a_delivery_whose_record_is_another_is_thrown_out(
    url: str, key: LedgerKey, reports: list[str]
) -> None:
    one, other = a_record(1), a_record(1).model_copy(update={"width": 7})
    with Ledger(url, key) as ledger:
        entry = ledger.record(one)
        body = dict(entry.body)
    changed = one.model_copy(update={"content_id": "0" * 16})
    content = encode(Ticket([draft(Event("delivery", body, id="0" * 16))], {"0" * 16: changed}))
    put_by_hand(url, content)
    put_by_hand(
        url,
        encode(
            Ticket([draft(Event("delivery", body, id=one.content_id))], {one.content_id: other})
        ),
    )
    with leading(Leader(url, key, report=reports.append)) as leader:
        while leader.drain():
            pass
    assert len(reports) == 2
    with Ledger(url, key) as ledger:
        assert ledger.size == 1


def test_the_sequencers_clock_may_jump_back(url: str, key: LedgerKey, writer: Ledger) -> None:
    now = [datetime(2026, 3, 1, tzinfo=UTC)]
    with leading(Leader(url, key, clock=lambda: now[0])):
        (first,) = writer.append([Event("test", {})])
        now[0] -= timedelta(days=400)
        (second,) = writer.append([Event("test", {})])
    assert second.at == first.at


def test_a_sequencer_whose_key_was_replaced_ends_so_that_another_can_lead(
    url: str, key: LedgerKey, reports: list[str]
) -> None:
    with Ledger(url, key) as ledger:
        ledger.append([Event("test", {})])
        leader = Leader(url, key, report=reports.append)
        leader.drain()
        successor = LedgerKey.generate(key.public.name)
        ledger.rotate(successor)
    put_by_hand(url, encode(Ticket([draft(Event("test", {}))], {})))
    with pytest.raises(LedgerKeyInvalid, match="was replaced"):
        leader.run(threading.Event())
    leader.close()
    with leading(Leader(url, successor)), Ledger(url, key.public) as writer:
        assert writer.append([Event("test", {})])[0].index == 3
        assert writer.verify().ok


def test_a_sequencer_is_for_postgresql_alone(key: LedgerKey, tmp_path: object) -> None:
    with pytest.raises(LedgerUnavailable, match="append by themselves"):
        Leader(f"sqlite:///{tmp_path}/ledger.db", key)


def test_without_any_key_nothing_is_handed_over(url: str) -> None:
    with Ledger(url) as reader, pytest.raises(LedgerKeyInvalid, match="reading only"):
        reader.append([Event("test", {})])
