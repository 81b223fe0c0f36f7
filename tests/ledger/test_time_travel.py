"""Any question can be asked as of an earlier checkpoint, and is answered as it was then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from forgetful import ADA, Deployment, deployed
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import LedgerEntryNotFound, ProofInvalid, SubjectForgotten
from provenance.ledger import Event, Ledger, LedgerKey


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as made:
        yield made


def test_entries_as_of_a_checkpoint_are_those_that_stood_then(ledger: Ledger) -> None:
    checkpoints = []
    for size in range(1, 6):
        ledger.append([Event(f"test.{size % 2}", {"n": size}, f"e-{size}")])
        checkpoints.append(ledger.checkpoint())
    for checkpoint in checkpoints:
        expected = [f"e-{n}" for n in range(1, checkpoint.size + 1)]
        assert [entry.id for entry in ledger.entries(as_of=checkpoint)] == expected
        assert [entry.id for entry in ledger.entries(as_of=checkpoint.size)] == expected
        odd = [entry.id for entry in ledger.entries(kind="test.1", as_of=checkpoint)]
        assert odd == expected[::2]
        assert [e.id for e in ledger.entries(first=2, limit=1, as_of=checkpoint)] == expected[2:3]
    assert list(ledger.entries(as_of=0)) == []


def test_entries_that_mention_a_text_are_found_as_of_then(ledger: Ledger) -> None:
    wanted = "ab" * 32
    ledger.append([Event("test", {"subject": wanted if n % 3 == 0 else "cd" * 32})
                   for n in range(10)])  # fmt: skip
    assert [entry.index for entry in ledger.entries(mentioning=wanted)] == [0, 3, 6, 9]
    assert [entry.index for entry in ledger.entries(mentioning=wanted, as_of=7)] == [0, 3, 6]
    for wild in ("%", "_", "AB" * 32):
        assert list(ledger.entries(mentioning=wild)) == []


def test_a_time_that_never_was_is_refused(ledger: Ledger, key: LedgerKey) -> None:
    ledger.append([Event("test", {}), Event("test", {})])
    for size in (-1, 3):
        with pytest.raises(LedgerEntryNotFound, match="2 entries"):
            list(ledger.entries(as_of=size))
    signed = ledger.checkpoint()
    with pytest.raises(LedgerEntryNotFound, match="at 7 entries"):
        list(ledger.entries(as_of=signed.model_copy(update={"size": 7})))
    with pytest.raises(ProofInvalid, match="another history"):
        list(ledger.entries(as_of=key.sign_checkpoint(2, bytes(32))))
    with pytest.raises(ProofInvalid, match="another history"):
        list(ledger.entries(as_of=signed.model_copy(update={"origin": "somebody.else/log"})))


def test_consent_is_told_as_it_stood(place: Deployment) -> None:
    subjects, ledger = place.subjects, place.ledger
    ledger.append([subjects.event("appeal", ADA, {})])  # which says nothing of consent
    moments: list[tuple[int, str, str | None]] = [(0, "unknown", None), (1, "unknown", None)]

    def happens(event: Event, state: str) -> None:
        (entry,) = ledger.append([event])
        moments.append((entry.index + 1, state, entry.id))

    happens(subjects.event("consent.claimed", ADA, {"why": "found on the web"}), "claimed")
    happens(subjects.event("consent.declared", ADA, {"form": 17}), "declared")
    subject = subjects.pseudonym(ADA)
    happens(Event("consent.expired", {"subject": subject}), "expired")
    happens(subjects.event("consent.licensed", ADA, {}), "licensed")
    done = subjects.withdraw(ADA)
    moments.append((done.index + 1, "withdrawn", done.entry))
    ledger.append([Event("consent.declared", {"subject": subject})])
    moments.append((ledger.size, "withdrawn", done.entry))  # which is final

    for size, state, entry in moments:
        standing = subjects.consent(ADA, as_of=size)
        assert (standing.state, standing.entry) == (state, entry)
        assert subjects.consent("grace", as_of=size).state == "unknown"
    assert subjects.consent(ADA) == subjects.consent(ADA, as_of=ledger.checkpoint())


def test_the_past_can_be_listed_but_what_was_forgotten_is_not_read_there(
    place: Deployment,
) -> None:
    place.ledger.append([place.subjects.event("appeal", ADA, {"said": "hello"})])
    then = place.ledger.checkpoint()
    place.subjects.withdraw(ADA)
    (entry,) = place.subjects.entries(ADA, as_of=then)
    with pytest.raises(SubjectForgotten):
        place.subjects.open(entry)


@pytest.fixture(scope="module")
def long_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """More than a page of entries of two kinds."""
    with deployed(tmp_path_factory.mktemp("long")) as place:
        place.ledger.append([Event(f"test.{n % 2}", {"n": n}) for n in range(1_050)])
        yield place.ledger


@given(
    as_of=st.integers(0, 1_050),
    first=st.integers(0, 1_100),
    limit=st.none() | st.integers(0, 1_100),
    kind=st.none() | st.sampled_from(["test.0", "test.1", "test.2"]),
)
def test_a_question_about_the_past_is_a_slice_of_everything(
    long_ledger: Ledger, as_of: int, first: int, limit: int | None, kind: str | None
) -> None:
    found = long_ledger.entries(as_of=as_of, first=first, limit=limit, kind=kind)
    expected = [n for n in range(first, as_of) if kind in (None, f"test.{n % 2}")]
    assert [entry.index for entry in found] == expected[:limit]
