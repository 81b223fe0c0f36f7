"""Audits that go on: only what changed is opened, and a killed one ends with the same root."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from paint import jpeg

from datasets_audit import AuditReport, audit, memory, shards
from datasets_audit.errors import MemoryUnusable
from datasets_audit.example import make_example
from datasets_audit.look import Look

TERMS = {"name": "x", "as_of": date(2026, 6, 30), "secret": b"a secret of exactly 32 bytes ..."}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of every picture that is measured in this process."""
    sizes: list[int] = []
    whole = shards.inspect

    def noting(data: bytes, look: Look | None) -> object:
        sizes.append(len(data))
        return whole(data, look)

    monkeypatch.setattr(shards, "inspect", noting)
    return sizes


def remembered(images: Path, file: Path, **more: Path) -> AuditReport:
    return audit(images, memory=file, workers=1, **TERMS, **more)


def test_only_what_changed_is_opened_and_nothing_else_differs(
    tmp_path: Path, opened: list[int]
) -> None:
    images = make_example(tmp_path / "example").images
    first = remembered(images, tmp_path / "seen")
    assert len(opened) == first.source.pictures
    opened.clear()
    assert remembered(images, tmp_path / "seen").root == first.root
    assert opened == []
    (images / "drawing-010.jpg").write_bytes((images / "drawing-011.jpg").read_bytes() + b"\x00")
    (images / "drawing-020.jpg").unlink()
    (images / "aaa.jpg").write_bytes((images / "drawing-012.jpg").read_bytes())
    again = remembered(images, tmp_path / "seen")
    assert len(opened) == 2
    assert again.root == audit(images, workers=1, **TERMS).root != first.root


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    images = make_example(tmp_path / "example").images
    remembered(images, tmp_path / "seen")
    (images / "drawing-020.jpg").unlink()
    remembered(images, tmp_path / "seen")
    with sqlite3.connect(tmp_path / "seen") as database:
        stamps = [stamp for (stamp,) in database.execute("SELECT stamp FROM seen")]
    database.close()
    assert stamps
    assert not any("drawing-020" in stamp for stamp in stamps)


def test_other_versions_of_the_tools_measure_anew(
    tmp_path: Path, opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_example(tmp_path / "example").images
    pictures = remembered(images, tmp_path / "seen").source.pictures
    monkeypatch.setattr(memory, "FORMAT", memory.FORMAT + 1)
    remembered(images, tmp_path / "seen")
    assert len(opened) == 2 * pictures


def test_rows_of_parquet_are_remembered_by_what_they_lead_to(
    tmp_path: Path, opened: list[int]
) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
    source = tmp_path / "index.parquet"
    pq.write_table(pa.table({"path": [f"{n}.jpg" for n in range(5)]}), source, row_group_size=3)
    root = remembered(source, tmp_path / "seen").root
    (tmp_path / "4.jpg").write_bytes(jpeg(9))
    opened.clear()
    assert remembered(source, tmp_path / "seen").root != root
    assert len(opened) == 1
    images = [{"bytes": jpeg(n), "path": f"{n}.jpg"} for n in range(5)]
    pq.write_table(pa.table({"image": images}), source)
    opened.clear()
    remembered(source, tmp_path / "seen")
    remembered(source, tmp_path / "seen")
    assert len(opened) == 5


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path, opened: list[int]) -> None:
    source = tmp_path / "index.parquet"
    pq.write_table(pa.table({"path": ["a.jpg"]}), source)
    assert remembered(source, tmp_path / "seen").figure("broken") == 1
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    assert remembered(source, tmp_path / "seen").figure("broken") == 0


def test_a_file_that_is_no_memory_is_refused(tmp_path: Path) -> None:
    images = make_example(tmp_path / "example").images
    (tmp_path / "seen").write_bytes(b"not a database" * 100)
    with pytest.raises(MemoryUnusable, match="Remove it"):
        remembered(images, tmp_path / "seen")


PROGRAM = """
import sys
from datetime import date
from datasets_audit import audit
audit(sys.argv[1], name="x", as_of=date(2026, 6, 30), secret=b"a secret of exactly 32 bytes ...",
      memory=sys.argv[2], out=sys.argv[3], workers=1)
"""


def test_an_audit_that_was_killed_goes_on_and_ends_with_the_same_root(
    tmp_path: Path, opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_example(tmp_path / "example").images
    for copy in range(12):
        shutil.copytree(images, tmp_path / "many" / str(copy))
    many, seen, out = tmp_path / "many", tmp_path / "seen", tmp_path / "out"
    arguments = [sys.executable, "-c", PROGRAM, str(many), str(seen), str(out)]
    killed = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
    while killed.poll() is None and _rows(seen) == 0:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not out.exists()
    known = _rows(seen)
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".out.")]
    report = remembered(many, seen, out=out)
    assert 0 < known < report.source.pictures
    assert len(opened) <= report.source.pictures - known
    assert report.root == audit(many, workers=1, **TERMS).root
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out.")]


def _rows(file: Path) -> int:
    """What is safely in the memory; 0 before it is one."""
    if not file.exists() or not file.stat().st_size:
        return 0
    database = sqlite3.connect(file, timeout=5)
    try:
        return int(database.execute("SELECT count(*) FROM seen").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()
