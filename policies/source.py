"""A YAML text as plain data, with the place of every value in it.

Stricter than YAML: one document, no tags, no anchors or aliases (which let a short text stand for a
huge one), no key twice, bounded size and depth. Plain words are read by the YAML 1.2 core schema,
so that the country code ``NO`` is a text and not false. Pure.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import yaml

from policies.errors import PolicyInvalid, Problem

MAX_BYTES = 256 * 1024  # of the UTF-8 text
MAX_DEPTH = 40  # nested lists and mappings: clauses of 18 levels
MAX_DIGITS = 15  # every integer of so many digits is exact as a JSON number

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_OPERATOR_SIGNS = tuple("<>=!")
_QUOTE_OPERATORS = "; an operator such as '>=' or '!=' must stand in quotes"


class Place(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """``data`` as read, and where its values and its keys stand. ``name`` is for messages."""

    name: str
    data: object
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Place of the value at ``path``, or of the nearest thing around it that exists.

        Parts of ``path`` that are not in the text (names of alternatives that a validator puts in)
        are passed over.
        """
        here: Path = ()
        for part in path:
            if (*here, part) in self.values:
                here = (*here, part)
        return self.keys.get(here, self.values[here]) if of_key else self.values[here]

    def invalid(self, problems: list[Problem]) -> PolicyInvalid:
        """An error that tells every problem, in the order of the text."""
        ordered = tuple(sorted(set(problems)))
        lines = [f"{self.name}:{at.line}:{at.column}: {at.message}" for at in ordered]
        return PolicyInvalid("\n".join(lines), ordered)


def read_source(text: str | bytes, name: str) -> Source:
    """Parse ``text``. Raises PolicyInvalid with line and column."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        problem = Problem(
            1, 1, f"the text is longer than {MAX_BYTES:,} bytes, the most that is read"
        )
        raise Source(name, None).invalid([problem])
    try:
        read = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        problem = Problem(line, column, "not UTF-8; save the file in that encoding")
        raise Source(name, None).invalid([problem]) from error
    try:
        return _Reader(read, name).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(0, 0)
        unquoted = mark is not None and read[mark.index :].startswith(_OPERATOR_SIGNS)
        hint = _QUOTE_OPERATORS if unquoted else ""
        said = f"not valid YAML: {error.problem or error.context}{hint}"
        raise Source(name, None).invalid([Problem(*place, said)]) from error
    except yaml.reader.ReaderError as error:
        line = read.count("\n", 0, error.position) + 1
        column = error.position - read.rfind("\n", 0, error.position)
        problem = Problem(line, column, "a control character; remove it")
        raise Source(name, None).invalid([problem]) from error


def reads_as_text(word: str) -> bool:
    """Whether ``word``, without quotes, is read as a text and not as a number, truth or nothing."""
    return not (word in _CONSTANTS or _INTEGER.fullmatch(word) or _FLOAT.fullmatch(word))


class _Reader:
    """Builds the data from PyYAML's events, which come one by one, so that a limit that is passed
    stops the work at once."""

    def __init__(self, text: str, name: str) -> None:
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._source = Source(name, None)

    def read(self) -> Source:
        next(self._events)  # stream start
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            self._refuse(first, "the document is empty")
        data = self._value(next(self._events), (), depth=0)
        next(self._events)  # document end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, "a second document; one file holds one policy")
        return Source(self._source.name, data, self._source.values, self._source.keys)

    def _value(self, event: yaml.Event, path: Path, depth: int) -> object:
        self._refuse_indirection(event)
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} deep")
        self._source.values[path] = _place(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: Path, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, object]:
        entries: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, "a key must be a word")
            self._refuse_indirection(event)
            key = event.value
            if key in entries:
                self._refuse(event, f"the key {key!r} stands here a second time")
            self._source.keys[(*path, key)] = _place(event)
            entries[key] = self._value(next(self._events), (*path, key), depth + 1)
        return entries

    def _scalar(self, event: yaml.ScalarEvent) -> str | int | float | bool | None:
        word: str = event.value
        if not event.implicit[0]:  # quoted, or a block of text
            return word
        if reads_as_text(word):
            return word
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if _INTEGER.fullmatch(word):
            if len(word.lstrip("+-")) > MAX_DIGITS:
                self._refuse(event, f"a number of more than {MAX_DIGITS} digits")
            return int(word)
        return float(word)

    def _refuse_indirection(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._refuse(event, "anchors and aliases are not allowed; write the value out")
        if event.tag is not None:
            hint = _QUOTE_OPERATORS if event.tag.startswith("!=") else ""
            self._refuse(event, f"tags such as {event.tag} are not allowed{hint}")

    def _refuse(self, event: yaml.Event, message: str) -> NoReturn:
        raise self._source.invalid([Problem(*_place(event), message)])


def _place(event: yaml.Event) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
