"""Bad input: a clear error with the exit code of its kind, and no file left behind."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from provenance.picture import encode
from tests.cli.conftest import Wardmark
from tests.support.core import textured_picture

WRONG_USE, UNREADABLE = 2, 4


def bomb() -> bytes:
    """A PNG of a few hundred bytes that declares 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999))
    )


BROKEN = {
    "text.png": b"this is a text file, whatever its name says",
    "empty.png": b"",
    "bomb.png": bomb(),
    "truncated.png": encode(textured_picture("x", 256, 256, 1), "png")[:5000],
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", ["verify", "detect", "check", "mark"])
def test_a_file_that_is_no_whole_picture_is_told_so(
    wardmark: Wardmark, tmp_path: Path, command: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    arguments = {
        "verify": ["verify", path],
        "detect": ["detect", path],
        "check": ["check", "--image", path],
        "mark": ["mark", path, "-o", tmp_path / "out.png"],
    }[command]
    ran = wardmark(*arguments)
    assert ran.code == UNREADABLE
    assert "error:" in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("command", ["verify", "detect"])
def test_a_missing_file_is_told_so(wardmark: Wardmark, tmp_path: Path, command: str) -> None:
    ran = wardmark(command, tmp_path / "absent.png")
    assert ran.code == UNREADABLE
    assert "absent.png" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x" * 100_000], "100,000 characters"),
        ([""], "empty"),
        (["a sea", "--size", "511x512"], "multiple of"),
        (["a sea", "--size", "wide"], "WIDTHxHEIGHT"),
        (["a sea", "--steps", "0"], "steps"),
        (["a sea", "-n", "1000"], "pictures"),
        (["a sea", "--policy", "nonexistent"], "default"),
        (["a sea", "--policy", "nonexistent.yaml"], "nonexistent.yaml"),
    ],
)
def test_a_request_outside_the_limits_is_told_them(
    wardmark: Wardmark, tmp_path: Path, arguments: list[str], said: str
) -> None:
    ran = wardmark("generate", *arguments, "-o", tmp_path / "x.png")
    assert ran.code == WRONG_USE, ran.err
    assert said in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_core_that_is_not_there_is_told_so(wardmark: Wardmark, tmp_path: Path) -> None:
    ran = wardmark("generate", "a sea", "--core", "nonexistent", "-o", tmp_path / "x.png")
    assert ran.code == UNREADABLE
    assert "scenes" in ran.err


def test_a_core_that_cannot_be_asked_for_the_noise_is_told_so(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    picture = tmp_path / "x.png"
    picture.write_bytes(encode(textured_picture("x", 256, 256, 1), "png"))
    ran = wardmark("verify", picture, "--noise-core", "nonexistent")
    assert (ran.code, "no core named 'nonexistent'" in ran.err) == (UNREADABLE, True)
    ran = wardmark("verify", picture, "--noise-core", "scenes", "--report", tmp_path / "r.json")
    assert (ran.code, "leave --noise-core out" in ran.err) == (WRONG_USE, True)
    assert not (tmp_path / "r.json").exists()


def test_an_output_that_cannot_be_written_is_told_before_the_work(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    size = wardmark("ledger", "verify", "--json").document["size"]
    for output in (tmp_path / "no" / "folder" / "x.png", tmp_path):
        ran = wardmark("generate", "a calm sea", "-o", output)
        assert ran.code == UNREADABLE
        assert str(output) in ran.err or str(output.parent) in ran.err
    assert wardmark("ledger", "verify", "--json").document["size"] == size


def test_a_home_that_is_not_there_is_told_how_to_be_made(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    ran = wardmark("generate", "a sea", "-o", tmp_path / "x.png", "--home", tmp_path / "nowhere")
    assert ran.code == WRONG_USE
    assert "wardmark init" in ran.err


def test_init_twice_changes_nothing(wardmark: Wardmark, home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    assert wardmark("init").code == 0
    after = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    assert {
        p: t for p, t in after.items() if p in before and not p.name.startswith("ledger.db")
    } == {p: t for p, t in before.items() if not p.name.startswith("ledger.db")}


def test_a_renewed_certificate_keeps_the_root(wardmark: Wardmark, home: Path) -> None:
    signer, root = home / "keys" / "signer.pem", home / "keys" / "root.pem"
    before = signer.read_bytes(), root.read_bytes()
    assert wardmark("init", "--renew-certificate").code == 0
    assert signer.read_bytes() != before[0]
    assert root.read_bytes() == before[1]


def test_init_does_not_touch_a_folder_of_something_else(wardmark: Wardmark, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    ran = wardmark("init", "--home", tmp_path)
    assert ran.code == WRONG_USE
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_no_private_file_of_a_home_is_readable_by_others(home: Path) -> None:
    secret = [*home.rglob("*.key")]
    assert len(secret) >= 3
    assert [path for path in secret if path.stat().st_mode & 0o077] == []


def test_the_help_is_quick_to_load_and_names_every_command() -> None:
    code = (
        "import sys; from guard.cli import run; run(['--help']); "
        "heavy = {'torch', 'diffusers', 'transformers', 'cv2', 'duckdb'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for command in ("init", "generate", "check", "verify", "mark", "detect", "audit", "ledger"):
        assert command in ran.stdout
