"""A person who withdraws is gone, and every proof that was given still holds."""

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dying
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from forgetful import ADA, SECRET, Deployment, deployed
from sqlalchemy import create_engine

import migrations
from migrations.__main__ import main as migrate
from provenance.errors import (
    EventInvalid,
    KeyCopyRefused,
    LedgerKeyInvalid,
    LedgerUnavailable,
    OutputFailed,
    RetentionInvalid,
    SubjectForgotten,
)
from provenance.ledger import Event, Ledger, verify_inclusion
from provenance.ledger.event import Json
from provenance.ledger.forgetting import KeyStore, SubjectKey, Subjects, restore, write_copy
from provenance.ledger.forgetting.database import KeyDatabase
from provenance.ledger.forgetting.settling import Contents
from provenance.ledger.forgetting.tables import metadata

ROOT = Path(__file__).parents[2]
STORY = {"said": "the picture shows my daughter on the beach at Hastings"}
CLEAR = STORY["said"].encode()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as made:
        yield made


def test_what_is_sealed_stands_nowhere_in_clear_and_opens(place: Deployment) -> None:
    event = place.subjects.event("appeal", ADA, STORY, {"decision": "d-1"}, event_id="a-1")
    (entry,) = place.ledger.append([event])
    assert place.subjects.open(entry).plain == STORY
    assert entry.body["decision"] == "d-1"
    assert place.holding(CLEAR, ADA.encode()) == set()
    assert [found.id for found in place.subjects.entries(ADA)] == ["a-1"]
    assert list(place.subjects.entries("grace")) == []


def test_a_withdrawal_leaves_nothing_readable_and_every_proof_holds(place: Deployment) -> None:
    subjects = place.subjects
    entries = []
    for _ in range(3):
        events = [subjects.event(kind, ADA, STORY) for kind in ("consent.declared", "appeal")]
        events.append(subjects.event("appeal", "grace", STORY))
        entries += place.ledger.append(events)
        place.clock.pass_days(1)
    proofs = [place.ledger.prove(entry.id) for entry in entries]
    before = place.ledger.checkpoint()
    secrets = place.secrets_of(ADA)
    assert len(secrets) == 6
    assert place.holding(*secrets) == {"keys.db"}

    done = place.subjects.withdraw(ADA)

    assert (done.keys_destroyed, done.sealed, done.readable) == (6, 6, 0)
    assert done.complete
    assert place.holding(*secrets) == set()
    assert place.holding(CLEAR, ADA.encode()) == set()
    for entry, proof in zip(entries, proofs, strict=True):
        assert verify_inclusion(proof, place.key.public).size == 9
        again = place.ledger.prove(entry.id)
        assert again.leaf == proof.leaf
        assert verify_inclusion(again, place.key.public).size == 10
    place.ledger.consistency(before.size)
    assert place.ledger.verify(witnessed=[before.note]).ok
    for entry in entries:
        if entry.body["subject"] == done.subject:
            with pytest.raises(SubjectForgotten, match="destroyed"):
                place.subjects.open(entry)
        else:
            assert place.subjects.open(entry).plain == STORY


def test_withdrawing_again_changes_nothing(place: Deployment) -> None:
    place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
    first = place.subjects.withdraw(ADA)
    again = place.subjects.withdraw(ADA)
    assert again == first.model_copy(update={"keys_destroyed": 0})
    assert place.ledger.size == 2


def test_withdrawing_again_destroys_a_key_that_somebody_put_back(place: Deployment) -> None:
    (entry,) = place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
    kept = place.keys.contents()
    place.subjects.withdraw(ADA)
    with place.keys.settling() as settling:
        settling.take_in(kept)
    assert place.subjects.open(entry).plain == STORY
    assert place.subjects.withdraw(ADA).keys_destroyed == 1
    assert place.holding(*(row["secret"] for row in kept.keys)) == set()


