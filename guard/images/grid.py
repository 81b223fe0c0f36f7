"""What the small networks that look at a picture cell by cell have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import nn

STRIDE: Final = 8  # pixels of a cell's side


def block(inside: int, out: int, *, stride: int = 1, dilation: int = 1, kernel: int = 3) -> Any:
    """A convolution without bias, batch normalisation and ReLU; the stride makes it smaller."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inside, out, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=False),
    )


def write(net: nn.Module, weights: Path, model: Path, outputs: Sequence[str]) -> None:
    """The weights as safetensors, and the same as ONNX for any size of picture."""
    weights.parent.mkdir(parents=True, exist_ok=True)
    net.eval()
    save_file(net.state_dict(), weights)
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, 64, 96),),
        model,
        input_names=["pixels"],
        output_names=list(outputs),
        dynamic_axes={name: {2: "h", 3: "w"} for name in ("pixels", *outputs)},
        opset_version=17,
        dynamo=False,
    )
    net.train()
