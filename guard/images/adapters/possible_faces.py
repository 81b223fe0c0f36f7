"""Places that may be faces, without weights of anybody's: scikit-image's cascade."""

from typing import Final

from datasets_audit.errors import LookUnavailable
from datasets_audit.look import face_counter, possible_faces
from guard.assessment import Region
from guard.errors import WeightsInvalid
from guard.images.adapters.sight import Sight
from guard.images.finding import Box
from provenance.picture import Pixels

UNSURE: Final = 0.5  # score of each: the cascade says yes or no, and is often wrong


class PossibleFaces:
    """Says where faces may be, seen from the front, and whose nobody says. It covers no category:
    what it finds is a fact, on which a policy may ask a person to look."""

    covers: frozenset[str] = frozenset()

    def __init__(self) -> None:
        """Raises WeightsInvalid where scikit-image (the extra ``faces``) is not there."""
        try:
            face_counter()
        except LookUnavailable as error:
            raise WeightsInvalid(str(error)) from error

    def look(self, pixels: Pixels) -> Sight:
        found = possible_faces(pixels)
        boxes = [Box.around([(f.x, f.y), (f.x + f.width, f.y + f.height)], pixels) for f in found]
        regions = tuple(
            Region(
                x=box.x,
                y=box.y,
                width=box.width,
                height=box.height,
                kind="possible_face",
                score=UNSURE,
            )
            for box in boxes
        )
        return Sight({}, regions, {"face.present": bool(found), "face.count": len(found)})
