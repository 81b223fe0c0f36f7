"""Reasons as sentences. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from policies.decision import Because
from policies.fields import FIELDS, NOT_ASSESSED, SCORE_PREFIX

_STAGES: Final[Mapping[str, str]] = {
    "prompt": "The prompt",
    "input_image": "The picture that was sent in",
    "input_image_redacted": "The picture that was sent in, after redaction",
    "image": "The picture",
    "image_redacted": "The picture after redaction",
}

_RELATIONS: Final[Mapping[str, str]] = {
    ">=": "which is {limit} or more",
    ">": "which is more than {limit}",
    "<=": "which is {limit} or less",
    "<": "which is less than {limit}",
    "==": "as the rule names it",
    "!=": "and not {limit}",
    "in": "which is one of: {limit}",
    "not_in": "which is none of: {limit}",
    "contains": "among which is {limit}",
    "not_contains": "among which is not {limit}",
    "contains_any": "among which is one of: {limit}",
    "contains_none": "among which is none of: {limit}",
}
_COMMITMENT: Final = 64  # hexadecimal digits


def category(name: str) -> str:
    """A category as people read it."""
    return name.replace("_", " ")


def stage(name: str) -> str:
    """A stage as people read it, by its name in a decision or in a replay."""
    plain = name.removesuffix("_stage")
    return _STAGES.get(plain, category(plain))


def because(clause: Because) -> str:
    """One clause that held, as a sentence."""
    subject = _subject(clause.field)
    if clause.value is None:
        return f"{subject} is not known, and the rule fires where it is not known."
    if clause.op in ("is_true", "is_false"):
        holds = clause.op == "is_true"
        return f"{subject}: {'yes' if holds else 'no'}."
    relation = _RELATIONS[clause.op].format(limit=_said(clause.limit, clause.field))
    verb = "are" if clause.field == NOT_ASSESSED else "is"
    return f"{subject} {verb} {_said(clause.value, clause.field)}, {relation}."


def _subject(field: str) -> str:
    if field == f"{SCORE_PREFIX}unsafe":
        return "The probability that anything unsafe applies"
    if field.startswith(SCORE_PREFIX):
        return f"The probability of {category(field.removeprefix(SCORE_PREFIX))}"
    known = FIELDS.get(field)
    meaning = known.meaning if known else field
    return meaning[:1].upper() + meaning[1:]


def _said(value: Any, field: str) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(_said(one, field) for one in value) or "nothing"
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    if len(text) == _COMMITMENT and field in ("caller.tenant", "qr.host"):
        return "a text that stands here as a commitment only"
    return category(text) if field == NOT_ASSESSED else text
