"""Drafts: nothing is published that does not hold, and nobody publishes their own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.errors import DraftConflict, DraftNotFound, DraftUnfit, NotAllowed, SafetyUnavailable
from guard.policy_draft import KIND, MAX_TITLE, Draft, Drafts
from policies.errors import PolicyInvalid, PolicyNotFound
from policies.load import load_policy, packs_folder
from policies.policy import Policy
from policies.source import MAX_BYTES
from provenance.errors import LedgerUnavailable
from provenance.home import Home
from tests.support.deployment import home

__all__ = ["home"]


def accept(_: Policy) -> None:
    """Every policy can be kept."""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A copy of the default pack with its cases, as an operator would keep it."""
    folder = tmp_path / "policies"
    (folder / "cases").mkdir(parents=True)
    packs = packs_folder()
    shutil.copy(packs / "default.yaml", folder / "own.yaml")
    shutil.copy(packs / "cases" / "default.yaml", folder / "cases" / "own.yaml")
    return folder / "own.yaml"


@pytest.fixture
def drafts(home: Home, file: Path) -> Drafts:
    return Drafts(home, str(file))


def changed(
    drafts: Drafts,
    draft: Draft,
    *,
    by: str = "key_a",
    old: str = 'version: "',
    new: str = 'version: "9',
) -> Draft:
    policy = draft.policy.replace(old, new, 1)
    assert policy != draft.policy
    return drafts.save(draft.id, policy, draft.cases, seen=draft.digest, by=by)


def test_a_draft_begins_as_what_is_in_force(drafts: Drafts, file: Path) -> None:
    draft = drafts.begin("Another limit", by="key_a")
    assert draft.policy == file.read_text()
    assert drafts.read(draft.id) == draft
    assert drafts.all() == (draft,)
    found = drafts.examine(draft)
    assert found.objections == ()
    assert found.policy == load_policy(file).ref
    assert all(outcome.passed for outcome in found.outcomes)


def test_writing_in_a_draft_changes_nothing_that_decides(drafts: Drafts, file: Path) -> None:
    before = file.read_bytes()
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    assert file.read_bytes() == before
    assert drafts.policy_of(draft).version != load_policy(file).version


def test_somebody_else_publishes_and_both_stand_in_the_ledger(
    drafts: Drafts, file: Path, home: Home
) -> None:
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    published = drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)
    assert file.read_text() == draft.policy
    assert load_policy(file).version.startswith("9")
    (entry,) = home.ledger.entries(kind=KIND)
    assert published.entry == entry.id
    assert (entry.body["authors"], entry.body["approver"]) == (["key_a"], "key_b")
    assert entry.body["policy"] == load_policy(file).ref.model_dump()


@pytest.mark.parametrize("author", ["key_a", "key_c"])
def test_whoever_wrote_in_a_draft_cannot_publish_it(
    drafts: Drafts, file: Path, home: Home, author: str
) -> None:
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    draft = drafts.save(draft.id, draft.policy, draft.cases, seen=draft.digest, by="key_c")
    before = file.read_bytes()
    with pytest.raises(NotAllowed, match="somebody else"):
        drafts.publish(draft.id, seen=draft.digest, by=author, fits=accept)
    assert file.read_bytes() == before
    assert list(home.ledger.entries(kind=KIND)) == []


def test_nobody_publishes_what_they_have_not_read(drafts: Drafts, file: Path) -> None:
    draft = drafts.begin("A version", by="key_a")
    changed(drafts, draft)
    with pytest.raises(DraftConflict, match="since you read it"):
        drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)
    with pytest.raises(DraftConflict, match="since you read it"):
        changed(drafts, draft, by="key_c")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rules:", "rulez:", "does not load"),
        ("action: block", "action: allow", "cases fail"),
    ],
)
def test_what_does_not_hold_is_not_published(
    drafts: Drafts, file: Path, home: Home, old: str, new: str, said: str
) -> None:
    draft = changed(drafts, drafts.begin("A mistake", by="key_a"), old=old, new=new)
    with pytest.raises(DraftUnfit, match=said):
        drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)
    assert list(home.ledger.entries(kind=KIND)) == []


