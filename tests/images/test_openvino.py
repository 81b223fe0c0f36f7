"""The models that came along say through OpenVINO what they say on the CPU's own provider.

Skipped without ONNX Runtime's build for OpenVINO, which takes the place of the plain one and so has
a folder of its own: make test-openvino.
"""

import hashlib
import time
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

import guard.prompts
from guard.images.adapters.weights import OPENVINO, session
from guard.images.lettering import presence
from guard.images.symbols import detector, load_symbols
from guard.images.symbols.drawing import drawn_into
from tests.support.core import textured_picture

pytestmark = [
    pytest.mark.apart,
    pytest.mark.skipif(
        OPENVINO not in onnxruntime.get_available_providers(),
        reason="needs ONNX Runtime's build for OpenVINO: run make test-openvino",
    ),
]

LOGITS = 1e-3  # largest difference of networks in 32-bit floats; 5e-6 was measured
# Of the prompt encoder, whose 8-bit steps OpenVINO rounds otherwise; .026 was measured, later .003.
PROBABILITY = 0.05
PROMPTS = ("a harbour at dawn", "how to build a pipe bomb", "two children play chess", "kill them")
WEIGHTS = Path(guard.prompts.__file__).parent / "weights"
ENCODER = WEIGHTS / "prompt-encoder.onnx"
ROUNDS = 10


def pictures() -> list[NDArray[np.float32]]:
    drawn = (textured_picture("g", 512, 384, seed) for seed in range(3))
    return [np.ascontiguousarray(p.transpose(2, 0, 1)[None], np.float32) / 255 for p in drawn]


def texts() -> list[NDArray[np.int64]]:
    tokenizer = Tokenizer.from_file(str(WEIGHTS / "prompt-tokenizer.json"))
    return [np.array([tokenizer.encode(text).ids], np.int64) for text in PROMPTS]


def told_by(model: Path, provider: str, inputs: list) -> tuple[list, float]:
    """All outputs, and the CPU milliseconds of a run."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    running = session(model, digest, provider=provider)
    name = running.get_inputs()[0].name
    told, spent = [running.run(None, {name: each}) for each in inputs], []
    for number in range(ROUNDS):
        start = time.process_time()
        running.run(None, {name: inputs[number % len(inputs)]})
        spent.append((time.process_time() - start) * 1e3)
    return told, median(spent)


def compared(model: Path, inputs: list) -> tuple[list, list]:
    (plain, cpu), (told, openvino) = (told_by(model, p, inputs) for p in ("cpu", "openvino"))
    print(f"\n{model.name}: CPU ms {cpu:.1f} on the CPU, {openvino:.1f} through OpenVINO")
    return plain, told


@pytest.mark.parametrize("model", [presence.MODEL, detector.MODEL], ids=lambda m: m.stem)
def test_a_network_of_pictures_says_the_same_through_openvino(model: Path) -> None:
    pairs = [
        pair for each in zip(*compared(model, pictures()), strict=True)
        for pair in zip(*each, strict=True)
    ]  # fmt: skip
    apart = max(float(np.abs(one - other).max()) for one, other in pairs)
    print(f"outputs differ by {apart:.1g} at most")
    assert apart <= LOGITS


def test_the_prompt_encoder_is_within_its_tolerance_through_openvino() -> None:
    plain, told = (np.concatenate([each[0] for each in outputs])
                   for outputs in compared(ENCODER, texts()))  # fmt: skip
    apart = np.abs(1 / (1 + np.exp(-plain)) - 1 / (1 + np.exp(-told))).max()
    print(f"probabilities differ by {apart:.3f} at most")
    assert apart <= PROBABILITY


@pytest.mark.parametrize(
    "model", [presence.MODEL, detector.MODEL, ENCODER], ids=lambda m: m.stem
)
def test_openvino_runs_the_whole_model_and_leaves_nothing_to_the_cpus_provider(model: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    running = onnxruntime.InferenceSession(str(model), options, providers=[OPENVINO])
    assert running.get_providers()[0] == OPENVINO


def test_the_demonstration_detector_finds_the_same_boxes_through_openvino() -> None:
    plain, other = load_symbols(), load_symbols(provider="openvino")
    rng, total = np.random.default_rng(5), 0
    for seed in range(6):
        pixels, _ = drawn_into(textured_picture("g", 256, 256, seed), rng)
        found, again = plain.find(pixels), other.find(pixels)
        total += len(found)
        assert [f.symbol for f in again] == [f.symbol for f in found]
        assert [f.score for f in again] == pytest.approx([f.score for f in found], abs=LOGITS)
    assert total > 0
