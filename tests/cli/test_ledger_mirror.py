"""``wardmark ledger import``: a mirror is a folder with the database and the public key alone."""

from pathlib import Path

from tests.cli.conftest import Wardmark


def test_a_mirror_is_made_carried_on_verified_and_asked(
    wardmark: Wardmark, home: Path, tmp_path: Path
) -> None:
    mirror, file = tmp_path / "mirror", tmp_path / "export.jsonl"
    assert wardmark("ledger", "export", "--credentials", "-o", file).code == 0
    made = wardmark(
        "ledger", "import", file, "--home", mirror, "--key", home / "ledger.pub", "--json"
    )
    assert made.code == 0
    assert made.document["added"] == made.document["size"] > 0
    assert sorted(part.name for part in mirror.glob("ledger.*") if "-" not in part.name) == [
        "ledger.db",
        "ledger.pub",
    ]
    again = wardmark("ledger", "import", file, "--home", mirror, "--json")
    assert (again.code, again.document["added"]) == (0, 0)
    note = wardmark("ledger", "checkpoint").out
    assert wardmark("ledger", "checkpoint", "--home", mirror).out == note
    assert wardmark("ledger", "verify", "--home", mirror).code == 0


def test_an_import_that_does_not_verify_makes_nothing(
    wardmark: Wardmark, home: Path, tmp_path: Path
) -> None:
    mirror, file = tmp_path / "mirror", tmp_path / "export.jsonl"
    wardmark("ledger", "export", "--credentials", "-o", file)
    file.write_bytes(file.read_bytes().replace(b'"home.created"', b'"home.creatad"'))
    ran = wardmark("ledger", "import", file, "--home", mirror, "--key", home / "ledger.pub")
    assert ran.code == 1
    assert wardmark("ledger", "checkpoint", "--home", mirror).code == 2


def test_a_home_is_no_mirror_and_a_mirror_keeps_its_key(
    wardmark: Wardmark, home: Path, tmp_path: Path
) -> None:
    mirror, file = tmp_path / "mirror", tmp_path / "export.jsonl"
    wardmark("ledger", "export", "-o", file)
    key = home / "ledger.pub"
    assert "--key" in wardmark("ledger", "import", file, "--home", mirror).err
    assert "has its key" in wardmark("ledger", "import", file).err
    assert "is a home" in wardmark("ledger", "import", file, "--home", home, "--key", key).err
    wardmark("ledger", "import", file, "--home", mirror, "--key", key)
    other = tmp_path / "other"
    wardmark("init", "--home", other)
    ran = wardmark("ledger", "import", file, "--home", mirror, "--key", other / "ledger.pub")
    assert ran.code == 2
    assert "another ledger" in ran.err
