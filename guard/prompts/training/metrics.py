"""The figures of training are those of ``guard.evaluate``."""

from guard.evaluate.metrics import (
    Bound,
    auprc,
    auroc,
    calibration_error,
    clopper_pearson,
    recall_at,
)

__all__ = ["Bound", "auprc", "auroc", "calibration_error", "clopper_pearson", "recall_at"]
