"""Labelled prompts: JSON lines ``{"text", "unsafe", "categories"?, "source"?}``, also gzipped."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from guard.errors import InvalidRequest
from guard.pipeline.admit import check_text
from policies.errors import Unavailable, WardmarkError

UNNAMED = "unnamed"  # the source of prompts that name none
_SHOWN = 5  # bad lines that the message tells of
_FORM = '{"text": "...", "unsafe": true or false, "categories"?: [...], "source"?: "..."}'


class LabelledPrompt(NamedTuple):
    """One prompt. ``unsafe``: whether a core category applies. ``line``: counted from 1."""

    text: str
    unsafe: bool
    categories: frozenset[str]
    source: str
    line: int


def read_labelled(path: Path) -> list[LabelledPrompt]:
    """All prompts of a file. Keys of other names are let be.

    Raises InvalidRequest that names the first lines which are wrong and what is wrong with them,
    or where there are none; Unavailable where the file cannot be read.
    """
    found: list[LabelledPrompt] = []
    wrong: list[str] = []
    try:
        for number, line in _lines(path):
            try:
                found.append(_prompt(line, number))
            except InvalidRequest as error:
                wrong.append(f"line {number}: {error}")
    except (OSError, EOFError) as error:
        raise Unavailable(f"{path} cannot be read: {error}. Check the path.") from error
    if wrong:
        more = f"; and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise InvalidRequest(
            f"{path} is no labelled file: {'; '.join(wrong[:_SHOWN])}{more}. Each line is {_FORM}."
        )
    if not found:
        raise InvalidRequest(f"{path} holds no prompts. Each line is {_FORM}.")
    return found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        yield from ((n, line) for n, line in enumerate(lines, start=1) if line.strip())


def _prompt(line: bytes, number: int) -> LabelledPrompt:
    try:
        row: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"not JSON, at character {error.colno}: {error.msg}") from error
    if not isinstance(row, dict):
        raise InvalidRequest("not a JSON object")
    text, unsafe = row.get("text"), row.get("unsafe")
    if not isinstance(text, str):
        raise InvalidRequest('no "text" that is a string')
    if not isinstance(unsafe, bool):
        raise InvalidRequest('no "unsafe" that is true or false')
    try:
        check_text(text)
    except WardmarkError as error:
        raise InvalidRequest(f'"text": {error}') from error
    categories, source = row.get("categories") or [], row.get("source") or UNNAMED
    if not isinstance(categories, list) or not all(isinstance(each, str) for each in categories):
        raise InvalidRequest('"categories" is not a list of strings')
    if not isinstance(source, str):
        raise InvalidRequest('"source" is not a string')
    return LabelledPrompt(text, unsafe, frozenset(categories), source, number)
