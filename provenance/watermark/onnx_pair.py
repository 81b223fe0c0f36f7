"""Schemes of others, with the operator's weights: an encoder and a decoder as ONNX files.

TrustMark, PixelSeal and their kind take a small square and some bits, give a marked square, and
read bits from any square. This is what is around them: the picture is scaled to the square, the
change that the encoder makes is scaled back and added, and the bits are given a meaning.

A payload of 8 bytes is followed by 32 bits of HMAC-SHA-256 under the key of the deployment (or a
public one), laid over all bits that the weights carry as often as they fit, and masked, so that no
pattern that a decoder favours is a word. What repeats is added up; then the 8 least certain bits
are tried both ways. Whatever the decoder makes of an unmarked picture, one try passes with a
probability of 2^-32 over keys, so a picture with 256 * 2^-32 = 6e-8 for each key.
"""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from policies.decision import Frozen
from provenance.errors import MarkInvalid, ProvenanceUnavailable, WatermarkFailed
from provenance.picture import Pixels
from provenance.watermark.keys import key_id
from provenance.watermark.scheme import Detection, check_payload, size

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PAYLOAD_BITS: Final = 64
CHECK_BITS: Final = 32
WORD_BITS: Final = PAYLOAD_BITS + CHECK_BITS
DOUBTED: Final = 8
"""Bits that are tried both ways."""

FALSE_POSITIVES: Final = 2.0**DOUBTED * 2.0**-CHECK_BITS
"""For each key that is tried: the bound that the module's docstring argues for."""

PUBLIC_KEY: Final = b"wardmark onnx public key"
"""Of marks that everybody may read, and therefore anybody may write."""

SHORTEST: Final = 64  # pixels of a side


