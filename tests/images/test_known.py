"""Known content is found again; other content is not."""

import hashlib

import cv2
import numpy as np
import pytest

from guard.images import KnownContentList, load_assessor, parse_list, pixels_sha256
from guard.images.finding import Subject
from guard.images.known import KnownContent
from guard.images.known_list import pdq_words
from provenance.fingerprint import MATCH_DISTANCE, distance, fingerprint
from provenance.picture import Pixels, decode, encode
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.core import textured_picture
from tests.support.lettering import plain, with_lines

KNOWN = textured_picture("a known picture", 320, 256, 7)


def listed(
    *pictures: Pixels, label: str = "", name: str = "known", conclusive: bool = False
) -> KnownContentList:
    rows = "".join(f"pdq,{fingerprint(pixels).pdq},{label}\n" for pixels in pictures)
    return parse_list(f"kind,hash,label\n{rows}".encode(), name, conclusive=conclusive)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        lambda p: p[:, ::-1],
        lambda p: p[::-1],
        np.rot90,
        lambda p: np.rot90(p, 2),
        lambda p: np.rot90(p, 3),
        lambda p: np.rot90(p[:, ::-1]),
        lambda p: np.rot90(p[::-1]),
        lambda p: decode(encode(p, "jpeg", quality=30)).pixels,
        lambda p: cv2.resize(p, (160, 128), interpolation=cv2.INTER_AREA),
    ],
    ids=["same", "mirror", "flip", "90", "180", "270", "mirror-90", "flip-90", "jpeg30", "half"],
)
def test_a_changed_copy_is_found(change) -> None:  # type: ignore[no-untyped-def]
    copy = np.ascontiguousarray(change(KNOWN))
    found = KnownContent([listed(KNOWN)]).find(Subject(copy))
    assert found.fields["match.known_content"] is True
    assert found.fields["match.list"] == "known"
    told = found.fields["match.distance"]
    assert isinstance(told, int)
    assert told <= MATCH_DISTANCE


@pytest.mark.parametrize("scale", [0.5, 0.7, 1.6, 3.0])
@pytest.mark.parametrize("shape", [(150, 150), (200, 150), (256, 320), (100, 410)])
def test_a_copy_of_any_size_is_found(scale: float, shape: tuple[int, int]) -> None:
    """Sides whose halves PDQ averages otherwise than the whole."""
    for seed in range(4):
        original = textured_picture("of some size", *shape, seed)
        copy = cv2.resize(original, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        assert KnownContent([listed(original)]).find(Subject(copy)).match is not None, seed


def test_unrelated_pictures_are_not_found() -> None:
    lists = [listed(*(textured_picture("other", 200, 200, seed) for seed in range(40)))]
    for seed in range(100, 130):
        found = KnownContent(lists).find(Subject(textured_picture("new", 200, 200, seed)))
        assert found.fields == {"match.known_content": False}


def test_a_flat_picture_matches_no_fingerprint_but_its_own_digest() -> None:
    flat = plain()
    assert KnownContent([listed(flat)]).find(Subject(flat)).match is None
    by_digest = parse_list(f"# kind: sha256\n{pixels_sha256(flat)}".encode(), "exact")
    assert KnownContent([by_digest]).find(Subject(flat)).match is not None
    other = flat.copy()
    other[0, 0, 0] ^= 1
    assert KnownContent([by_digest]).find(Subject(other)).match is None


def test_the_digest_of_an_uploaded_file_is_looked_up() -> None:
    flat = plain()
    file = encode(flat, "png")
    known = parse_list(f"kind,hash\nsha256,{hashlib.sha256(file).hexdigest()}\n".encode(), "files")
    assessor = load_assessor(ScriptedPromptAssessor(), lists=[known])
    (uploaded,) = assessor.assess([flat], files=[file])
    (drawn,) = assessor.assess([flat])
    assert uploaded.fields["match.known_content"] is True
    assert drawn.fields["match.known_content"] is False


def test_pixels_of_the_same_bytes_in_another_shape_have_another_digest() -> None:
    pixels = textured_picture("x", 64, 96, 0)
    assert pixels_sha256(pixels) != pixels_sha256(pixels.reshape(64, 96, 3))


def test_a_label_that_is_a_category_makes_that_category_certain() -> None:
    assessor = load_assessor(ScriptedPromptAssessor(), lists=[listed(KNOWN, label="shocking")])
    (seen,) = assessor.assess([KNOWN])
    assert seen.scores["shocking"] == 1.0
    assert seen.scores["unsafe"] == 1.0
    assert seen.scores["violence"] == 0.0
    assert seen.scores["shocking"] >= seen.thresholds["shocking"]
    (region,) = seen.regions
    assert (region.kind, region.category) == ("known_content", "shocking")
    assert (region.width, region.height) == (320, 256)


def test_the_first_list_that_matches_is_told() -> None:
    grave, mild = listed(KNOWN, name="grave"), listed(KNOWN, name="mild")
    assert KnownContent([grave, mild]).find(Subject(KNOWN)).fields["match.list"] == "grave"
    assert KnownContent([mild, grave]).find(Subject(KNOWN)).fields["match.list"] == "mild"


def test_only_a_conclusive_list_ends_the_search_and_then_nothing_is_called_zero() -> None:
    written = with_lines(KNOWN, ["we attack"])
    words = ScriptedPromptAssessor({"attack": {"violence": 0.9}})
    (whole,) = load_assessor(words, lists=[listed(written)]).assess([written])
    assert whole.scores["violence"] == 0.9
    ended = load_assessor(words, lists=[listed(written, label="violence", conclusive=True)])
    (short,) = ended.assess([written])
    assert dict(short.scores) == {"violence": 1.0, "unsafe": 1.0}
    assert "text.present" not in short.fields


def test_the_nearest_row_is_the_nearest_by_hand() -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(0, 2**64, (70_000, 4), np.uint64)
    rows[69_999] = rows[3] ^ np.uint64(0b1011)
    known = KnownContentList("rows", "0" * 64, pdq=rows, pdq_labels=("",) * len(rows))
    query = rows[69_999].copy()
    query[2] ^= np.uint64(1)
    found = known.nearest(query[None])
    assert found == (69_999, 1)
    some = [rows[i].tobytes().hex() for i in (0, 1, 2)]
    assert [distance(a, some[0]) for a in some] == [
        int(np.bitwise_count(pdq_words([a]) ^ rows[0]).sum()) for a in some
    ]


def test_another_list_is_another_assessor() -> None:
    words = ScriptedPromptAssessor()
    refs = {load_assessor(words).ref.digest, load_assessor(words, lists=[listed(KNOWN)]).ref.digest}
    assert len(refs) == 2
