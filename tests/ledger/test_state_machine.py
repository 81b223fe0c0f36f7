# ruff: noqa: S608 - the statements are our own, and doing harm is their point
"""Any history of appending, proving, mirroring, reopening and tampering keeps our promises."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tampering import behind_our_back, forge, swap

import migrations
from provenance.ledger import (
    Entry,
    Event,
    Ledger,
    LedgerKey,
    Tampering,
    verify_consistency,
    verify_inclusion,
)

KEY = LedgerKey.generate("machine.test")


class Life(RuleBasedStateMachine):
    """The model is the list of entries that were acknowledged, and the checkpoints handed out."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.url = f"sqlite:///{self.folder / 'ledger.db'}"
        migrations.upgrade(self.url)
        self.ledger = Ledger(self.url, KEY)
        mirror = f"sqlite:///{self.folder / 'mirror.db'}"
        migrations.upgrade(mirror)
        self.mirror = Ledger(mirror, KEY.public)
        self.entries: list[Entry] = []
        self.notes: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.mirror.close()
            shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 5) | st.sampled_from([250, 300, 520]))
    def append(self, count: int) -> None:
        start = len(self.entries)
        added = self.ledger.append([Event("test", {"n": start + i}) for i in range(count)])
        assert [entry.index for entry in added] == list(range(start, start + count))
        self.entries += added
        self.notes.append(self.ledger.checkpoint().note)

    @rule(count=st.integers(1, 5) | st.sampled_from([250, 520]))
    def append_batch(self, count: int) -> None:
        start = len(self.entries)
        bodies = [{"n": start + i} for i in range(count)]
        assert self.ledger.append_batch(f"b{start}", "test", bodies) == range(start, start + count)
        self.entries += self.ledger.entries(first=start)
        self.notes.append(self.ledger.checkpoint().note)

    @precondition(lambda self: self.entries and "#" not in self.entries[-1].id)
    @rule(data=st.data())
    def append_again(self, data: st.DataObject) -> None:
        single = [entry for entry in self.entries if "#" not in entry.id]
        known = data.draw(st.sampled_from(single))
        assert self.ledger.append([known.event]) == [known]

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.url, KEY)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.entries))
        proof = self.ledger.prove(entry.id)
        assert verify_inclusion(proof, KEY.public).size == len(self.entries)
        assert (proof.index, proof.leaf.body) == (entry.index, entry.body)

    @precondition(lambda self: self.notes)
    @rule(data=st.data())
    def join(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(self.notes))
        proof = self.ledger.consistency(int(old.split("\n")[1]))
        assert proof.old == old
        assert verify_consistency(proof, KEY.public).note == self.notes[-1]

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def carry_the_mirror_on(self, data: st.DataObject) -> None:
        before = self.mirror.size
        first = data.draw(st.integers(0, min(before, len(self.entries) - 1)))
        file = self.folder / "export.jsonl"
        file.write_bytes(b"".join(self.ledger.export(first)))
        assert self.mirror.take_in([file]).added == len(self.entries) - before
        assert self.mirror.checkpoint().note == self.notes[-1]
        assert list(self.mirror.entries()) == self.entries
        assert self.mirror.verify(witnessed=[self.notes[-1]]).ok

    @precondition(lambda self: self.entries)
    @rule(
        data=st.data(),
        harm=st.sampled_from(["change", "forge", "remove", "swap"]),
    )
    def tamper(self, data: st.DataObject, harm: str) -> None:
        self.ledger.close()  # so that the whole database is in its file
        shutil.copy(self.folder / "ledger.db", self.folder / "backup.db")
        size = len(self.entries)
        one, two = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
        if harm == "swap" and one == two:
            return
        with behind_our_back(self.url) as connection:
            if harm == "change":
                connection.exec_driver_sql(f"UPDATE event SET body = '[]' WHERE seq = {one}")
            elif harm == "forge":
                forge(connection, one, '{"n":-1}')
            elif harm == "remove":
                connection.exec_driver_sql(f"DELETE FROM event WHERE seq = {one}")
            else:
                swap(connection, one, two)
        report = self.ledger.verify()
        assert not report.ok
        # After the first root that nothing leads to nothing is told, so one of a pair is named.
        touched = {one, two} if harm == "swap" else {one}
        named = [(f.first, f.last) for f in report.findings if f.first is not None]
        assert any(first <= i <= last for first, last in named for i in touched)
        assert {f.what for f in report.findings} <= {
            Tampering.ROW_CHANGED,
            Tampering.ROW_REMOVED,
            Tampering.ROWS_SWAPPED,
            Tampering.ROWS_UNPROVED,
        }
        self.ledger.close()
        for leftover in self.folder.glob("ledger.db-*"):
            leftover.unlink()
        shutil.copy(self.folder / "backup.db", self.folder / "ledger.db")

    @invariant()
    def everything_fits(self) -> None:
        if not hasattr(self, "ledger"):
            return
        report = self.ledger.verify(witnessed=self.notes)
        assert report.ok
        assert report.size == report.proved == len(self.entries)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
