"""An encoder with its heads as one ONNX graph with 8-bit weights."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from guard.prompts.training.mixtures import Ratio
from guard.prompts.training.tuning import Pretrained, Tuned


class _Graph(torch.nn.Module):
    """int64 (1, tokens) -> (1, H): one text, no padding, so no mask."""

    def __init__(self, encoder: Any, tuned: Tuned, unsafe: Ratio) -> None:
        super().__init__()
        self.encoder = encoder
        self.unsafe = unsafe
        self.weights = torch.nn.Parameter(torch.from_numpy(tuned.probe.weights[:, 1:].copy()))
        self.bias = torch.nn.Parameter(torch.from_numpy(tuned.probe.bias[1:].copy()))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=ids).last_hidden_state
        unit = torch.nn.functional.normalize(hidden.mean(1), dim=1)
        # A product and a sum, not a matrix product: those become 8-bit, and these must not.
        categories = (unit[:, :, None] * self.weights).sum(1) + self.bias
        return torch.cat((self.unsafe(unit), categories), dim=1)


def exported(pretrained: Pretrained, tuned: Tuned, unsafe: Ratio) -> bytes:
    """The ONNX file. Needs the package onnx."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = _Graph(pretrained.encoder(tuned.encoder), tuned, unsafe).eval()
    example = torch.tensor([pretrained.ids(["a red house by the sea"])[0]])
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, about shapes that are constant on purpose
        plain, small = Path(name) / "plain.onnx", Path(name) / "small.onnx"
        torch.onnx.export(
            graph, (example,), str(plain), input_names=["ids"], output_names=["logits"],
            dynamic_axes={"ids": {1: "tokens"}}, opset_version=17, dynamo=False,
        )  # fmt: skip
        # Seven bits: with eight, processors without VNNI saturate and would score otherwise.
        quantize_dynamic(
            plain, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
        )
        return small.read_bytes()
