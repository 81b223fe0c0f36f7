"""A core for processes other than the test's, which import it by name."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from guard.errors import CoreFailed
from guard.generation.core import GenerationRequest, Progress
from provenance.picture import Pixels
from tests.support.core import InMemoryCore, textured_picture

STEP_SECONDS = 0.05


def draw(prompt: str, width: int, height: int, seed: int) -> Pixels:
    """A picture; prompts can ask for the process that draws, for its death, or for a failure."""
    if prompt == "die":
        os._exit(1)
    if prompt == "fail":
        raise CoreFailed("it broke, as asked")
    if prompt == "who":
        time.sleep(0.2)  # so that the next request goes to another replica
        return np.full((height, width, 3), list(os.getpid().to_bytes(3, "big")), dtype=np.uint8)
    return textured_picture(prompt, width, height, seed)


class SlowCore(InMemoryCore):
    """Takes its time for each step, and notes in ``folder`` how many it made."""

    def __init__(self, folder: Path) -> None:
        super().__init__(draw=draw)
        self._folder = folder

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        made = self._folder / f"{requests[0].prompt}-{requests[0].seed}"

        def step(done: int, total: int) -> None:
            time.sleep(STEP_SECONDS)
            made.write_text(str(done))
            if progress is not None:
                progress(done, total)

        return super().generate_batch(requests, progress=step, cancelled=cancelled)
