"""A generation core in memory: obeys guard.generation.core.Core, draws at once, weighs nothing."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from guard.errors import GenerationCancelled
from guard.generation.core import Core, CoreInfo, GenerationRequest, Progress
from guard.generation.inpainting import paste_back
from provenance.picture import Pixels

Draw = Callable[[str, int, int, int], Pixels]
"""(prompt, width, height, seed) -> pixels"""


def textured_picture(prompt: str, width: int, height: int, seed: int) -> Pixels:
    """A gradient under soft waves, blocks and grain; the same arguments give the same bytes.

    The waves and blocks give a fingerprint of full quality, the grain gives a watermark
    something to hide in. Returns (height, width, 3) uint8 RGB.
    """
    digest = hashlib.sha256(f"{seed}\x00{prompt}".encode("utf-8", "surrogatepass")).digest()
    rng = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
    y = np.linspace(0.0, 1.0, height)[:, None, None]
    x = np.linspace(0.0, 1.0, width)[None, :, None]
    top, bottom = rng.uniform(70.0, 185.0, (2, 3))
    picture = top + (bottom - top) * y + np.zeros((height, width, 3))
    for _ in range(6):
        fx, fy, phase = rng.uniform(-7.0, 7.0), rng.uniform(-7.0, 7.0), rng.uniform(0.0, 6.28)
        picture += rng.uniform(4.0, 12.0, 3) * np.sin(6.28 * (fx * x + fy * y) + phase)
    for _ in range(5):
        left, upper = rng.uniform(0.0, 0.8, 2)
        inside = (x >= left) & (x < left + 0.2) & (y >= upper) & (y < upper + 0.2)
        picture += inside * rng.uniform(-35.0, 35.0, 3)
    picture += rng.normal(0.0, 5.0, (height, width, 1))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


class InMemoryCore(Core):
    """Draws with ``draw``, honouring the limits, the progress and the cancelling of a real core.

    ``draw`` may be any picture maker: a test that needs a caption or a code in the picture, or a
    core that breaks, gives its own.
    """

    def __init__(
        self,
        *,
        name: str = "in-memory",
        domain: Literal["open", "closed"] = "closed",
        draw: Draw = textured_picture,
    ) -> None:
        self._draw = draw
        self._info = CoreInfo(
            name=name,
            version="1",
            domain=domain,
            digest=hashlib.sha256(f"{name} {domain}".encode()).hexdigest(),
            default_width=256,
            default_height=256,
            size_multiple=8,
            min_side=64,
            max_side=1024,
            default_steps=4,
            max_steps=50,
            max_batch=4,
            default_guidance=1.0,
            edits=True,
            inpaints=True,
        )

    @property
    def info(self) -> CoreInfo:
        return self._info

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        self._info.check_batch(requests)
        steps = requests[0].steps
        for step in range(1, steps + 1):
            if cancelled is not None and cancelled():
                raise GenerationCancelled("Stopped on request; nothing was delivered.")
            if progress is not None:
                progress(step, steps)
        return [[self._picture(single) for single in request.singles] for request in requests]

    def _picture(self, request: GenerationRequest) -> Pixels:
        drawn = self._draw(request.prompt, request.width, request.height, request.seed)
        edit = request.original
        if edit is None:
            return drawn
        mixed = edit.pixels + edit.strength * (drawn.astype(np.float32) - edit.pixels)
        return paste_back(np.rint(mixed).astype(np.uint8), edit)
