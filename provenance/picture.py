"""Pictures in and out: decode within limits, encode once, write whole."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3), RGB."""
