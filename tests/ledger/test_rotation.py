"""A new key for a ledger: each key speaks for its own time, and the old one for nothing after."""

from pathlib import Path

import pytest
from sqlalchemy import text
from tampering import behind_our_back

import migrations
from provenance.errors import EventInvalid, KeyOutdated, LedgerKeyInvalid, ProofInvalid
from provenance.ledger import (
    Event,
    Ledger,
    LedgerKey,
    Tampering,
    load_verifier,
    verify_consistency,
    verify_inclusion,
)
from provenance.ledger import note as notes
from provenance.ledger.rotating import rotate
from provenance.ledger.rotation import KIND, KeyHistory, Rotation
from provenance.ledger.witness import FileWitness

NAME = "ledger.test/one"  # of the fixture's key


def some(count: int) -> list[Event]:
    return [Event("test", {"number": i}) for i in range(count)]


@pytest.fixture(scope="module")
def successors() -> tuple[LedgerKey, LedgerKey]:
    return LedgerKey.generate(NAME), LedgerKey.generate(NAME)


@pytest.fixture
def rotated(ledger: Ledger, successors: tuple[LedgerKey, LedgerKey]) -> Ledger:
    """3 entries, a rotation, 4 entries, a rotation, 2 entries: 11 in all."""
    ledger.append(some(3))
    ledger.rotate(successors[0])
    ledger.append(some(4))
    ledger.rotate(successors[1])
    ledger.append(some(2))
    return ledger


def test_each_key_speaks_for_its_own_time(
    rotated: Ledger, key: LedgerKey, successors: tuple[LedgerKey, LedgerKey]
) -> None:
    first, second = successors
    assert rotated.checkpoint().size == 11
    assert rotated.verifier == second.public
    history = rotated.keys()
    assert history.keys == (key.public, first.public, second.public)
    spoke = [history.at(size) for size in (1, 4, 5, 9, 10, 11)]
    assert spoke == [key.public] * 2 + [first.public] * 2 + [second.public] * 2
    assert rotated.verify().ok


@pytest.mark.parametrize("which", [0, 1, 2])
def test_who_trusts_any_of_the_keys_can_check_everything(
    rotated: Ledger, url: str, key: LedgerKey, successors: tuple[LedgerKey, LedgerKey], which: int
) -> None:
    trusted = (key, *successors)[which].public
    with Ledger(url, trusted) as auditor:
        assert auditor.verify().ok
        assert auditor.checkpoint() == rotated.checkpoint()
        proof = auditor.consistency(4)
        assert verify_consistency(proof, auditor.keys()).size == 11


def test_a_proof_from_before_verifies_with_the_keys_of_today(ledger: Ledger) -> None:
    (entry,) = ledger.append(some(1))
    proof = ledger.prove(entry.id)
    ledger.rotate(LedgerKey.generate(NAME))
    ledger.append(some(1))
    with pytest.raises(ProofInvalid, match="no signature"):
        verify_inclusion(proof, ledger.verifier)
    assert verify_inclusion(proof, ledger.keys()).size == 1


def test_both_keys_sign_the_handing_over(ledger: Ledger, key: LedgerKey) -> None:
    successor = LedgerKey.generate(NAME)
    rotation = ledger.rotate(successor)
    note = notes.parse(ledger.checkpoint().note)
    for public in (key.public, successor.public):
        public.check(note)
    assert Rotation.verified(rotation.statement) == rotation
    assert (rotation.size, rotation.old, rotation.new) == (1, key.public, successor.public)


def test_a_process_with_the_old_key_appends_nothing(url: str, key: LedgerKey) -> None:
    with Ledger(url, key) as first, Ledger(url, key) as second:
        first.append(some(1))
        second.append(some(1))
        first.rotate(LedgerKey.generate(NAME))
        first.append(some(1))
        with pytest.raises(LedgerKeyInvalid, match="was replaced"):
            second.append(some(1))
        assert second.verify().ok  # reading goes on
        assert second.size == 4


