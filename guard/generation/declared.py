"""``[[cores]]`` in ``wardmark.toml``: generators of the operator's, by name."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from guard.errors import CoreUnavailable
from guard.generation.core import Core, Domain, Precision, load_core
from guard.generation.hub import COMMIT, HUB_ID
from guard.generation.lora import Lora
from guard.generation.upstream.pictures import UpstreamLimits
from guard.generation.upstream.service import Service
from policies.decision import Frozen
from provenance.errors import HomeInvalid

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]


class LoraFile(Frozen):
    """A LoRA. ``path``: relative to the home. ``weight``: how much of it is added."""

    path: Path
    weight: float = 1.0


class CheckpointCore(Frozen):
    """A diffusers checkpoint: at ``path``, relative to the home, or ``hub`` ("owner/name") at
    the commit ``revision``, which is fetched only if ``fetch``. ``domain``: "closed" only where
    everything that it can draw is known, with its ``loras``. ``device``: "cpu", "cuda", ...; by
    default CUDA if any. ``dtype``: by default bfloat16, and full precision on a CPU."""

    kind: Literal["diffusers"]
    name: Name
    path: Path | None = None
    hub: str | None = Field(default=None, pattern=HUB_ID)
    revision: str | None = Field(default=None, pattern=COMMIT)
    fetch: bool = False
    domain: Domain = "open"
    device: str | None = None
    dtype: Precision | None = None
    loras: tuple[LoraFile, ...] = ()

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("name either the path of a checkpoint, or a hub id and its revision")
        if self.hub is not None and self.revision is None:
            raise ValueError("a hub id needs a revision: the 40 hex digits of a commit")
        if self.hub is None and (self.revision is not None or self.fetch):
            raise ValueError("revision and fetch belong to a hub id")
        return self

    def directory(self, home: Path) -> Path:
        """Where it lies. Raises CoreUnavailable where the hub's model is not to be had."""
        if self.path is not None:
            return home / self.path
        from guard.generation.hub import snapshot

        assert self.hub is not None  # noqa: S101  # checked above
        assert self.revision is not None  # noqa: S101
        return snapshot(self.hub, self.revision, fetch=self.fetch)


class _Upstream(UpstreamLimits):
    """A service at ``url``. ``key_variable``: the environment variable that holds its key.
    ``timeout``: seconds for one answer. ``plain_http``: http is allowed beyond this machine too,
    where the network between is trusted."""

    name: Name
    url: str
    key_variable: str | None = None
    timeout: float = Field(default=120.0, gt=0, le=3600)
    plain_http: bool = False


class OpenAIUpstream(_Upstream):
    """What speaks OpenAI's images API; ``url`` ends in /v1."""

    kind: Literal["openai"]
    model: str
    sends: frozenset[Literal["seed", "steps", "negative_prompt", "guidance"]] = frozenset()
    edits: bool = False
    asks_for_base64: bool = False


class Automatic1111Upstream(_Upstream):
    """Stable Diffusion web UI; ``model``: the checkpoint's name there."""

    kind: Literal["automatic1111"]
    model: str | None = None
    sampler: str | None = None


class ComfyUIUpstream(_Upstream):
    """ComfyUI. ``graph``: the template, relative to the home, with its SHA-256."""

    kind: Literal["comfyui"]
    graph: Path
    graph_sha256: str = Field(pattern="^[0-9a-f]{64}$")


class RayServeApplication(Frozen):
    """An application of Ray Serve (``guard.generation.ray_serve``). ``address``: of the cluster,
    ``host:port``, or ``auto`` for the one that this machine belongs to."""

    kind: Literal["ray-serve"]
    name: Name
    application: str = Field(min_length=1)
    address: str = "auto"


_Service = OpenAIUpstream | Automatic1111Upstream | ComfyUIUpstream
Declared = CheckpointCore | RayServeApplication | _Service
_CORES: TypeAdapter[tuple[Declared, ...]] = TypeAdapter(
    tuple[Annotated[Declared, Field(discriminator="kind")], ...]
)


def declared_cores(tables: Sequence[Mapping[str, Any]]) -> tuple[Declared, ...]:
    """What the settings say. Raises HomeInvalid, naming the table and the field."""
    try:
        cores = _CORES.validate_python(tuple(tables))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise HomeInvalid(f"cores.{place}: {first['msg']}.") from error
    names = [core.name for core in cores]
    double = {name for name in names if names.count(name) > 1}
    if double:
        raise HomeInvalid(f"cores: {', '.join(sorted(double))} is declared twice.")
    return cores


def load_named_core(name: str, tables: Sequence[Mapping[str, Any]], home: Path) -> Core:
    """The core ``name`` of the settings, else as ``load_core``.

    Raises HomeInvalid where it is declared wrongly, CoreUnavailable where it cannot be used. A
    service is not asked before the first picture.
    """
    for core in declared_cores(tables):
        if core.name == name:
            return _loaded(core, home)
    return load_core(name)


def _loaded(core: Declared, home: Path) -> Core:
    if isinstance(core, CheckpointCore):
        from guard.generation.diffusers_core import DiffusersCore

        return DiffusersCore(
            core.directory(home),
            name=core.name,
            domain=core.domain,
            device=core.device,
            dtype=core.dtype,
            loras=[Lora(home / file.path, file.weight) for file in core.loras],
        )
    if isinstance(core, RayServeApplication):
        from guard.generation.ray_serve import RayServeCore

        return RayServeCore(core.name, core.application, core.address)
    try:
        service = Service(
            core.url, key=_key(core), timeout=core.timeout, plain_http=core.plain_http
        )
    except ValueError as error:
        raise HomeInvalid(f"cores: {error}.") from error
    match core:
        case OpenAIUpstream():
            from guard.generation.upstream.openai_images import OpenAIImagesCore

            return OpenAIImagesCore(
                service,
                core.name,
                core.model,
                core,
                sends=frozenset(core.sends),
                edits=core.edits,
                asks_for_base64=core.asks_for_base64,
            )
        case Automatic1111Upstream():
            from guard.generation.upstream.automatic1111 import Automatic1111Core

            return Automatic1111Core(
                service, core.name, core, model=core.model, sampler=core.sampler
            )
        case ComfyUIUpstream():
            return _comfyui(core, service, home)


def _comfyui(core: ComfyUIUpstream, service: Service, home: Path) -> Core:
    from guard.generation.upstream.comfyui import ComfyUICore, load_graph

    file = home / core.graph
    try:
        graph = load_graph(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except (ValueError, OSError) as error:
        raise HomeInvalid(f"cores: {error}.") from error
    if digest != core.graph_sha256:
        raise CoreUnavailable(
            f"{file} is not the graph that was declared: its SHA-256 is {digest}. If you changed"
            " it, declare that."
        )
    return ComfyUICore(service, core.name, graph, core, digest=digest, timeout=core.timeout)


def _key(core: _Upstream) -> str | None:
    if core.key_variable is None:
        return None
    key = os.environ.get(core.key_variable)
    if not key:
        raise CoreUnavailable(f"The key of {core.name} is not in ${core.key_variable}. Set it.")
    return key
