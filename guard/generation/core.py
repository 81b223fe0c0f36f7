"""What a generator of pictures is: the port, and the values that go in and come out.

    generate_batch(requests, *, progress=None, cancelled=None) -> list[list[Pixels]]
    generate(request, *, progress=None, cancelled=None) -> list[Pixels]     # a batch of one

Requests of one `batch_key`, of `max_batch` pictures together, can be drawn in one batch. Each
picture comes of its own seed, so that it is the same, within rounding, alone and in any batch.
A request with an `original` changes that picture instead of beginning with noise alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, InstanceOf

from guard.errors import CoreUnavailable, InvalidRequest
from guard.generation.noise_mark import NoiseMark
from guard.generation.word_maps import WordMap
from policies.decision import Frozen
from provenance.picture import Pixels

Progress = Callable[[int, int], None]
"""(steps done, steps in all)."""

Domain = Literal["open", "closed"]
Precision = Literal["float32", "bfloat16", "float16"]

EMBEDDED: Final = "scenes"
SEED_LIMIT: Final = 2**63  # seeds are what torch's generators take
LOOK_SECONDS: Final = 0.05  # between two looks at `cancelled` of a request that waits


class Limits(Frozen):
    """Limits and defaults of a generator; sides in pixels."""

    version: str = "1"
    default_width: int = Field(gt=0)
    default_height: int = Field(gt=0)
    size_multiple: int = Field(gt=0)
    min_side: int = Field(gt=0)
    max_side: int = Field(gt=0)
    default_steps: int = Field(gt=0)
    max_steps: int = Field(gt=0)
    max_batch: int = Field(gt=0)
    default_guidance: float = Field(ge=0.0)
    default_strength: float = Field(default=0.8, gt=0.0, le=1.0)  # of an edit of a whole picture


class CoreInfo(Limits):
    """Which generator this is, and its limits.

    `domain`: "closed" where everything that it can draw is known, "open" where anything may come
    out. `digest`: SHA-256 (hex) over its weights and settings, file by file. `edits`: it changes
    pictures as a whole; `inpaints`: it changes the masked part of one. `batches`: several requests
    are drawn in less time together than one after the other. ``marks_noise``: pictures can begin
    with marked noise (``guard.generation.noise_mark``). ``shows_words``: it has ``word_maps``.
    """

    name: str
    domain: Domain
    digest: str
    edits: bool = False
    inpaints: bool = False
    batches: bool = True
    marks_noise: bool = False
    shows_words: bool = False

    def request(self, prompt: str, *, seed: int) -> GenerationRequest:
        """One picture of ``prompt`` with this core's own size, steps and guidance."""
        return GenerationRequest(
            prompt=prompt,
            width=self.default_width,
            height=self.default_height,
            steps=self.default_steps,
            guidance=self.default_guidance,
            seed=seed,
        )

    def check(self, request: GenerationRequest) -> None:
        """Raise InvalidRequest, naming the limit, if this core cannot draw what is asked for."""
        self.check_size(request.width, request.height)
        if not 1 <= request.steps <= self.max_steps:
            raise InvalidRequest(
                f"{request.steps} steps: {self.name!r} takes from 1 to {self.max_steps}."
            )
        if not 1 <= request.count <= self.max_batch:
            raise InvalidRequest(
                f"{request.count} pictures at once: {self.name!r} draws from 1 to {self.max_batch}."
            )
        if not 0 <= request.seed <= SEED_LIMIT - self.max_batch:
            raise InvalidRequest("The seed must lie from 0 to 2**63 less the batch.")
        if request.noise is not None:
            self._check_noise(request, request.noise)
        if request.original is not None:
            self._check_original(request, request.original)

    def check_size(self, width: int, height: int) -> None:
        """Raise InvalidRequest, naming the limit, for a size in pixels that it does not draw."""
        for side, pixels in (("width", width), ("height", height)):
            if not self.min_side <= pixels <= self.max_side or pixels % self.size_multiple:
                raise InvalidRequest(
                    f"The {side} of {pixels} px is not one that {self.name!r} draws: take a "
                    f"multiple of {self.size_multiple} from {self.min_side} to {self.max_side}."
                )

    def _check_noise(self, request: GenerationRequest, noise: MarkedNoise) -> None:
        if not self.marks_noise or request.original is not None:
            raise InvalidRequest(
                f"{self.name!r} does not mark the noise of this picture; leave the mark out."
            )
        if len(noise.payloads) != request.count:
            raise InvalidRequest(
                f"{len(noise.payloads)} payloads for {request.count} pictures: give each its own."
            )

    def _check_original(self, request: GenerationRequest, original: Original) -> None:
        if not (self.edits if original.mask is None else self.inpaints):
            what = "edit pictures" if original.mask is None else "edit a part of a picture"
            raise InvalidRequest(f"{self.name!r} does not {what}; choose a core that does.")
        shape = (request.height, request.width)
        if original.pixels.shape != (*shape, 3) or original.pixels.dtype != np.uint8:
            raise InvalidRequest(
                f"The picture to edit must be {(*shape, 3)} uint8, it is {original.pixels.shape} "
                f"{original.pixels.dtype}."
            )
        mask = original.mask
        if mask is not None and (mask.shape != shape or mask.dtype != np.bool_):
            raise InvalidRequest(f"The mask must be {shape} bool, it is {mask.shape} {mask.dtype}.")
        if mask is not None and not mask.any():
            raise InvalidRequest("The mask is empty: mark the part of the picture to change.")
        if not 0.0 < original.strength <= 1.0:
            raise InvalidRequest(
                f"A strength of {original.strength}: take one above 0, where nothing changes, to 1."
            )
        if int(request.steps * original.strength) < 1:
            raise InvalidRequest(
                f"A strength of {original.strength} of {request.steps} steps leaves none to draw; "
                f"take one of {1 / request.steps:.3g} or more, or more steps."
            )

    def check_batch(self, requests: Sequence[GenerationRequest]) -> None:
        """Raise InvalidRequest if these cannot be drawn, or not in one batch."""
        if not requests:
            raise InvalidRequest("There is nothing to draw: a batch holds at least one request.")
        for request in requests:
            self.check(request)
        if len({request.batch_key for request in requests}) > 1:
            raise InvalidRequest(
                "One batch draws requests of one size, steps, guidance and strength, all or none "
                "with a negative prompt, an original, a mask and marked noise; ask for the others "
                "apart."
            )
        count = sum(request.count for request in requests)
        if count > self.max_batch:
            raise InvalidRequest(
                f"{count} pictures in one batch: {self.name!r} draws at most {self.max_batch}."
            )