def test_cases_that_do_not_load_are_told_with_their_place(drafts: Drafts) -> None:
    draft = drafts.begin("Cases", by="key_a")
    draft = drafts.save(draft.id, draft.policy, "cases: 7", seen=draft.digest, by="key_a")
    found = drafts.examine(draft)
    assert found.case_problems[0].line == 1
    assert "The cases do not load." in found.objections


def test_a_file_that_was_changed_by_hand_is_not_overwritten(drafts: Drafts, file: Path) -> None:
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    file.write_text(file.read_text() + "# by hand\n")
    with pytest.raises(DraftUnfit, match="changed since this draft was begun"):
        drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)
    assert file.read_text().endswith("# by hand\n")


def test_a_policy_that_cannot_be_kept_here_is_not_published(drafts: Drafts, file: Path) -> None:
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    before = file.read_bytes()

    def refuse(policy: Policy) -> None:
        raise SafetyUnavailable(f"{policy.name} needs what nobody does")

    with pytest.raises(SafetyUnavailable):
        drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=refuse)
    assert file.read_bytes() == before


def test_what_cannot_be_recorded_is_not_published(
    drafts: Drafts, file: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    before = file.read_bytes()

    def down(_: object) -> None:
        raise LedgerUnavailable("down")

    monkeypatch.setattr(home.ledger, "append", down)
    with pytest.raises(LedgerUnavailable):
        drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)
    assert file.read_bytes() == before


def test_a_draft_is_published_once_and_then_stays(drafts: Drafts) -> None:
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)
    with pytest.raises(DraftConflict, match="published before"):
        drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)
    with pytest.raises(DraftConflict, match="published before"):
        changed(drafts, draft)
    with pytest.raises(DraftConflict, match="stays"):
        drafts.discard(draft.id)


def test_a_pack_is_drafted_and_tried_but_not_published_over(home: Home) -> None:
    drafts = Drafts(home, "default")
    draft = changed(drafts, drafts.begin("A version", by="key_a"))
    assert drafts.examine(draft).policy is not None
    with pytest.raises(DraftConflict, match=r"wardmark\.toml"):
        drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=accept)


def test_a_draft_may_include_the_files_beside_its_own(drafts: Drafts, file: Path) -> None:
    (file.parent / "more.yaml").write_text(file.read_text().replace("name: default", "name: more"))
    draft = drafts.begin("Includes", by="key_a")
    text = draft.policy.split("\nrules:")[0].split("\nserves:")[0] + "\nincludes: [more.yaml]\n"
    draft = drafts.save(draft.id, text, "", seen=draft.digest, by="key_a")
    assert drafts.policy_of(draft).document.rules
    elsewhere = text.replace("more.yaml", "none.yaml")
    draft = drafts.save(draft.id, elsewhere, "", seen=draft.digest, by="key_a")
    with pytest.raises(PolicyInvalid):
        drafts.policy_of(draft)


def test_a_draft_that_is_discarded_is_gone(drafts: Drafts) -> None:
    draft = drafts.begin("Nothing", by="key_a")
    drafts.discard(draft.id)
    assert drafts.all() == ()
    for name in (draft.id, "../ledger", "", "x" * 12):
        with pytest.raises(DraftNotFound):
            drafts.read(name)


def test_a_damaged_draft_does_not_hide_the_others(drafts: Drafts, home: Home) -> None:
    good, bad = drafts.begin("Good", by="key_a"), drafts.begin("Bad", by="key_a")
    (home.path / "policy-drafts" / f"{bad.id}.json").write_text("{")
    assert drafts.all() == (good,)
    with pytest.raises(DraftNotFound, match="cannot be read"):
        drafts.read(bad.id)


def test_a_file_that_is_gone_is_said(drafts: Drafts, file: Path) -> None:
    draft = drafts.begin("Good", by="key_a")
    file.unlink()
    assert drafts.all() == (draft,)
    with pytest.raises(PolicyNotFound):
        drafts.examine(draft)


def test_titles_and_texts_are_bounded(drafts: Drafts) -> None:
    for title in ("", "  ", "x" * (MAX_TITLE + 1)):
        with pytest.raises(DraftUnfit):
            drafts.begin(title, by="key_a")
    draft = drafts.begin("Long", by="key_a")
    with pytest.raises(DraftUnfit, match="bytes"):
        drafts.save(draft.id, "x" * (MAX_BYTES + 1), "", seen=draft.digest, by="key_a")
