"""Tiny ONNX files with the inputs and outputs of detectors: what is red is found."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

STRIDES = (8, 16, 32)
_POINTS = [-0.5, -0.5, 0.5, -0.5, 0.0, 0.0, -0.4, 0.5, 0.4, 0.5]  # eyes, nose, mouth; in strides


def _save(
    path: Path, nodes: list[Any], outputs: list[Any], values: dict[str, Any], shape: list[int]
) -> str:
    from onnx import TensorProto, checker, helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in outputs],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def nudity(path: Path, rows: np.ndarray) -> str:
    """Always says ``rows`` (N, 22), whatever the picture. Its digest."""
    from onnx import helper

    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["rows", "zero"], ["output"]),
    ]
    values = {"nothing": np.float32(0), "rows": rows.T[None].astype(np.float32)}
    return _save(
        path, nodes, [("output", [1, rows.shape[1], len(rows)])], values, [1, 3, 320, 320]
    )


def yunet(path: Path, side: int = 320) -> str:
    """Finds a face of 64 pixels round each red cell of stride 32. Its digest."""
    from onnx import helper

    red = np.zeros((1, 3, 1, 1), np.float32)  # BGR, as OpenCV feeds it
    red[0, 2] = 1 / 255
    red[0, 1] = red[0, 0] = -1 / 255
    nodes, outputs, values = [], [], {"red": red}
    for stride in STRIDES:
        cells = (side // stride) ** 2
        pooled, flat = f"pooled_{stride}", f"flat_{stride}"
        nodes += [
            helper.make_node(
                "AveragePool", ["input"], [pooled], kernel_shape=[stride] * 2, strides=[stride] * 2
            ),
            helper.make_node("Conv", [pooled, "red"], [f"r_{stride}"]),
            helper.make_node("Relu", [f"r_{stride}"], [f"p_{stride}"]),
            helper.make_node("Reshape", [f"p_{stride}", f"shape_{stride}"], [flat]),
        ]
        values[f"shape_{stride}"] = np.array([1, cells, 1], np.int64)
        for name, width, scale in (
            ("cls", 1, 1.0 if stride == 32 else 0.0),
            ("obj", 1, 1.0 if stride == 32 else 0.0),
            ("bbox", 4, 0.0),
            ("kps", 10, 0.0),
        ):
            weights = f"w_{name}_{stride}"
            values[weights] = np.full((1, width), scale, np.float32)
            added = f"b_{name}_{stride}"
            bias = {"bbox": [0.0, 0.0, np.log(2), np.log(2)], "kps": _POINTS}.get(name, [0.0])
            values[added] = np.array(bias, np.float32)
            nodes += [
                helper.make_node("MatMul", [flat, weights], [f"m_{name}_{stride}"]),
                helper.make_node("Add", [f"m_{name}_{stride}", added], [f"{name}_{stride}"]),
            ]
            outputs.append((f"{name}_{stride}", [1, cells, width]))
    return _save(path, nodes, outputs, values, [1, 3, side, side])


def sface(path: Path) -> str:
    """A face is the mean of its colour, less a middle grey. Its digest."""
    from onnx import helper

    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Reshape", ["mean", "row"], ["flat"]),
        helper.make_node("Sub", ["flat", "grey"], ["fc1"]),
    ]
    values = {"row": np.array([1, 3], np.int64), "grey": np.full((1, 3), 100, np.float32)}
    return _save(path, nodes, [("fc1", [1, 3])], values, [1, 3, 112, 112])
