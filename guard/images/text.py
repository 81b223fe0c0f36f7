"""Text in a picture: is there any, and if so, what does it say and where.

A tiny network looks first (guard.images.lettering). Where it is in doubt the picture is glanced at,
as it is; where it is sure, or that makes out letters, the picture is enlarged and read with care.
Glance and reading use the PP-OCRv4 models that the rapidocr-onnxruntime package brings along
(Apache-2.0), through ONNX Runtime on one thread. The figures behind the constants are in
docs/image-guard.md; `python benchmarks/images.py` prints them.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np

from guard.errors import SafetyUnavailable, WeightsInvalid
from guard.images.finding import Box, Finding, Subject, Writing
from guard.images.lettering import LetterPresence
from guard.images.scale import scaled
from provenance.picture import Pixels

SURE_ODDS: Final = 2.3  # log odds of the network from which a picture is read
FAINT_ODDS: Final = 0.7  # log odds below which it is not even glanced at
GLANCE_MAX_SIDE: Final = 640  # pixels; below 512, small letters are lost
GLANCE_CONFIDENCE: Final = 0.5  # of a line, from the recogniser
GLANCE_BOX: Final = 0.4  # of a box, from the detector: a glance may be wrong, and reading is not
READ_BOX: Final = 0.5
GLANCE_LETTERS: Final = 2  # letters and digits; the detector alone takes every texture for text

READ_MAX_SIDE: Final = 1024  # pixels; cost grows with the area
READ_SHORT_SIDE: Final = 736  # pixels; smaller pictures are enlarged towards it
READ_MAX_ENLARGEMENT: Final = 4.0
READ_MAX_ASPECT: Final = 4  # beyond it, the shorter side is padded

MIN_CONFIDENCE: Final = 0.8  # of a line, from the recogniser
MIN_LETTERS: Final = 4  # letters and digits in all lines together; fewer are texture misread

_GRID: Final = 32  # the detector takes sides in multiples of 32 pixels
_PADDING: Final = 114  # grey level, as far from black text as from white
_PACKAGE: Final = "rapidocr_onnxruntime"
_INSTALL: Final = "install it with: pip install rapidocr-onnxruntime"


class TextReader:
    """The OCR engine, loaded at the first picture. Safe to share between threads.

    Raises WeightsInvalid where the models are not installed.
    """

    def __init__(self) -> None:
        self._letters = LetterPresence()
        both = f"{_weights_digest()} {self._letters.digest}"
        self.digest: Final = hashlib.sha256(both.encode()).hexdigest()
        self._lock = Lock()  # the engine keeps the size of the picture at hand in itself

    def sees_text(self, pixels: Pixels) -> bool:
        """The gate: whether (H, W, 3) RGB holds anything like text, seen cheaply."""
        odds = self._letters.odds(pixels)
        if not FAINT_ODDS <= odds < SURE_ODDS:
            return odds >= SURE_ODDS
        scale = min(1.0, GLANCE_MAX_SIDE / max(pixels.shape[:2]))
        glanced = self._lines(pixels, scale, GLANCE_BOX)
        return letters(glanced) >= GLANCE_LETTERS

    def read(self, pixels: Pixels) -> list[Writing]:
        """Every line of (H, W, 3) RGB read with MIN_CONFIDENCE or more, from the top down."""
        height, width = pixels.shape[:2]
        scale = min(
            READ_MAX_SIDE / max(height, width),
            max(1.0, READ_SHORT_SIDE / min(height, width)),
            READ_MAX_ENLARGEMENT,
        )
        lines = self._lines(pixels, scale, READ_BOX)
        return [line for line in lines if line.confidence >= MIN_CONFIDENCE]

    def _lines(self, pixels: Pixels, scale: float, box: float) -> list[Writing]:
        """All lines of ``pixels`` times ``scale`` in boxes as sure as ``box``, that were read with
        GLANCE_CONFIDENCE."""
        fitted = _padded(scaled(pixels, scale).pixels)
        with self._lock:
            self._engine.text_det.postprocess_op.box_thresh = box
            lines, _ = self._ran(self._engine, np.ascontiguousarray(fitted[..., ::-1]))
        return [
            Writing(
                text=text,
                box=Box.around([(x / scale, y / scale) for x, y in corners], pixels),
                kind="text",
                confidence=min(1.0, float(confidence)),
            )
            for corners, text, confidence in lines or ()
            if text.strip()
        ]

    @cached_property
    def _engine(self) -> Any:
        return self._ran(_loaded_engine)

    def _ran(self, call: Callable[..., Any], *args: Any) -> Any:
        # The package and ONNX Runtime raise bare Exceptions of many kinds; whichever it is, the
        # picture was not read, and that must never look like a picture without text.
        try:
            return call(*args)
        except Exception as fault:
            raise SafetyUnavailable(
                f"text in pictures cannot be read: {fault}; {_INSTALL} (again)"
            ) from fault


class WrittenText:
    """The part that reads text. ``text.present`` means legible text, not a firing gate."""

    def __init__(self, reader: TextReader) -> None:
        self._reader = reader

    @property
    def digest(self) -> str:
        return self._reader.digest

    def find(self, subject: Subject) -> Finding:
        lines: Sequence[Writing] = ()
        if self._reader.sees_text(subject.pixels):
            lines = self._reader.read(subject.pixels)
            if letters(lines) < MIN_LETTERS:
                lines = ()
        return Finding(
            writings=tuple(lines),
            fields={"text.present": bool(lines), "text.lines": len(lines)},
        )


def letters(lines: Sequence[Writing]) -> int:
    """Letters and digits, in any script, in all lines together."""
    return sum(character.isalnum() for line in lines for character in line.text)


def _loaded_engine() -> Any:
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR(
        text_score=GLANCE_CONFIDENCE,
        det_limit_side_len=_GRID,  # the picture comes in the size that it is to be read in
        intra_op_num_threads=1,
        inter_op_num_threads=1,
    )


def _weights_digest() -> str:
    """SHA-256 over the digests of the package's model files, in the order of their names."""
    package = find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise WeightsInvalid(f"text in pictures needs the package {_PACKAGE}; {_INSTALL}")
    models = sorted((Path(package.origin).parent / "models").glob("*.onnx"))
    if len(models) < 3:  # detector, direction, recogniser
        raise WeightsInvalid(f"the models of {_PACKAGE} are not all there; {_INSTALL} (again)")
    digests = [f"{model.name} {hashlib.sha256(model.read_bytes()).hexdigest()}" for model in models]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _padded(pixels: Pixels) -> Pixels:
    """``pixels`` with grey below or to the right until no side is READ_MAX_ASPECT of the other.

    The engine enlarges thin strips by itself and without bound: 30,000 pixels are possible.
    """
    height, width = pixels.shape[:2]
    least = max(_GRID * 2, -(-max(height, width) // READ_MAX_ASPECT))
    if height >= least and width >= least:
        return pixels
    padded = np.full((max(height, least), max(width, least), 3), _PADDING, np.uint8)
    padded[:height, :width] = pixels
    return padded
