"""What hangs together: union-find over whole arrays, four bytes for each thing."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.uint32]
"""(n,) indices."""


class Components:
    """Things 0 to ``count`` - 1 (less than 2^32), each alone at first."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count, dtype=np.uint32)

    def join(self, left: Places, right: Places) -> None:
        """``left[i]`` and ``right[i]`` hang together from now on, with all that either did."""
        one, other = self.roots(left), self.roots(right)
        while (apart := one != other).any():
            low = np.minimum(one[apart], other[apart])
            high = np.maximum(one[apart], other[apart])
            # A root always hangs below a smaller one, so there is no circle. Of several that it
            # should hang below the smallest wins, and the others come round again.
            np.minimum.at(self._parent, high, low)
            self._shorten(high)
            one, other = self.roots(low), self.roots(high)

    def roots(self, places: Places) -> Places:
        """(n,) the smallest thing that each of ``places`` hangs together with."""
        found = self._parent[places]
        while ((above := self._parent[found]) != found).any():
            found = above
        self._parent[places] = found
        return found

    def _shorten(self, places: Places) -> None:
        """Halve the ways of ``places`` to their roots until they are one step."""
        while True:
            parent = self._parent[places]
            above = self._parent[parent]
            if (above == parent).all():
                return
            self._parent[places] = above
