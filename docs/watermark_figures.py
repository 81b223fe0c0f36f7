"""Makes the figure of docs/watermark.md: crops before and after marking, and the difference.

Run: python docs/watermark_figures.py
"""

from pathlib import Path

import cv2
import numpy as np
from skimage import data

from guard.generation import GenerationRequest, load_core
from provenance.picture import Pixels, encode
from provenance.watermark import load_scheme

IMAGES = Path(__file__).parent / "images"
PAYLOAD = bytes.fromhex("0123456789abcdef")
SIDE, CROP = 512, 176  # pixels
AMPLIFIED = 16  # times
GAP = 6  # pixels


def square(pixels: Pixels) -> Pixels:
    """The middle at SIDE x SIDE."""
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    part = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    return cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def generated(prompt: str) -> Pixels:
    core = load_core("scenes")
    info = core.info
    request = GenerationRequest(
        prompt=prompt,
        width=SIDE,
        height=SIDE,
        steps=info.default_steps,
        guidance=info.default_guidance,
        seed=7,
    )
    return core.generate(request)[0]


def row(picture: Pixels, top: int, left: int) -> Pixels:
    """Before, after, and sixteen times the difference about grey, side by side."""
    marked = load_scheme("lattice").embed(picture, PAYLOAD)
    change = (marked.astype(float) - picture) * AMPLIFIED + 128
    parts = [picture, marked, np.clip(change, 0, 255).astype(np.uint8)]
    gap = np.full((CROP, GAP, 3), 255, np.uint8)
    crops = [part[top : top + CROP, left : left + CROP] for part in parts]
    return np.hstack([crops[0], gap, crops[1], gap, crops[2]])


def main() -> None:
    """Write docs/images/watermark.png."""
    rows = [
        row(square(np.asarray(data.cat())), 150, 120),
        row(square(np.asarray(data.coffee())), 60, 20),
        row(generated("a red sailboat on the sea at sunset"), 130, 150),
    ]
    gap = np.full((GAP, rows[0].shape[1], 3), 255, np.uint8)
    IMAGES.mkdir(exist_ok=True)
    sheet = np.vstack([rows[0], gap, rows[1], gap, rows[2]])
    (IMAGES / "watermark.png").write_bytes(encode(sheet))


if __name__ == "__main__":
    main()
