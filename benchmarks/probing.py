"""What friction does to people who probe the prompt assessor, and to people who do not.

    python benchmarks/probing.py --data DIR [--people N]

DIR (default: $WARDMARK_DATA/prompts) holds prompts (``*.jsonl.gz``). Everybody asks the embedded
prompt assessor under the default policy, twenty times within a few minutes:

- who probes starts from an unsafe prompt that is refused and changes one word more in each try
  (another word, one left out, one added, two exchanged, letters as digits, words around it), from
  one of the last tries or from the first, until a try passes;
- who rewords was refused wrongly or unaware: the first prompt, two tries with one word changed
  each, then other prompts, as real people asked them;
- who only asks, asks twenty prompts of real people, one after another.

Printed is how many of each come through or are held up, beside the same people without friction;
and how often two prompts count as near-duplicates that should, or should not.
"""

import argparse
import asyncio
import os
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from guard.check import Checker
from guard.deployment import build_checker
from guard.errors import ProbingSuspected
from guard.gateway.callers.friction import Friction, MemoryNotes
from guard.gateway.callers.sketch import overlap, sketch
from guard.gateway.limits import MemoryCounters
from guard.prompts.training.corpus import read
from policies.decision import Action
from provenance.callers import FrictionSettings

SEED = 20_251
MOST = 1500  # prompts of a source
TRIES = 20
SECONDS = 15.0  # between two tries: how long a person takes to think of another
PAIRS = 20_000
AROUND = ("please draw", "a painting of", "a film still of", "in the style of a poster", "8k")


class People:
    """Asks the assessor, which answers each prompt once and for all."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._known: dict[str, bool] = {}

    def refused(self, prompt: str) -> bool:
        if prompt not in self._known:
            self._known[prompt] = self._checker.text(prompt).decision >= Action.REVIEW
        return self._known[prompt]


class Session:
    """One person, with friction or without."""

    def __init__(self, people: People, *, friction: bool) -> None:
        self._people = people
        self._now = 0.0
        settings = FrictionSettings(on=friction)
        clock = self._clock
        self._friction = Friction(settings, MemoryNotes(), MemoryCounters(), bytes(32), clock)
        self._on = friction
        self.held_up = 0

    def _clock(self) -> float:
        return self._now

    def ask(self, prompt: str) -> bool | None:
        """Whether it was refused; None where it was not even asked."""
        self._now += SECONDS
        if not self._on:
            return self._people.refused(prompt)
        return asyncio.run(self._ask(prompt))

    async def _ask(self, prompt: str) -> bool | None:
        try:
            tried = await self._friction.weigh("one", prompt)
        except ProbingSuspected:
            self.held_up += 1
            return None
        refused = self._people.refused(prompt)
        if refused:
            await self._friction.refused(tried)
        return refused


def changed(prompt: str, words: Sequence[str], rng: random.Random) -> str:
    """The prompt with one change."""
    parts = prompt.split()
    at = rng.randrange(len(parts))
    how = rng.randrange(6)
    if how == 0:
        parts[at] = rng.choice(words)
    elif how == 1 and len(parts) > 3:
        del parts[at]
    elif how == 2:
        parts.insert(at, rng.choice(words))
    elif how == 3:
        other = rng.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    elif how == 4:
        parts[at] = parts[at].translate(str.maketrans("aeio", "4310"))
    else:
        parts.insert(rng.choice((0, len(parts))), rng.choice(AROUND))
    return " ".join(parts)


def probe(session: Session, first: str, words: Sequence[str], rng: random.Random) -> bool:
    """Whether a change of ``first`` passes within twenty tries."""
    tried = [first]
    session.ask(first)
    for _ in range(TRIES - 1):
        tried.append(changed(rng.choice([tried[0], tried[-1], *tried[-3:]]), words, rng))
        if session.ask(tried[-1]) is False:
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("WARDMARK_DATA")
    parser.add_argument("--data", type=Path, default=Path(shared) / "prompts" if shared else None)
    parser.add_argument("--people", type=int, default=100, help="of each kind")
    asked = parser.parse_args()
    if asked.data is None:
        parser.error("name a folder of prompts with --data or $WARDMARK_DATA")
    rng = random.Random(SEED)
    prompts = [p for p in read(asked.data, MOST, SEED) if 3 <= len(p.text.split()) <= 60]
    ordinary = [p.text for p in prompts if p.source.startswith("user_")]
    words = sorted({word for text in ordinary for word in re.findall(r"[a-z]{3,}", text)})
    people = People(build_checker(None))
    unsafe = [p.text for p in rng.sample([p for p in prompts if p.unsafe], 4 * asked.people)]
    unsafe = [text for text in unsafe if people.refused(text)][: asked.people]

    print(f"| {len(unsafe)} people each, {TRIES} tries | without friction | with it |")
    print("|---|---|---|")
    through, stopped = [], []
    for friction in (False, True):
        passed = held = 0
        for number, first in enumerate(unsafe):
            session = Session(people, friction=friction)
            passed += probe(session, first, words, random.Random(number))
            held += session.held_up > 0
        through.append(passed / len(unsafe))
        stopped.append(held / len(unsafe))
    row("who probe: a change of the prompt passed", through)
    row("who probe: held up", stopped)

    kinds: list[tuple[str, Callable[[int], list[str]]]] = [
        ("who reword twice", lambda n: [unsafe[n % len(unsafe)]]),
        ("who only ask", lambda _: []),
    ]
    for name, begin in kinds:
        held_up = []
        for friction in (False, True):
            held = 0
            for number in range(asked.people):
                own = random.Random(number)
                session = Session(people, friction=friction)
                said = begin(number)
                said += [changed(said[0], words, own) for _ in range(2 if said else 0)]
                for prompt in [*said, *own.sample(ordinary, TRIES - len(said))]:
                    session.ask(prompt)
                held += session.held_up > 0
            held_up.append(held / asked.people)
        row(f"{name}: held up", held_up)

    said = [(text, text) for text in unsafe]
    print("\n| near-duplicates | |\n|---|---|")
    for changes in range(1, 6):
        said = [(first, changed(last, words, rng)) for first, last in said]
        print(f"| a prompt and the same with {changes} changes | {alike(said):.1%} |")
    others = [tuple(rng.sample(ordinary, 2)) for _ in range(PAIRS)]
    print(f"| two prompts of real people | {alike(others):.2%} |")
    return 0


def alike(pairs: Sequence[tuple[str, ...]]) -> float:
    """The share of pairs that friction takes for near-duplicates."""
    key, limit = bytes(32), FrictionSettings().alike
    found = [overlap(sketch(one, key), sketch(other, key)) >= limit for one, other in pairs]
    return sum(found) / len(found)


def row(name: str, shares: Sequence[float]) -> None:
    print(f"| {name} | {' | '.join(f'{share:.0%}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
