"""lattice: a weight-free mark that finds itself again. The design, and where it comes from.

The picture's luminance is brought to one area (``plane``). There a tile of plane waves with secret
phases (``carrier``) is repeated like wallpaper, stronger where texture hides it, its amplitudes
bent towards waves on which the picture itself speaks against it (``writing``). Some waves are
pilots, the others carry a payload of 64 bits with a keyed check of 32 through a convolutional code
(``code``). To read, all tiles are laid on one another; what the picture put there averages out,
what the mark put there adds up (``reading``). If the picture was cropped, scaled or turned since,
the grid of tiles is found first, from the autocorrelation alone (``search``), and where perspective
bent it, it is straightened block by block (``registration``).

Spread spectrum: Cox et al. 1997. Periodic tiles that synchronise themselves: Kutter 1998,
Voloshynovskiy et al. 2001. Evidence evened out by what the picture says: Malvar and Florencio 2003.
Tail-biting codes: Ma and Wolf 1986.
"""

from provenance.watermark.lattice.scheme import PUBLIC_KEY, Lattice

__all__ = ["PUBLIC_KEY", "Lattice"]
