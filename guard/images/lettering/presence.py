"""Does a picture hold letters at all? Some milliseconds, on ONNX Runtime."""

from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from guard.images.adapters.weights import session
from guard.images.scale import reduced, scaled
from provenance.picture import Pixels

MAX_SIDE: Final = 640  # pixels; letters were learnt from 7 to 72 pixels
COARSE: Final = 1 / 3  # of that: a second look, for letters that are larger
CLOSE: Final = 2.0  # times that: a third look, for small letters, where the others saw something
SOMETHING: Final = 0.3  # log odds of these from which it is taken
CLOSE_DOUBT: Final = 0.5  # log odds less: enlarged texture looks more like letters than it is
CELL: Final = 8  # pixels
RUN: Final = 3  # cells in a row or column, whose mean counts: letters stand beside letters

MODEL: Final = Path(__file__).parent / "letters.onnx"
MODEL_SHA256: Final = "70382423a84d766c2412259c9c62a5b7d2090d3e2803ee4c084ad1af6fa97b8d"


class LetterPresence:
    """How sure the network is that a picture holds letters. Safe to share between threads."""

    digest: Final = MODEL_SHA256

    def odds(self, pixels: Pixels) -> float:
        """The highest log odds of any place in (H, W, 3) uint8 RGB.

        Raises WeightsInvalid where the file is not the one that came along.
        """
        view = reduced(pixels, MAX_SIDE).pixels
        odds = max(self._odds(view), self._odds(scaled(view, COARSE).pixels))
        if odds < SOMETHING:
            return odds
        return max(odds, self._odds(scaled(view, CLOSE).pixels) - CLOSE_DOUBT)

    def _odds(self, view: Pixels) -> float:
        import cv2

        height, width = view.shape[:2]
        rows, columns = (max(RUN, -(-side // CELL)) * CELL for side in (height, width))
        padded = cv2.copyMakeBorder(
            view, 0, rows - height, 0, columns - width, cv2.BORDER_REPLICATE
        )
        fed = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        (logits,) = self._session.run(None, {"pixels": fed})
        along, down = (cv2.blur(logits[0, 0], size) for size in ((RUN, 1), (1, RUN)))
        return float(max(along.max(), down.max()))

    @cached_property
    def _session(self) -> Any:
        return session(MODEL, MODEL_SHA256)
