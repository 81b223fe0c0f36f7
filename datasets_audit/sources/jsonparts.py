"""The elements of the arrays of a large JSON document, one in memory at a time."""

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

CHUNK: Final = 1 << 20  # characters read at once
MAX_ELEMENT: Final = 64 << 20  # characters of one element, or of a value that is no array

_SPACE: Final = re.compile(r"[ \t\n\r]*")


class Part(NamedTuple):
    """A value below the outermost object: its name, and in an array its place; -1 elsewhere."""

    name: str
    place: int
    value: Any


def parts(path: Path) -> Iterator[Part]:
    """Every element of every array below the outermost object, and every other value.

    UTF-8, and a mark of its order before it is no fault. Raises ValueError: not JSON, not an
    object, or an element of more than MAX_ELEMENT characters; OSError.
    """
    with path.open(encoding="utf-8-sig") as file:
        text = _Text(file)
        text.expect("{")
        if text.took("}"):
            return text.end()
        while True:
            name = text.value()
            if not isinstance(name, str):
                raise ValueError("a name is missing")  # noqa: TRY004 - of the document, not of a type
            text.expect(":")
            if text.took("["):
                yield from _elements(text, name)
            else:
                yield Part(name, -1, text.value())
            if text.took("}"):
                return text.end()
            text.expect(",")


def _elements(text: "_Text", name: str) -> Iterator[Part]:
    place = 0
    while not (place == 0 and text.took("]")):
        yield Part(name, place, text.value())
        place += 1
        if text.took("]"):
            return
        text.expect(",")


class _Text:
    """Reads forward through a document."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._held = ""
        self._at = 0
        self._read = JSONDecoder().raw_decode

    def took(self, mark: str) -> bool:
        """Whether ``mark`` comes next; then it is passed."""
        self._skip()
        if not self._held.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def expect(self, mark: str) -> None:
        """Pass ``mark``. Raises ValueError."""
        if not self.took(mark):
            found = self._held[self._at : self._at + 10] or "the end"
            raise ValueError(f"{mark!r} is missing before {found!r}")

    def value(self) -> Any:
        """The next value. Raises ValueError."""
        self._skip()
        while True:
            try:
                found, end = self._read(self._held, self._at)
            except JSONDecodeError:
                if not self._more():
                    raise
                continue
            # A number may go on behind what is held.
            if end < len(self._held) or not self._more():
                self._at = end
                return found

    def end(self) -> None:
        """Nothing but space may follow. Raises ValueError."""
        self._skip()
        if self._at < len(self._held):
            raise ValueError("something follows the document")

    def _skip(self) -> None:
        while True:
            space = _SPACE.match(self._held, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._held) or not self._more():
                return

    def _more(self) -> bool:
        """Hold more of the file; twice as much each time, so that long elements cost no more."""
        if len(self._held) - self._at > MAX_ELEMENT:
            raise ValueError(f"an element of more than {MAX_ELEMENT:,} characters")
        self._held = self._held[self._at :]
        self._at = 0
        chunk = self._file.read(max(CHUNK, len(self._held)))
        self._held += chunk
        return bool(chunk)
