"""An encoder with its heads as one ONNX graph with 8-bit weights."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from guard.prompts.training.distilling import Distilled, shortened
from guard.prompts.training.mixtures import Ratio
from guard.prompts.training.pretrained import Pretrained
from guard.prompts.training.tuning import Probe


class _Graph(torch.nn.Module):
    """int64 (1, tokens) -> (1, H): one text, no padding, so no mask."""

    def __init__(self, encoder: Any, distilled: Distilled, unsafe: Ratio, heads: Probe) -> None:
        super().__init__()
        self.encoder = encoder
        self.map = torch.nn.Parameter(torch.from_numpy(distilled.map.T.copy()))
        self.unsafe = unsafe
        self.weights = torch.nn.Parameter(torch.from_numpy(heads.weights.T.copy()))
        self.bias = torch.nn.Parameter(torch.from_numpy(heads.bias.copy()))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=ids).last_hidden_state
        mean = torch.nn.functional.normalize(hidden.mean(1), dim=1)
        # Products with the weights to the right become 8-bit, and these must not.
        unit = torch.nn.functional.normalize((self.map @ mean.T).T, dim=1)
        categories = (self.weights @ unit.T).T + self.bias
        return torch.cat((self.unsafe(unit), categories), dim=1)


def exported(
    pretrained: Pretrained, distilled: Distilled, unsafe: Ratio, heads: Probe
) -> bytes:
    """The ONNX file; ``heads``: of the categories after "unsafe". Needs the package onnx."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    encoder = shortened(pretrained.encoder())
    encoder.load_state_dict(dict(distilled.encoder))
    graph = _Graph(encoder, distilled, unsafe, heads).eval()
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
