"""A diffusers checkpoint on disk: what it is, read from its settings alone, and its digest.

Nothing here loads a weight. Weights that are pickles are refused, since to load them is to run
whatever program somebody put in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from guard.errors import CoreUnavailable
from guard.generation.core import Limits
from guard.generation.lora import Lora

INDEX: Final = "model_index.json"
SETTINGS: Final = "wardmark.json"  # what a checkpoint's maker says of its limits; optional
PICKLES: Final = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"})
PROGRAMS: Final = frozenset({".py", ".so", ".pyc"})
_BLOCK: Final = 1 << 20  # bytes read at once for a digest

MIN_SIDE: Final = 256  # px, unless the checkpoint's own size is smaller
SIDE_FACTOR: Final = 2  # the longest side, against the one that the checkpoint was trained at
MAX_STEPS: Final = 150
MAX_BATCH: Final = 8

# Steps and guidance that each family's own documentation advises.
_ADVISED: Final[dict[str, tuple[int, float]]] = {
    "StableDiffusionPipeline": (30, 7.5),
    "StableDiffusionXLPipeline": (30, 5.0),
    "StableDiffusion3Pipeline": (28, 7.0),
    "FluxPipeline": (28, 3.5),
    "PixArtAlphaPipeline": (20, 4.5),
    "PixArtSigmaPipeline": (20, 4.5),
    "SanaPipeline": (20, 4.5),
}
_ADVISED_ELSE: Final = (30, 5.0)

# Families of which diffusers has an Img2Img and an Inpaint pipeline beside the one for text.
EDITING_FAMILIES: Final = frozenset(
    {
        "StableDiffusionPipeline",
        "StableDiffusionXLPipeline",
        "StableDiffusion3Pipeline",
        "FluxPipeline",
    }
)
_INVERTED: Final = "StableDiffusionPipeline"
_PREDICTIONS: Final = ("epsilon", "v_prediction", "flow_prediction")
_STOCK_INPAINTING: Final = (4, 9)  # input channels of a UNet that the Inpaint pipelines take


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A directory in diffusers format that is fit to be loaded."""

    directory: Path
    pipeline: str  # the pipeline's class, as model_index.json names it
    parts: frozenset[str]  # unet, vae, tokenizer ...
    limits: Limits
    stock_inpainting: bool  # whether the family's Inpaint pipeline takes its latent

    @property
    def edits(self) -> bool:
        """Whether it can draw from a picture."""
        return self.pipeline in EDITING_FAMILIES

    @property
    def inverts(self) -> bool:
        """Whether its way of drawing can be gone backwards (``guard.generation.inversion``)."""
        scheduler = self.directory / "scheduler" / "scheduler_config.json"
        if self.pipeline != _INVERTED or not scheduler.is_file():
            return False
        return _json(scheduler).get("prediction_type", "epsilon") in _PREDICTIONS


def read_checkpoint(directory: Path) -> Checkpoint:
    """Read what a checkpoint is. Raises CoreUnavailable if it may not or cannot be loaded."""
    if not (directory / INDEX).is_file():
        raise CoreUnavailable(
            f"{directory} is no diffusers checkpoint: {INDEX} is missing. Save the model with "
            "save_pretrained, or name the directory that holds that file."
        )
    for path in files_of(directory):
        if path.suffix in PICKLES:
            raise CoreUnavailable(
                f"{path.relative_to(directory)} is a pickle, which can run any program when it is "
                "loaded. Convert the checkpoint with save_pretrained(safe_serialization=True)."
            )
        if path.suffix in PROGRAMS:
            raise CoreUnavailable(
                f"{path.relative_to(directory)} is a program. Checkpoints with code of their own "
                "are not loaded; remove the file or use a model of a stock pipeline."
            )
    index = _json(directory / INDEX)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str):
        raise CoreUnavailable(f"{directory / INDEX} names no pipeline in _class_name.")
    parts = frozenset(name for name in index if not name.startswith("_"))
    limits = _limits(directory, pipeline)
    return Checkpoint(directory, pipeline, parts, limits, _stock_inpainting(directory))


def files_of(directory: Path) -> list[Path]:
    """Every file of a checkpoint, sorted by its relative path; hidden ones (.git) left out."""
    found = (path for path in directory.rglob("*") if path.is_file())
    shown = (p for p in found if not any(x.startswith(".") for x in p.relative_to(directory).parts))
    return sorted(shown, key=lambda path: path.relative_to(directory).as_posix())


def digest_of(directory: Path) -> str:
    """SHA-256 (hex) over the lines "<sha256>  <relative path>" of all files, sorted by path.

    It is what `sha256sum` over the sorted files, put through `sha256sum` again, prints.
    """
    whole = hashlib.sha256()
    for path in files_of(directory):
        name = path.relative_to(directory).as_posix()
        whole.update(f"{_sha256(path)}  {name}\n".encode())
    return whole.hexdigest()


def digest_with(digest: str, loras: Sequence[Lora]) -> str:
    """The digest of a checkpoint to which LoRAs are added: over the lines of its own digest and of
    each "<sha256>  <weight>", in order. Without any, its own."""
    if not loras:
        return digest
    lines = [digest, *(f"{_sha256(lora.path)}  {lora.weight!r}" for lora in loras)]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    single = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            single.update(block)
    return single.hexdigest()


def _limits(directory: Path, pipeline: str) -> Limits:
    own = directory / SETTINGS
    if own.is_file():
        try:
            return Limits.model_validate(_json(own))
        except ValidationError as error:
            raise CoreUnavailable(f"{own} does not state its limits rightly: {error}") from error
    side, multiple = _native_side(directory)
    steps, guidance = _ADVISED.get(pipeline, _ADVISED_ELSE)
    return Limits(
        default_width=side,
        default_height=side,
        size_multiple=multiple,
        min_side=min(MIN_SIDE, side),
        max_side=SIDE_FACTOR * side,
        default_steps=steps,
        max_steps=MAX_STEPS,
        max_batch=MAX_BATCH,
        default_guidance=guidance,
    )


def _native_side(directory: Path) -> tuple[int, int]:
    """The side that the denoiser was trained at, and the multiple that sides must have (px)."""
    vae = _json(directory / "vae" / "config.json")
    stages = vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or (1,) * 4
    cell = 2 ** (len(stages) - 1)
    for part, patch in (("unet", 1), ("transformer", 2)):  # transformers join 2 x 2 cells
        settings = directory / part / "config.json"
        if settings.is_file():
            # Flux names no size in its settings; it was trained at 128 cells.
            size = _json(settings).get("sample_size") or 128
            return int(size) * cell, cell * patch
    raise CoreUnavailable(
        f"{directory} holds neither a unet nor a transformer: it is no text-to-image checkpoint."
    )


def _stock_inpainting(directory: Path) -> bool:
    unet = directory / "unet" / "config.json"
    return not unet.is_file() or _json(unet).get("in_channels", 4) in _STOCK_INPAINTING


def _json(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CoreUnavailable(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise CoreUnavailable(f"{path} does not hold a JSON object.")
    return loaded
