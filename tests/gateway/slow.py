"""A core that draws when a test lets it, and stops when it is told to."""

import threading
from collections.abc import Callable, Sequence

from guard.generation import GenerationRequest
from guard.generation.core import Progress
from provenance.picture import Pixels
from tests.support.core import InMemoryCore


class SlowCore(InMemoryCore):
    """Waits at its first step until it is cancelled or told to go on.

    ``begun``, ``stopped``, ``go_on``: events, each of the first time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.stopped, self.go_on = (threading.Event() for _ in range(3))

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        self.begun.set()
        while not self.go_on.wait(0.01):
            if cancelled is not None and cancelled():
                self.stopped.set()
                break
        return super().generate_batch(requests, progress=progress, cancelled=cancelled)
