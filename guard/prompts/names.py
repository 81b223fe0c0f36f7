"""An operator's lists: people whose likeness, and marks and characters whose use, is not open.

Which names those are is the operator's to say: no list is shipped, and without one the category is
not assessed. A text file, one name a line, ``#`` before a comment; names are folded like prompts,
so look-alikes and accents make no difference.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from guard.errors import InvalidRequest
from guard.prompts.fold import fold
from guard.prompts.reading import Reading
from guard.prompts.rules import Hit

MAX_NAMES = 1_000_000  # of one list; some 200 MB of memory
_MAX_WORDS = 8  # of a name

_WORD = re.compile(r"[^\W_]+")


class NameList:
    """Finds whole names in folded texts. Time grows with the text, not with the list."""

    def __init__(self, names: Iterable[str]) -> None:
        """Raises InvalidRequest for a name without words or of more than eight, or too many."""
        self._names: set[tuple[str, ...]] = set()
        for name in names:
            words = tuple(_WORD.findall(fold(Reading.of(name)).text))
            if not 1 <= len(words) <= _MAX_WORDS:
                raise InvalidRequest(f"{name!r} is no name of one to {_MAX_WORDS} words.")
            self._names.add(words)
        if len(self._names) > MAX_NAMES:
            raise InvalidRequest(f"{len(self._names):,} names; at most {MAX_NAMES:,} in one list.")
        self._longest = max(map(len, self._names), default=0)

    def __len__(self) -> int:
        return len(self._names)

    @classmethod
    def read(cls, path: Path) -> "NameList":
        """The list in a UTF-8 file. Raises InvalidRequest with the path where it is none."""
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"The list of names {path} cannot be read: {error}.") from error
        names = [line.split("#", 1)[0].strip() for line in lines]
        try:
            return cls(name for name in names if name)
        except InvalidRequest as error:
            raise InvalidRequest(f"{path}: {error}") from error

    def digest_input(self) -> bytes:
        """The same bytes for the same names, whatever their order."""
        return "\n".join(sorted(" ".join(words) for words in self._names)).encode()

    def find(self, text: str) -> list[Hit]:
        """Every listed name in a folded text, the longest at each place."""
        words = list(_WORD.finditer(text))
        found: list[Hit] = []
        at = 0
        while at < len(words):
            longest = min(self._longest, len(words) - at)
            for size in range(longest, 0, -1):
                if tuple(match[0] for match in words[at : at + size]) in self._names:
                    found.append(Hit(words[at].start(), words[at + size - 1].end(), "listed name"))
                    at += size - 1
                    break
            at += 1
        return found