def test_somebody_who_is_not_known_can_withdraw_too(place: Deployment) -> None:
    done = place.subjects.withdraw("nobody")
    assert (done.keys_destroyed, done.sealed, done.readable) == (0, 0, 0)
    with pytest.raises(SubjectForgotten, match="under a new one"):
        place.subjects.event("appeal", "nobody", STORY)


def test_what_was_sealed_just_before_and_appended_just_after_is_unreadable_too(
    place: Deployment,
) -> None:
    late = place.subjects.event("appeal", ADA, STORY)
    place.subjects.withdraw(ADA)
    (entry,) = place.ledger.append([late])
    with pytest.raises(SubjectForgotten):
        place.subjects.open(entry)
    assert place.subjects.withdraw(ADA).sealed == 1


def test_keys_are_gone_from_a_store_that_was_large_and_much_used(place: Deployment) -> None:
    people = [f"person-{i}" for i in range(4_000)]
    rows: list[dict[str, Any]] = [
        {"id": key.id, "subject": key.subject, "retention": "dispute", "secret": key.secret}
        for key in (SubjectKey.generate(place.subjects.pseudonym(person)) for person in people)
    ]
    for day in range(10):  # in an order in which pages split in every place
        portion = [row | {"day": f"2026-01-{day + 1:02}"} for row in rows[day::10]]
        with place.keys.settling() as settling:
            settling.take_in(Contents(portion, [], place.keys.settlement()))
    leaving = random.Random(1).sample(people, 400)
    events = [Event("consent.withdrawn", _subject(place, person)) for person in leaving]
    gone = {event.body["subject"] for event in events}
    place.ledger.append(events)

    assert place.subjects.settle() == 400
    content = (place.folder / "keys.db").read_bytes()
    for row in rows:
        assert (row["secret"] in content) == (row["subject"] not in gone)


def _subject(place: Deployment, person: str) -> dict[str, str]:
    return {"subject": place.subjects.pseudonym(person)}


def test_another_process_cannot_use_a_key_that_was_destroyed(place: Deployment) -> None:
    (entry,) = place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
    with KeyStore(f"sqlite:///{place.folder / 'keys.db'}") as other:
        elsewhere = Subjects(place.ledger, other, SECRET)
        assert elsewhere.open(entry).plain == STORY
        place.subjects.withdraw(ADA)
        with pytest.raises(SubjectForgotten):
            elsewhere.open(entry)
        with pytest.raises(SubjectForgotten):
            elsewhere.event("appeal", ADA, STORY)


def test_an_event_that_only_bears_the_name_of_a_withdrawal_stops_nobody(place: Deployment) -> None:
    place.subjects.event("appeal", ADA, STORY)
    strange: list[tuple[str, dict[str, Json]]] = [
        ("consent.withdrawn", {"note": "nobody named"}),
        ("retention.applied", {"class": "dispute", "through": "tomorrow"}),
        ("retention.applied", {"class": "dispute"}),
    ]
    place.ledger.append([Event(kind, body) for kind, body in strange])
    assert place.subjects.settle() == 0
    assert place.subjects.withdraw(ADA).keys_destroyed == 1


def test_a_kind_that_no_class_names_cannot_be_sealed(place: Deployment) -> None:
    with pytest.raises(RetentionInvalid, match="how long"):
        place.subjects.event("gossip", ADA, STORY)
    with pytest.raises(EventInvalid, match="taken"):
        place.subjects.event("appeal", ADA, STORY, {"sealed": 1})
    (entry,) = place.ledger.append([Event("test", {})])
    with pytest.raises(EventInvalid, match="seals nothing"):
        place.subjects.open(entry)


