"""Writing: how strong the mark is where, and laying it on the picture."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.picture import Pixels
from provenance.watermark.lattice.carrier import TILE, Carrier, Waves
from provenance.watermark.lattice.code import Signs
from provenance.watermark.lattice.plane import SIDE, Plane, fold, plane, residual

FAINTEST, STRONGEST = 47.0, 40.2  # dB of PSNR, the least and the most that a mark may change

_TEXTURE_WINDOW: Final = 13  # pixels
_EDGE: Final = 9  # pixels: texture is wider
_TEXTURE: Final = (1.0, 14.0)  # levels: beyond, texture hides no less and no more
_DARK: Final = 64.0  # levels: below, the eye sees smaller steps
_IN_BLACK: Final = 0.6  # of the strength is left in black
_MASKING: Final = 0.65  # the mark grows as this power of the texture that hides it
_TYPICAL: Final = (2.38, 43.2)  # of a photograph: root mean square of the mask, and its PSNR in dB
_SPREAD: Final = 0.5  # dB of PSNR for a dB of mask: texture hides marks, smooth pictures show them
_LEAST_SHARE: Final = 0.35  # of a wave's amplitude, however well the picture itself says its sign
_MOST_SHARE: Final = 4.0
_SOFT_CUT: Final = 0.1  # waves a pixel at 512x512: above, smooth pictures carry little,
_CUT_FLOOR: Final = 0.15  # this share, because compression takes it away; textured ones need it all
_SMOOTH_MASK: Final = 1.4  # of which a picture counts as smooth
_CHANNELS: Final = np.array([0.85, 1.2, 0.35], np.float32)
"""Red, green and blue for one level of luminance. Blue adds little to it, so for the same luminance
this changes the picture 1.2 dB less than grey would."""
_STRIP: Final = 1 << 16  # pixels that are changed at a time: they stay in a processor's cache


def write(image: Pixels, word: Signs, carrier: Carrier, boost: float = 0.0) -> Pixels:
    """A copy of ``image`` (H, W, 3) with the code word, ``boost`` dB stronger than usual."""
    surface = plane(image)
    texture = _texture(surface)
    loudness = math.sqrt(float(np.mean(texture * texture)))
    typical, psnr = _TYPICAL
    target = psnr - _SPREAD * 20.0 * math.log10(loudness / typical) - boost
    target = min(max(target, STRONGEST), FAINTEST)
    change = _change(surface, texture, word, carrier, loudness)
    return _laid_on(image, change * _gain(change, 255.0**2 / 10.0 ** (target / 10.0)))


def _texture(surface: Plane) -> Plane:
    import cv2

    detail = surface - cv2.blur(surface, (9, 9))
    window = (_TEXTURE_WINDOW, _TEXTURE_WINDOW)
    strength = np.sqrt(np.maximum(cv2.blur(detail * detail, window), 0.0))
    strength = cv2.erode(strength, np.ones((_EDGE, _EDGE), np.uint8))  # an edge is no texture
    mask: Plane = np.clip(strength, *_TEXTURE) ** np.float32(_MASKING)
    light = np.minimum(cv2.blur(surface, window) / np.float32(_DARK), np.float32(1.0))
    mask *= np.float32(_IN_BLACK) + np.float32(1.0 - _IN_BLACK) * light
    return mask


def _change(
    surface: Plane, texture: Plane, word: Signs, carrier: Carrier, loudness: float
) -> Plane:
    """The mark of unit strength on the plane.

    The picture itself says something on each sign. Where it agrees the wave may be fainter, where
    it disagrees it must be stronger: amplitudes are moved, at equal energy, towards equal evidence.
    """
    symbols = carrier.symbols(word)
    cut = _SOFT_CUT * (loudness / _SMOOTH_MASK) ** 2 * 512.0 / SIDE * TILE
    usual = (1.0 - _CUT_FLOOR) / (1.0 + (carrier.radius / cut) ** 4) + _CUT_FLOOR
    signs = np.stack([np.sign(symbols.real), np.sign(symbols.imag)])
    amplitude = np.stack([np.abs(symbols.real), np.abs(symbols.imag)]) * usual

    def pattern(amplitude: NDArray[np.float64]) -> Plane:
        height, width = surface.shape
        waves: Waves = (amplitude[0] * signs[0] + 1j * amplitude[1] * signs[1]).astype(np.complex64)
        repeats = (-(-height // TILE), -(-width // TILE))
        return np.tile(carrier.tile(waves), repeats)[:height, :width] * texture

    def evidence(surface: Plane) -> NDArray[np.float64]:
        from scipy import fft

        waves = carrier.waves(fft.fft2(fold(residual(surface))))
        said: NDArray[np.float64] = np.stack([waves.real, waves.imag]) * signs
        return said

    first = pattern(amplitude)
    strength = 1.0 / max(float(np.std(first)), 1e-9) * loudness
    said = evidence(surface)
    gained = evidence(surface + first * np.float32(strength)) - said
    per_amplitude = max(float((gained * amplitude).sum() / (amplitude**2).sum()), 1e-9)
    missing = said / per_amplitude
    lowest, highest = 0.0, 6.0
    for _ in range(12):  # bisection for the evidence that the energy pays for
        middle = (lowest + highest) / 2.0
        moved = np.clip(
            middle * amplitude - missing, _LEAST_SHARE * amplitude, _MOST_SHARE * amplitude
        )
        if (moved**2).sum() > (amplitude**2).sum():
            highest = middle
        else:
            lowest = middle
    return pattern(moved)


def _gain(change: Plane, energy: float) -> np.float32:
    """The factor that gives ``change``, rounded to whole levels, that mean square."""
    gain = math.sqrt(energy / max(float(np.mean(change * change)), 1e-12))
    for _ in range(2):
        rounded = float(np.mean([np.mean(np.rint(change * (gain * c)) ** 2) for c in _CHANNELS]))
        gain *= math.sqrt(energy / max(rounded, energy / 4.0))
    return np.float32(gain)


def _laid_on(image: Pixels, change: Plane) -> Pixels:
    """``image`` with ``change``, brought to its size, added to its channels."""
    import cv2

    height, width = image.shape[:2]
    if change.shape != (height, width):
        change = np.asarray(cv2.resize(change, (width, height), interpolation=cv2.INTER_CUBIC))
    marked = np.empty(image.shape, np.uint8)  # in rows, however the picture lies in memory
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        colours = cv2.merge([change[rows] * share for share in _CHANNELS])
        cv2.add(image[rows], colours, dst=marked[rows], dtype=cv2.CV_8U)
    return marked
