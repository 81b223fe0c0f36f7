"""Files in the form of robots.txt (RFC 9309): who is kept from where."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

_KEPT: Final = 512  # files whose rules are kept at hand


class Rules(NamedTuple):
    """What holds for one agent. ``paths``: (allows, pattern). ``delay``: seconds, if it is said."""

    paths: tuple[tuple[bool, str], ...] = ()
    delay: float | None = None


def disallowed(text: str, path: str, agents: Sequence[str]) -> bool:
    """Whether the file keeps any of ``agents`` (lower case) from ``path``, its query included.

    The longest rule decides, and of two as long the one that allows (RFC 9309, 2.2).
    """
    return any(_keeps_out(rules_for(text, agent).paths, path) for agent in agents)


def rules_for(text: str, agent: str) -> Rules:
    """The rules of the agent's own groups, else those of ``*``."""
    groups = _groups(text)
    return groups.get(agent, groups.get("*", Rules()))


@lru_cache(_KEPT)
def _groups(text: str) -> Mapping[str, Rules]:
    groups: dict[str, Rules] = {}
    current: list[str] = []
    ruled = False
    for line in text.splitlines():
        name, colon, value = line.split("#", 1)[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            current = [*current, value.lower()] if not ruled else [value.lower()]
            ruled = False
            groups.setdefault(value.lower(), Rules())
        elif name in ("allow", "disallow", "crawl-delay"):
            ruled = True
            for agent in current:
                groups[agent] = _with(groups[agent], name, value)
    return groups


def _with(rules: Rules, name: str, value: str) -> Rules:
    if name == "crawl-delay":
        said = re.fullmatch(r"\d{1,6}(\.\d{0,3})?", value)
        return rules._replace(delay=float(value)) if said else rules
    return rules._replace(paths=(*rules.paths, (name == "allow", value))) if value else rules


def _keeps_out(rules: Sequence[tuple[bool, str]], path: str) -> bool:
    hits = [(len(pattern), allows) for allows, pattern in rules if matches(pattern, path)]
    return bool(hits) and not max(hits)[1]


def matches(pattern: str, path: str) -> bool:
    """A path pattern with ``*`` and a final ``$``; ai.txt leaves out the leading slash."""
    anchored = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    if len(parts) == 1 and not anchored:
        return path.startswith(pattern)
    expression = ".*".join(re.escape(part) for part in parts)
    return re.match(f"{expression}$" if anchored else expression, path) is not None
