"""A deployment's keys of marks: secret, never lost by a rotation, never silently begun anew."""

import json
from pathlib import Path

import pytest

from guard.cli import run
from provenance.errors import MarkKeyInvalid
from provenance.home import Home
from provenance.picture import encode
from provenance.watermark.keys import (
    KEY_BYTES,
    MOST_KEYS,
    create_mark_keys,
    key_id,
    load_mark_keys,
    rotate_mark_keys,
)
from tests.watermark.pictures import photographs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mark.keys"
    create_mark_keys(path)
    return path


def test_only_its_owner_can_read_the_file_also_after_a_rotation(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    rotate_mark_keys(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in file.parent.iterdir()] == [file.name], "nothing is left beside it"


def test_a_rotation_puts_a_fresh_key_first_and_keeps_all_others_in_order(file: Path) -> None:
    (first,) = load_mark_keys(file)
    rotate_mark_keys(file)
    rotated = rotate_mark_keys(file)
    assert load_mark_keys(file) == rotated
    assert rotated[-1] == first
    assert len({key.key for key in rotated}) == 3
    assert all(len(key.key) == KEY_BYTES for key in rotated)
    assert rotated[0].since >= first.since


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    file.chmod(0o640)
    with pytest.raises(MarkKeyInvalid, match="chmod 600"):
        load_mark_keys(file)


def test_lost_keys_stop_the_deployment_instead_of_starting_anew(file: Path) -> None:
    file.unlink()
    for ask in (load_mark_keys, rotate_mark_keys):
        with pytest.raises(MarkKeyInvalid, match="Restore it from a backup"):
            ask(file)
    assert not file.exists()


@pytest.mark.parametrize(
    "text", ["", "abcd 2026-01-01T00:00:00+00:00\n", "zz x\n", "one two three\n", "é 2\n"]
)
def test_a_damaged_file_is_refused(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MarkKeyInvalid, match="Restore it"):
        load_mark_keys(file)


def test_a_key_is_never_overwritten(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(MarkKeyInvalid, match="never overwritten"):
        create_mark_keys(file)
    assert file.read_bytes() == before


def test_there_is_a_limit_to_how_many_keys_are_looked_for(file: Path) -> None:
    for _ in range(MOST_KEYS - 1):
        rotate_mark_keys(file)
    with pytest.raises(MarkKeyInvalid, match="oldest line"):
        rotate_mark_keys(file)
    assert len(load_mark_keys(file)) == MOST_KEYS


def test_the_id_of_a_key_gives_nothing_of_it_away(file: Path) -> None:
    ((key, _),) = load_mark_keys(file)
    assert key_id(key) == key_id(key)
    assert key_id(key) != key_id(bytes(KEY_BYTES))
    assert key_id(key) not in key.hex()


def test_each_home_has_keys_of_its_own_which_a_command_rotates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = [Home.create(tmp_path / n, provider="Test", version="0") for n in ("one", "two")]
    assert homes[0].mark_keys != homes[1].mark_keys
    old = key_id(homes[0].mark_keys[0].key)
    assert run(["mark-keys", "rotate", "--home", str(homes[0].path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["current"] != old
    assert [row["id"] for row in shown["keys"]] == [shown["current"], old]
    assert run(["mark-keys", "list", "--home", str(homes[0].path)]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].startswith(shown["current"])
    secrets = [key.key.hex() for key in Home.open(homes[0].path).mark_keys]
    assert not any(secret in said for secret in secrets)


def test_a_mark_under_an_earlier_key_is_found_and_the_key_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.create(tmp_path / "home", provider="Test", version="0")
    old = key_id(home.mark_keys[0].key)
    source, marked = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(encode(photographs()["astronaut"]))
    at_home = ["--home", str(home.path)]
    assert run([*at_home, "mark", str(source), "-o", str(marked)]) == 0
    assert run([*at_home, "mark-keys", "rotate", "--json"]) == 0
    current = json.loads(capsys.readouterr().out)["current"]
    assert run([*at_home, "detect", str(marked), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key_id"] == old != current
    assert run([*at_home, "mark", str(source), "-o", str(marked)]) == 0
    assert run([*at_home, "detect", str(marked), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key_id"] == current
    stranger = Home.create(tmp_path / "stranger", provider="Test", version="0")
    assert run(["--home", str(stranger.path), "detect", str(marked)]) == 1
