"""The arrow in the middle: the core draws."""

from collections.abc import Callable

from guard.errors import CoreFailed
from guard.generation import Core, GenerationRequest
from guard.generation.core import MarkedNoise
from guard.generation.noise_mark import NoiseMark
from guard.pipeline.release import content_payload
from policies.errors import WardmarkError
from provenance.picture import Pixels

Progress = Callable[[str, int, int], None]
"""Called with the name of the step, and how much of how much is done."""


def marked_from_the_start(
    asked: GenerationRequest, mark: NoiseMark | None, key: bytes, work: str
) -> GenerationRequest:
    """``asked``, its pictures to begin with noise that carries their content ids. An edit begins
    with a picture, and stays as it is. ``key``, ``work``: see ``content_payload``."""
    if mark is None or asked.original is not None:
        return asked
    payloads = tuple(content_payload(key, work, index) for index in range(asked.count))
    return asked.model_copy(update={"noise": MarkedNoise(mark, payloads)})


def draw(
    core: Core,
    asked: GenerationRequest,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> list[Pixels]:
    """All pictures of a request, in batches that the core can hold.

    Raises as ``Core.generate``; whatever else a core dies of is CoreFailed.
    """
    most = core.info.max_batch
    drawn: list[Pixels] = []
    while len(drawn) < asked.count:
        done = len(drawn)
        batch = min(most, asked.count - done)
        part = asked.part(done, batch)

        def report(step: int, steps: int, done: int = done) -> None:
            if progress:
                progress("generate", step + steps * (done // most), steps * -(-asked.count // most))

        try:
            drawn += core.generate(part, progress=report, cancelled=cancelled)
        except WardmarkError:
            raise
        except Exception as error:
            raise CoreFailed(
                f"{core.info.name} broke while drawing ({type(error).__name__}); try again"
            ) from error
    return drawn
