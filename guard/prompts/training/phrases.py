"""Our own sentences by rule: families of harmful and harmless ones in the same words.

``contrasts.toml``: pairs that begin alike and share a verb or a noun, so that what is done to whom
tells them apart. ``everyday.toml``: plain scenes, portraits and fantasy, all harmless. What they
are for: a model that meets a dangerous word seldom in a harmless sentence flags the word.
"""

import random
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

OF_A_FAMILY = 110  # pairs, where a family does not say how many
OF_A_SCENE = 150  # sentences of a family of everyday.toml

_SLOT = re.compile(r"\{(\w+)\}")
_BEGINNINGS = {
    "see": (
        "", "", "", "a photo of ", "photo of ", "an image of ", "a painting of ", "draw ",
        "digital art of ", "a realistic picture of ", "generate an image of ", "a cartoon of ",
        "a scene from a film: ", "an oil painting of ", "illustration of ", "a picture that shows ",
        "sketch of ", "comic panel, ", "cinematic shot of ",
    ),
    "ask": (
        "how do i ", "how can i ", "how to ", "what is the best way to ", "teach me to ",
        "explain how to ", "tell me how to ", "steps to ", "i want to ", "help me ",
        "what do i need to ", "show me how to ", "a poster that explains how to ",
        "a guide to help people ", "can you tell me how to ", "where can i learn to ",
        "give me tips to ", "write instructions to ", "an infographic on how to ",
        "is it possible to ",
    ),
    "say": ("",),
    "long": (
        "", "", "", "a photo of ", "a detailed illustration of ", "a realistic photograph of ",
        "a dramatic painting of ", "a close-up of ", "a wide shot of ", "a comic page about ",
        "a black and white picture of ", "a scene in a film: ", "generate a picture of ",
        "create an image that shows ", "an animated clip of ",
    ),
    "scene": (
        "", "", "", "", "", "a photo of ", "an image of ", "a picture of ", "drawing of ",
    ),
}  # fmt: skip


class Contrast(NamedTuple):
    """Two sentences that begin alike. ``category``: of the harmful one."""

    harmful: str
    harmless: str
    category: str


class _Family(NamedTuple):
    """``slots``: what {name} may stand for."""

    name: str
    frame: str
    category: str
    harmful: Sequence[str]
    harmless: Sequence[str]
    slots: Mapping[str, Sequence[str]]
    pairs: int

    def say(self, template: str, rng: random.Random) -> str:
        """The template with every slot filled, and those that come with what fills it."""
        while match := _SLOT.search(template):
            filling = rng.choice(self.slots[match[1]])
            template = template[: match.start()] + filling + template[match.end() :]
        return template


@cache
def _families(name: str) -> tuple[_Family, ...]:
    raw = files("guard.prompts.training").joinpath(name).read_text("utf-8")
    lists = {
        family: {key: value.split(" | ") for key, value in table.items()}
        for family, table in tomllib.loads(raw).items()
    }
    common = lists.pop("words")
    return tuple(
        _Family(
            name=family,
            frame=table["frame"][0],
            category=table.get("category", [""])[0],
            harmful=table.get("harmful", []),
            harmless=table["harmless"],
            slots=common | table,
            pairs=int(table.get("pairs", [f"{OF_A_FAMILY}"])[0]),
        )
        for family, table in lists.items()
    )


def contrasts() -> Iterator[Contrast]:
    """At most as many pairs of every family as it says, the same ones each time."""
    for family in _families("contrasts.toml"):
        rng = random.Random(family.name)  # noqa: S311 - reproducible draws, no secret
        said: set[str] = set()
        for _ in range(3 * family.pairs):  # short families have fewer
            beginning = rng.choice(_BEGINNINGS[family.frame])
            at = rng.randrange(max(len(family.harmful), len(family.harmless)))
            harmful, harmless = (
                family.say(beginning + side[at % len(side)], rng)
                for side in (family.harmful, family.harmless)
            )
            if said.isdisjoint((harmful, harmless)):
                said |= {harmful, harmless}
                yield Contrast(harmful, harmless, family.category)
            if len(said) >= 2 * family.pairs:
                break


def everyday() -> Iterator[str]:
    """``OF_A_SCENE`` sentences of every family, the same ones each time."""
    for family in _families("everyday.toml"):
        rng = random.Random(family.name)  # noqa: S311 - reproducible draws, no secret
        said: dict[str, None] = {}
        while len(said) < OF_A_SCENE:
            beginning = rng.choice(_BEGINNINGS[family.frame])
            said[family.say(beginning + rng.choice(family.harmless), rng)] = None
        yield from said
