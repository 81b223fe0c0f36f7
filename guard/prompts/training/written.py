"""Our own sentences by hand: ``pairs.tsv`` and ``plain.txt``.

Families by rule (``phrases``) sound alike; these were written one by one, without sight of any set
that the model is tested on. No sentence names a minor.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from guard.prompts.training.phrases import Contrast


@cache
def pairs() -> tuple[Contrast, ...]:
    """A sentence that asks for harm and its harmless twin about the same thing."""
    rows = (line.split("\t") for line in _lines("pairs.tsv"))
    return tuple(Contrast(harmful, harmless, category) for category, harmful, harmless in rows)


def plain() -> Iterator[str]:
    """Harmless prompts, captions and requests of the kinds that a nervous model flags."""
    return _lines("plain.txt")


def _lines(name: str) -> Iterator[str]:
    raw = files("guard.prompts.training").joinpath(name).read_text("utf-8")
    return (line for line in raw.splitlines() if line)
