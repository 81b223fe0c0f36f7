"""ComfyUI, by graphs that the operator allows: a graph is code, so none comes with a request.

A template is a graph in ComfyUI's API format. A value that is exactly one of PLACEHOLDERS is filled
in; nothing else is touched, so no prompt can change what the graph does.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled
from guard.generation.core import Core, CoreInfo, GenerationRequest, Progress
from guard.generation.upstream.pictures import (
    UpstreamLimits,
    check_status,
    info_of,
    mapping,
    picture,
)
from guard.generation.upstream.service import Service
from provenance.picture import Pixels

PLACEHOLDERS: Final = (
    "{prompt}",
    "{negative_prompt}",
    "{seed}",
    "{width}",
    "{height}",
    "{steps}",
    "{guidance}",
)
NEEDED: Final = frozenset({"{prompt}", "{seed}", "{width}", "{height}"})
LOOK_EVERY: Final = 0.25  # seconds

Graph = Mapping[str, Any]


class ComfyUICore(Core):
    """Draws by one ``graph``; each picture by itself, since there a batch has one seed."""

    def __init__(
        self,
        service: Service,
        name: str,
        graph: Graph,
        limits: UpstreamLimits,
        *,
        digest: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``digest``: of the template's file. ``timeout``: seconds for one picture."""
        self._service, self._graph, self._timeout = service, graph, timeout
        self._clock, self._sleep = clock, sleep
        self._info = info_of(name, service.url, digest, limits)

    @property
    def info(self) -> CoreInfo:
        """See Core."""
        return self._info

    def generate_batch(
        self,
        requests: Sequence[GenerationRequest],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[list[Pixels]]:
        """See Core."""
        self.info.check_batch(requests)
        total = sum(request.count for request in requests)
        drawn: list[list[Pixels]] = []
        done = 0
        for request in requests:
            drawn.append([])
            for single in request.singles:
                drawn[-1].append(self._draw(single, cancelled))
                done += 1
                if progress is not None:
                    progress(done, total)
        return drawn

    def _draw(self, request: GenerationRequest, cancelled: Callable[[], bool] | None) -> Pixels:
        body = {"prompt": filled(self._graph, request)}
        # Not given up half way: a graph whose number is not known cannot be taken back.
        answer = self._service.post("/prompt", json=body)
        if answer.status == 400:
            raise CoreFailed(
                f"{answer.host} cannot run the graph of {self.info.name!r}: a node or model that it"
                " names is not there."
            )
        check_status(answer)
        number = mapping(answer.json(), answer.host).get("prompt_id")
        if not isinstance(number, str):
            raise CoreFailed(f"{answer.host} took the graph without a number.")
        made = self._waited_for(number, cancelled)
        fetched = self._service.get("/view", made)
        check_status(fetched)
        return picture(fetched.content, fetched.host, request)

    def _waited_for(self, number: str, cancelled: Callable[[], bool] | None) -> dict[str, str]:
        """Where the picture lies, once it is drawn."""
        until = self._clock() + self._timeout
        while True:
            if cancelled is not None and cancelled():
                self._stop(number)
                raise GenerationCancelled
            answer = self._service.get(f"/history/{number}")
            check_status(answer)
            entry = mapping(answer.json(), answer.host).get(number)
            if entry is not None:
                return _place(mapping(entry, answer.host), answer.host)
            if self._clock() > until:
                self._stop(number)
                raise CoreUnavailable(
                    f"{self._service.host} drew nothing within {self._timeout:g} s. Raise its"
                    " timeout, or ask for less."
                )
            self._sleep(LOOK_EVERY)

    def _stop(self, number: str) -> None:
        """Out of the queue, or interrupted where it has begun; others' work goes on."""
        self._service.tell("/queue", json={"delete": [number]})
        self._service.tell("/interrupt", json={"prompt_id": number})


def load_graph(file: Path) -> Graph:
    """A template. Raises ValueError where it is none, or leaves out what must be filled in."""
    try:
        graph = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ValueError(f"{file} is no graph in JSON ({error})") from error
    nodes = graph.values() if isinstance(graph, dict) else ()
    if not nodes or not all(isinstance(node, dict) and "class_type" in node for node in nodes):
        raise ValueError(f"{file} is no graph in ComfyUI's API format; export it with 'Save (API)'")
    missing = NEEDED - set(_texts(graph))
    if missing:
        raise ValueError(
            f"{file} leaves out {', '.join(sorted(missing))}: put each in the place of a value"
        )
    known: Graph = graph
    return known


def filled(graph: Graph, request: GenerationRequest) -> Graph:
    """``graph`` with the values of ``request``."""
    asked = (
        request.prompt,
        request.negative_prompt,
        request.seed,
        request.width,
        request.height,
        request.steps,
        request.guidance,
    )
    values = dict(zip(PLACEHOLDERS, asked, strict=True))

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [fill(inner) for inner in value]
        return values.get(value, value) if isinstance(value, str) else value

    whole: Graph = fill(graph)
    return whole


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _place(entry: Mapping[str, Any], host: str) -> dict[str, str]:
    outputs = mapping(entry.get("outputs"), host)
    for node in outputs.values():
        images = mapping(node, host).get("images")
        for image in images if isinstance(images, list) else ():
            said = mapping(image, host)
            if said.get("type") == "output":
                names = ("filename", "subfolder", "type")
                return {name: str(said.get(name, "")) for name in names}
    raise CoreFailed(f"{host} ran the graph and made no picture; a node of it failed.")
