"""Sources: the same order every time, nothing passed over in silence, nothing from outside."""

import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from paint import jpeg

from datasets_audit.errors import SourceInvalid
from datasets_audit.sources import Source, Taken, open_source


def everything(source: Source) -> list[Taken]:
    return [taken for batch in source.batches() for taken in batch.read()]


def test_a_folder_is_read_to_the_bottom_in_order(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.JPG", "a.jpg", "c/d/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "notes.txt").write_text("x")
    source = open_source(tmp_path)
    assert [taken.key for taken in everything(source)] == ["a.jpg", "a/z.JPG", "b.jpg", "c/d/e.png"]
    assert source.count() == 4
    assert [stray.key for stray in source.strays()] == ["notes.txt"]
    assert [taken.data for taken in source.fetch({"b.jpg"})] == [b"b.jpg"]


def test_links_are_not_followed_and_named(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"x")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.jpg").write_bytes(b"x")
    (inside / "link.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder").symlink_to(outside)
    source = open_source(inside)
    assert [taken.key for taken in everything(source)] == ["a.jpg"]
    assert [stray.key for stray in source.strays()] == ["folder", "link.jpg"]


def test_a_name_that_is_not_utf8_gets_a_key_all_the_same(tmp_path: Path) -> None:
    import os

    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    (taken,) = everything(open_source(tmp_path))
    assert taken == Taken("caf\\xe9.jpg", b"x")


def test_a_file_that_vanishes_during_the_pass_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    source = open_source(tmp_path)
    assert source.count() == 1
    (tmp_path / "a.jpg").unlink()
    (taken,) = everything(source)
    assert taken.data is None
    assert "cannot be read" in (taken.problem or "")
    assert str(tmp_path) not in (taken.problem or "")


@pytest.mark.parametrize("name", ["nowhere", "empty", "file.zip"])
def test_what_is_no_data_set_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.zip").write_bytes(b"PK")
    with pytest.raises(SourceInvalid):
        open_source(tmp_path / name)


def test_parquet_as_hugging_face_writes_it_is_read(tmp_path: Path) -> None:
    images = [{"bytes": jpeg(n), "path": f"{n}.jpg"} for n in range(3)]
    pq.write_table(pa.table({"image": images}), tmp_path / "train.parquet", row_group_size=2)
    source = open_source(tmp_path / "train.parquet")
    assert [(t.key, t.data) for t in everything(source)] == [
        (image["path"], image["bytes"]) for image in images
    ]
    assert [t.key for t in source.fetch({"2.jpg"})] == ["2.jpg"]


def test_rows_without_a_name_are_called_by_their_number(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"bytes": [b"1", b"2", b"3"]}), tmp_path / "x.parquet", row_group_size=2
    )
    assert [t.key for t in everything(open_source(tmp_path))] == [
        "x.parquet#1", "x.parquet#2", "x.parquet#3",
    ]  # fmt: skip


def test_a_path_that_leads_out_of_the_data_set_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a")
    paths = ["a.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"), "gone.jpg", None]
    table = pa.table({"id": ["1", "2", "3", "4", "5"], "path": paths})
    pq.write_table(table, folder / "index.parquet")
    taken = everything(open_source(folder / "index.parquet"))
    assert [t.key for t in taken] == ["1", "2", "3", "4", "5"]
    assert [t.data for t in taken] == [b"a", None, None, None, None]
    assert "leads out" in (taken[1].problem or "")


def test_parquet_without_pictures_names_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [1]}), tmp_path / "x.parquet")
    with pytest.raises(SourceInvalid, match="label"):
        open_source(tmp_path)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(SourceInvalid, match="cannot be read"):
        open_source(tmp_path)


def test_batches_travel(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (batch,) = open_source(tmp_path).batches()
    travelled = pickle.loads(pickle.dumps(batch))  # noqa: S301 - our own
    assert list(travelled.read()) == [Taken("a.jpg", b"x")]
