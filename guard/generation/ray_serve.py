"""Cores on Ray Serve: replicas of one core on the machines of a cluster, behind its protocol.

Where the GPUs are, once:

    serve run guard.generation.ray_serve:application --name scenes core=scenes replicas=4 gpus=1

and in the gateway's ``wardmark.toml``, on a machine that belongs to the cluster:

    [[cores]]
    kind = "ray-serve"
    name = "scenes-on-ray"
    application = "scenes"

What gathers requests is the gateway's batcher; Ray Serve spreads batches and replaces replicas that
died. A batch whose replica dies is CoreUnavailable and not drawn again behind the caller's back.
"""

import asyncio
import logging
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any, Final

from pydantic import Field

from datasets_audit.errors import EngineUnavailable
from datasets_audit.ray_cluster import connect, import_ray
from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled
from guard.generation.core import (
    EMBEDDED,
    Core,
    CoreInfo,
    GenerationRequest,
    Progress,
    load_core,
)
from policies.decision import Frozen
from policies.errors import WardmarkError
from provenance.picture import Pixels

ONGOING: Final = 2  # batches of a replica: one is drawn, the next is there when it is done
ANSWERS_WITHIN: Final = 60.0  # seconds for an application to say what it is; it may be starting


class Placement(Frozen):
    """How a core is spread. ``core``: a name or a directory, on every machine. ``gpus`` and
    ``cpus``: of each replica."""

    core: str = EMBEDDED
    replicas: int = Field(default=1, ge=1)
    gpus: float = Field(default=0.0, ge=0)
    cpus: float = Field(default=1.0, gt=0)


def application(placement: Placement) -> Any:
    """What ``serve run`` and ``serve.run`` take."""
    return deployed(partial(load_core, placement.core), placement)


def deployed(load: Callable[[], Core], placement: Placement) -> Any:
    """An application whose replicas hold what ``load`` gives."""
    deployment = _serve().deployment(
        name="core",
        num_replicas=placement.replicas,
        max_ongoing_requests=ONGOING,
        ray_actor_options={"num_cpus": placement.cpus, "num_gpus": placement.gpus},
    )
    return deployment(Replica).bind(load)


class Replica:
    """A core in a process of Ray Serve."""

    def __init__(self, load: Callable[[], Core]) -> None:
        self._core = load()

    async def info(self) -> CoreInfo:
        """Which core this is."""
        return await asyncio.to_thread(lambda: self._core.info)

    async def draw(
        self, digest: str, requests: Sequence[GenerationRequest]
    ) -> AsyncIterator[tuple[int, int] | list[list[Pixels]]]:
        """Each step (done, in all), and at last the pictures. Ends early when it is cancelled.

        ``digest``: of the core that the caller knows. Raises CoreUnavailable for another one.
        """
        if (await self.info()).digest != digest:
            raise CoreUnavailable(
                "The core on Ray Serve was exchanged for another. Start the gateway again, so that "
                "its policy is held against what draws now."
            )
        loop, told, left = asyncio.get_running_loop(), asyncio.Queue[Any](), threading.Event()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(told.put_nowait, (done, total))

        drawing = asyncio.create_task(
            asyncio.to_thread(
                self._core.generate_batch, requests, progress=progress, cancelled=left.is_set
            )
        )
        drawing.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (step := await told.get()) is not None:
                yield step
            yield await drawing
        finally:
            left.set()  # whoever asked is gone, or has everything


class RayServeCore(Core):
    """The application of that name on a cluster. Safe to call from several threads."""

    def __init__(self, name: str, application: str, address: str = "auto") -> None:
        """Ask the application what it draws. Raises CoreUnavailable where none answers."""
        self._name = name
        serve = _connected(address)
        try:
            self._handle = serve.get_app_handle(application)
            info = self._handle.info.remote().result(timeout_s=ANSWERS_WITHIN)
        except Exception as error:
            raise _unavailable(name, error) from error
        self._digest = info.digest
        # Whoever is asked for pictures there cannot be watched.
        self._info: CoreInfo = info.model_copy(update={"name": name, "shows_words": False})

    @property
    def info(self) -> CoreInfo:
        """As the application said when the gateway began; ``draw`` refuses where it changed."""
        return self._info

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """Draw on a replica; see ``Core.generate_batch``. Raises CoreUnavailable when it dies."""
        self._info.check_batch(requests)
        _stop_if(cancelled)
        answers = self._handle.options(stream=True).draw.remote(self._digest, list(requests))
        try:
            for answer in answers:
                if isinstance(answer, list):
                    return answer
                _stop_if(cancelled, answers.cancel)
                if progress is not None:
                    progress(*answer)
        except WardmarkError:
            raise
        except Exception as error:
            cause = getattr(error, "cause", None)  # what the core itself raised, over there
            if isinstance(cause, WardmarkError):
                raise cause from error
            raise _unavailable(self._name, error) from error
        raise CoreFailed(f"{self._name!r} ended without a picture.")


def _stop_if(
    cancelled: Callable[[], bool] | None, stop: Callable[[], object] = lambda: None
) -> None:
    if cancelled is not None and cancelled():
        stop()
        raise GenerationCancelled


def _unavailable(name: str, error: Exception) -> CoreUnavailable:
    return CoreUnavailable(
        f"{name!r} on Ray Serve does not answer ({type(error).__name__}). Look at it with: serve "
        "status. A replica that died is replaced by itself; try again."
    )


def _connected(address: str) -> ModuleType:
    """Ray Serve on the cluster at ``address``. Raises CoreUnavailable."""
    try:
        if not import_ray().is_initialized():
            connect(address)
    except EngineUnavailable as error:
        raise CoreUnavailable(str(error)) from error
    return _serve()


def _serve() -> ModuleType:
    try:
        with warnings.catch_warnings():
            # Of how Ray Serve calls pydantic and FastAPI; nothing of ours can change that.
            warnings.simplefilter("ignore", DeprecationWarning)
            from ray import serve
    except ImportError as error:
        raise CoreUnavailable(
            "Ray Serve is missing; run: pip install 'wardmark[ray]'"
        ) from error
    for chatty in ("ray", "ray.serve"):
        with suppress(ValueError):
            logging.getLogger(chatty).setLevel(logging.ERROR)
    found: ModuleType = serve
    return found
