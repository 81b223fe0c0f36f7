"""Text in pictures is read, judged and shown where it stands."""

import numpy as np
import pytest
from skimage import data

from guard.errors import SafetyUnavailable, WeightsInvalid
from guard.images import PictureAssessor, load_assessor
from guard.images import text as text_module
from guard.images.text import TextReader
from policies.categories import CATEGORIES
from provenance.picture import Pixels
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.core import textured_picture
from tests.support.lettering import plain, with_lines


def test_a_written_threat_is_scored_where_it_stands(assessor: PictureAssessor) -> None:
    (seen,) = assessor.assess([with_lines(plain(), ["we attack on sunday"], left=40, top=200)])
    assert seen.scores["violence"] == 0.9
    assert seen.scores["unsafe"] == 0.9
    assert seen.fields["text.present"] is True
    (region,) = seen.regions
    assert (region.kind, region.category) == ("text", "violence")
    assert region.text is not None
    assert "attack" in region.text
    assert 25 <= region.x <= 50
    assert 190 <= region.y <= 215
    assert 250 <= region.width <= 360
    assert 20 <= region.height <= 55


def test_a_sentence_broken_over_lines_is_read_as_one(assessor: PictureAssessor) -> None:
    (seen,) = assessor.assess([with_lines(plain(), ["here is a visa", "number for you"])])
    assert seen.scores["privacy"] == 0.8
    assert [region.category for region in seen.regions] == ["privacy", "privacy"]


def test_harmless_text_gives_a_region_without_a_category(assessor: PictureAssessor) -> None:
    (seen,) = assessor.assess([with_lines(plain(), ["happy birthday"])])
    assert seen.scores["violence"] < seen.thresholds["violence"]
    assert [region.category for region in seen.regions] == [None]


def test_upside_down_and_turned_text_is_read(assessor: PictureAssessor) -> None:
    upright = with_lines(plain(), ["we attack on sunday"])
    for quarters in (1, 2, 3):
        (seen,) = assessor.assess([np.ascontiguousarray(np.rot90(upright, quarters))])
        assert seen.scores["violence"] == 0.9, f"{quarters} quarter turns"


def test_the_gate_sees_captions_of_many_sizes() -> None:
    reader = TextReader()
    photo = np.ascontiguousarray(data.cat()[:300, :450])
    missed = [
        size
        for size in (14, 18, 24, 32, 48)
        if not reader.sees_text(with_lines(photo, ["free delivery"], size=size))
    ]
    assert missed == []


@pytest.mark.parametrize("name", ["brick", "grass", "gravel", "coins"])
def test_the_gate_takes_no_texture_for_text(name: str) -> None:
    texture = np.asarray(getattr(data, name)())[:256, :256]
    assert not TextReader().sees_text(np.dstack([texture] * 3))


@pytest.mark.parametrize("name", ["cat", "moon", "rocket", "coffee"])
def test_a_photograph_without_text_has_none(assessor: PictureAssessor, name: str) -> None:
    photo = np.asarray(getattr(data, name)())
    pixels = np.dstack([photo] * 3) if photo.ndim == 2 else photo
    (seen,) = assessor.assess([np.ascontiguousarray(pixels)])
    assert seen.fields["text.present"] is False
    assert seen.regions == ()


def test_a_picture_without_writing_scores_zero_and_is_still_not_assessed(
    assessor: PictureAssessor,
) -> None:
    (seen,) = assessor.assess([textured_picture("a lake", 256, 256, 1)])
    assert set(seen.scores.values()) == {0.0}
    assert set(seen.scores) == {*CATEGORIES, "unsafe"}
    assert set(seen.thresholds) == set(seen.scores)
    assert seen.not_assessed == frozenset(CATEGORIES)
    assert assessor.covers == frozenset()


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 3000), (3000, 2), (20, 20), (64, 2048), (2500, 2500)]
)
def test_pictures_of_odd_sizes_are_assessed(
    assessor: PictureAssessor, shape: tuple[int, int]
) -> None:
    black = np.zeros((*shape, 3), np.uint8)
    (seen,) = assessor.assess([black])
    assert seen.fields == {
        "match.known_content": False,
        "qr.present": False,
        "text.present": False,
        "text.lines": 0,
    }


def test_reading_a_strip_costs_no_more_than_its_bound() -> None:
    engine_saw: list[tuple[int, ...]] = []

    class Watched(TextReader):
        def _ran(self, call, *args):  # type: ignore[no-untyped-def]
            engine_saw.extend(a.shape for a in args if isinstance(a, np.ndarray))
            return super()._ran(call, *args)

    reader = Watched()
    noise = np.random.default_rng(0).integers(0, 255, (3, 9000, 3), np.uint8)
    assert reader.read(noise) == []
    assert max(max(shape[:2]) for shape in engine_saw) <= text_module.READ_MAX_SIDE


def test_a_batch_equals_its_singles(assessor: PictureAssessor) -> None:
    pictures: list[Pixels] = [
        plain(),
        with_lines(plain(), ["we attack", "the old harbour"]),
        textured_picture("x", 128, 96, 3),
        with_lines(plain(), ["no entry"]),
    ]
    assert assessor.assess(pictures) == [assessor.assess([picture])[0] for picture in pictures]
    assert assessor.assess([]) == []


def test_missing_models_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_PACKAGE", "a_package_that_is_not_installed")
    with pytest.raises(WeightsInvalid, match="pip install rapidocr-onnxruntime"):
        load_assessor(ScriptedPromptAssessor())


def test_an_engine_that_breaks_is_an_outage_and_no_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> object:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(text_module, "_loaded_engine", broken)
    with pytest.raises(SafetyUnavailable, match="no such operator"):
        load_assessor(ScriptedPromptAssessor()).assess([with_lines(plain(), ["no entry"])])
