"""Any history of sealing, withdrawing, expiring, copying and losing keeps what was promised."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from forgetful import Deployment
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from provenance.errors import KeyCopyRefused, SubjectForgotten
from provenance.ledger import Entry, InclusionProof, verify_inclusion
from provenance.ledger.forgetting import KeyStore, restore, write_copy
from provenance.ledger.retention import load_plan

PEOPLE = st.sampled_from([f"person-number-{n}" for n in range(4)])
KEEP = load_plan().classes["operation"].keep_days or 0
assert KEEP


class Lives(RuleBasedStateMachine):
    """The model: who withdrew, what was sealed of whom and when, and which proofs were given."""

    @initialize()
    def begin(self) -> None:
        self.place = Deployment(Path(tempfile.mkdtemp()))
        self.withdrawn: set[str] = set()
        self.expired: set[str] = set()  # ids of entries whose time was over when it was applied
        self.sealed: list[tuple[str, int, Entry]] = []  # person, day, entry
        self.proofs: list[InclusionProof] = []
        self.gone: list[bytes] = []  # keys that must not be found anywhere
        self.day = 0
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.close()
            shutil.rmtree(self.place.folder)

    @rule(person=PEOPLE, kind=st.sampled_from(["refusal", "consent.declared"]))
    def seal(self, person: str, kind: str) -> None:
        self.number += 1
        story = {"story": f"what happened to {person}, number {self.number}"}
        if person in self.withdrawn:
            with pytest.raises(SubjectForgotten):
                self.place.subjects.event(kind, person, story)
            return
        (entry,) = self.place.ledger.append([self.place.subjects.event(kind, person, story)])
        self.sealed.append((person, self.day, entry))
        assert self.place.subjects.open(entry).plain == story

    @precondition(lambda self: self.sealed)
    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        _, _, entry = data.draw(st.sampled_from(self.sealed))
        self.proofs.append(self.place.ledger.prove(entry.id))

    @rule(person=PEOPLE)
    def withdraw(self, person: str) -> None:
        secrets = self.place.secrets_of(person)
        done = self.place.subjects.withdraw(person)
        assert done.keys_destroyed == len(secrets)
        assert done.sealed == sum(person == of for of, _, _ in self.sealed)
        assert done.readable == 0
        self.withdrawn.add(person)
        self.gone += secrets

    @rule(days=st.sampled_from([1, 10, KEEP]))
    def time_passes(self, days: int) -> None:
        self.place.clock.pass_days(days)
        self.day += days

    @rule()
    def end_what_is_due(self) -> None:
        before = {row["secret"] for row in self.place.keys.contents().keys}
        report = self.place.subjects.erase_due()
        after = {row["secret"] for row in self.place.keys.contents().keys}
        assert len(before - after) == report.due
        self.gone += before - after
        for _, day, entry in self.sealed:
            if entry.kind == "refusal" and self.day - day > KEEP:
                self.expired.add(entry.id)

    @rule()
    def restart(self) -> None:
        self.place.reopen()

    @rule(change=st.sampled_from(["nothing", "withdrawal"]), person=PEOPLE)
    def lose_the_store_and_restore_it(self, change: str, person: str) -> None:
        copy = self.place.folder / "copy.db"
        write_copy(self.place.keys, copy, timedelta(days=1))
        if change == "withdrawal" and person not in self.withdrawn:
            self.withdraw(person)
        else:
            change = "nothing"
        self.place.close()
        (self.place.folder / "keys.db").unlink()
        KeyStore.create(f"sqlite:///{self.place.folder / 'keys.db'}").close()
        self.place.reopen()
        if change == "withdrawal":
            with pytest.raises(KeyCopyRefused, match="older"):
                restore(copy, self.place.keys, self.place.ledger)
        restore(copy, self.place.keys, self.place.ledger, forgetting=change == "withdrawal")
        copy.unlink()

    @invariant()
    def everyone_is_readable_or_gone(self) -> None:
        if not hasattr(self, "place"):
            return
        for person, _, entry in self.sealed:
            if person in self.withdrawn or entry.id in self.expired:
                with pytest.raises(SubjectForgotten):
                    self.place.subjects.open(entry)
            else:
                assert person in self.place.subjects.open(entry).plain["story"]
        assert self.place.holding(*self.gone) == set()
        assert self.place.holding(b"what happened to", b"person-number") == set()

    @invariant()
    def every_proof_holds(self) -> None:
        if not hasattr(self, "place"):
            return
        for proof in self.proofs:
            verify_inclusion(proof, self.place.key.public)
        assert self.place.ledger.verify(witnessed=[p.checkpoint for p in self.proofs]).ok


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
