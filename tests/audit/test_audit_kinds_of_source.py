"""Sources beyond folders and Parquet: what a data set comes as, whole or hostile."""

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paint import jpeg
from PIL import Image

from datasets_audit import audit
from datasets_audit.errors import AnnotationsInvalid, SourceInvalid
from datasets_audit.sources import Source, Taken, jsonparts, open_source

TERMS = {"name": "x", "as_of": date(2026, 6, 30), "secret": bytes(32)}


def everything(source: Source) -> list[Taken]:
    return [taken for batch in source.batches() for taken in batch.read()]


def halves(source: Source) -> list[Taken]:
    """The same, each batch in two parts, as an audit that goes on takes them."""
    found = []
    for batch in source.batches():
        assert len(batch.stamps()) == batch.size
        middle = batch.size // 2
        for places in (range(middle), range(middle, batch.size)):
            found += batch.only(places).read()
    return found


def tar_of(path: Path, members: dict[str, bytes], **links: str) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(f"{name}.jpg")
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path


def saved(folder: Path, rows: list[dict[str, Any]], per_batch: int = 2) -> None:
    """A folder as ``save_to_disk`` of Hugging Face datasets leaves it."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    file = folder / "data-00000-of-00001.arrow"
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_stream(out, table.schema) as stream:
        for batch in table.to_batches(max_chunksize=per_batch):
            stream.write_batch(batch)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": file.name}]}))
    (folder / "dataset_info.json").write_text("{}")


def test_a_tar_is_read_in_place_in_its_order(tmp_path: Path) -> None:
    given = {"b.jpg": b"b", "b.json": b"{}", "a/c.PNG": b"cc", "a/d.txt": b"d"}
    source = open_source(tar_of(tmp_path / "x.tar", given))
    assert source.kind == "webdataset"
    whole = [Taken("b.jpg", b"b"), Taken("a/c.PNG", b"cc")]
    assert everything(source) == halves(source) == whole
    assert [stray.key for stray in source.strays()] == ["a/d.txt", "b.json"]
    assert list(source.fetch({"a/c.PNG"})) == whole[1:]


def test_several_tars_name_themselves_in_their_keys(tmp_path: Path) -> None:
    for name in ("0.tar", "1.tar"):
        tar_of(tmp_path / name, {"a.jpg": name.encode()})
    taken = everything(open_source(tmp_path))
    assert [(one.key, one.data) for one in taken] == [
        ("0.tar/a.jpg", b"0.tar"), ("1.tar/a.jpg", b"1.tar"),
    ]  # fmt: skip


def test_a_tar_that_leads_out_is_not_followed_and_every_member_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    hostile = {"../secret.jpg": b"1", "/etc/x.jpg": b"2", "a\\..\\b.jpg": b"3", "ok.jpg": b"ok"}
    source = open_source(tar_of(tmp_path / "x.tar", hostile, link="secret.jpg"))
    assert everything(source) == [Taken("ok.jpg", b"ok")]
    strays = dict(source.strays())
    assert {"../secret.jpg", "/etc/x.jpg", "a\\..\\b.jpg", "link.jpg"} == strays.keys()
    assert "leads out" in strays["../secret.jpg"]
    report = audit(tmp_path / "x.tar", **TERMS)
    (group,) = (one for one in report.findings if one.code == "file_not_taken")
    assert group.count == 4


def test_a_tar_that_is_cut_off_keeps_what_is_whole(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {f"{n}.jpg": bytes([n]) * 3000 for n in range(4)})
    path.write_bytes(path.read_bytes()[:9000])
    source = open_source(path)
    taken = everything(source)
    assert [one.key for one in taken if one.data == bytes([int(one.key[0])]) * 3000] == [
        "0.jpg", "1.jpg",
    ]  # fmt: skip
    assert any("end" in stray.why for stray in source.strays()) or taken[-1].problem
    (tmp_path / "y.tar").write_bytes(b"\x1f\x8b no tar" * 100)
    with pytest.raises(SourceInvalid, match="unpacked first"):
        open_source(tmp_path / "y.tar")


def test_a_member_larger_than_a_picture_may_be_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("huge.jpg")
    header.size = 300 << 20
    path = tmp_path / "x.tar"
    path.write_bytes(header.tobuf() + b"\x00" * 1024)
    with path.open("r+b") as file:
        file.truncate(512 + (300 << 20) + 1024)  # sparse on disk
    (taken,) = everything(open_source(path))
    assert "the limit" in (taken.problem or "")


def test_a_picture_that_unfolds_beyond_reason_is_a_finding(tmp_path: Path) -> None:
    """The bomb that a data set of pictures can hold: a few bytes, billions of pixels."""
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(file, "PNG")
    report = audit(tar_of(tmp_path / "x.tar", {"bomb.png": file.getvalue()}), **TERMS)
    assert [one.code for one in report.findings if one.code.startswith("picture_")] == [
        "picture_too_large"
    ]
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(SourceInvalid, match="not a kind of data set"):
        open_source(tmp_path / "x.zip")


def test_a_saved_dataset_is_read_by_record_batches(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": jpeg(n), "path": f"{n}.jpg"}, "label": n} for n in range(5)]
    saved(tmp_path / "set", rows)
    source = open_source(tmp_path / "set")
    assert source.kind == "huggingface"
    assert everything(source) == halves(source) == [
        Taken(f"set/{n}.jpg", jpeg(n)) for n in range(5)
    ]  # fmt: skip
    assert [batch.size for batch in source.batches()] == [2, 2, 1]


def test_splits_of_a_saved_dataset_are_told_apart(tmp_path: Path) -> None:
    for split in ("train", "test"):
        saved(tmp_path / "all" / split, [{"bytes": jpeg(1)}])
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    keys = [taken.key for taken in everything(open_source(tmp_path / "all"))]
    assert keys == ["train#1", "test#1"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("state.json", '{"_data_files": [{"filename": "../x.arrow"}]}'),
        ("state.json", "{}"),
        ("state.json", "not json"),
        ("dataset_dict.json", '{"splits": ["../train"]}'),
    ],
)
def test_a_saved_dataset_that_leads_out_is_refused(tmp_path: Path, file: str, text: str) -> None:
    saved(tmp_path / "set", [{"bytes": jpeg(1)}])
    (tmp_path / "set" / file).write_text(text)
    with pytest.raises(SourceInvalid):
        open_source(tmp_path / "set")


def test_a_manifest_lists_pictures_and_carries_their_annotations(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
    (tmp_path / "list.csv").write_text(
        "file,licence,consent_state\n2.jpg,CC0-1.0,declared\n0.jpg,MIT,\ngone.jpg,,\n"
    )
    source = open_source(tmp_path / "list.csv")
    assert [taken.key for taken in halves(source)] == ["2.jpg", "0.jpg", "gone.jpg"]
    report = audit(tmp_path / "list.csv", **TERMS)
    assert report.source.kind == "manifest"
    assert report.figure("licence.unknown") == 1
    assert report.figure("broken") == 1
    lines = [json.dumps({"path": f"{n}.jpg", "caption": "x"}) for n in range(3)]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    assert len(everything(open_source(tmp_path / "list.jsonl"))) == 3


@pytest.mark.parametrize(
    ("name", "data", "named"),
    [
        ("x.csv", b"file\na.jpg\n\xff\xfe.jpg\n", "cannot be read"),
        ("x.csv", b"name,size\na.jpg,1\n", "no column that leads to a picture"),
        ("x.csv", b"file,b\na.jpg,1\n,2\n,3\n", "rows 3, 4 lead to no picture"),
        ("x.jsonl", b'{"file": "a.jpg"}\n[1]\n', "rows 2 lead"),
        ("x.jsonl", b"{\n", "cannot be read"),
    ],
)
def test_a_manifest_that_is_none_names_its_rows(
    tmp_path: Path, name: str, data: bytes, named: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceInvalid, match=named):
        open_source(tmp_path / name)


def test_a_manifest_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "list.csv").write_text("file\n../secret.jpg\n/etc/hostname\na\x00.jpg\n")
    taken = everything(open_source(tmp_path / "set" / "list.csv"))
    assert [one.data for one in taken] == [None] * 3


def test_coco_brings_licences_addresses_and_labels(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "1.jpg").write_bytes(jpeg(1))
    (images / "2.jpg").write_bytes(jpeg(2))
    coco = {
        "images": [
            {"id": 7, "file_name": "1.jpg", "license": 4, "coco_url": "https://a.example/1.jpg"},
            {"id": 8, "file_name": "2.jpg"},
            {"id": 9, "file_name": "gone.jpg"},
        ],
        "licenses": [{"id": 4, "url": "http://creativecommons.org/licenses/by/2.0/"}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1},
            {"id": 2, "image_id": 8, "category_id": 1},
            {"id": 3, "image_id": 8, "category_id": 2},
            {"id": 4, "image_id": 99, "category_id": 2},
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(coco))
    report = audit(
        tmp_path / "annotations" / "instances.json", out=tmp_path / "out", **TERMS
    )  # fmt: skip
    rows = pq.read_table(tmp_path / "out" / report.shards[0].file).to_pylist()
    assert [(row["label"], row["licence_expression"]) for row in rows] == [
        ("cat", "CC-BY-2.0"), (None, None), (None, None),
    ]  # fmt: skip
    assert rows[0]["source_url"] == "https://a.example/1.jpg"
    found = {group.code: group for group in report.findings}
    assert found["picture_unreadable"].examples[0].key == "gone.jpg"
    assert "image 99" in (found["file_not_taken"].examples[0].detail or "")


@pytest.mark.parametrize("text", ["[]", '{"images": [{"id": 1}]}', "{", '{"images": 3}'])
def test_coco_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SourceInvalid):
        open_source(tmp_path / "x.json")


def croissant(folder: Path, *distribution: dict[str, Any]) -> Path:
    path = folder / "croissant.json"
    path.write_text(json.dumps({"@context": {}, "distribution": list(distribution)}))
    return path


def test_croissant_leads_to_its_local_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "a" / "x.txt").write_bytes(b"x")
    path = croissant(
        tmp_path,
        {"@type": "cr:FileSet", "@id": "images", "includes": "a/*"},
        {"@type": "cr:FileSet", "@id": "out", "includes": ["../*.jpg"]},
        {"@type": "cr:FileObject", "@id": "far", "contentUrl": "https://example.org/a.tar"},
    )
    source = open_source(path)
    assert halves(source) == [Taken("a/1.jpg", jpeg(1))]
    assert {stray.key for stray in source.strays()} == {"a/x.txt", "out", "far"}


def test_croissant_whose_digest_does_not_agree_is_refused(tmp_path: Path) -> None:
    data = tar_of(tmp_path / "x.tar", {"a.jpg": jpeg(1)}).read_bytes()
    part = {"@type": "cr:FileObject", "contentUrl": "x.tar", "encodingFormat": "application/x-tar"}
    good = croissant(tmp_path, part | {"sha256": sha256(data).hexdigest()})
    assert len(everything(open_source(good))) == 1
    bad = croissant(tmp_path, part | {"sha256": "0" * 64})
    with pytest.raises(SourceInvalid, match="not what its metadata describes"):
        open_source(bad)


@pytest.fixture
def bucket() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    system.pipe("/bucket/a.jpg", jpeg(1))
    system.pipe("/bucket/deep/b.png", jpeg(2))
    system.pipe("/bucket/readme.md", b"x")
    yield "memory://bucket"
    system.rm("/bucket", recursive=True)


def test_an_object_store_is_listed_and_read(bucket: str, tmp_path: Path) -> None:
    source = open_source(bucket)
    assert everything(source) == halves(source) == [
        Taken("a.jpg", jpeg(1)), Taken("deep/b.png", jpeg(2)),
    ]  # fmt: skip
    assert [stray.key for stray in source.strays()] == ["readme.md"]
    (tmp_path / "a.jpg").write_bytes(jpeg(3))
    assert everything(open_source(f"file://{tmp_path}")) == [Taken("a.jpg", jpeg(3))]
    tar = tar_of(tmp_path / "x.tar", {"a.jpg": b"1"}).read_bytes()
    fsspec.filesystem("memory").pipe("/bucket/x.tar", tar)
    assert everything(open_source("memory://bucket/x.tar")) == [Taken("a.jpg", b"1")]
    first = audit(bucket, memory=tmp_path / "seen", workers=1, **TERMS)
    assert audit(bucket, memory=tmp_path / "seen", workers=1, **TERMS) == first


def test_parquet_in_an_object_store_is_read_there(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    images = [{"bytes": jpeg(n), "path": f"{n}.jpg"} for n in range(5)]
    pq.write_table(pa.table({"image": images}), tmp_path / "x.parquet", row_group_size=2)
    system.pipe("/far/deep/x.parquet", (tmp_path / "x.parquet").read_bytes())
    try:
        whole = [Taken(f"{n}.jpg", jpeg(n)) for n in range(5)]
        for url in ("memory://far/deep/x.parquet", "memory://far"):
            source = open_source(url)
            assert source.kind == "parquet"
            assert source.count() == 5
            assert everything(source) == halves(source) == whole
        assert list(source.fetch({"3.jpg"})) == whole[3:4]
        before = [stamp for batch in source.batches() for stamp in batch.stamps()]
        assert len(set(before)) == 5
        first = audit("memory://far", memory=tmp_path / "seen", workers=1, **TERMS)
        assert audit("memory://far", memory=tmp_path / "seen", workers=1, **TERMS) == first
    finally:
        system.rm("/far", recursive=True)


def test_a_path_in_a_parquet_from_elsewhere_leads_to_no_file_of_this_machine(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    system = fsspec.filesystem("memory")
    path = str(tmp_path / "secret.jpg")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": None, "path": path}], kind)
    pq.write_table(pa.table({"image": rows}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"path": [path]}), tmp_path / "b.parquet")
    for name in ("a", "b"):
        system.pipe(f"/far/{name}.parquet", (tmp_path / f"{name}.parquet").read_bytes())
    try:
        (taken,) = everything(open_source("memory://far/a.parquet"))
        assert taken == Taken(path, None, "The row holds a path and no picture.")
        with pytest.raises(SourceInvalid, match="paths and no pictures"):
            open_source("memory://far/b.parquet")
    finally:
        system.rm("/far", recursive=True)


def test_tars_in_a_folder_of_an_object_store_are_read(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    for name in ("0", "1"):
        data = tar_of(tmp_path / "x.tar", {"a.jpg": name.encode()}).read_bytes()
        system.pipe(f"/far/{name}.tar", data)
    try:
        keys = [taken.key for taken in everything(open_source("memory://far"))]
    finally:
        system.rm("/far", recursive=True)
    assert keys == ["0.tar/a.jpg", "1.tar/a.jpg"]


def test_rows_of_paths_without_number_are_listed_as_they_are_read(tmp_path: Path) -> None:
    """One row group of many rows: each batch holds some, and the rest of it is not waited for."""
    table = pa.table({"key": [f"{n}" for n in range(20_000)], "path": ["gone.jpg"] * 20_000})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=20_000)
    source = open_source(tmp_path / "x.parquet")
    batches = source.batches()
    assert next(batches).size <= 256
    rest = [taken for batch in batches for taken in batch.read()]
    assert {taken.data for taken in rest} == {None}
    assert [taken.key for taken in source.fetch({"777"})] == ["777"]


def test_coco_is_read_element_by_element(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonparts, "CHUNK", 7)
    images = [{"id": n, "file_name": f"{n}.jpg", "note": 'a "[{]}, \\' * n} for n in range(9)]
    notes = [{"id": n, "image_id": n, "category_id": 1, "mask": [[n] * 50]} for n in range(9)]
    given = {"info": {"year": 2017}, "images": images, "x": 12.5, "y": None, "annotations": notes,
             "licenses": [], "categories": [{"id": 1, "name": "caf\u00e9"}]}  # fmt: skip
    path = tmp_path / "x.json"
    path.write_text(json.dumps(given, indent=2, ensure_ascii=False), encoding="utf-8")
    found: dict[str, Any] = {}
    for part in jsonparts.parts(path):
        if part.place < 0:
            found[part.name] = part.value
        else:
            found.setdefault(part.name, []).append(part.value)
    assert found | {"licenses": []} == given
    carried = open_source(path).annotations(tmp_path)
    assert carried is not None
    labels = [json.loads(line)["label"] for line in carried.read_text("utf-8").splitlines()]
    assert labels == ["caf\u00e9"] * 9


@given(st.binary(max_size=60) | st.text('{}[]":,a1\\ e-', max_size=60).map(str.encode))
def test_what_is_no_json_is_told_as_such(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        try:
            expected = json.loads(data.decode("utf-8-sig"))
        except ValueError:
            expected = None
        if isinstance(expected, dict):
            names = {part.name for part in jsonparts.parts(Path(file.name))}
            assert names <= set(expected)
        else:
            with pytest.raises(ValueError):
                list(jsonparts.parts(Path(file.name)))


@pytest.mark.parametrize(
    "url",
    ["https://example.org/set", "HTTP://127.0.0.1/", "simplecache::https://example.org/a.tar",
     "ftp://example.org/", "nothing-like-it://x", "memory://nowhere"],
)  # fmt: skip
def test_an_address_that_is_not_asked_is_refused(url: str) -> None:
    with pytest.raises(SourceInvalid):
        open_source(url)


def test_a_parquet_of_a_million_paths_is_taken_in_pieces(tmp_path: Path) -> None:
    """What travels to a worker, and back, is bounded, however large a row group is."""
    rows = 1_000_000
    table = pa.table({"path": pa.array(["gone.jpg"] * rows).dictionary_encode()})
    table = table.set_column(0, "path", table["path"].cast(pa.string()))
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=rows)
    source = open_source(tmp_path / "x.parquet")
    assert source.count() == rows
    sizes = [batch.size for batch in source.batches()]
    assert (sum(sizes), max(sizes) <= 8_192) == (rows, True)
    last = list(source.batches())[-1]
    taken = list(last.only([last.size - 1]).read())
    assert [one.data for one in taken] == [None]


def test_wrong_types_and_repeated_ids_name_their_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    pq.write_table(
        pa.table({"key": ["a.jpg", "a.jpg"], "consent_expires": [3, 4]}), tmp_path / "a.parquet"
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg(1))
    with pytest.raises(AnnotationsInvalid, match="row 1: consent_expires 3 is not a date"):
        audit(tmp_path / "images", annotations=tmp_path / "a.parquet", **TERMS)
    (tmp_path / "a.csv").write_text("id,consent_state,split\na.jpg,declared,x\na.jpg,withdrawn,y\n")
    report = audit(tmp_path / "images", annotations=tmp_path / "a.csv", **TERMS)
    found = {group.code: group.examples[0] for group in report.findings}
    assert "rows 2, 3" in (found["consent_contradicted"].detail or "")
    assert report.figure("consent.withdrawn") == 1
