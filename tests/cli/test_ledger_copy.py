"""``wardmark ledger copy`` and ``verify --resume``: a ledger elsewhere, and verified in parts."""

import json
from pathlib import Path

from provenance.ledger import Ledger, load_verifier
from tests.cli.conftest import Wardmark


def test_a_ledger_is_copied_to_a_new_file_with_its_head(
    wardmark: Wardmark, home: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    ran = wardmark("ledger", "copy", f"sqlite:///{target}", "--json")
    assert ran.code == 0
    note = wardmark("ledger", "checkpoint").out
    with Ledger(f"sqlite:///{target}", load_verifier(home / "ledger.pub")) as copied:
        assert copied.checkpoint().note == note
        assert copied.verify().size == ran.document["size"]


def test_a_ledger_is_not_copied_over_another_one(wardmark: Wardmark, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'backup.db'}"
    assert wardmark("ledger", "copy", url).code == 0
    again = wardmark("ledger", "copy", url)
    assert again.code == 2
    assert "entries of its own" in again.err


def test_verification_notes_how_far_it_came(wardmark: Wardmark, tmp_path: Path) -> None:
    state = tmp_path / "verified.json"
    for _ in range(2):
        assert wardmark("ledger", "verify", "--resume", state).code == 0
    assert json.loads(state.read_bytes())["checkpoint"] == wardmark("ledger", "checkpoint").out
    state.write_text("{}")
    assert wardmark("ledger", "verify", "--resume", state).code == 1
