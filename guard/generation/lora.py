"""LoRA: a small file that changes the weights of a checkpoint (Hu et al., arXiv 2106.09685).

Each of its pairs of matrices is added to one layer, W + weight * alpha / rank * B A, when the
checkpoint is loaded, so that drawing costs what it did. Two ways of naming layers are read:

    unet.down_blocks.0.attentions.0.proj_in.lora_A.weight        diffusers and PEFT
    lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight        kohya

A file of which any part fits no layer is refused: half a LoRA is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from guard.errors import CoreUnavailable

if TYPE_CHECKING:
    from torch import Size, Tensor

SUFFIX: Final = ".safetensors"
_KEY: Final = re.compile(
    r"(?P<layer>.+?)\.(?:(?P<down>lora_A|lora_down|lora\.down)|(?P<up>lora_B|lora_up|lora\.up)"
    r"|(?P<alpha>alpha))(?:\.default)?(?:\.weight)?"
)
# What a checkpoint calls its parts, by how names of layers begin; the longer first.
_PARTS: Final = {
    "lora_unet_": ("unet", "transformer"),
    "lora_transformer_": ("transformer",),
    "lora_te2_": ("text_encoder_2",),
    "lora_te1_": ("text_encoder",),
    "lora_te_": ("text_encoder",),
    "unet.": ("unet",),
    "transformer.": ("transformer",),
    "text_encoder_2.": ("text_encoder_2",),
    "text_encoder.": ("text_encoder",),
}


@dataclass(frozen=True, slots=True)
class Lora:
    """A file, and how much of it is added; 1 is what it was trained for."""

    path: Path
    weight: float = 1.0


def check_lora(lora: Lora) -> None:
    """Raise CoreUnavailable where the file may not be read, or its weight is none."""
    if lora.path.suffix != SUFFIX:
        raise CoreUnavailable(
            f"{lora.path} is not in {SUFFIX}: other files of weights can run any program when they"
            " are loaded. Save it with safetensors."
        )
    if not lora.path.is_file():
        raise CoreUnavailable(f"There is no LoRA at {lora.path}. Check the path.")
    if not -10.0 <= lora.weight <= 10.0:  # false for NaN too
        raise CoreUnavailable(f"A LoRA's weight is {lora.weight}; take one from -10 to 10.")


def merge(pipeline: Any, lora: Lora) -> None:
    """Add a LoRA to the loaded weights. Raises CoreUnavailable where any of it fits nowhere."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(lora.path)
    except (OSError, SafetensorError) as error:
        raise CoreUnavailable(f"The LoRA {lora.path} cannot be read: {error}.") from error
    if not tensors:
        raise CoreUnavailable(f"The LoRA {lora.path} is empty.")
    layers = _layers(pipeline)
    with torch.no_grad():
        for name, pair in _pairs(tensors, lora):
            layer = layers.get(name)
            if layer is None:
                raise CoreUnavailable(
                    f"The LoRA {lora.path} changes {name!r}, which this checkpoint does not have."
                    " It was made for another model, or names layers in another way; convert it"
                    " with diffusers' scripts."
                )
            change = _change(pair, layer.shape)
            if change is None:
                raise CoreUnavailable(
                    f"The LoRA {lora.path} does not fit {name!r}, whose weights are"
                    f" {tuple(layer.shape)}. It was made for another model."
                )
            layer += lora.weight * change.to(layer)


def _layers(pipeline: Any) -> dict[str, Tensor]:
    """The weights of every layer by each name that a LoRA may call it by."""
    layers: dict[str, Tensor] = {}
    for prefix, parts in _PARTS.items():
        for part in parts:
            network = getattr(pipeline, part, None)
            if network is None:
                continue
            for name, layer in network.named_modules():
                weights = layer._parameters.get("weight")
                if weights is None or weights.ndim not in (2, 4):
                    continue
                # transformers 5 has no level of this name any more, and files have.
                for known in (name, f"text_model.{name}"):
                    flat = known if prefix.endswith(".") else known.replace(".", "_")
                    layers[prefix + flat] = weights
    return layers


def _pairs(tensors: dict[str, Tensor], lora: Lora) -> Iterator[tuple[str, dict[str, Tensor]]]:
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None or match.lastgroup is None:
            raise CoreUnavailable(
                f"The LoRA {lora.path} holds {key!r}, which is no part of a plain LoRA. Convert it"
                " to the format of diffusers."
            )
        found.setdefault(match["layer"], {})[match.lastgroup] = tensor
    yield from found.items()


def _change(pair: dict[str, Tensor], shape: Size) -> Tensor | None:
    """What is added to weights of ``shape``; None where the pair does not make it."""
    if not {"down", "up"} <= pair.keys():
        return None
    down, up = pair["down"].float(), pair["up"].float()
    rank = down.shape[0]
    alpha = float(pair["alpha"]) if "alpha" in pair else float(rank)
    if up.flatten(1).shape[1] != rank:
        return None
    change = up.flatten(1) @ down.flatten(1)
    if change.numel() != shape.numel() or change.shape[0] != shape[0]:
        return None
    return change.reshape(shape) * (alpha / rank)
