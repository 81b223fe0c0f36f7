"""A small detector of drawn symbols: a demonstration, trained by this project on what it draws.

It lets explanations, calibration, robustness and drift run on a real model. It may give a reason to
ask a person, never to block, and claims nothing beyond its synthetic test
(docs/model-cards/symbols.md).
"""

from guard.images.symbols.detector import load_symbols
from guard.images.symbols.drawing import SYMBOLS

__all__ = ["SYMBOLS", "load_symbols"]
