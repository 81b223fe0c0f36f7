"""Which pixels raise a score of a torch model: five ways, through captum (the extra ``explain``).

Grad-CAM (Selvaraju et al. 2017), Integrated Gradients (Sundararajan et al. 2017), occlusion (Zeiler
and Fergus 2014), SHAP (Lundberg and Lee 2017), LIME (Ribeiro et al. 2016). ``deletion`` and
``insertion`` judge a map (Petsiuk et al. 2018): as its pixels are taken out or put in, strongest
first, the score should fall or rise early.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from provenance.picture import Pixels

Heat = NDArray[np.float64]
"""(H, W), at least 0; the highest is 1 unless all are 0."""

Score = Callable[[Tensor], Tensor]
"""(B, 3, H, W) pixels in [0, 1] to (B,)."""

CELLS: Final = 7  # of a side, that SHAP and LIME take out together
_STEPS = 24  # of Integrated Gradients
_SAMPLES = 150  # of SHAP and LIME
_WINDOW = 1 / 6  # of the shorter side, that occlusion covers


class Method(StrEnum):
    """How a map is made."""

    GRAD_CAM = "grad-cam"
    INTEGRATED_GRADIENTS = "integrated-gradients"
    OCCLUSION = "occlusion"
    SHAP = "shap"
    LIME = "lime"


def heat_map(
    score: Score, pixels: Pixels, method: Method, *, layer: nn.Module | None = None, seed: int = 0
) -> Heat:
    """What in ``pixels`` (H, W, 3) raises ``score``. ``layer``: whose features Grad-CAM weighs.

    Raises ValueError for Grad-CAM without a layer. The baseline is the picture's mean colour.
    """
    from captum import attr

    shown = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255
    base = shown.mean(dim=(2, 3), keepdim=True).expand_as(shown)
    torch.manual_seed(seed)
    found: Any
    match method:
        case Method.GRAD_CAM:
            if layer is None:
                raise ValueError("Grad-CAM needs the layer whose features it weighs")
            coarse = attr.LayerGradCam(score, layer).attribute(shown, relu_attributions=True)
            found = F.interpolate(coarse, shown.shape[2:], mode="bilinear", align_corners=False)
        case Method.INTEGRATED_GRADIENTS:
            whole = attr.IntegratedGradients(score)
            found = whole.attribute(shown, base, n_steps=_STEPS, internal_batch_size=4)
        case Method.OCCLUSION:
            side = max(2, round(min(shown.shape[2:]) * _WINDOW))
            found = attr.Occlusion(score).attribute(
                shown,
                sliding_window_shapes=(3, side, side),
                strides=(3, max(1, side // 2), max(1, side // 2)),
                baselines=base,
                perturbations_per_eval=4,
            )
        case Method.SHAP | Method.LIME:
            kind = attr.KernelShap if method is Method.SHAP else attr.Lime
            found = kind(score).attribute(
                shown,
                baselines=base,
                feature_mask=_cells(*shown.shape[2:]),
                n_samples=_SAMPLES,
                perturbations_per_eval=4,
            )
    heat = found.detach().sum(dim=1)[0].double().numpy()
    if method is Method.INTEGRATED_GRADIENTS:  # single pixels are noise; their neighbourhood is not
        heat = _smoothed(np.abs(heat))
    raised = np.clip(heat, 0, None)
    return np.asarray(raised / raised.max() if raised.max() > 0 else raised)


def deletion(score: Score, pixels: Pixels, heat: Heat, *, steps: int = 16) -> float:
    """The mean score while the hottest pixels are taken out; lower is better."""
    return _curve(score, pixels, heat, steps, out=True)


def insertion(score: Score, pixels: Pixels, heat: Heat, *, steps: int = 16) -> float:
    """The mean score while the hottest pixels are put into a blank; higher is better."""
    return _curve(score, pixels, heat, steps, out=False)


def _curve(score: Score, pixels: Pixels, heat: Heat, steps: int, *, out: bool) -> float:
    shown = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255
    base = shown.mean(dim=(1, 2), keepdim=True).expand_as(shown)
    places = torch.from_numpy(np.argsort(-heat.ravel(), kind="stable").copy())
    rank = torch.empty_like(places)
    rank[places] = torch.arange(len(places))
    rank = rank.reshape(shown.shape[1:])
    values = []
    for step in range(steps + 1):
        hot = rank < step * len(places) / steps
        mixed = torch.where(hot, base, shown) if out else torch.where(hot, shown, base)
        with torch.inference_mode():
            values.append(float(score(mixed[None])[0]))
    return float(np.mean(values))


def _cells(height: int, width: int) -> Tensor:
    """(1, 1, H, W): which of the CELLS by CELLS cells a pixel is in."""
    rows = torch.arange(height) * min(CELLS, height) // height
    columns = torch.arange(width) * min(CELLS, width) // width
    return (rows[:, None] * min(CELLS, width) + columns[None, :])[None, None]


def _smoothed(heat: Heat) -> Heat:
    import cv2

    return np.asarray(cv2.GaussianBlur(heat, (0, 0), max(1.0, min(heat.shape) / 40)))