@dataclass(frozen=True, eq=False)
class Original:
    """The picture that an edit begins with.

    `pixels`: (height, width, 3) uint8 RGB, of the size asked for. `mask`: (height, width) bool,
    True where it is to be changed; every other pixel stays as it is. None: the whole may change.
    `strength`: above 0 to 1, the share of the steps that is drawn; at 1 next to nothing of what
    lies in the mask is kept.
    """

    pixels: Pixels = field(repr=False)
    mask: NDArray[np.bool_] | None = field(repr=False)
    strength: float


@dataclass(frozen=True)
class MarkedNoise:
    """What the noise that pictures begin with carries: ``payloads``, one of 8 bytes for each."""

    mark: NoiseMark
    payloads: tuple[bytes, ...]


class GenerationRequest(Frozen):
    """One call of a core. Picture i of `count` is drawn from seed + i, so each stands alone."""

    prompt: str
    negative_prompt: str = ""
    width: int  # pixels
    height: int  # pixels
    steps: int
    guidance: float = Field(ge=0.0, le=50.0, allow_inf_nan=False)  # 1: the prompt unamplified
    seed: int
    count: int = 1
    original: InstanceOf[Original] | None = None
    noise: InstanceOf[MarkedNoise] | None = None

    @property
    def batch_key(self) -> Hashable:
        """What requests must share to be drawn in one batch."""
        # Flux takes another way through its network where there is a negative prompt.
        negated = bool(self.negative_prompt)
        asked = (self.width, self.height, self.steps, self.guidance, negated, self.noise is None)
        edit = self.original
        return asked if edit is None else (*asked, edit.strength, edit.mask is None)

    @property
    def singles(self) -> list[GenerationRequest]:
        """The request as one for each of its pictures."""
        return [self.part(number, 1) for number in range(self.count)]

    def part(self, first: int, count: int) -> GenerationRequest:
        """The request for ``count`` of its pictures, from number ``first``."""
        update: dict[str, Any] = {"seed": self.seed + first, "count": count}
        if self.noise is not None:
            payloads = self.noise.payloads[first : first + count]
            update["noise"] = MarkedNoise(self.noise.mark, payloads)
        return self.model_copy(update=update)


class Core(Protocol):
    """A generator. Safe to call from several threads."""

    @property
    def info(self) -> CoreInfo:
        """Name, limits and digest; never loads the weights into memory."""
        ...

    def load(self) -> None:
        """Have the weights in memory, so that the first request does not wait for them; nothing
        where they lie elsewhere. Raises CoreUnavailable."""
        return

    def close(self) -> None:
        """Give back what outlives a request, when nothing more is asked; by default nothing is."""
        return

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """Draw all `requests` in one run: for each, in their order, its `count` pictures.

        Each picture is (height, width, 3) uint8 RGB. `progress` and `cancelled` are of the run as
        a whole; `cancelled` is asked at each step. Raises InvalidRequest (outside the limits, or
        not of one `batch_key`), CoreFailed (broke, or drew no picture), CoreUnavailable (cannot be
        loaded) and GenerationCancelled; nothing half-made is ever returned.
        """
        ...

    def generate(
        self,
        request: GenerationRequest,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Pixels]:
        """Draw one request, as a batch of one. Raises as `generate_batch`."""
        return self.generate_batch([request], progress=progress, cancelled=cancelled)[0]


    def word_maps(
        self,
        request: GenerationRequest,
        *,
        progress: Progress | None = None,  # noqa: ARG002
        cancelled: Callable[[], bool] | None = None,  # noqa: ARG002
    ) -> tuple[WordMap, ...]:
        """Where each word of the prompt had its say: draws the one picture of ``request`` again.

        Raises InvalidRequest where the core does not show it, else as `generate`.
        """
        self.info.check(request)
        raise InvalidRequest(
            f"{self.info.name!r} shows no maps of words: it draws elsewhere, or with a transformer "
            "in place of a UNet; leave them out."
        )


def load_core(name_or_directory: str | Path) -> Core:
    """The core of that name: "scenes" is the embedded one, else a local diffusers directory.

    The name of a hub's model is never looked up: the settings name one, at a commit, or nobody
    does (``guard.generation.hub``). Raises CoreUnavailable.
    """
    from guard.generation.diffusers_core import DiffusersCore

    if name_or_directory == EMBEDDED:
        from guard.generation.embedded import load_embedded

        return load_embedded()
    directory = Path(name_or_directory).expanduser()
    if not directory.is_dir():
        raise CoreUnavailable(
            f"There is no core named {str(name_or_directory)!r}, and no directory of that name. "
            f"Use {EMBEDDED!r}, the path of a checkpoint, or a name that the settings give: a model"
            " of a hub has to be declared there, with its commit (docs/cores.md)."
        )
    return DiffusersCore(directory)
