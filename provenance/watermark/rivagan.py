"""rivaGan: the neural method of invisible-watermark 0.2.0, by the weights in its wheel.

Carries 32 bits, not 64: a payload is 4 bytes. The weights are found beside the installed package,
which is not imported (it would load torch), and run by onnxruntime on one thread.

Its decoder answers any picture with 32 numbers. How far they are from its threshold tells a
marked picture from others, but only as well as it was measured, so this scheme claims no better
than PROVEN_RATE, where the others compute a probability.
"""

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MarkInvalid, ProvenanceUnavailable, WatermarkFailed
from provenance.picture import Pixels
from provenance.watermark.scheme import Detection, check_payload, size

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

THRESHOLD: Final = 0.52  # the package's: above it a bit is 1

EVIDENCE: Final = 4.0
"""Distance from THRESHOLD that three bits in four must keep. See docs/watermark.md."""

PROVEN_RATE: Final = 0.15
"""Of false positives: 2 of 60 unmarked pictures, gratings and tilings among them, were taken for
marked, which puts it below this with 99 % confidence (benchmarks/watermark.py --part nulls)."""

FEWEST_PIXELS: Final = 256 * 256  # the package's own limit

_WEIGHTS: Final = {  # SHA-256 of the files in invisible-watermark 0.2.0
    "rivagan_encoder.onnx": "66bc7814fadac7d686105c8ab26c6cf2cc8e40deb83e67bb6ef5b9de9b8ece0d",
    "rivagan_decoder.onnx": "6b006690cf352fa50a91a0b6d6241dbcded0a9957969e2c0665cf9a7011b3880",
}


class RivaGan:
    """See Scheme. The first use loads 2 MB of weights; about 2 s for 512x512 on one core."""

    name: Final = "rivaGan"
    alg: Final = "org.wardmark.rivagan.1"
    payload_bits: Final = 32

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """See Scheme. Refuses pictures under 256x256 pixels of area."""
        check_payload(self, payload)
        height, width = size(image)
        if height * width < FEWEST_PIXELS:
            raise MarkInvalid(
                f"The picture is {width}x{height}; rivaGan needs {FEWEST_PIXELS:,} pixels."
                " Scale it up or choose another scheme."
            )
        bits = np.unpackbits(np.frombuffer(payload, dtype=np.uint8)).astype(np.float32)
        inputs = {"frame": _frame(image), "data": bits[None]}
        frame = np.asarray(_session("rivagan_encoder.onnx").run(None, inputs)[0])
        bgr = (np.clip(frame[0, :, 0], -1.0, 1.0).transpose(1, 2, 0) + 1.0) * 127.5
        marked = np.ascontiguousarray(np.rint(bgr).astype(np.uint8)[..., ::-1])
        found = self.detect(marked)
        if found is None or found.payload != payload:
            raise WatermarkFailed(
                "This picture does not hold a rivaGan mark: it could not be read back. Choose"
                " another scheme or another picture."
            )
        return marked

    def detect(self, image: Pixels) -> Detection | None:
        """See Scheme. Geometry is not looked for."""
        height, width = size(image)
        if height * width < FEWEST_PIXELS:
            return None
        margins = self.margins(image)
        if np.sort(np.abs(margins))[self.payload_bits // 4] < EVIDENCE:
            return None
        return Detection(
            scheme=self.name,
            payload=np.packbits(margins > 0.0).tobytes(),
            false_positive_probability=PROVEN_RATE,
        )

    def margins(self, image: Pixels) -> NDArray[np.float32]:
        """(32,) how far the decoder's outputs lie above the threshold: positive is a 1."""
        outputs = _session("rivagan_decoder.onnx").run(None, {"frame": _frame(image)})
        margins: NDArray[np.float32] = np.asarray(outputs[0], np.float32)[0] - THRESHOLD
        return margins


def _frame(image: Pixels) -> NDArray[np.float32]:
    """(1, 3, 1, H, W) in -1..1, BGR as the weights were trained through OpenCV."""
    bgr = image[..., ::-1].astype(np.float32) / 127.5 - 1.0
    return np.ascontiguousarray(bgr.transpose(2, 0, 1)[None, :, None])


@lru_cache(maxsize=2)
def _session(file: str) -> "InferenceSession":
    import onnxruntime

    path = _weights(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _weights(file: str) -> bytes:
    """The weights, checked; ProvenanceUnavailable if they are missing or others."""
    try:
        found = [f for f in metadata.files("invisible-watermark") or () if f.name == file]
        data = Path(str(found[0].locate())).read_bytes()
    except (metadata.PackageNotFoundError, IndexError, OSError) as error:
        raise ProvenanceUnavailable(
            f"The weights {file} of rivaGan are missing. Install invisible-watermark 0.2.0."
        ) from error
    if hashlib.sha256(data).hexdigest() != _WEIGHTS[file]:
        raise ProvenanceUnavailable(
            f"The weights {file} are not those of invisible-watermark 0.2.0. Install that version."
        )
    return data
