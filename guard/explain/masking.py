"""What would have to be covered for a picture to be objected to no more: greedy masking.

First the boxes that the assessor itself points at; where covering them is not enough, or it points
at nothing, the cells of a grid, those first whose covering lowers the scores most. What need not be
covered is uncovered again.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from guard.assessment import Assessment, ImageAssessor, Region
from policies.decision import Action, Frozen
from provenance.picture import Pixels

GRID = 7  # cells a side
_WINDOW = 3  # cells a side, covered together
MAX_PICTURES = 64  # assessed in search of the change
_MARGIN = 0.08  # of a box's shorter side, covered around it
_WHOLE = 0.8  # of the picture: to cover more is no change of it
_RING = 6  # pixels around a box, whose colour covers it

Judge = Callable[[Assessment], Action]


class Box(Frozen):
    """Pixels from the top left corner."""

    x: int
    y: int
    width: int
    height: int


class MaskedChange(Frozen):
    """Boxes without which the picture passes, or comes as far as any covering can bring it.

    ``decision``: what it then comes to: ``review`` where policy wants a person to look whatever is
    in the picture, for want of who could assess it. ``minimal``: none of them could stay; false
    where there were too many to try each. ``scores``: of the picture with them covered, for the
    explained categories.
    """

    mask: tuple[Box, ...]
    decision: Action
    minimal: bool
    scores: Mapping[str, float]


class Masker:
    """Assesses one picture with parts of it covered, ``MAX_PICTURES`` times at most."""

    def __init__(
        self, pixels: Pixels, assessor: ImageAssessor, judge: Judge, categories: Sequence[str]
    ) -> None:
        self.pixels, self.categories = pixels, tuple(categories)
        self._assessor, self._judge = assessor, judge
        self.asked = 0
        height, width = pixels.shape[:2]
        blank = self.without([Box(x=0, y=0, width=width, height=height)])
        self.reachable = max(Action.LABEL, judge(blank))

    @property
    def left(self) -> int:
        return MAX_PICTURES - self.asked

    def without(self, boxes: Sequence[Box]) -> Assessment:
        """What is said of the picture with ``boxes`` covered."""
        self.asked += 1
        (found,) = self._assessor.assess([covered(self.pixels, boxes)])
        return found

    def passes(self, found: Assessment) -> bool:
        """Whether what is left is decided no worse than a picture with nothing in it."""
        return self._judge(found) <= self.reachable

    def change(self, boxes: Sequence[Box], found: Assessment, *, minimal: bool) -> MaskedChange:
        """``boxes`` as the answer, ``found`` being said without them."""
        return MaskedChange(
            mask=tuple(boxes),
            decision=self._judge(found),
            minimal=minimal,
            scores={c: found.scores[c] for c in self.categories if c in found.scores},
        )

    def height(self, found: Assessment) -> float:
        """How much is left of what is explained: the sum of the scores."""
        return sum(found.scores.get(category, 0.0) for category in self.categories)


def smallest_mask(masker: Masker, regions: Sequence[Region]) -> MaskedChange | None:
    """The smallest set of boxes that is found; None where covering most of it does not help."""
    objected = [region for region in regions if region.category is not None]
    tried: list[Box] = []
    for pointed in (_boxes_of(masker.pixels, objected), _boxes_of(masker.pixels, regions)):
        if not pointed or pointed == tried:
            continue
        tried = pointed
        found = masker.without(pointed)
        if masker.passes(found):
            return _uncovered(masker, pointed, found)
    if not masker.categories:
        return None  # no score would say which cell helps
    return _first_that_pass(masker, _cells_by_weight(masker))


def covered(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    """``pixels`` with each box in the median colour of what surrounds all of them nearby."""
    hidden = np.zeros(pixels.shape[:2], dtype=np.bool_)
    for box in boxes:
        hidden[box.y : box.y + box.height, box.x : box.x + box.width] = True
    result = pixels.copy()
    for box in boxes:
        top, left = max(0, box.y - _RING), max(0, box.x - _RING)
        near = (
            slice(top, box.y + box.height + _RING),
            slice(left, box.x + box.width + _RING),
        )
        around = pixels[near][~hidden[near]]
        if not len(around):  # within other boxes: what surrounds them all will do
            around = pixels[~hidden] if not hidden.all() else pixels.reshape(-1, 3)
        colour = np.median(around, axis=0)
        result[box.y : box.y + box.height, box.x : box.x + box.width] = colour.astype(np.uint8)
    return result


def _boxes_of(pixels: Pixels, regions: Sequence[Region]) -> list[Box]:
    """Boxes with a margin, the highest scores last, those of (nearly) everything left out."""
    height, width = pixels.shape[:2]
    boxes = []
    for region in sorted(regions, key=lambda each: each.score):
        margin = round(min(region.width, region.height) * _MARGIN) + 2
        left, top = max(0, region.x - margin), max(0, region.y - margin)
        right = min(width, region.x + region.width + margin)
        bottom = min(height, region.y + region.height + margin)
        if (right - left) * (bottom - top) <= _WHOLE * width * height:
            boxes.append(Box(x=left, y=top, width=right - left, height=bottom - top))
    return list(dict.fromkeys(boxes))


def _cells_by_weight(masker: Masker) -> list[Box]:
    """The cells of the grid, those first without whose surroundings the scores are lowest.

    Windows are covered rather than cells: where a score is saturated, no cell alone moves it.
    """
    height, width = masker.pixels.shape[:2]
    rows = np.linspace(0, height, min(GRID, height) + 1).round().astype(int).tolist()
    columns = np.linspace(0, width, min(GRID, width) + 1).round().astype(int).tolist()
    high, wide = len(rows) - 1, len(columns) - 1
    total, times = np.zeros((high, wide)), np.zeros((high, wide))
    for top in range(max(1, high - _WINDOW + 1)):
        for left in range(max(1, wide - _WINDOW + 1)):
            bottom, right = min(high, top + _WINDOW), min(wide, left + _WINDOW)
            window = Box(
                x=columns[left],
                y=rows[top],
                width=columns[right] - columns[left],
                height=rows[bottom] - rows[top],
            )
            total[top:bottom, left:right] += masker.height(masker.without([window]))
            times[top:bottom, left:right] += 1
    cells = [
        Box(x=left, y=top, width=right - left, height=bottom - top)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    return [cells[i] for i in np.argsort((total / times).ravel(), kind="stable")]


def _first_that_pass(masker: Masker, order: Sequence[Box]) -> MaskedChange | None:
    """By halving, the shortest beginning of ``order`` whose covering passes."""
    low, high = 0, int(len(order) * _WHOLE)
    best = masker.without(order[:high])
    if not masker.passes(best):
        return None
    while high - low > 1 and masker.left:
        middle = (low + high) // 2
        found = masker.without(order[:middle])
        if masker.passes(found):
            high, best = middle, found
        else:
            low = middle
    return _uncovered(masker, order[:high], best)


def _uncovered(masker: Masker, boxes: Sequence[Box], best: Assessment) -> MaskedChange:
    """Uncover, one by one, what need not be covered; the first of ``boxes`` are tried first."""
    needed = list(boxes)
    minimal = True
    for box in boxes:
        if len(needed) == 1:
            break
        if not masker.left:
            minimal = False
            break
        rest = [each for each in needed if each != box]
        found = masker.without(rest)
        if masker.passes(found):
            needed, best = rest, found
    return masker.change(needed, best, minimal=minimal)
