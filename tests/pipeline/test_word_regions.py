"""A picture that is objected to without a box: the words that drew it say where."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from guard.assessment import Assessment, Region, Span
from guard.errors import InvalidRequest, ReviewRequired
from guard.generation import GenerationRequest
from guard.generation.batching import BatchingCore
from guard.generation.core import CoreInfo, Progress
from guard.generation.word_maps import GRID, WordMap
from guard.pipeline import ImageRequest, deliver
from guard.pipeline.word_regions import KIND, with_regions_of_words
from provenance.home import Home
from provenance.picture import decode
from tests.support.assessors import REF, ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.core import InMemoryCore, textured_picture
from tests.support.deployment import GUARDED, pipeline_of, policy_from

PROMPT = "a letter on a table"
LETTER = (slice(16, 32), slice(32, 48))  # of the grid


class Pointing(InMemoryCore):
    """Looked at a quarter of the picture for "letter", and at everything for the other words."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: list[GenerationRequest] = []

    @property
    def info(self) -> CoreInfo:
        return super().info.model_copy(update={"shows_words": True})

    def word_maps(
        self,
        request: GenerationRequest,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[WordMap, ...]:
        self.watched.append(request)
        maps, at = [], 0
        for word in request.prompt.split():
            share = np.full((GRID, GRID), 1.0, np.float32)
            if word == "letter":
                share[LETTER] = 9.0
            maps.append(WordMap(word, at, at + len(word), share / share.sum()))
            at += len(word) + 1
        return tuple(maps)


class Naming(ScriptedPromptAssessor):
    """Names the word "letter" for ``privacy``."""

    def _assess(self, text: str) -> Assessment:
        spans = (Span(start=2, end=8, category="privacy", weight=1.0),)
        return super()._assess(text).model_copy(update={"spans": spans})


def seen_with(home: Home, tmp_path: Path, core: InMemoryCore, *, evidence: bool):  # type: ignore[no-untyped-def]
    images = ScriptedImageAssessor(({"privacy": 0.9}, ()))
    pipeline = pipeline_of(
        home,
        policy=policy_from(tmp_path, GUARDED),
        core=BatchingCore(core, 0.0),
        prompts=Naming(),
        images=images,
    )
    settings = pipeline.provenance.settings.model_copy(update={"word_evidence": evidence})
    pipeline = replace(pipeline, provenance=replace(pipeline.provenance, settings=settings))
    return pipeline.run(ImageRequest(prompt=PROMPT, seed=5)), images


def test_what_the_word_drew_is_redacted_and_the_picture_looked_at_again(
    home: Home, tmp_path: Path
) -> None:
    core = Pointing()
    outcome, images = seen_with(home, tmp_path, core, evidence=True)
    (released,) = outcome.released
    assert "redact" in released.trail.ran
    first, again = images.seen
    rows, columns = np.nonzero((first != again).any(axis=2))
    cell = first.shape[0] // GRID
    for places, part in ((rows, LETTER[0]), (columns, LETTER[1])):
        assert part.start * cell - 2 * cell <= places.min() <= part.start * cell
        assert part.stop * cell - 1 <= places.max() <= part.stop * cell + 2 * cell
    assert decode(deliver(released)).pixels.shape == first.shape
    assert [(asked.prompt, asked.seed, asked.count) for asked in core.watched] == [(PROMPT, 5, 1)]


def test_nothing_is_watched_where_the_settings_do_not_ask_for_it(
    home: Home, tmp_path: Path
) -> None:
    core = Pointing()
    outcome, images = seen_with(home, tmp_path, core, evidence=False)
    assert core.watched == []
    assert (images.seen[0] == images.seen[1]).all()
    assert outcome.released


def test_what_still_shows_after_the_redaction_is_for_a_person(home: Home, tmp_path: Path) -> None:
    images = ScriptedImageAssessor(({"privacy": 0.9}, ()), ({"privacy": 0.9}, ()))
    pipeline = pipeline_of(
        home,
        policy=policy_from(tmp_path, GUARDED),
        core=Pointing(),
        prompts=Naming(),
        images=images,
    )
    settings = pipeline.provenance.settings.model_copy(update={"word_evidence": True})
    pipeline = replace(pipeline, provenance=replace(pipeline.provenance, settings=settings))
    with pytest.raises(ReviewRequired):
        pipeline.run(ImageRequest(prompt=PROMPT))


def asked_of(core: InMemoryCore) -> GenerationRequest:
    info = core.info
    return GenerationRequest(
        prompt=PROMPT,
        width=info.default_width,
        height=info.default_height,
        steps=1,
        guidance=1.0,
        seed=5,
    )


def said(scores: dict[str, float], *regions: Region) -> Assessment:
    thresholds = dict.fromkeys(scores, 0.5)
    return Assessment(
        assessor=REF, subject="image", scores=scores, thresholds=thresholds, regions=regions
    )


def test_only_what_was_seen_without_a_box_is_asked_for() -> None:
    core, (prompt,) = Pointing(), Naming().assess([PROMPT])
    box = Region(x=0, y=0, width=9, height=9, kind="text", category="privacy", score=0.9)
    for seen in (said({"privacy": 0.4}), said({"violence": 0.9}), said({"privacy": 0.9}, box)):
        assert with_regions_of_words(core, asked_of(core), prompt, seen) is seen
    assert core.watched == []
    (region,) = with_regions_of_words(core, asked_of(core), prompt, said({"privacy": 0.9})).regions
    assert (region.kind, region.category, region.score) == (KIND, "privacy", 0.9)
    assert (region.x, region.y, region.width, region.height) == (128, 64, 64, 64)


def test_a_core_that_shows_no_words_changes_nothing_and_says_so() -> None:
    core, (prompt,) = InMemoryCore(draw=textured_picture), Naming().assess([PROMPT])
    seen = said({"privacy": 0.9})
    assert with_regions_of_words(core, asked_of(core), prompt, seen) is seen
    with pytest.raises(InvalidRequest, match="shows no maps of words"):
        core.word_maps(asked_of(core))
