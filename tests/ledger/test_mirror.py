"""A mirror is carried on from exports, signs nothing, and takes in only what the origin signed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from deliveries import a_record
from sqlalchemy import create_engine

import migrations
from provenance.errors import (
    HistoryContradicted,
    ImportRefused,
    LedgerCorrupt,
    LedgerKeyInvalid,
    LedgerUnavailable,
    ProofInvalid,
)
from provenance.ledger import Event, Ledger, LedgerKey, verify_file, verify_inclusion

BODIES = [{"number": i, "rule": "violence"} for i in range(700)]


@pytest.fixture
def origin(tmp_path: Path, key: LedgerKey) -> Iterator[Ledger]:
    """A ledger of 703 entries, two of them deliveries."""
    with opened(tmp_path / "origin.db", key) as ledger:
        ledger.append([Event("test", {"é": [1.5, None]})])
        ledger.record(a_record(1), {"note": '"kind":"delivery"'})
        ledger.append_batch("b", "test", BODIES)
        ledger.record(a_record(2))
        yield ledger


@pytest.fixture
def mirror(url: str, key: LedgerKey) -> Iterator[Ledger]:
    with Ledger(url, key.public) as ledger:
        yield ledger


def opened(path: Path, key: LedgerKey) -> Ledger:
    migrations.upgrade(f"sqlite:///{path}")
    return Ledger(f"sqlite:///{path}", key)


def exported(ledger: Ledger, first: int = 0, end: int | None = None) -> Path:
    url = Path(str(ledger._database.url.database))
    file = url.with_name(f"{url.stem}-{ledger.size}-{first}-{end}.jsonl")
    file.write_bytes(b"".join(ledger.export(first, end, credentials=True)))
    return file


def test_a_mirror_answers_as_its_origin_does(origin: Ledger, mirror: Ledger) -> None:
    done = mirror.take_in([exported(origin)])
    assert (done.added, done.head) == (703, origin.checkpoint())
    assert mirror.checkpoint() == origin.checkpoint()
    assert list(mirror.entries()) == list(origin.entries())
    report = mirror.verify(witnessed=[origin.checkpoint().note])
    assert (report.ok, report.size, report.records) == (True, 703, 2)
    assert mirror.record_by_content_id(a_record(2).content_id) == a_record(2)
    proof = mirror.prove("b#7")
    assert proof == origin.prove("b#7")
    assert verify_inclusion(proof, origin.verifier) == origin.checkpoint()


def test_a_mirror_is_carried_on_from_where_it_ends(origin: Ledger, mirror: Ledger) -> None:
    mirror.take_in([exported(origin)])
    for number in (3, 4):
        origin.append([Event("test", {"n": n}) for n in range(300)])
        origin.record(a_record(number))
        assert mirror.take_in([exported(origin, first=mirror.size)]).added == 301
        assert mirror.checkpoint() == origin.checkpoint()
    assert mirror.consistency(703) == origin.consistency(703)
    assert mirror.verify().ok


def test_what_stands_is_passed_over(origin: Ledger, mirror: Ledger) -> None:
    old = exported(origin)
    mirror.take_in([old])
    origin.append([Event("test", {}) for _ in range(5)])
    assert mirror.take_in([exported(origin, first=600)]).added == 5
    for again in (old, exported(origin, first=600), exported(origin, first=707)):
        assert mirror.take_in([again]).added == 0
    assert mirror.checkpoint() == origin.checkpoint()
    assert mirror.verify().ok


def test_a_large_ledger_comes_in_parts(origin: Ledger, mirror: Ledger) -> None:
    parts = [exported(origin, 0, 256), exported(origin, 256, 700), exported(origin, 700, None)]
    with pytest.raises(ImportRefused, match="700 entries then, and 703 are signed"):
        mirror.take_in(parts[:2])
    assert mirror.size == 0
    assert mirror.take_in(parts).added == 703
    assert mirror.verify().ok


def test_a_gap_is_refused_by_name(origin: Ledger, mirror: Ledger) -> None:
    with pytest.raises(ImportRefused, match=r"begins at entry 256, .* --first 0"):
        mirror.take_in([exported(origin, first=256)])
    assert mirror.size == 0


def test_a_rewritten_history_is_refused_though_its_key_signed_it(
    origin: Ledger, mirror: Ledger, tmp_path: Path, key: LedgerKey
) -> None:
    mirror.take_in([exported(origin)])
    head = mirror.checkpoint()
    with opened(tmp_path / "other.db", key) as other:
        for grown in (400, 303, 50):  # shorter than the mirror, as long, longer
            other.append([Event("test", {"n": n}) for n in range(grown)])
            for file in (exported(other), exported(other, first=300)):
                with pytest.raises(HistoryContradicted, match="two histories"):
                    mirror.take_in([file])
    assert mirror.checkpoint() == head
    assert mirror.verify().ok


def test_what_was_changed_on_the_way_is_refused_and_nothing_is_written(
    origin: Ledger, mirror: Ledger
) -> None:
    file = exported(origin)
    good = file.read_bytes()
    for old, new in (
        (b'"number":99,', b'"number":98,'),
        (b'{"credential":"YSBt', b'{"credential":"YSBn'),
        (b'"v":1}\n', b'"v":2}\n'),
    ):
        file.write_bytes(good.replace(old, new, 1))
        assert file.read_bytes() != good
        for check in (lambda: mirror.take_in([file]), lambda: verify_file(file, origin.verifier)):
            with pytest.raises(ProofInvalid):
                check()
    lines = good.splitlines(keepends=True)
    for lost in (lines[:-1], lines[:-2], lines[:2] + lines[3:], lines[1:]):
        file.write_bytes(b"".join(lost))
        with pytest.raises(ProofInvalid):
            mirror.take_in([file])
    assert mirror.size == 0


def test_an_export_of_another_ledger_is_refused(mirror: Ledger, tmp_path: Path) -> None:
    with opened(tmp_path / "stranger.db", LedgerKey.generate("stranger.test")) as stranger:
        stranger.append([Event("test", {})])
        with pytest.raises(ProofInvalid):
            mirror.take_in([exported(stranger)])


def test_deliveries_without_credentials_make_no_mirror(
    origin: Ledger, mirror: Ledger, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.jsonl"
    bare.write_bytes(b"".join(origin.export()))
    assert verify_file(bare, origin.verifier).checkpoint == origin.checkpoint()
    with pytest.raises(ImportRefused, match="--credentials"):
        mirror.take_in([bare])
    assert mirror.size == 0


def test_a_mirror_follows_its_origin_to_a_new_key(
    origin: Ledger, mirror: Ledger, key: LedgerKey
) -> None:
    mirror.take_in([exported(origin)])
    origin.rotate(LedgerKey.generate(key.public.name))
    origin.append([Event("test", {})])
    assert mirror.take_in([exported(origin, first=703)]).added == 2
    assert mirror.keys() == origin.keys()
    assert mirror.verify().ok


def test_a_mirror_signs_nothing_and_a_ledger_with_its_key_imports_nothing(
    origin: Ledger, tmp_path: Path, key: LedgerKey
) -> None:
    migrations.upgrade(f"sqlite:///{tmp_path / 'mirror.db'}")
    with Ledger(f"sqlite:///{tmp_path / 'mirror.db'}", key.public) as mirror:
        mirror.take_in([exported(origin)])
        with pytest.raises(LedgerKeyInvalid, match="reading only"):
            mirror.append([Event("test", {})])
    with pytest.raises(ImportRefused, match="has its key"):
        origin.take_in([exported(origin)])


def test_a_ledger_that_was_lost_goes_on_from_its_mirror(
    origin: Ledger, mirror: Ledger, tmp_path: Path, key: LedgerKey
) -> None:
    mirror.take_in([exported(origin)])
    with opened(tmp_path / "again.db", key) as again:
        mirror.copy_to(f"sqlite:///{tmp_path / 'again.db'}")
        assert again.checkpoint() == origin.checkpoint()
        again.append([Event("test", {})])
        assert again.record(a_record(2)).index == 702  # which stands already
        assert mirror.take_in([exported(again, first=703)]).added == 1
    assert mirror.verify().ok


def test_a_file_that_is_not_there_is_said(mirror: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="cannot be read"):
        mirror.take_in([tmp_path / "absent.jsonl"])


def test_a_mirror_that_was_changed_is_not_carried_on(
    origin: Ledger, tmp_path: Path, key: LedgerKey
) -> None:
    url = f"sqlite:///{tmp_path / 'mirror.db'}"
    migrations.upgrade(url)
    with Ledger(url, key.public) as mirror:
        mirror.take_in([exported(origin)])
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER event_no_update")
            connection.exec_driver_sql("UPDATE event SET leaf_hash = zeroblob(32) WHERE seq = 700")
        engine.dispose()
        origin.append([Event("test", {})])
        with pytest.raises(LedgerCorrupt, match="not those that were signed"):
            mirror.take_in([exported(origin, first=703)])
