"""The demonstration detector at work, on ONNX Runtime; and its network, for explanations."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from guard.assessment import Region
from guard.images.adapters.sight import Sight
from guard.images.adapters.weights import checked_file, session
from guard.images.finding import Box
from guard.images.scale import reduced
from guard.images.symbols.drawing import SYMBOLS
from provenance.picture import Pixels

if TYPE_CHECKING:
    from guard.images.symbols.net import GridNet

MAX_SIDE: Final = 640  # pixels; symbols were learnt from 18 to 96 pixels
CELL: Final = 8  # pixels
THRESHOLD: Final = 0.5  # of a score, to say that there is a symbol
FAINTEST: Final = 0.1  # score of a box that is told at all
_OVERLAP: Final = 0.5  # IoU above which two boxes of a symbol are one

MODEL: Final = Path(__file__).parent / "symbols.onnx"
WEIGHTS: Final = Path(__file__).parent / "symbols.safetensors"
MODEL_SHA256: Final = "2a9b58c45f3626ef0bd6c241b7da171962147788ea538ed1400fed1ee0515a5e"
WEIGHTS_SHA256: Final = "738e86600b6021b81c1e9ec60691106d0649ac8615bacadef779dabe618c121f"


class Found(NamedTuple):
    """A symbol: its number in SYMBOLS, its score, and left, top, right, bottom in pixels."""

    symbol: int
    score: float
    box: tuple[float, float, float, float]


class Symbols:
    """Finds the symbols that it was taught. It covers no category: what it finds is a fact,
    ``symbol.present`` with ``symbol.score``, on which a policy may ask a person to look."""

    covers: frozenset[str] = frozenset()

    def __init__(self, *, threads: int = 1, provider: str = "cpu") -> None:
        """Raises WeightsInvalid where the file is not the one that came along."""
        self._session = session(MODEL, MODEL_SHA256, threads=threads, provider=provider)

    def look(self, pixels: Pixels) -> Sight:
        found = self.find(pixels)
        regions = []
        for symbol, score, (left, top, right, bottom) in found:
            if score < THRESHOLD:
                break  # the surest come first
            box = Box.around([(left, top), (right, bottom)], pixels)
            regions.append(
                Region(
                    x=box.x,
                    y=box.y,
                    width=box.width,
                    height=box.height,
                    kind=SYMBOLS[symbol],
                    score=score,
                )
            )
        best = max((each.score for each in found), default=0.0)
        fields = {"symbol.present": best >= THRESHOLD, "symbol.score": best}
        return Sight({}, tuple(regions), fields)

    def find(self, pixels: Pixels) -> list[Found]:
        """All boxes with FAINTEST or more in (H, W, 3) uint8 RGB, the surest first."""
        view = reduced(pixels, MAX_SIDE)
        height, width = view.pixels.shape[:2]
        padded = np.zeros((-(-height // CELL) * CELL, -(-width // CELL) * CELL, 3), np.float32)
        padded[:height, :width] = view.pixels / np.float32(255)
        fed = np.ascontiguousarray(padded.transpose(2, 0, 1)[None])
        logits, sides = self._session.run(None, {"pixels": fed})
        return decoded(logits[0], sides[0], view.scale)


def decoded(logits: NDArray[np.float32], sides: NDArray[np.float32], scale: float) -> list[Found]:
    """(C, h, w) logits and (4, h, w) sides to boxes, in pixels divided by ``scale``."""
    import cv2

    scores = 1 / (1 + np.exp(-logits))
    symbol, row, column = np.nonzero(scores >= FAINTEST)
    if not len(symbol):
        return []
    reach = np.exp(np.clip(sides[:, row, column], -4, 5)) * CELL
    x, y = (column + 0.5) * CELL, (row + 0.5) * CELL
    corners = np.stack((x - reach[0], y - reach[1], x + reach[2], y + reach[3]), axis=1) / scale
    sure = scores[symbol, row, column]
    rectangles = np.c_[corners[:, :2], corners[:, 2:] - corners[:, :2]]
    kept = cv2.dnn.NMSBoxesBatched(
        rectangles.tolist(), sure.tolist(), symbol.tolist(), FAINTEST, _OVERLAP
    )
    found = [
        Found(int(symbol[i]), float(sure[i]), tuple(corners[i].tolist()))
        for i in np.asarray(kept, dtype=int).ravel()
    ]
    return sorted(found, key=lambda each: -each.score)


def load_symbols(*, threads: int = 1, provider: str = "cpu") -> Symbols:
    """The detector. Raises WeightsInvalid."""
    return Symbols(threads=threads, provider=provider)


def load_network() -> "GridNet":
    """The same in torch, for gradients. Raises WeightsInvalid."""
    from safetensors.torch import load

    from guard.images.symbols.net import GridNet

    net = GridNet(len(SYMBOLS))
    weights: dict[str, Any] = load(checked_file(WEIGHTS, WEIGHTS_SHA256, ending=".safetensors"))
    net.load_state_dict(weights)
    return net.eval()