@pytest.mark.parametrize("which", [0, 1])
def test_a_checkpoint_by_an_old_key_is_found_and_named(
    rotated: Ledger, url: str, key: LedgerKey, successors: tuple[LedgerKey, LedgerKey], which: int
) -> None:
    head, old = rotated.checkpoint(), (key, *successors)[which]
    note = old.sign_checkpoint(head.size, bytes.fromhex(head.root)).note
    with pytest.raises(KeyOutdated, match="old key"):
        rotated.keys().check(notes.parse(note))
    (finding,) = rotated.verify(witnessed=[note]).findings
    assert finding.what is Tampering.CHECKPOINT_OUTDATED

    with behind_our_back(url) as connection:
        statement = text("UPDATE checkpoint SET note = :note WHERE size = 11")
        connection.execute(statement, {"note": note})
    findings = {finding.what for finding in rotated.verify().findings}
    assert findings == {Tampering.CHECKPOINT_OUTDATED, Tampering.ROWS_UNPROVED}


def test_a_rotation_needs_both_keys(
    key: LedgerKey, successors: tuple[LedgerKey, LedgerKey]
) -> None:
    new, thief = successors
    good = Rotation.sign(5, key, new)
    body = notes.parse(good.statement).text
    for signers in ((key,), (new,), (thief, new), (key, thief)):
        statement = notes.render(body, tuple(signer.sign(body) for signer in signers))
        with pytest.raises(ProofInvalid):
            Rotation.verified(statement)
        assert KeyHistory.of(key.public, [statement]).keys == (key.public,)
    with pytest.raises(ProofInvalid):
        Rotation.verified(good.statement.replace("\n5\n", "\n6\n"))
    with pytest.raises(ProofInvalid, match="same name"):
        Rotation.sign(5, key, LedgerKey.generate("another.test"))
    with pytest.raises(ProofInvalid, match="same name"):
        Rotation.sign(5, key, key)


def test_an_old_key_cannot_appoint_a_second_successor(
    key: LedgerKey, successors: tuple[LedgerKey, LedgerKey]
) -> None:
    new, thief = successors
    statements = [Rotation.sign(9, key, thief).statement, Rotation.sign(5, key, new).statement]
    assert KeyHistory.of(key.public, statements).keys == (key.public, new.public)
    assert KeyHistory.of(new.public, statements).keys == (key.public, new.public)


def test_nobody_rotates_by_appending(ledger: Ledger) -> None:
    statement = Rotation.sign(1, LedgerKey.generate(NAME), LedgerKey.generate(NAME)).statement
    with pytest.raises(EventInvalid, match="rotate-key"):
        ledger.append([Event(KIND, {"statement": statement})])


def test_a_witness_follows_once_it_trusts_the_new_key(
    ledger: Ledger, key: LedgerKey, tmp_path: Path
) -> None:
    witness = FileWitness.create(tmp_path / "w", "witness.test")
    witness.trust(key.public)
    ledger.append(some(2))
    ledger.cosign(witness)
    successor = LedgerKey.generate(NAME)
    ledger.rotate(successor)
    ledger.append(some(1))
    witness.trust(successor.public)
    assert ledger.cosign(witness) in ledger.cosignatures(4)


@pytest.fixture
def home(tmp_path: Path) -> tuple[str, Path]:
    """An SQLite ledger with two entries and its key in a file beside it."""
    url, path = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "ledger.key"
    migrations.upgrade(url)
    with Ledger(url, LedgerKey.create(path, NAME)) as ledger:
        ledger.append(some(2))
    return url, path


def test_the_files_follow_the_ledger(home: tuple[str, Path]) -> None:
    url, path = home
    old = LedgerKey.load(path)
    new = rotate(url, path)
    assert LedgerKey.load(path).public == new != old.public
    assert load_verifier(path.with_name(f"ledger-{old.public.key_id.hex()}.pub")) == old.public
    assert not list(path.parent.glob("*.next.*"))
    with Ledger(url) as ledger:
        ledger.append(some(1))
        assert ledger.keys().keys == (old.public, new)
        assert ledger.verify().ok


@pytest.mark.parametrize("killed_after", ["key", "event", "rename"])
def test_a_rotation_that_was_killed_is_finished(home: tuple[str, Path], killed_after: str) -> None:
    url, path = home
    new = LedgerKey.create(path.with_suffix(".next.key"), NAME)
    if killed_after != "key":
        with Ledger(url) as ledger:
            ledger.rotate(new)
    if killed_after == "rename":
        path.with_suffix(".next.key").replace(path)
    assert rotate(url, path) == new.public
    with Ledger(url) as ledger:
        ledger.append(some(1))
        assert ledger.verifier == new.public
        assert len(ledger.keys().rotations) == 1
        assert ledger.verify().ok
