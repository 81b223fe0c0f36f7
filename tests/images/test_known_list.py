"""A list is understood whole, or refused with the lines at fault."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import KnownListInvalid
from guard.images import load_list, parse_list

A, B, C = "a" * 64, "b" * 64, "C" * 64


def test_both_kinds_labels_and_qualities_are_read(tmp_path: Path) -> None:
    file = tmp_path / "grave.csv"
    file.write_text(f"kind,hash,label,quality\nsha256,{A},one,\npdq,{B},two,98\npdq,{C},,\n")
    known = load_list(file)
    assert known.name == "grave"
    assert known.sha256 == {A: "one"}
    assert known.pdq.shape == (2, 4)
    assert known.pdq_labels == ("two", "")
    assert known.notes == ()


def test_the_words_of_threat_exchange_are_understood() -> None:
    known = parse_list(f"type,indicator\nHASH_PDQ,{A}\nHASH_SHA256,{B}\n".encode(), "te")
    assert (len(known.pdq), set(known.sha256)) == (1, {B})


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    known = parse_list(f"\ufeffkind,hash\r\npdq,{A}\r\n".encode(), "windows")
    assert len(known.pdq) == 1


def test_plain_text_says_its_kind() -> None:
    known = parse_list(f"# kind: PDQ\n\n# a comment\n{A}\n# kind: sha256\n{B}\n".encode(), "plain")
    assert (len(known.pdq), set(known.sha256)) == (1, {B})


def test_flat_hashes_are_left_out_with_a_note() -> None:
    known = parse_list(f"kind,hash,quality\npdq,{A},49\npdq,{B},50\n".encode(), "flat")
    assert len(known.pdq) == 1
    (note,) = known.notes
    assert note.startswith("1 PDQ hashes of quality below 50")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "holds no hash"),
        (b"# kind: pdq\n", "holds no hash"),
        (A.encode(), "line 1: put a line '# kind: pdq'"),
        (b"name,value\nx,y\n", "line 1: no columns for kind and hash"),
        (f"kind,hash\npdq,{A}\nmd5,{B}\n".encode(), "line 3: unknown kind 'md5'"),
        (b"kind,hash\npdq,abc\n", "line 2: a pdq hash has 64 hex digits, this is 'abc'"),
        (b"kind,hash\nsha256\n", "line 2: a sha256 hash has 64"),
        (f"kind,hash,quality\npdq,{A},101\n".encode(), "line 2: quality is a whole number"),
        (f"kind,hash,quality\npdq,{A},-1\n".encode(), "line 2: quality is a whole number"),
        (f"# kind: crc\n{A}\n".encode(), "line 2: unknown kind 'crc'"),
        (b"kind,hash\npdq,\xff\n", "line 2: not UTF-8"),
        (b'kind,hash\npdq,"' + b"a" * 200_000, "line 2"),
    ],
)
def test_a_wrong_line_is_named(data: bytes, told: str) -> None:
    with pytest.raises(KnownListInvalid) as refused:
        parse_list(data, "mine")
    assert str(refused.value).startswith("list mine")
    assert told in str(refused.value)
    assert refused.value.exit_code == 2


def test_all_wrong_lines_are_counted_and_the_first_ones_told() -> None:
    with pytest.raises(KnownListInvalid, match=r"line 2: .*line 11: .*and 5 more lines"):
        parse_list(b"kind,hash\n" + b"pdq,x\n" * 15, "mine")


def test_a_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(KnownListInvalid, match=r"No such file.*kind,hash,label"):
        load_list(tmp_path / "none.csv")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_are_refused(data: bytes) -> None:
    try:
        known = parse_list(data, "any")
    except KnownListInvalid:
        return
    assert known.sha256 or len(known.pdq) or known.notes
