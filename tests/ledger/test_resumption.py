"""Verification goes on where it stopped, and finds what was done since."""

from pathlib import Path

import pytest
from tampering import behind_our_back, forge

from provenance.errors import ProofInvalid
from provenance.ledger import Event, Ledger, LedgerKey, Tampering
from provenance.ledger.verification import STEP

FIRST = 700


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "verified.json"


@pytest.fixture
def verified(ledger: Ledger, state: Path) -> Ledger:
    ledger.append_batch("b", "test", [{"number": i} for i in range(FIRST)])
    assert ledger.verify(resume=state).ok
    return ledger


def rows_read(ledger: Ledger, state: Path) -> int:
    steps: list[tuple[int, int]] = []
    assert ledger.verify(lambda *step: steps.append(step), resume=state).ok
    assert steps[-1][0] == steps[-1][1] == ledger.size
    return steps[-1][0] - steps[0][0]


def test_what_was_verified_is_not_read_again(verified: Ledger, state: Path) -> None:
    verified.append([Event("test", {"number": i}) for i in range(10)])
    assert rows_read(verified, state) == FIRST + 10 - 512  # from the last full block on
    assert verified.verify(resume=state).proved == FIRST + 10


@pytest.mark.parametrize("more", [0, 1, 67, 68, 69, 324, 325, 900])
def test_it_goes_on_from_any_size(verified: Ledger, state: Path, more: int) -> None:
    if more:
        verified.append_batch("more", "test", [{"number": i} for i in range(more)])
        assert verified.verify(resume=state).ok
    verified.append([Event("test", {})])
    assert rows_read(verified, state) <= 257


def test_it_goes_on_under_a_new_key(
    verified: Ledger, url: str, key: LedgerKey, state: Path
) -> None:
    successor = LedgerKey.generate(key.public.name)
    verified.rotate(successor)
    with Ledger(url, successor) as rotated:
        assert rows_read(rotated, state) <= 257


def test_an_interrupted_verification_goes_on(ledger: Ledger, state: Path) -> None:
    size = 17 * STEP
    for start in range(0, size, STEP):
        ledger.append_batch(f"b{start}", "test", [{"number": i} for i in range(STEP)])

    def interrupt(done: int, _: int) -> None:
        if done == size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.verify(interrupt, resume=state)
    assert rows_read(ledger, state) <= STEP + 256


@pytest.mark.parametrize("seq", [600, FIRST - 1, FIRST, FIRST + 5])
def test_a_change_behind_the_last_full_block_is_named(
    verified: Ledger, url: str, state: Path, seq: int
) -> None:
    for i in range(10):
        verified.append([Event("test", {"number": i})])
    kept = state.read_bytes()
    with behind_our_back(url) as connection:
        forge(connection, seq, "{}")
    report = verified.verify(resume=state)
    assert {(f.what, f.first, f.last) for f in report.findings} == {
        (Tampering.ROW_CHANGED, seq, seq)
    } or {f.what for f in report.findings} == {Tampering.ROWS_UNPROVED}
    assert state.read_bytes() == kept  # it is not noted as verified


def test_a_tile_that_was_changed_since_is_found(verified: Ledger, url: str, state: Path) -> None:
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("DELETE FROM tile WHERE position = 1")
    findings = verified.verify(resume=state).findings
    assert [finding.what for finding in findings] == [Tampering.TILE_MISSING]


def test_a_ledger_that_was_rewound_since_is_found(verified: Ledger, url: str, state: Path) -> None:
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("DELETE FROM checkpoint")
        connection.exec_driver_sql("DELETE FROM tile")
        connection.exec_driver_sql("DELETE FROM event")
    verified.append([Event("test", {})])
    findings = verified.verify(resume=state).findings
    assert [finding.what for finding in findings] == [Tampering.HISTORY_REWOUND]


def test_a_whole_verification_still_finds_what_was_changed_before(
    verified: Ledger, url: str, state: Path
) -> None:
    with behind_our_back(url) as connection:
        connection.exec_driver_sql("UPDATE event SET body = '{}' WHERE seq = 5")
    assert verified.verify(resume=state).ok  # as its page says
    assert not verified.verify().ok


def test_a_state_that_is_none_is_refused(verified: Ledger, state: Path) -> None:
    for content in (b"", b"{}", b'{"format": "wardmark-verified/1", "checkpoint": "x"}'):
        state.write_bytes(content)
        with pytest.raises(ProofInvalid, match="begin anew"):
            verified.verify(resume=state)
