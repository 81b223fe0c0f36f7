"""The arrow in the middle: the core draws."""

from collections.abc import Callable

from guard.errors import CoreFailed
from guard.generation import Core, GenerationRequest
from policies.errors import WardmarkError
from provenance.picture import Pixels

Progress = Callable[[str, int, int], None]
"""Called with the name of the step, and how much of how much is done."""


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
        part = asked.model_copy(update={"seed": asked.seed + done, "count": batch})

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
