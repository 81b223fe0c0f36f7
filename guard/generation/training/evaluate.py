"""How well the core follows prompts, counted by the checker: `python -m` this module CHECKPOINT.

Five counts, each with its Wilson interval. Two are of the checker: on true renders, and on renders
by a less steady hand. Three are of the core: new prompts, prompts with a pair of outline and colour
that training never showed, and the pictures of the new prompts judged against other scenes' facts
(chance: what is left if the prompt is not followed).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, get_args

from guard.generation.core import Core
from guard.generation.diffusers_core import DiffusersCore
from guard.generation.scenes.captions import Caption, Fact
from guard.generation.scenes.render import render
from guard.generation.scenes.spec import Scene
from guard.generation.training.checker import Attribute, Checks, check
from guard.generation.training.data import captions_at, scene_at
from guard.generation.training.unsteady import unsteady
from policies.decision import Frozen
from provenance.picture import Pixels

SEED: Final = 777  # of the evaluation's scenes: training never draws from it
_Z: Final = 1.959964  # standard normal quantile of a two-sided 95 % interval


class Share(Frozen):
    """`hits` of `total`, with the Wilson 95 % interval of the share."""

    hits: int
    total: int
    share: float
    low: float
    high: float


class Evaluation(Frozen):
    """Shares by kind of scene and attribute, such as "landscape/time", for each of five counts."""

    core: str
    digest: str
    seed: int
    steps: int
    guidance: float
    renders: dict[str, Share]
    unsteady: dict[str, Share]
    new: dict[str, Share]
    held_out: dict[str, Share]
    swapped: dict[str, Share]

    def table(self) -> str:
        """The five counts side by side, as a Markdown table."""
        lines = [
            "| attribute | true renders | unsteady renders | new prompts | held-out pairs"
            " | swapped prompts |",
            "|---|---|---|---|---|---|",
        ]
        for name in self.renders:
            cells = (_cell(part.get(name)) for part in self._parts())
            lines.append(f"| {name} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def _parts(self) -> Sequence[dict[str, Share]]:
        return self.renders, self.unsteady, self.new, self.held_out, self.swapped


class _Case(NamedTuple):
    scene: Scene
    caption: Caption


def wilson(hits: int, total: int) -> Share:
    """The share with its 95 % interval (Wilson 1927). Raises ValueError if nothing was counted."""
    if not 0 <= hits <= total or total == 0:
        raise ValueError(f"{hits} of {total} is no share.")
    share = hits / total
    spread = 1 + _Z**2 / total
    middle = (share + _Z**2 / (2 * total)) / spread
    half = _Z / spread * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    return Share(
        hits=hits,
        total=total,
        share=round(share, 4),
        low=round(max(0.0, middle - half), 4),
        high=round(min(1.0, middle + half), 4),
    )


def evaluate(core: Core, *, new: int, held_out: int, seed: int = SEED) -> Evaluation:
    """Draw `new` and `held_out` prompts with the core's defaults and check every picture."""
    fresh = [_case(seed, number, held_out=False) for number in range(new)]
    unseen = [_case(seed + 1, number, held_out=True) for number in range(held_out)]
    pictures = [_draw(core, case, number) for number, case in enumerate(fresh)]
    unseen_pictures = [_draw(core, case, number) for number, case in enumerate(unseen)]
    info = core.info
    side = min(info.default_width, info.default_height)
    true = [render(case.scene, side, side).pixels for case in fresh]
    shaken = [unsteady(case.scene, side, number) for number, case in enumerate(fresh)]
    return Evaluation(
        core=f"{info.name}@{info.version}",
        digest=info.digest,
        seed=seed,
        steps=info.default_steps,
        guidance=info.default_guidance,
        renders=_count(fresh, true),
        unsteady=_count(fresh, shaken),
        new=_count(fresh, pictures),
        held_out=_count(unseen, unseen_pictures),
        swapped=_count(*_swap(fresh, pictures)),
    )


def _case(seed: int, number: int, *, held_out: bool) -> _Case:
    scene = scene_at(seed, number, held_out=held_out)
    return _Case(scene, captions_at(seed, number, scene, 1)[0])


def _draw(core: Core, case: _Case, seed: int) -> Pixels:
    if sys.stderr.isatty():
        print(f"\rpicture {seed + 1}", end="", file=sys.stderr)
    info = core.info
    return core.generate(
        info.request(case.caption.text, seed=seed)
    )[0]


def _swap(cases: list[_Case], pictures: list[Pixels]) -> tuple[list[_Case], list[Pixels]]:
    """Each picture beside the facts of the next scene of its kind, all of them taken as said."""
    everything: frozenset[Fact] = frozenset(get_args(Fact))
    swapped: list[_Case] = []
    shown: list[Pixels] = []
    for kind in {type(case.scene) for case in cases}:
        rows = [i for i, case in enumerate(cases) if type(case.scene) is kind]
        for row, following in zip(rows, rows[1:] + rows[:1], strict=True):
            swapped.append(_Case(cases[following].scene, Caption("", everything)))
            shown.append(pictures[row])
    return swapped, shown


def _count(cases: Iterable[_Case], pictures: Iterable[Pixels]) -> dict[str, Share]:
    tally: defaultdict[str, list[bool]] = defaultdict(list)
    for case, pixels in zip(cases, pictures, strict=True):
        kind = "landscape" if type(case.scene).__name__ == "Landscape" else "still life"
        checks: Checks = check(case.scene, case.caption.said, pixels)
        for attribute, right in checks.items():
            tally[f"{kind}/{attribute}"].append(right)
    order = {name: place for place, name in enumerate(get_args(Attribute))}
    names = sorted(tally, key=lambda name: (name.split("/")[0], order[name.split("/")[1]]))
    return {name: wilson(sum(tally[name]), len(tally[name])) for name in names}


def _cell(share: Share | None) -> str:
    if share is None:
        return ""
    return f"{share.share:.0%} ({share.low:.0%} to {share.high:.0%}, n {share.total})"


def main() -> None:
    """Evaluate a checkpoint and write the figures."""
    parser = argparse.ArgumentParser(description="Check how a core follows prompts.")
    parser.add_argument("checkpoint", type=Path, help="directory in diffusers format")
    parser.add_argument("--new", type=int, default=500, help="new prompts")
    parser.add_argument("--held-out", type=int, default=500, help="prompts with unseen pairs")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    core = DiffusersCore(options.checkpoint, domain="closed", device="cpu")
    result = evaluate(core, new=options.new, held_out=options.held_out)
    if options.out:
        options.out.write_text(result.model_dump_json(indent=1) + "\n")
    print(result.table())


if __name__ == "__main__":
    main()
