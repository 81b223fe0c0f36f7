"""A reading: one way to read what a person typed, with the way back to the original."""

from collections.abc import Sequence
from typing import NamedTuple


class Edit(NamedTuple):
    """Replace the characters [start, end) of a reading by ``text``."""

    start: int
    end: int
    text: str


class Reading(NamedTuple):
    """A text, and for each of its characters the range of the original it stands for.

    ``starts[i]`` and ``ends[i]`` are offsets into the original text. They ascend, but where an edit
    replaced several characters, whose new characters all point at the whole of them, and descend
    where the text was reversed.
    """

    name: str
    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str) -> "Reading":
        """The text as it was typed."""
        return cls("plain", text, range(len(text)), range(1, len(text) + 1))

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original behind the characters [start, end) of this reading."""
        if end <= start:
            raise ValueError(f"empty range [{start}, {end})")
        return min(self.starts[start:end]), max(self.ends[start:end])

    def edited(self, name: str, edits: Sequence[Edit]) -> "Reading":
        """This reading with ``edits`` made, which are in order and do not overlap."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for edit in edits:
            pieces += (self.text[done : edit.start], edit.text)
            first, last = self.origin(edit.start, edit.end)
            starts += self.starts[done : edit.start]
            starts += [first] * len(edit.text)
            ends += self.ends[done : edit.start]
            ends += [last] * len(edit.text)
            done = edit.end
        pieces.append(self.text[done:])
        starts += self.starts[done:]
        ends += self.ends[done:]
        return Reading(name, "".join(pieces), starts, ends)
