"""The smallest change of words that would let a prompt pass."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from guard.assessment import Assessment
from guard.explain.asking import Asker
from guard.explain.words import kept
from policies.decision import Frozen

MAX_CHARACTERS = 150_000  # assessed in search of the change
_PAIRED = 8  # likeliest words of which any two are tried

Passes = Callable[[Assessment], bool]
Tried = Callable[[Sequence[Sequence[int]]], list[Assessment | None]]
"""Sets of pieces to take out; of each, what is said of the rest if that passes."""


class Removed(Frozen):
    """A word to take out."""

    text: str
    start: int
    end: int


class Change(Frozen):
    """A set of words without which the prompt passes.

    ``minimal``: none of them could stay; false where the text was too long to try each.
    ``text``: what remains. ``scores``: of what remains, for the explained categories.
    """

    remove: tuple[Removed, ...]
    minimal: bool
    text: str
    scores: Mapping[str, float]


def smallest_change(asker: Asker, order: Sequence[int], passes: Passes) -> Change | None:
    """The smallest set of pieces that is found: one alone, else any two, else by greed.

    ``order``: indices of the pieces, the likeliest to go first. Without the pieces that greed
    found, those are put back that need not go. None where no words would help.
    """
    budget = MAX_CHARACTERS // max(len(asker.text), 1)  # texts

    def tried(removals: Sequence[Sequence[int]]) -> list[Assessment | None]:
        masks = np.ones((len(removals), len(asker.pieces)), dtype=np.bool_)
        for mask, removed in zip(masks, removals, strict=True):
            mask[list(removed)] = False
        found = asker.assess(masks)
        return [each if each is not None and passes(each) else None for each in found]

    small: list[tuple[int, ...]] = [(i,) for i in order]
    small += combinations(order[:_PAIRED], 2)
    if len(small) <= budget:
        for removed, found in zip(small, tried(small), strict=True):
            if found is not None:
                return _as_change(asker, removed, found, minimal=True)
    gone, best = _greedily(asker, order, tried, budget)
    minimal = False
    while best is not None and not minimal and asker.asked + len(gone) <= budget:
        back = tried([[i for i in gone if i != stays] for stays in gone])
        put_back = [pair for pair in zip(gone, back, strict=True) if pair[1]]
        minimal = not put_back
        if put_back:
            gone.remove(put_back[-1][0])
            best = put_back[-1][1]
    if best is None:
        return None
    return _as_change(asker, gone, best, minimal=minimal)


def _greedily(
    asker: Asker, order: Sequence[int], tried: Tried, budget: int
) -> tuple[list[int], Assessment | None]:
    """Pieces to take out, each the one that helps most; by ``order`` once the budget is spent.

    One piece stays at least: to say nothing is no change of words.
    """
    gone: list[int] = []
    left = list(order)
    while len(left) > 1:
        if asker.asked + len(left) <= budget:
            masks = np.ones((len(left), len(asker.pieces)), dtype=np.bool_)
            masks[:, gone] = False
            masks[np.arange(len(left)), left] = False
            heights = asker.value(masks).sum(axis=1)
            gone.append(left.pop(int(np.argmin(heights))))
            found = tried([gone])[0]
            if found is not None:
                return gone, found
        else:
            return _by_order(gone, left, tried)
    return gone, None


def _by_order(
    gone: list[int], left: list[int], tried: Tried
) -> tuple[list[int], Assessment | None]:
    """The same by halving: the shortest beginning of ``left`` that must go too."""
    low, high = 0, len(left) - 1
    (best,) = tried([gone + left[:high]])
    while best is not None and high - low > 1:
        middle = (low + high) // 2
        (found,) = tried([gone + left[:middle]])
        low, high = (low, middle) if found else (middle, high)
        best = found or best
    return gone + left[:high], best


def _as_change(asker: Asker, removed: Sequence[int], found: Assessment, *, minimal: bool) -> Change:
    gone = [asker.pieces[i] for i in sorted(removed)]
    stays = [i not in removed for i in range(len(asker.pieces))]
    return Change(
        remove=tuple(
            Removed(text=asker.text[piece.start : piece.end], start=piece.start, end=piece.end)
            for piece in gone
        ),
        minimal=minimal,
        text=kept(asker.text, asker.pieces, stays),
        scores={c: found.scores[c] for c in asker.categories if c in found.scores},
    )
