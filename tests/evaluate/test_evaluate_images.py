"""``wardmark evaluate images``: figures one can count, and clear words about bad folders."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard.assessment import Assessment, Region
from guard.cli import run
from guard.errors import InvalidRequest
from guard.evaluate.detection import Scene, claim, iou, localisation
from guard.evaluate.images import ImageEvaluation, evaluate_images
from guard.evaluate.labelled_images import read_labelled_images
from guard.evaluate.page import evaluation_page
from guard.evaluate.shifts import SHIFTS
from provenance.picture import Pixels, encode
from tests.support.assessors import REF
from tests.support.lettering import plain, with_lines


class RedAssessor:
    """Violence is the share of red; its box is where the red is."""

    ref = REF
    covers = frozenset({"violence"})

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        return [self._assess(pixels) for pixels in images]

    def _assess(self, pixels: Pixels) -> Assessment:
        red = (pixels[..., 0] > 200) & (pixels[..., 1] < 60)
        score = min(1.0, 4 * float(red.mean()))
        regions = []
        if red.any():
            y, x = np.nonzero(red)
            regions.append(
                Region(
                    x=int(x.min()),
                    y=int(y.min()),
                    width=int(x.max() - x.min() + 1),
                    height=int(y.max() - y.min() + 1),
                    kind="red",
                    category="violence",
                    score=score,
                )
            )
        return Assessment(
            assessor=REF,
            subject="image",
            scores={"violence": score, "unsafe": score},
            thresholds={"violence": 0.5, "unsafe": 0.5},
            regions=tuple(regions),
        )


def red(side: int) -> Pixels:
    pixels = plain(200, 100)
    pixels[10 : 10 + side, 20 : 20 + side] = (255, 0, 0)
    return pixels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, pixels in {"big": red(80), "tiny": red(20), "none": plain(200, 100)}.items():
        (tmp_path / f"{name}.png").write_bytes(encode(pixels))
    return tmp_path


def box(side: float, label: str = "violence") -> dict[str, Any]:
    return {"x": 20, "y": 10, "width": side, "height": side, "label": label}


def write(folder: Path, *rows: Any) -> Path:
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def evaluated(folder: Path, **options: Any) -> ImageEvaluation:
    return evaluate_images(
        read_labelled_images(folder), RedAssessor(), **({"resamples": 0} | options)
    )


def test_the_figures_are_those_that_one_can_count(folder: Path) -> None:
    write(
        folder,
        {"image": "big.png", "boxes": [box(80)]},
        {"image": "tiny.png", "boxes": [box(40)]},  # its lower right three quarters are not red
        {"image": "none.png", "unsafe": False},
    )
    found = evaluated(folder, shifted=False)
    assert (found.overall.pictures, found.overall.unsafe) == (3, 2)
    flags = found.overall.any_flagged
    assert flags.recall is not None
    assert flags.false_positive_rate is not None
    assert flags.recall.value == 0.5
    assert flags.false_positive_rate.value == 0.0
    assert found.boxes is not None
    assert found.boxes.map50.value == pytest.approx(51 / 101)  # recall .5 at precision 1
    assert found.boxes.iou is not None
    assert found.boxes.iou.value == 1.0
    assert found.mistakes.missed == ("tiny.png",)
    assert found.shifts == {}


def test_shifts_move_the_boxes_with_the_picture(folder: Path) -> None:
    write(folder, {"image": "big.png", "boxes": [box(80)]}, {"image": "none.png"})
    shifts = evaluated(folder).shifts
    assert shifts.keys() == SHIFTS.keys()
    small, dark = shifts["small_objects"], shifts["darkness"]
    assert small.boxes is not None
    assert small.boxes.map50.value == 1.0
    assert small.overall.any_flagged.recall is not None
    assert small.overall.any_flagged.recall.value == 0.0  # a red of an eighth is too little
    assert dark.boxes is not None
    assert dark.boxes.map50.value == 0.0  # in the dark no red is red enough


def test_every_shift_changes_pictures_of_any_size_and_keeps_their_size() -> None:
    noise = np.random.default_rng(3)
    for height, width in ((64, 96), (5, 300), (1, 1)):
        pixels = noise.integers(0, 255, (height, width, 3), np.uint8)
        for name, shift in SHIFTS.items():
            shifted = shift(pixels)
            assert shifted.pixels.shape == pixels.shape, name
            assert shifted.pixels.dtype == np.uint8
            if width > 64:
                assert (shifted.pixels != pixels).any(), name


def test_jsonl_csv_and_coco_say_the_same(folder: Path) -> None:
    write(folder, {"image": "big.png", "boxes": [box(80), box(9, "text")]}, {"image": "none.png"})
    first = read_labelled_images(folder).images
    (folder / "labels.jsonl").unlink()
    (folder / "labels.csv").write_text(
        "image,x,y,width,height,label\nbig.png,20,10,80,80,violence\n"
        "none.png,,,,,\nbig.png,20,10,9,9,text\n"
    )
    second = read_labelled_images(folder).images
    (folder / "labels.csv").unlink()
    coco = {
        "images": [{"id": 7, "file_name": "big.png"}, {"id": 9, "file_name": "none.png"}],
        "categories": [{"id": 1, "name": "violence"}, {"id": 2, "name": "text"}],
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [20, 10, 80, 80]},
            {"image_id": 7, "category_id": 2, "bbox": [20, 10, 9, 9]},
            {"image_id": 7, "category_id": 2, "bbox": [0, 0, 200, 100], "iscrowd": 1},
        ],
    }
    (folder / "labels.json").write_text(json.dumps(coco))
    third = read_labelled_images(folder).images
    told = [[i.model_dump(exclude={"line"}) for i in images] for images in (first, second, third)]
    assert told[0] == told[1] == told[2]
    assert [image.unsafe for image in first] == [True, False]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"unsafe": True}, "image"),
        ({"image": "gone.png"}, "no picture gone.png"),
        ({"image": "../big.png"}, "outside"),
        ({"image": "big.png", "boxes": [box(-1)]}, "greater than 0"),
        ({"image": "big.png", "unsafe": "perhaps"}, "unsafe"),
        ([], "entry"),
    ],
)
def test_a_wrong_label_is_named(folder: Path, row: Any, said: str) -> None:
    write(folder, {"image": "none.png"}, row)
    with pytest.raises(InvalidRequest, match=f"entry 2.*{said}"):
        read_labelled_images(folder)


def test_a_folder_without_labels_or_with_two_files_of_them_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidRequest, match="none of them"):
        read_labelled_images(folder)
    write(folder, {"image": "big.png"})
    (folder / "labels.csv").write_text("image\nbig.png\n")
    with pytest.raises(InvalidRequest, match=r"labels\.jsonl and labels\.csv"):
        read_labelled_images(folder)


def test_pictures_that_cannot_be_read_are_named_and_end_the_command_with_4(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "cut.png").write_bytes(encode(plain())[:300])
    (folder / "words.png").write_bytes(encode(with_lines(plain(), ["naked woman having sex"])))
    write(
        folder,
        {"image": "words.png", "categories": ["sexual"], "boxes": [box(9, "text")]},
        {"image": "cut.png"},
        {"image": "none.png", "unsafe": False},
    )
    page = tmp_path / "page.html"
    arguments = ["evaluate", "images", str(folder), "--json", "--no-shifts", "--resamples", "9"]
    assert run([*arguments, "--html", str(page)]) == 4
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert document["unreadable"] == ["cut.png"]
    assert "cut.png" in err
    assert document["overall"]["any_flagged"]["recall"]["value"] == 1.0
    assert document["covers"] == []
    assert document["boxes"]["labels"]["text"]["predicted"] == 1
    assert "does not look at scenes" in page.read_text()


def test_the_page_holds_every_view_and_no_markup_of_a_name(folder: Path) -> None:
    (folder / "<b>.png").write_bytes(encode(red(80)))
    write(folder, {"image": "<b>.png", "unsafe": False}, {"image": "big.png", "boxes": [box(80)]})
    page = evaluation_page(evaluated(folder, resamples=5))
    assert "<b>.png" not in page
    assert "&lt;b&gt;.png" in page
    for name in SHIFTS:
        assert name.replace("_", " ") in page


def corners(*boxes: tuple[float, float, float, float]) -> Any:
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def test_overlap_is_the_share_of_the_union() -> None:
    assert iou(corners((0, 0, 2, 2)), corners((1, 0, 3, 2), (5, 5, 6, 6)))[0] == pytest.approx(
        [1 / 3, 0]
    )


def test_a_second_box_on_the_same_thing_is_a_false_one() -> None:
    truth = corners((0, 0, 10, 10))
    twice = Scene(truth, corners((0, 0, 10, 10), (0, 0, 10, 10)), np.array([0.9, 0.8]))
    assert claim(twice).hit[0].tolist() == [True, False]
    wrong_first = Scene(truth, corners((20, 20, 30, 30), (0, 0, 10, 10)), np.array([0.9, 0.8]))
    assert localisation([claim(wrong_first)]).ap50 == pytest.approx(0.5)


def test_a_loose_box_counts_at_low_limits_alone() -> None:
    loose = Scene(corners((0, 0, 10, 10)), corners((0, 0, 10, 7.2)), np.array([0.5]))
    found = localisation([claim(loose)])
    assert (found.ap50, found.mean_iou) == (1.0, pytest.approx(0.72))
    assert found.ap == pytest.approx(0.5)  # .50 .55 .60 .65 .70 of ten limits
