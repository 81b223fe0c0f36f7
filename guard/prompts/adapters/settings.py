"""``[[prompt_guards]]`` in ``wardmark.toml``: which guards assess prompts, and with what weight."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from guard.assessment import PromptAssessor
from guard.errors import SafetyUnavailable
from guard.prompts.adapters.ensemble import Ensemble, Member
from guard.prompts.adapters.languages import OnlyLanguages
from guard.prompts.adapters.verdict import Family
from policies.categories import CATEGORIES
from policies.decision import Frozen
from provenance.errors import HomeInvalid

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _is_ours(category: str) -> str:
    if category not in CATEGORIES:
        raise ValueError(f"{category!r} is none of {', '.join(CATEGORIES)}")
    return category


Category = Annotated[str, AfterValidator(_is_ours)]
Threshold = Annotated[float, Field(gt=0, lt=1)]


class _Guard(Frozen):
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class _Checkpoint(_Guard):
    """``path`` is relative to the home. ``languages``: that it reads, as BCP 47; empty is all."""

    path: Path
    sha256: Digest
    languages: tuple[str, ...] = ()
    threshold: Threshold = 0.5


class EmbeddedGuard(_Guard):
    """The assessor that comes with Wardmark. Only there where it is listed.

    ``people``, ``marks``: the operator's lists of names (``guard.prompts.names``), relative to the
    home.
    """

    kind: Literal["embedded"]
    people: Path | None = None
    marks: Path | None = None


class ClassifierGuard(_Checkpoint):
    """A transformers sequence classifier."""

    kind: Literal["classifier"]
    labels: Mapping[str, tuple[Category, ...]]
    activation: Literal["softmax", "sigmoid"] | None = None


class GenerativeGuard(_Checkpoint):
    """A guard that answers in words. ``guidelines``: category -> text, for ShieldGemma."""

    kind: Literal["generative"]
    family: Family
    guidelines: Mapping[Category, str] = Field(default_factory=dict)


class ModerationsGuard(_Guard):
    """An endpoint that speaks /v1/moderations. ``key_variable``: holds its key. Seconds."""

    kind: Literal["moderations"]
    url: str
    model: str | None = None
    key_variable: str | None = None
    threshold: Threshold = 0.5
    timeout: float = Field(default=5.0, gt=0, le=60)
    retries: int = Field(default=2, ge=0, le=5)


Guard = Annotated[
    EmbeddedGuard | ClassifierGuard | GenerativeGuard | ModerationsGuard,
    Field(discriminator="kind"),
]
_GUARDS: TypeAdapter[tuple[Guard, ...]] = TypeAdapter(tuple[Guard, ...])


def guards_of(
    declared: Sequence[Mapping[str, Any]], home: Path, embedded: Callable[[], PromptAssessor]
) -> PromptAssessor:
    """The one guard that is declared, or an ensemble of several; ``embedded`` where there is none.

    Raises HomeInvalid where the declaration is wrong, and what loading a guard raises.
    """
    try:
        guards = _GUARDS.validate_python([dict(each) for each in declared])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise HomeInvalid(
            f"prompt_guards in {home / 'wardmark.toml'}: {place}: {first['msg']}. "
            "docs/prompt-guard.md gives the form."
        ) from error
    if not guards:
        return embedded()
    members = [Member(_reading(each, home, embedded), each.weight) for each in guards]
    return members[0].assessor if len(members) == 1 else Ensemble(members)


def _reading(guard: Guard, home: Path, embedded: Callable[[], PromptAssessor]) -> PromptAssessor:
    loaded = _loaded(guard, home, embedded)
    if isinstance(guard, _Checkpoint) and guard.languages:
        return OnlyLanguages(loaded, guard.languages, embedded())
    return loaded


def _loaded(guard: Guard, home: Path, embedded: Callable[[], PromptAssessor]) -> PromptAssessor:
    match guard:
        case EmbeddedGuard(people=None, marks=None):
            return embedded()
        case EmbeddedGuard():
            from guard.prompts import load_assessor

            lists = {"people": guard.people, "marks": guard.marks}
            return load_assessor(**{name: home / path for name, path in lists.items() if path})
        case ClassifierGuard():
            from guard.prompts.adapters.classifier import ClassifierAssessor

            return ClassifierAssessor(
                home / guard.path,
                sha256=guard.sha256,
                labels=guard.labels,
                threshold=guard.threshold,
                activation=guard.activation,
            )
        case GenerativeGuard():
            from guard.prompts.adapters.generative import GenerativeAssessor

            return GenerativeAssessor(
                home / guard.path,
                guard.family,
                sha256=guard.sha256,
                threshold=guard.threshold,
                guidelines=guard.guidelines,
            )
        case ModerationsGuard():
            return _endpoint(guard)


def _endpoint(guard: ModerationsGuard) -> PromptAssessor:
    from guard.prompts.adapters.moderations import ModerationsAssessor

    key = os.environ.get(guard.key_variable) if guard.key_variable else None
    if guard.key_variable and not key:
        raise SafetyUnavailable(
            f"The key of the guard at {guard.url} is not in ${guard.key_variable}. Set it."
        )
    try:
        return ModerationsAssessor(
            guard.url,
            model=guard.model,
            key=key,
            threshold=guard.threshold,
            timeout=guard.timeout,
            retries=guard.retries,
        )
    except ValueError as error:
        raise HomeInvalid(f"prompt_guards: {error}.") from error
