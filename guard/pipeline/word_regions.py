"""Where the words drew that a guard of prompts objected to: evidence for a picture without boxes.

A guard of pictures may say what it sees without saying where. Where the prompt's own guard names
words for the same thing, the core is asked which part of the picture looked at them (docs:
generation.md, Which word drew what). That part is a region like any other: it is shown to whoever
rules on the picture, and what policy redacts is redacted there. The picture is assessed again
afterwards, as after every redaction.
"""

from collections.abc import Iterator

import numpy as np

from guard.assessment import Assessment, Region
from guard.generation import Core, GenerationRequest
from guard.generation.word_maps import WordMap

KIND = "word"
SEEN = 0.5  # score of a category from which its place is asked for, without a stated threshold
LIT = 0.35  # of the way from a map's median to its peak: what lies above counts as looked at
LEAST_CELLS = 4  # of a map; smaller spots are its noise


def with_regions_of_words(
    core: Core, asked: GenerationRequest, prompt: Assessment, seen: Assessment
) -> Assessment:
    """``seen``, with a region for each part that a word drew which ``prompt`` names for a category
    that was seen and has no region. ``asked``: the one picture as it was drawn; it is drawn once
    more to be watched. Raises as ``Core.generate``."""
    boxed = {region.category for region in seen.regions}
    meant = [
        span
        for span in prompt.spans
        if span.category not in boxed
        and seen.scores.get(span.category, 0.0) >= seen.thresholds.get(span.category, SEEN)
    ]
    if not meant or not core.info.shows_words:
        return seen
    maps = core.word_maps(asked)
    regions = {
        region: None
        for span in meant
        for one in maps
        if one.start < span.end and span.start < one.end
        for region in _lit(one, asked, span.category, seen.scores[span.category])
    }
    return seen.model_copy(update={"regions": (*seen.regions, *regions)})


def _lit(one: WordMap, asked: GenerationRequest, category: str, score: float) -> Iterator[Region]:
    """The boxes, in pixels, around what looked at a word."""
    import cv2

    median, peak = float(np.median(one.share)), float(one.share.max())
    lit = (one.share > median + LIT * (peak - median)).astype(np.uint8)
    rows, columns = lit.shape
    _, _, found, _ = cv2.connectedComponentsWithStats(lit, connectivity=8)
    for left, top, width, height, cells in found[1:].tolist():  # the first is what is not lit
        if cells >= LEAST_CELLS:
            x, y = left * asked.width // columns, top * asked.height // rows
            yield Region(
                x=x,
                y=y,
                width=-(-(left + width) * asked.width // columns) - x,
                height=-(-(top + height) * asked.height // rows) - y,
                kind=KIND,
                category=category,
                score=score,
            )