@pytest.fixture(scope="module")
def victims() -> Iterator["subprocess.Popen[str]"]:
    """A process that forks another for each line, to withdraw and to die on the way."""
    process = subprocess.Popen(
        [sys.executable, dying.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    yield process
    process.communicate()


def withdraw_and_die(victims: "subprocess.Popen[str]", folder: Path, death: str) -> tuple[str, int]:
    """What the process said before it died, and the signal that killed it."""
    assert victims.stdin
    assert victims.stdout
    victims.stdin.write(f"{folder}\t{death}\n")
    victims.stdin.flush()
    said, killed_by = victims.stdout.readline().rstrip("\n").split("\t")
    return said, int(killed_by)


@pytest.mark.parametrize("death", dying.DEATHS)
def test_a_withdrawal_that_is_killed_is_finished_by_the_next_to_open(
    death: str, tmp_path: Path, victims: "subprocess.Popen[str]"
) -> None:
    with deployed(tmp_path) as place:
        (entry,) = place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
        proof = place.ledger.prove(entry.id)
        secrets = place.secrets_of(ADA)
        place.close()

        assert withdraw_and_die(victims, tmp_path, death) == ("", signal.SIGKILL)

        place.reopen()
        if death == "before the event":  # nothing had begun, so nothing was promised
            assert place.subjects.open(entry).plain == STORY
        else:
            assert place.holding(*secrets) == set()
        done = place.subjects.withdraw(ADA)
        assert (done.sealed, done.readable) == (1, 0)
        assert place.holding(*secrets) == set()
        assert place.ledger.size == 2
        assert place.ledger.verify().ok
        assert verify_inclusion(proof, place.key.public).size == 1


def test_a_withdrawal_that_was_acknowledged_is_complete(
    tmp_path: Path, victims: "subprocess.Popen[str]"
) -> None:
    with deployed(tmp_path) as place:
        place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
        secrets = place.secrets_of(ADA)
        said, killed_by = withdraw_and_die(victims, tmp_path, "once acknowledged")
        assert (said, killed_by) == ("0 of 1 readable", signal.SIGKILL)
        assert place.holding(*secrets) == set()


def test_a_copy_brings_keys_back_for_as_long_as_it_says(place: Deployment) -> None:
    (entry,) = place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
    copy = place.folder / "copy.db"
    until = write_copy(place.keys, copy, timedelta(days=7))
    assert until == place.clock.time + timedelta(days=7)
    assert copy.stat().st_mode & 0o077 == 0
    with pytest.raises(OutputFailed, match="there already"):
        write_copy(place.keys, copy, timedelta(days=7))
    for keep in (timedelta(0), timedelta(days=31)):
        with pytest.raises(KeyCopyRefused, match="30 days"):
            write_copy(place.keys, place.folder / "more.db", keep)

    lose_the_store(place)
    with pytest.raises(SubjectForgotten):
        place.subjects.open(entry)
    restore(copy, place.keys, place.ledger)
    assert place.subjects.open(entry).plain == STORY
    with pytest.raises(KeyCopyRefused, match="holds no keys"):
        restore(copy, place.keys, place.ledger)

    lose_the_store(place)
    place.clock.pass_days(7)
    with pytest.raises(KeyCopyRefused, match="expired"):
        restore(copy, place.keys, place.ledger)


def lose_the_store(place: Deployment) -> None:
    place.close()
    (place.folder / "keys.db").unlink()
    KeyStore.create(f"sqlite:///{place.folder / 'keys.db'}").close()
    place.reopen()


def test_an_old_copy_does_not_bring_anybody_back(place: Deployment) -> None:
    (gone,) = place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
    (stays,) = place.ledger.append([place.subjects.event("appeal", "grace", STORY)])
    copy = place.folder / "copy.db"
    until = write_copy(place.keys, copy, timedelta(days=7))
    secrets = place.secrets_of(ADA)
    assert place.subjects.withdraw(ADA).copies_until == until
    assert place.holding(*secrets) == {"copy.db"}

    lose_the_store(place)
    with pytest.raises(KeyCopyRefused, match="older than 1 withdrawals"):
        restore(copy, place.keys, place.ledger)
    assert place.holding(*secrets) == {"copy.db"}
    restore(copy, place.keys, place.ledger, forgetting=True)
    assert place.holding(*secrets) == {"copy.db"}
    assert place.subjects.open(stays).plain == STORY
    with pytest.raises(SubjectForgotten):
        place.subjects.open(gone)
    with pytest.raises(SubjectForgotten):
        place.subjects.event("appeal", ADA, STORY)


def test_a_store_that_was_put_back_by_hand_forgets_before_it_is_used(place: Deployment) -> None:
    (entry,) = place.ledger.append([place.subjects.event("appeal", ADA, STORY)])
    secrets = place.secrets_of(ADA)
    place.close()
    old = (place.folder / "keys.db").read_bytes()
    place.reopen()
    place.subjects.withdraw(ADA)
    place.close()
    (place.folder / "keys.db").write_bytes(old)
    place.reopen()
    with pytest.raises(SubjectForgotten):
        place.subjects.open(entry)
    assert place.holding(*secrets) == set()


def test_a_copy_does_not_serve_as_the_store(place: Deployment) -> None:
    copy = place.folder / "copy.db"
    write_copy(place.keys, copy, timedelta(days=1))
    with (
        KeyStore(f"sqlite:///{copy}") as taken,
        pytest.raises(KeyCopyRefused, match="bring it back with restore"),
    ):
        Subjects(place.ledger, taken, SECRET)
    with pytest.raises(KeyCopyRefused, match="no copy that"):
        restore(place.folder / "keys.db", place.keys, place.ledger)
    with pytest.raises(LedgerUnavailable, match="no copy of keys"):
        restore(place.folder / "none.db", place.keys, place.ledger)


def test_a_ledger_that_was_put_back_is_carried_out_from_its_beginning(place: Deployment) -> None:
    place.ledger.append([Event("test", {}) for _ in range(5)])
    place.subjects.withdraw("grace")  # the store has now seen six entries
    place.subjects.event("appeal", ADA, STORY)
    with deployed_elsewhere(place) as shorter:
        shorter.append([Event("consent.withdrawn", _subject(place, ADA))])
        Subjects(shorter, place.keys, SECRET)
    with pytest.raises(SubjectForgotten):
        place.subjects.event("appeal", ADA, STORY)


def deployed_elsewhere(place: Deployment) -> Ledger:
    url = f"sqlite:///{place.folder / 'restored.db'}"
    migrations.upgrade(url)
    return Ledger(url, place.key)


def test_others_cannot_read_the_store(place: Deployment) -> None:
    file = place.folder / "keys.db"
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o640)
    with pytest.raises(LedgerKeyInvalid, match="chmod 600"):
        KeyStore(f"sqlite:///{file}")


def test_the_store_is_made_from_a_shell_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'made.db'}"
    assert migrate([url, "keys"]) == 2
    with pytest.raises(LedgerUnavailable, match="cannot be opened"):
        KeyStore(url)
    assert migrate([url, "subject-keys"]) == 0
    KeyStore(url).close()


def test_keys_and_ledger_never_share_a_database(place: Deployment) -> None:
    with pytest.raises(LedgerUnavailable, match="database of their own"):
        migrations.upgrade(f"sqlite:///{place.folder / 'ledger.db'}", migrations.SUBJECT_KEYS)
    with pytest.raises(LedgerUnavailable, match="database of their own"):
        migrations.upgrade(f"sqlite:///{place.folder / 'keys.db'}")


def test_the_schema_of_the_store_is_what_its_queries_think(place: Deployment) -> None:
    assert migrations.head(migrations.SUBJECT_KEYS) == KeyDatabase.revision
    engine = create_engine(f"sqlite:///{place.folder / 'keys.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    engine.dispose()


def test_the_example_in_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "forgetting.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/forgetting.md", "exec"), {})  # noqa: S102 - our own page
