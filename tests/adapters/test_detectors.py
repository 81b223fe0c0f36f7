"""Faces, likenesses and body parts from ONNX files: boxes where they are, scores as they were."""

from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from guard.errors import WeightsInvalid
from guard.images.adapters import image_guards_of
from guard.images.adapters.faces import LIKENESS, Faces
from guard.images.adapters.nudity import CLASSES, Nudity
from provenance.picture import Pixels, encode
from tests.adapters.detectors import nudity, sface, yunet
from tests.support.lettering import plain


def with_face(x: int, y: int, colour: tuple[int, int, int] = (255, 0, 0), grey: int = 90) -> Pixels:
    pixels = plain(320, 320, grey)
    pixels[y : y + 32, x : x + 32] = colour
    return pixels


@pytest.fixture
def detector(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "yunet.onnx"
    return path, yunet(path)


def test_a_face_is_boxed_where_it_is(detector: tuple[Path, str]) -> None:
    seen = Faces(*detector).look(with_face(160, 96))
    (face,) = seen.regions
    assert (face.x, face.y, face.width, face.height) == (128, 64, 64, 64)
    assert seen.fields == {"face.present": True, "face.count": 1}
    assert seen.scores == {}  # a face alone is no likeness


def test_no_face_is_said_too_and_nothing_is_covered(detector: tuple[Path, str]) -> None:
    eye = Faces(*detector)
    assert eye.look(plain(320, 320)).fields == {"face.present": False, "face.count": 0}
    assert eye.covers == frozenset()


def test_a_possible_face_is_boxed_without_weights_and_covers_nothing(tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data", reason="needs pip install 'wardmark[faces]'")
    (guard,) = image_guards_of([{"kind": "possible-faces", "name": "maybe"}], tmp_path)
    assert guard.covers == frozenset()
    portrait = np.ascontiguousarray(data.astronaut())
    wide = np.concatenate([plain(200, 512), portrait, plain(200, 512)], axis=1)
    (seen,) = guard.assess([wide])
    (face,) = seen.regions
    assert (face.kind, face.category) == ("possible_face", None)
    assert 200 + 170 <= face.x + face.width / 2 <= 200 + 280
    assert 60 <= face.y + face.height / 2 <= 170
    assert seen.fields == {"face.present": True, "face.count": 1}
    assert seen.scores == {}
    (none,) = guard.assess([plain(320, 320)])
    assert none.fields == {"face.present": False, "face.count": 0}


def test_without_scikit_image_possible_faces_stop_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr("datasets_audit.look.version", absent)
    with pytest.raises(WeightsInvalid, match=r"wardmark\[faces\]"):
        image_guards_of([{"kind": "possible-faces", "name": "maybe"}], tmp_path)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people" / "somebody"
    folder.mkdir(parents=True)
    (folder / "one.png").write_bytes(encode(with_face(96, 96)))
    return folder.parent


def test_who_is_listed_is_recognised_and_others_are_not(
    detector: tuple[Path, str], people: Path, tmp_path: Path
) -> None:
    recogniser = tmp_path / "sface.onnx"
    eye = Faces(*detector, recogniser, sface(recogniser), people)
    same, other = eye.look(with_face(160, 160)), eye.look(with_face(160, 160, grey=180))
    assert eye.covers == {LIKENESS}
    assert same.scores[LIKENESS] > 0.9
    assert same.regions[0].category == LIKENESS
    assert other.scores[LIKENESS] < 0.5
    assert "somebody" not in repr(same)
    assert eye.look(plain(320, 320)).scores == {LIKENESS: 0.0}


def test_a_reference_without_a_face_stops_the_start(
    detector: tuple[Path, str], people: Path, tmp_path: Path
) -> None:
    recogniser = tmp_path / "sface.onnx"
    digest = sface(recogniser)
    (people / "somebody" / "two.png").write_bytes(encode(plain(320, 320)))
    with pytest.raises(WeightsInvalid, match="0 faces"):
        Faces(*detector, recogniser, digest, people)
    with pytest.raises(WeightsInvalid, match="no reference pictures"):
        Faces(*detector, recogniser, digest, tmp_path / "nobody")


def test_a_file_that_is_no_face_model_stops_the_start(tmp_path: Path) -> None:
    import hashlib

    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"junk")
    with pytest.raises(WeightsInvalid, match="OpenCV"):
        Faces(junk, hashlib.sha256(b"junk").hexdigest())


def row(name: str, score: float, x: float, y: float, width: float, height: float) -> np.ndarray:
    values = np.zeros(4 + len(CLASSES), np.float32)
    values[:4] = (x + width / 2, y + height / 2, width, height)
    values[4 + CLASSES.index(name)] = score
    return values


def test_body_parts_are_decoded_once_each_in_the_pictures_own_pixels(tmp_path: Path) -> None:
    rows = np.stack(
        [
            row("FEMALE_BREAST_EXPOSED", 0.9, 80, 60, 40, 50),
            row("FEMALE_BREAST_EXPOSED", 0.8, 82, 62, 40, 50),  # the same one again
            row("FACE_FEMALE", 0.7, 81, 61, 40, 50),  # as much overlap, another thing
            row("BUTTOCKS_EXPOSED", 0.1, 200, 100, 40, 40),  # too faint
            row("BELLY_EXPOSED", 0.6, 300, 150, 40, 40),  # over the edge
        ]
    )
    path = tmp_path / "320n.onnx"
    eye = Nudity(path, nudity(path, rows))
    seen = eye.look(plain(640, 360))
    boxes = {r.kind: (r.x, r.y, r.width, r.height, r.category) for r in seen.regions}
    assert boxes == {
        "female_breast_exposed": (160, 120, 80, 100, "sexual"),
        "face_female": (162, 122, 80, 100, None),
        "belly_exposed": (600, 300, 40, 60, None),
    }
    assert seen.scores["sexual"] == pytest.approx(0.9)


@pytest.mark.skipif(find_spec("nudenet") is not None, reason="NudeNet is installed")
def test_nudenet_that_is_not_installed_says_how_and_under_which_licence() -> None:
    with pytest.raises(WeightsInvalid, match="AGPL"):
        Nudity(None, "0" * 64)
