"""What a validator objects to, said in words at a place in the text. Pure."""

from reprlib import repr  # shortens what may be a whole document
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from policies.errors import Problem
from policies.fields import nearest
from policies.language import All, AnyOf, Comparison, Rule, Service
from policies.source import Source
from policies.written import Changes, Override, PolicyFile

Model = TypeVar("Model", bound=BaseModel)

_KEYS = frozenset({"not"}).union(
    *(
        model.model_fields
        for model in (PolicyFile, Service, Override, Changes, Rule, All, AnyOf, Comparison)
    )
)


def model_of(model: type[Model], source: Source) -> Model:
    """``source`` as ``model``. Raises PolicyInvalid with every fault and its place."""
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        faults = [fault for fault in error.errors(include_url=False) if not _follows(fault)]
        raise source.invalid([_problem(fault, source) for fault in faults]) from error


def _follows(fault: ErrorDetails) -> bool:
    """Only the echo of another fault: a list is too short for lack of the items that failed."""
    return fault["type"] == "too_short" and bool(fault["input"])


def _problem(fault: ErrorDetails, source: Source) -> Problem:
    path = (*fault["loc"], *fault.get("ctx", {}).get("at", ()))
    unknown_key = fault["type"] == "extra_forbidden"
    return Problem(*source.place(path, of_key=unknown_key), _said(fault))


def _said(fault: ErrorDetails) -> str:
    key, given, kind = (fault["loc"] or ("document",))[-1], repr(fault["input"]), fault["type"]
    if kind == "extra_forbidden":
        return f"unknown key {key!r}{nearest(str(key), _KEYS)}"
    if kind == "missing":
        return f"the key {key!r} is missing"
    if kind in ("enum", "literal_error"):
        return f"{key} is {given}; it must be {fault['ctx']['expected']}"
    if kind == "too_short":
        return f"{key} is empty; an empty list means nothing, so name at least one"
    if kind == "string_pattern_mismatch":
        return f"{key} is {given}, which does not match {fault['ctx']['pattern']}"
    if kind == "string_type":
        return f"{key} must be a text, not {given}; put it in quotes"
    if kind in ("meaning", "clause_shape"):
        return fault["msg"]
    said = fault["msg"]
    return f"{key}: {said[0].lower()}{said[1:]}"
