"""What ``wardmark audit`` looks with beyond the pass: the guard's reader, and a face counter."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self

from datasets_audit.look import Pixels, Seen, count_faces, face_counter

if TYPE_CHECKING:
    from guard.images.finding import Writing
    from guard.images.text import TextReader


@dataclass(frozen=True)
class CloserLook:
    """A ``datasets_audit.look.Look``. ``name``: what looks, by version or digest of weights."""

    name: str
    reads: bool
    counts: bool

    @classmethod
    def of(cls, *, read_text: bool, count_faces: bool) -> Self | None:
        """None where nothing is asked for.

        Raises WeightsInvalid or LookUnavailable where what is asked for is not installed.
        """
        if not (read_text or count_faces):
            return None
        names = [f"text {_reader().digest[:16]}"] if read_text else []
        names += [f"faces {face_counter()}"] if count_faces else []
        return cls("; ".join(names), read_text, count_faces)

    def __call__(self, pixels: Pixels) -> Seen:
        """What is written in (H, W, 3) RGB, and how many faces there may be."""
        text = "\n".join(line.text for line in _read(pixels)) if self.reads else None
        return Seen(text, count_faces(pixels) if self.counts else None)


def _read(pixels: Pixels) -> "list[Writing]":
    reader = _reader()
    return reader.read(pixels) if reader.sees_text(pixels) else []


@cache
def _reader() -> "TextReader":
    from guard.images.text import TextReader

    return TextReader()
