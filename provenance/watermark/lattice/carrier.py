"""The keyed tile: which waves carry the mark, and how a word is laid on them.

A tile is TILE x TILE pixels, periodic, the sum of about 600 plane waves that fit it a whole number
of times (the points of a grid, in the half plane; the other half is their conjugates). A key gives
each wave a secret phase. Some waves, the pilots, carry a constant: they tell where the tile lies.
All others carry two signs of the code each, in their real and imaginary part, shuffled.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.lattice.code import CODE_LENGTH, Signs

TILE: Final = 66  # pixels of the plane
SLOWEST, FASTEST = 3.0, 20.5  # waves a tile
PILOT_SHARE: Final = 0.2
PILOT: Final = np.complex64(np.sqrt(2.0))  # as much energy as two signs

Spectrum = NDArray[np.complex64]
Waves = NDArray[np.complex64]


@dataclass(frozen=True)
class Carrier:
    """Of one key. ``rows``, ``columns`` and ``radius`` (n,) in waves a tile; ``phase`` (n,) of
    unit length; the first ``pilots`` waves are pilots; ``slots`` and ``signs`` (2 (n - pilots),)
    say which sign of the code a part carries, and whether turned."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    radius: NDArray[np.float64]
    phase: Waves
    pilots: int
    slots: NDArray[np.int64]
    signs: NDArray[np.float64]

    def symbols(self, word: Signs) -> Waves:
        """(n,) that carry the code word."""
        parts = word[self.slots] * self.signs
        data = parts[0::2] + 1j * parts[1::2]
        pilots = np.full(self.pilots, PILOT)
        symbols: Waves = np.concatenate([pilots, data]).astype(np.complex64)
        return symbols

    def soft(self, data: Waves) -> NDArray[np.float64]:
        """(CODE_LENGTH,) sums of what the data waves (n - pilots,) say on each sign."""
        parts = np.stack([data.real, data.imag], axis=-1).reshape(-1) * self.signs
        return np.bincount(self.slots, parts, CODE_LENGTH).astype(np.float64)

    def tile(self, waves: Waves) -> NDArray[np.float32]:
        """(TILE, TILE) with ``waves`` (n,) before their phases are turned by the key's."""
        from scipy import fft

        spectrum = np.zeros((TILE, TILE), np.complex64)
        turned = waves * self.phase
        spectrum[self.rows, self.columns] = turned
        spectrum[-self.rows, -self.columns] = turned.conj()
        tile: NDArray[np.float32] = fft.ifft2(spectrum).real * TILE
        return tile

    def waves(self, spectrum: Spectrum) -> Waves:
        """(n,) of a tile's spectrum, the key's phases turned back."""
        values: Waves = spectrum[self.rows, self.columns] * self.phase.conj()
        return values

    def surfaces(self, pilots: Waves) -> NDArray[np.float32]:
        """(k, TILE, TILE): how well ``pilots`` (k, pilots) agree with a tile at each shift."""
        from scipy import fft

        spectra = np.zeros((len(pilots), TILE, TILE), np.complex64)
        spectra[:, self.rows[: self.pilots], self.columns[: self.pilots]] = pilots
        surfaces: NDArray[np.float32] = fft.ifft2(spectra, norm="forward").real
        return surfaces


@lru_cache(maxsize=16)
def carrier(key: bytes) -> Carrier:
    """The carrier of ``key``. Drawn from SHAKE-256, so that it is the same for ever."""
    reach = int(FASTEST)
    row, column = np.mgrid[-reach : reach + 1, 0 : reach + 1].reshape(2, -1)
    radius = np.hypot(row, column)
    kept = (radius >= SLOWEST) & (radius <= FASTEST) & ((column > 0) | (row > 0))
    order = np.argsort(_draw(key, b"order", int(kept.sum())), kind="stable")
    row, column, radius = (part[kept][order] for part in (row, column, radius))
    pilots = round(PILOT_SHARE * len(row))
    parts = 2 * (len(row) - pilots)
    turn = _draw(key, b"phase", len(row)) * (2.0 * np.pi / 2**64)
    slots = np.empty(parts, np.int64)
    slots[np.argsort(_draw(key, b"slots", parts), kind="stable")] = np.arange(parts) % CODE_LENGTH
    return Carrier(
        rows=row,
        columns=column,
        radius=radius,
        phase=np.exp(1j * turn).astype(np.complex64),
        pilots=pilots,
        slots=slots,
        signs=np.where(_draw(key, b"signs", parts) & 1, -1.0, 1.0),
    )


def _draw(key: bytes, purpose: bytes, count: int) -> NDArray[np.uint64]:
    stream = hashlib.shake_256(b"wardmark lattice 1|" + purpose + b"|" + key).digest(8 * count)
    return np.frombuffer(stream, dtype="<u8")