class OnnxPair(Frozen):
    """What ``wardmark.toml`` says of such a scheme, as a table of the list ``schemes``.

    ``encoder``, ``decoder``: files, relative to the home. ``side``: pixels of the square they take.
    ``low``, ``high``: the values of black and white there. ``bits``: that they carry, at least 96.
    ``bit_low``, ``bit_high``: the values of a 0 and a 1 that the encoder takes. ``threshold``: of
    the decoder's output, above it a bit is 1. ``gives``: whether the encoder puts out the marked
    square or the change alone. ``strength``: factor on the change. ``alg``: name of the soft
    binding in credentials, of C2PA's list where it has one.

    The encoder takes (1, 3, side, side) and (1, bits) float32 in this order and puts out
    (1, 3, side, side); the decoder takes (1, 3, side, side) and puts out (1, bits).
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,40}$")
    encoder: Path
    encoder_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    decoder: Path
    decoder_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    side: int = Field(ge=32, le=2048)
    bits: int = Field(ge=WORD_BITS, le=4096)
    low: float = -1.0
    high: float = 1.0
    channels: Literal["RGB", "BGR"] = "RGB"
    bit_low: float = 0.0
    bit_high: float = 1.0
    threshold: float = 0.0
    gives: Literal["marked", "change"] = "marked"
    strength: float = Field(default=1.0, gt=0.0, le=10.0)
    alg: str = ""

    @model_validator(mode="after")
    def _ranges(self) -> "OnnxPair":
        if self.low >= self.high or self.bit_low == self.bit_high:
            raise ValueError("low must be below high, and bit_low must differ from bit_high")
        return self


class OnnxPairScheme:
    """See Scheme. Raises ProvenanceUnavailable if a file is missing or not the one declared."""

    payload_bits: Final = PAYLOAD_BITS

    def __init__(self, pair: OnnxPair, folder: Path, keys: Sequence[bytes] = ()) -> None:
        self.pair = pair
        self.name = pair.name
        self.alg = pair.alg or f"org.wardmark.onnx.{pair.name}.1"
        self._keys = tuple(keys) or (PUBLIC_KEY,)
        self._encoder = _checked(folder / pair.encoder, pair.encoder_sha256)
        self._decoder = _checked(folder / pair.decoder, pair.decoder_sha256)

    def embed(self, image: Pixels, payload: bytes) -> Pixels:
        """See Scheme. Refuses sides under 64 pixels."""
        check_payload(self, payload)
        height, width = size(image)
        if min(height, width) < SHORTEST:
            raise MarkInvalid(
                f"The picture is {width}x{height}; {self.name} needs {SHORTEST} pixels a side."
                " Scale it up first."
            )
        import cv2

        pair, square = self.pair, self._square(image)
        word = np.resize(_word(payload, self._keys[0]), pair.bits) ^ _mask(pair.bits)
        bits = np.where(word == 1, pair.bit_high, pair.bit_low).astype(np.float32)[None]
        change = self._run(self._encoder, square, bits).reshape(square.shape)
        if pair.gives == "marked":
            change = change - square
        levels = change[0].transpose(1, 2, 0) * (255.0 / (pair.high - pair.low) * pair.strength)
        if pair.channels == "BGR":
            levels = levels[..., ::-1]
        full = cv2.resize(
            np.ascontiguousarray(levels), (width, height), interpolation=cv2.INTER_LINEAR
        )
        marked: Pixels = np.clip(np.rint(image + full), 0, 255).astype(np.uint8)
        found = self.detect(marked)
        if found is None or found.payload != payload:
            raise WatermarkFailed(
                f"This picture does not hold a {self.name} mark: it could not be read back. Raise"
                " the strength in wardmark.toml, or choose another scheme or picture."
            )
        return marked

    def detect(self, image: Pixels) -> Detection | None:
        """See Scheme. Geometry is left to the weights."""
        if min(size(image)) < SHORTEST:
            return None
        outputs = self._run(self._decoder, self._square(image)).reshape(-1)
        if outputs.size != self.pair.bits:
            raise ProvenanceUnavailable(
                f"The decoder of {self.name} puts out {outputs.size} numbers, not"
                f" {self.pair.bits}. Correct its bits in wardmark.toml."
            )
        told = (outputs - self.pair.threshold) * (1.0 - 2.0 * _mask(self.pair.bits))
        place = np.arange(told.size) % WORD_BITS
        sums = np.bincount(place, weights=told, minlength=WORD_BITS).astype(np.float64)
        for key in self._keys:
            payload = _read(sums, key)
            if payload is not None:
                return Detection(
                    scheme=self.name,
                    payload=payload,
                    false_positive_probability=FALSE_POSITIVES * len(self._keys),
                    key_id=key_id(key),
                )
        return None

    def _square(self, image: Pixels) -> NDArray[np.float32]:
        """(1, 3, side, side) in low..high."""
        import cv2

        side, pair = self.pair.side, self.pair
        method = cv2.INTER_AREA if min(image.shape[:2]) > side else cv2.INTER_LINEAR
        small = cv2.resize(image, (side, side), interpolation=method).astype(np.float32)
        values = small / np.float32(255.0) * np.float32(pair.high - pair.low) + np.float32(pair.low)
        if pair.channels == "BGR":
            values = values[..., ::-1]
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])

    def _run(self, weights: bytes, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        from onnxruntime.capi import onnxruntime_pybind11_state as runtime

        wrong = (  # onnxruntime's errors have no common ancestor of their own
            runtime.Fail,
            runtime.InvalidArgument,
            runtime.InvalidGraph,
            runtime.InvalidProtobuf,
            runtime.NotImplemented,
            runtime.RuntimeException,
            ValueError,
        )
        try:
            session = _session(weights)
            names = [given.name for given in session.get_inputs()]
            made = session.run(None, dict(zip(names, inputs, strict=True)))[0]
        except wrong as error:
            raise ProvenanceUnavailable(
                f"The weights of {self.name} do not take what wardmark.toml says of them: {error}"
            ) from error
        return np.asarray(made, dtype=np.float32)


def _word(payload: bytes, key: bytes) -> NDArray[np.uint8]:
    check = hmac.digest(key, b"wardmark onnx pair 1|" + payload, "sha256")[: CHECK_BITS // 8]
    return np.unpackbits(np.frombuffer(payload + check, dtype=np.uint8))


def _read(sums: NDArray[np.float64], key: bytes) -> bytes | None:
    """The payload whose word the sums (WORD_BITS,), positive for a 1, are or nearly are."""
    bits = (sums > 0.0).astype(np.uint8)
    doubted = np.argsort(np.abs(sums), kind="stable")[:DOUBTED]
    for flips in range(2**DOUBTED):
        tried = bits.copy()
        tried[doubted] ^= (flips >> np.arange(DOUBTED) & 1).astype(np.uint8)
        payload = np.packbits(tried[:PAYLOAD_BITS]).tobytes()
        if (tried == _word(payload, key)).all():
            return payload
    return None


@lru_cache(maxsize=4)
def _mask(bits: int) -> NDArray[np.uint8]:
    stream = hashlib.shake_256(b"wardmark onnx mask 1").digest(-(-bits // 8))
    return np.unpackbits(np.frombuffer(stream, dtype=np.uint8))[:bits]


def _checked(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProvenanceUnavailable(
            f"The weights {path} cannot be read: {error.strerror}. Put the file there, or take the"
            " scheme out of wardmark.toml."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ProvenanceUnavailable(
            f"The weights {path} have the SHA-256 {found}, not {sha256} as wardmark.toml says. Put"
            " the right file there; if this one is meant, correct wardmark.toml."
        )
    return data


@lru_cache(maxsize=4)
def _session(weights: bytes) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
