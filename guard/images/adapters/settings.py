"""``[[image_guards]]`` in ``wardmark.toml``: which guards look at pictures, with whose weights."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from guard.assessment import AssessorRef, ImageAssessor
from guard.errors import SafetyUnavailable
from guard.images.adapters.moderations import READS_PICTURES
from guard.images.adapters.sight import Eye, GuardAssessor
from guard.images.calibration import Calibrated, load_calibration
from guard.prompts.adapters.settings import Category, Digest, Threshold
from policies.decision import Frozen
from provenance.errors import HomeInvalid


class _Guard(Frozen):
    """``name``: what decisions call it. ``calibration``: a file of ``wardmark evaluate images``,
    relative to the home."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    threshold: Threshold = 0.5
    calibration: Path | None = None


class _File(_Guard):
    """``path`` is relative to the home: a folder of a checkpoint, or one file."""

    path: Path
    sha256: Digest


class _Onnx(_File):
    """``threads`` of its session; ``provider``: cpu, openvino, tensorrt, cuda or ONNX Runtime's
    own name for one."""

    threads: int = Field(default=1, ge=1, le=64)
    provider: str = "cpu"


class ClassifierGuard(_File):
    """A transformers image classifier (Falconsai's ViT, say). ``labels``: what each means."""

    kind: Literal["classifier"]
    labels: Mapping[str, tuple[Category, ...]]
    activation: Literal["softmax", "sigmoid"] | None = None


class SafetyCheckerGuard(_File):
    """The Stable Diffusion safety checker, by its scores."""

    kind: Literal["safety-checker"]


class ZeroShotGuard(_File):
    """CLIP or SigLIP. ``words``: category -> what a picture of it shows, as the policy says it."""

    kind: Literal["zero-shot"]
    words: Mapping[Category, tuple[str, ...]] = Field(min_length=1)
    harmless: tuple[str, ...] = ()


class ClipHeadGuard(_File):
    """A network on CLIP's embedding (LAION's). ``head``: its safetensors file."""

    kind: Literal["clip-head"]
    head: Path
    head_sha256: Digest
    categories: tuple[Category, ...] = ("sexual",)


class ShieldGemma2Guard(_File):
    """ShieldGemma 2. ``guidelines``: category -> text; without any, its three."""

    kind: Literal["shieldgemma2"]
    guidelines: Mapping[Category, str] = Field(default_factory=dict)


class RaterGuard(_File):
    """LlavaGuard or QwenGuard. ``policy``: a text file; ``categories``: its codes -> ours."""

    kind: Literal["llavaguard", "qwenguard"]
    policy: Path
    categories: Mapping[str, Category] = Field(min_length=1)


class ModerationsGuard(_Guard):
    """An endpoint that speaks /v1/moderations. ``key_variable``: holds its key. Seconds."""

    kind: Literal["moderations"]
    url: str
    model: str | None = None
    key_variable: str | None = None
    categories: tuple[Category, ...] = READS_PICTURES
    timeout: float = Field(default=10.0, gt=0, le=60)
    retries: int = Field(default=2, ge=0, le=5)


class FacesGuard(_File):
    """YuNet; and SFace with ``people``, a folder with a folder of pictures for each person."""

    kind: Literal["faces"]
    recogniser: Path | None = None
    recogniser_sha256: Digest | None = None
    people: Path | None = None


class PossibleFacesGuard(_Guard):
    """scikit-image's cascade (the extra ``faces``), without weights of your own."""

    kind: Literal["possible-faces"]


class NudityGuard(_Guard):
    """NudeNet (AGPL-3.0 weights). Without ``path``, the file of the installed extra."""

    kind: Literal["nudenet"]
    path: Path | None = None
    sha256: Digest
    threads: int = Field(default=1, ge=1, le=64)
    provider: str = "cpu"


class SymbolsGuard(_Guard):
    """The demonstration detector that comes along. It may ask for a person, and covers nothing."""

    kind: Literal["symbols"]
    threads: int = Field(default=1, ge=1, le=64)
    provider: str = "cpu"


Guard = Annotated[
    ClassifierGuard
    | SafetyCheckerGuard
    | ZeroShotGuard
    | ClipHeadGuard
    | ShieldGemma2Guard
    | RaterGuard
    | ModerationsGuard
    | FacesGuard
    | PossibleFacesGuard
    | NudityGuard
    | SymbolsGuard,
    Field(discriminator="kind"),
]
_GUARDS: TypeAdapter[tuple[Guard, ...]] = TypeAdapter(tuple[Guard, ...])


