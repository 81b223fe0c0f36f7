"""Statements that a person wrote: the JSON that c2patool calls a manifest definition. Pure.

    {"title": "Harbour", "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [
        {"action": "c2pa.created", "digitalSourceType": "http://cv.iptc.org/newscodes/..."}]}}]}

``title`` and ``assertions`` count. Who signs, the binding, the thumbnail and ingredients are
written for you; other fields of c2patool's (claim_generator, format, alg, ...) are not read.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from provenance.credential.manifest import (
    CREATED,
    OPENED,
    PLACED,
    SOFT_BINDING,
    Map,
    Statements,
)
from provenance.errors import StatementsInvalid

MAX_BYTES: Final = 256 * 1024
ACTIONS: Final = ("c2pa.actions", "c2pa.actions.v2")
WRITTEN_FOR_YOU: Final = re.compile(
    r"c2pa\.(hash|ingredient|thumbnail|claim|signature|assertions|certificate-status|time-stamp)"
    r"|org\.wardmark\.ledger"
)
NEED_INGREDIENTS: Final = (OPENED, PLACED, "c2pa.removed", "c2pa.redacted")
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class _Assertion(BaseModel):
    label: Label
    data: dict[str, Any]


class _Definition(BaseModel):
    model_config = ConfigDict(extra="ignore")

    title: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "Signed image"
    assertions: list[_Assertion] = Field(default_factory=list, max_length=100)
    ingredients: list[Any] = Field(default_factory=list, max_length=0)


def parse_definition(text: bytes) -> Statements:
    """The statements in a definition. Raises StatementsInvalid, saying what cannot be signed."""
    if len(text) > MAX_BYTES:
        raise StatementsInvalid(f"a definition has at most {MAX_BYTES} bytes, this one {len(text)}")
    try:
        stated = _Definition.model_validate(json.loads(text))
    except (ValueError, RecursionError, ValidationError) as error:
        raise StatementsInvalid(
            f"the definition cannot be read: {error}. It is a JSON object with title and"
            ' assertions, each {"label": ..., "data": {...}}; ingredients are taken from the'
            " picture itself"
        ) from error
    actions: list[Map] = []
    assertions: dict[str, Map] = {}
    for assertion in stated.assertions:
        label = assertion.label
        if WRITTEN_FOR_YOU.match(label):
            raise StatementsInvalid(f"{label} is written for you; leave it out of the definition")
        if label in ACTIONS:
            actions.extend(_actions(assertion.data))
        elif label in assertions:
            raise StatementsInvalid(f"{label} stands twice; state it once")
        else:
            data = assertion.data
            assertions[label] = _binary(data) if label == SOFT_BINDING else data
    return Statements(title=stated.title, actions=tuple(actions), assertions=assertions)


def creates(stated: Statements) -> bool:
    """Whether it states that the picture was made from nothing."""
    return any(action["action"] == CREATED for action in stated.actions)


def source_type(stated: Statements) -> str | None:
    """The first digital source type among the actions."""
    found = (action.get("digitalSourceType") for action in stated.actions)
    return next((said for said in found if isinstance(said, str)), None)


def _actions(data: Mapping[str, Any]) -> Iterator[Map]:
    listed = data.get("actions")
    if not isinstance(listed, list) or not listed:
        raise StatementsInvalid("an actions assertion holds a list of actions")
    for action in listed:
        name = action.get("action") if isinstance(action, dict) else None
        if not isinstance(name, str) or not name:
            raise StatementsInvalid('each action is an object with a name: {"action": ...}')
        if name in NEED_INGREDIENTS:
            raise StatementsInvalid(
                f"{name} names an ingredient, which a definition cannot; what the picture itself"
                " carries is opened for you"
            )
        yield action


def _binary(data: Mapping[str, Any]) -> Map:
    """A soft binding, whose values are base64 in JSON, with the bytes that CBOR wants."""
    try:
        blocks = [
            {**block, "value": base64.b64decode(block["value"], validate=True)}
            for block in data["blocks"]
        ]
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise StatementsInvalid(
            f"{SOFT_BINDING} holds blocks, each with a value in base64"
        ) from error
    return {**data, "blocks": blocks, "pad": b""}
