"""A tiny encoder and decoder as ONNX files: each bit is a pattern of its own."""

import hashlib
from pathlib import Path

import numpy as np

SIDE = 64  # pixels
BITS = 100
VISIBLE = 16.0  # levels of 255, the change's deviation


def write_pair(folder: Path, *, bits: int = BITS) -> dict[str, str | int]:
    """The two files, and what wardmark.toml would say of them."""
    from onnx import TensorProto, checker, helper, numpy_helper

    pixels = 3 * SIDE * SIDE
    patterns = np.random.default_rng(1).choice([-1.0, 1.0], (bits, pixels)).astype(np.float32)
    scale = np.float32(VISIBLE / 127.5 / np.sqrt(bits))
    shape = [1, 3, SIDE, SIDE]
    mean = np.full((3, 1, 5, 5), 1 / 25, np.float32)

    def save(name: str, nodes: list, inputs: list, output: list, values: dict) -> str:
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, output)],
            [numpy_helper.from_array(v, n) for n, v in values.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        checker.check_model(model)
        data = model.SerializeToString()
        (folder / name).write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    encoder = save(
        "encoder.onnx",
        [
            helper.make_node("Sub", ["bits", "half"], ["signed"]),
            helper.make_node("MatMul", ["signed", "patterns"], ["flat"]),
            helper.make_node("Reshape", ["flat", "shape"], ["change"]),
            helper.make_node("Add", ["image", "change"], ["out"]),
        ],
        [("image", shape), ("bits", [1, bits])],
        shape,
        {
            "half": np.float32(0.5),
            "patterns": patterns * 2 * scale,
            "shape": np.array(shape, np.int64),
        },
    )
    decoder = save(
        "decoder.onnx",
        [
            helper.make_node("Conv", ["image", "mean"], ["smooth"], group=3, pads=[2, 2, 2, 2]),
            helper.make_node("Sub", ["image", "smooth"], ["rest"]),
            helper.make_node("Reshape", ["rest", "row"], ["flat"]),
            helper.make_node("MatMul", ["flat", "patterns"], ["out"]),
        ],
        [("image", shape)],
        [1, bits],
        {
            "mean": mean,
            "row": np.array([1, pixels], np.int64),
            "patterns": np.ascontiguousarray(patterns.T),
        },
    )
    return {
        "name": "tiny",
        "encoder": "encoder.onnx",
        "encoder_sha256": encoder,
        "decoder": "decoder.onnx",
        "decoder_sha256": decoder,
        "side": SIDE,
        "bits": bits,
    }