def image_guards_of(declared: Sequence[Mapping[str, Any]], home: Path) -> list[ImageAssessor]:
    """The guards that are declared, loaded and checked, in their order.

    Raises HomeInvalid where a declaration is wrong, and what loading a guard raises.
    """
    try:
        guards = _GUARDS.validate_python([dict(each) for each in declared])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise HomeInvalid(
            f"image_guards in {home / 'wardmark.toml'}: {place}: {first['msg']}. "
            "docs/image-guard.md gives the form."
        ) from error
    names = [guard.name for guard in guards]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise HomeInvalid(f"image_guards: two are named {', '.join(twice)}; name each differently")
    return [_assessor(guard, home) for guard in guards]


def _assessor(guard: Guard, home: Path) -> ImageAssessor:
    told = f"{guard.model_dump_json(exclude={'calibration', 'threads', 'provider'})}"
    digest = hashlib.sha256(told.encode()).hexdigest()  # weights by their declared digests
    ref = AssessorRef(name=guard.name, version=guard.kind, digest=digest)
    assessor: ImageAssessor = GuardAssessor(_eye(guard, home), ref, guard.threshold)
    if guard.calibration is None:
        return assessor
    return Calibrated(assessor, load_calibration(home / guard.calibration))


def _eye(guard: Guard, home: Path) -> Eye:
    match guard:
        case ClassifierGuard():
            from guard.images.adapters.transformer import Classifier

            folder = home / guard.path
            return Classifier(folder, guard.sha256, guard.labels, guard.activation)
        case SafetyCheckerGuard():
            from guard.images.adapters.transformer import SafetyChecker

            return SafetyChecker(home / guard.path, guard.sha256)
        case ZeroShotGuard():
            from guard.images.adapters.transformer import ZeroShot

            return ZeroShot(home / guard.path, guard.sha256, guard.words, guard.harmless)
        case ClipHeadGuard():
            from guard.images.adapters.transformer import ClipHead

            head, digest = home / guard.head, guard.head_sha256
            return ClipHead(home / guard.path, guard.sha256, head, digest, guard.categories)
        case ShieldGemma2Guard():
            from guard.images.adapters.answering import ShieldGemma2

            return ShieldGemma2(home / guard.path, guard.sha256, guard.guidelines)
        case RaterGuard():
            from guard.images.adapters.answering import Rater

            policy = _text(home / guard.policy)
            return Rater(home / guard.path, guard.sha256, policy, guard.categories)
        case ModerationsGuard():
            return _endpoint(guard)
        case FacesGuard():
            return _faces(guard, home)
        case PossibleFacesGuard():
            from guard.images.adapters.possible_faces import PossibleFaces

            return PossibleFaces()
        case NudityGuard():
            from guard.images.adapters.nudity import Nudity

            path = home / guard.path if guard.path else None
            return Nudity(path, guard.sha256, threads=guard.threads, provider=guard.provider)
        case SymbolsGuard():
            from guard.images.symbols import load_symbols

            return load_symbols(threads=guard.threads, provider=guard.provider)


def _endpoint(guard: ModerationsGuard) -> Eye:
    from guard.images.adapters.moderations import Moderations

    key = os.environ.get(guard.key_variable) if guard.key_variable else None
    if guard.key_variable and not key:
        raise SafetyUnavailable(
            f"the key of the guard {guard.name} is not in ${guard.key_variable}; set it"
        )
    try:
        return Moderations(
            guard.url,
            model=guard.model,
            key=key,
            categories=guard.categories,
            threshold=guard.threshold,
            timeout=guard.timeout,
            retries=guard.retries,
        )
    except ValueError as error:
        raise HomeInvalid(f"image_guards: {error}.") from error


def _faces(guard: FacesGuard, home: Path) -> Eye:
    from guard.images.adapters.faces import Faces

    likeness = (guard.recogniser, guard.recogniser_sha256, guard.people)
    if any(likeness) and not all(likeness):
        raise HomeInvalid(
            f"image_guards: {guard.name} needs all of recogniser, recogniser_sha256 and people to "
            "find likenesses, or none of them"
        )
    return Faces(
        home / guard.path,
        guard.sha256,
        home / guard.recogniser if guard.recogniser else None,
        guard.recogniser_sha256 or "",
        home / guard.people if guard.people else None,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SafetyUnavailable(f"{path} cannot be read: {error}; put it there") from error
