"""Ten million rows: a clear answer, within the memory that an audit may hold."""

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 10_000_000
AT_ONCE = 1_000_000
MOST = 500  # MB

pytestmark = pytest.mark.slow

HELD = r"""
import re
held = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) // 1024
print("held", held)
"""


def written(place: Path, **columns: pa.Array) -> Path:
    """ROWS rows, AT_ONCE of which repeat, in one row group for each time."""
    table = pa.table(columns)
    with pq.ParquetWriter(place, table.schema) as file:
        for _ in range(ROWS // AT_ONCE):
            file.write_table(table, row_group_size=AT_ONCE)
    return place


def said(program: str, *arguments: Path) -> tuple[str, int]:
    """What a process of its own prints, and the most memory that it held, MB."""
    command = [sys.executable, "-c", program + HELD, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.search(r"held (\d+)", done.stdout)
    assert found is not None
    return done.stdout, int(found[1])


ANNOTATIONS = """
import sys
from pathlib import Path
from datasets_audit.annotations import load_annotations
from datasets_audit.errors import AnnotationsInvalid
try:
    load_annotations(Path(sys.argv[1]), Path(sys.argv[2]))
except AnnotationsInvalid as error:
    print(error)
"""

LISTED = """
import sys
from itertools import islice
from datasets_audit.sources import open_source
source = open_source(sys.argv[1])
print(source.count(), sum(batch.size for batch in islice(source.batches(), 4_000)))
"""

REFUSED = """
import sys
from datasets_audit.errors import SourceInvalid
from datasets_audit.sources import open_source
try:
    open_source(sys.argv[1])
except SourceInvalid as error:
    print(error)
"""


def test_ten_million_wrong_rows_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.parquet",
        file=pa.array([f"{number:07d}.jpg" for number in range(AT_ONCE)]),
        consent_state=pa.array(["maybe"] * AT_ONCE),
    )
    text, held = said(ANNOTATIONS, path, tmp_path)
    assert "a.parquet: row 1: consent_state maybe is none of" in text
    assert f"and {ROWS - 5:,} more" in text
    assert held < MOST


def test_a_list_of_ten_million_paths_is_taken_row_by_row(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", path=pa.array(["gone.jpg"] * AT_ONCE))
    text, held = said(LISTED, path)
    assert text.startswith(f"{ROWS} ")
    assert held < MOST


def test_ten_million_rows_without_a_picture_are_refused_by_their_columns(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", number=pa.array(range(AT_ONCE)))
    text, held = said(REFUSED, path)
    assert "has no column that leads to a picture" in text
    assert "it has number" in text
    assert held < MOST
