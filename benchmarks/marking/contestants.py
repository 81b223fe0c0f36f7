"""Who takes part: our schemes, and invisible-watermark itself, which the ratios are taken to."""

import warnings
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from provenance.picture import Pixels
from provenance.watermark import Scheme, load_scheme

PACKAGE = "invisible-watermark's "
FEWEST_PIXELS = 256 * 256  # below, the package refuses


class Contestant(Protocol):
    """Something that writes a payload and reads it again."""

    @property
    def payload_bytes(self) -> int: ...

    def write(self, pixels: Pixels, payload: bytes) -> Pixels: ...

    def read(self, pixels: Pixels) -> bytes | None: ...


class Ours(NamedTuple):
    """A scheme of ours; ``read`` answers only where ``detect`` is sure that there is a mark."""

    scheme: Scheme

    @property
    def payload_bytes(self) -> int:
        return self.scheme.payload_bits // 8

    def write(self, pixels: Pixels, payload: bytes) -> Pixels:
        return self.scheme.embed(pixels, payload)

    def read(self, pixels: Pixels) -> bytes | None:
        found = self.scheme.detect(pixels)
        return found.payload if found else None


class Package(NamedTuple):
    """The package's own writer and reader; the reader answers with bits for any picture."""

    method: str
    payload_bytes: int

    def write(self, pixels: Pixels, payload: bytes) -> Pixels:
        from imwatermark import WatermarkEncoder

        encoder = WatermarkEncoder()
        encoder.set_watermark("bytes", payload)
        return np.ascontiguousarray(encoder.encode(pixels[..., ::-1], self.method)[..., ::-1])

    def read(self, pixels: Pixels) -> bytes | None:
        from imwatermark import WatermarkDecoder

        if pixels.shape[0] * pixels.shape[1] < FEWEST_PIXELS:
            return None
        decoder = WatermarkDecoder("bytes", 8 * self.payload_bytes)
        return bytes(decoder.decode(pixels[..., ::-1], self.method))


@cache
def contestant(name: str) -> Contestant:
    """By the name of a scheme, or of a method of the package after PACKAGE."""
    if not name.startswith(PACKAGE):
        return Ours(load_scheme(name))
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # the package's
    method = name.removeprefix(PACKAGE)
    if method == "rivaGan":
        from imwatermark import WatermarkDecoder, WatermarkEncoder

        WatermarkEncoder.loadModel()
        WatermarkDecoder.loadModel()
    return Package(method, 4 if method == "rivaGan" else 8)
