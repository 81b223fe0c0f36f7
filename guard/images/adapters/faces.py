"""Faces by YuNet and likeness to listed people by SFace, from the operator's ONNX files."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Region
from guard.errors import WeightsInvalid
from guard.images.adapters.sight import Sight
from guard.images.adapters.weights import checked_file
from guard.images.finding import Box
from guard.images.scale import reduced
from provenance.errors import PictureInvalid, PictureTooLarge
from provenance.picture import Pixels, decode, read_file

MAX_SIDE: Final = 640  # pixels; YuNet finds faces from some 10 to 300 pixels
MIN_CONFIDENCE: Final = 0.6
SAME_PERSON: Final = 0.363  # cosine, by SFace's authors on LFW; a score of .5
_STEEPNESS: Final = 20.0  # log odds for a cosine of 1 above SAME_PERSON
_LIKE: Final = 0.5  # score from which a face is shown as a likeness
LIKENESS: Final = "likeness_deception"
_PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp"})


class Faces:
    """Where faces are; with ``recogniser`` and ``people``, whether they look like who is listed.

    ``people``: a folder with one folder for each person, that holds pictures with one face. The
    names of people are in no region and in no fact: a likeness is said, not whose.
    """

    def __init__(
        self,
        detector: Path,
        sha256: str,
        recogniser: Path | None = None,
        recogniser_sha256: str = "",
        people: Path | None = None,
    ) -> None:
        """Raises WeightsInvalid where a file is not the one declared, or a picture has no face."""
        import cv2

        self._detector = _loaded(cv2.FaceDetectorYN, detector, sha256)
        self._recogniser: Any = None
        self._known: NDArray[np.float32] = np.empty((0, 0), np.float32)
        if recogniser is not None and people is not None:
            self._recogniser = _loaded(cv2.FaceRecognizerSF, recogniser, recogniser_sha256)
            self._known = np.stack([self._reference(path) for path in _references(people)])

    @property
    def covers(self) -> frozenset[str]:
        return frozenset({LIKENESS}) if self._recogniser is not None else frozenset()

    def look(self, pixels: Pixels) -> Sight:
        view = reduced(pixels, MAX_SIDE)
        found = self._faces(view.pixels)
        regions, scores = [], []
        for face in found:
            score = self._likeness(view.pixels, face)
            left, top, width, height = (float(side) / view.scale for side in face[:4])
            box = Box.around([(left, top), (left + width, top + height)], pixels)
            alike = score >= _LIKE
            regions.append(
                Region(
                    x=box.x,
                    y=box.y,
                    width=box.width,
                    height=box.height,
                    kind="face",
                    category=LIKENESS if alike else None,
                    score=score if alike else min(1.0, float(face[14])),
                )
            )
            scores.append(score)
        known = {LIKENESS: max(scores, default=0.0)} if self._recogniser is not None else {}
        return Sight(known, tuple(regions), {"face.present": bool(found), "face.count": len(found)})

    def _faces(self, pixels: Pixels) -> list[NDArray[np.float32]]:
        """Rows of box, five points and confidence, as OpenCV gives them."""
        import cv2

        height, width = pixels.shape[:2]
        try:
            self._detector.setInputSize((width, height))
            _, faces = self._detector.detect(np.ascontiguousarray(pixels[..., ::-1]))
        except cv2.error as error:
            raise RuntimeError(str(error)) from error
        return [] if faces is None else [row for row in faces if row[14] >= MIN_CONFIDENCE]

    def _likeness(self, pixels: Pixels, face: NDArray[np.float32]) -> float:
        if self._recogniser is None:
            return 0.0
        nearest = float((self._known @ self._embedded(pixels, face)).max())
        return float(1 / (1 + np.exp(-_STEEPNESS * (nearest - SAME_PERSON))))

    def _embedded(self, pixels: Pixels, face: NDArray[np.float32]) -> NDArray[np.float32]:
        import cv2

        try:
            upright = self._recogniser.alignCrop(np.ascontiguousarray(pixels[..., ::-1]), face)
            feature = np.asarray(self._recogniser.feature(upright), np.float32).ravel()
        except cv2.error as error:
            raise RuntimeError(str(error)) from error
        return feature / np.linalg.norm(feature)

    def _reference(self, path: Path) -> NDArray[np.float32]:
        try:
            pixels = reduced(decode(read_file(path)).pixels, MAX_SIDE).pixels
        except (PictureInvalid, PictureTooLarge) as error:
            raise WeightsInvalid(f"the reference picture {path} cannot be read: {error}") from error
        faces = self._faces(pixels)
        if len(faces) != 1:
            raise WeightsInvalid(
                f"the reference picture {path} shows {len(faces)} faces; give one with one face"
            )
        return self._embedded(pixels, faces[0])


def _references(people: Path) -> list[Path]:
    found = sorted(path for path in people.glob("*/*") if path.suffix.lower() in _PICTURES)
    if not found:
        raise WeightsInvalid(
            f"{people} holds no reference pictures; put some there, in a folder for each person"
        )
    return found


def _loaded(kind: Any, path: Path, sha256: str) -> Any:
    """OpenCV reads from bytes, so that what was checked is what runs."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # stderr is the command line's
    data = np.frombuffer(checked_file(path, sha256, ending=".onnx"), np.uint8)
    nothing = np.empty(0, np.uint8)
    try:
        if kind is cv2.FaceDetectorYN:
            return kind.create("onnx", data, nothing, (320, 320), MIN_CONFIDENCE)
        return kind.create("onnx", data, nothing)
    except cv2.error as error:
        raise WeightsInvalid(f"{path} is no {kind.__name__} that OpenCV loads: {error}") from error
