"""What stands around the core is not on its way: it draws the next batch meanwhile."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from guard.assessment import Assessment
from guard.generation import GenerationRequest, load_core
from guard.generation.batching import BatchingCore
from guard.generation.core import Progress
from guard.pipeline import ImageRequest
from provenance.home import Home
from provenance.picture import Pixels
from provenance.work import WorkSettings
from tests.support.assessors import ScriptedImageAssessor
from tests.support.core import InMemoryCore
from tests.support.deployment import home, pipeline_of

__all__ = ["home"]

PATIENCE = 30.0  # seconds


class Counting(InMemoryCore):
    """Tells when its second run begins."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0
        self.second = threading.Event()

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        self.runs += 1
        if self.runs == 2:
            self.second.set()
        return super().generate_batch(requests, progress=progress, cancelled=cancelled)


class Waiting(ScriptedImageAssessor):
    """Has no answer before the core has begun the next batch."""

    def __init__(self, core: Counting) -> None:
        super().__init__()
        self.core = core

    def assess(
        self, images: Sequence[Pixels], *, files: Sequence[bytes] | None = None
    ) -> list[Assessment]:
        assert self.core.second.wait(PATIENCE)
        return super().assess(images, files=files)


def test_the_next_batch_is_drawn_while_guards_look_at_the_one_before(home: Home) -> None:
    core = Counting()
    pipeline = pipeline_of(home, core=BatchingCore(core, 0.0), images=Waiting(core))
    with ThreadPoolExecutor(2) as places:
        asked = [ImageRequest(prompt="a calm sea", steps=steps) for steps in (2, 3)]
        outcomes = list(places.map(pipeline.run, asked))
    assert [len(outcome.released) for outcome in outcomes] == [1, 1]
    assert core.runs == 2


def test_the_gateway_has_places_for_a_batch_that_is_drawn_and_one_that_is_looked_at() -> None:
    assert WorkSettings().running >= 2 * load_core("scenes").info.max_batch
