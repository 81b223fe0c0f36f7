"""A moderator's work: see what is held, look at one thing, rule on it.

    review = Review(home, lambda: pipeline)
    for one in review.queue(): ...
    shown = review.open(one.decision_id, one.picture)      # prompt, picture, reasons
    review.rule(one.decision_id, one.picture, Verdict.RELEASE, by="key_17", words="a pillow fight")

A release takes it the rest of its way under the pipeline of now: a picture is marked, signed and
recorded as it was seen; a prompt is drawn, and what comes of it is looked at like any other. The
ruling stands in the ledger before, its words sealed, and in the account of what is delivered.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from guard.assessment import Region
from guard.errors import AlreadyRuled, InvalidRequest
from guard.pipeline import Pipeline, Released, deliver
from guard.pipeline.entry_ids import ruling_id
from guard.pipeline.held import Held, Ruling
from guard.review.labels import RuledPictures
from guard.review.shelf import File, SealedShelf, Waiting
from policies.decision import Decision, Frozen
from policies.errors import Refused, WardmarkError
from provenance.errors import EventConflict, LedgerUnavailable, RetentionInvalid
from provenance.home import Home
from provenance.picture import encode

KIND = "review"
MAX_WORDS = 4_000  # characters
QUEUE = 200  # rows that are shown at once


class Verdict(StrEnum):
    """What a moderator says of something that is held."""

    RELEASE = "release"
    REFUSE = "refuse"


class Shown(Frozen):
    """What a moderator sees. ``picture_png``: None where nothing was drawn yet; ``input_image``:
    the file that was sent in to be edited. ``regions``: boxes in pixels that were objected to."""

    decision_id: str
    picture: int | None
    tenant: str | None
    kept_at: datetime
    expires_at: datetime
    prompt: str
    negative_prompt: str
    decision: Decision
    regions: tuple[Region, ...]
    picture_png: bytes | None
    input_image: bytes | None


class Review:
    """The review of one home. ``pipeline`` gives the one that is in force."""

    def __init__(self, home: Home, pipeline: Callable[[], Pipeline]) -> None:
        self._home = home
        self._pipeline = pipeline
        self._shelf = SealedShelf(home)
        self._labels = RuledPictures(home) if home.settings.review.label else None

    def queue(self, limit: int = QUEUE) -> tuple[Waiting, ...]:
        """What waits for a ruling, oldest first. Raises LedgerUnavailable."""
        return self._shelf.waiting(limit)

    def open(self, decision_id: str, picture: int | None) -> Shown:
        """Raises HeldNotFound, SubjectForgotten where it was erased."""
        waiting, held = self._shelf.open(decision_id, picture)
        draft, edit = held.draft, held.request.edit
        return Shown(
            decision_id=decision_id,
            picture=picture,
            tenant=waiting.tenant,
            kept_at=waiting.kept_at,
            expires_at=waiting.expires_at,
            prompt=held.request.prompt,
            negative_prompt=held.request.negative_prompt,
            decision=held.decision,
            regions=held.regions,
            picture_png=None if draft is None else encode(draft.pixels, "png"),
            input_image=None if edit is None else edit.image,
        )

    def rule(
        self, decision_id: str, picture: int | None, verdict: Verdict, *, by: str, words: str
    ) -> tuple[File, ...]:
        """Rule, once; returns what was released. ``words`` say why, 1 to 4,000 characters.

        Raises HeldNotFound, AlreadyRuled, InvalidRequest; Unavailable where it cannot be released
        now, and then it waits again; DecisionRefused where what was drawn on a released prompt is
        refused or held in turn.
        """
        if not 1 <= len(words.strip()) <= MAX_WORDS:
            raise InvalidRequest(f"say why in 1 to {MAX_WORDS:,} characters")
        _, held = self._shelf.open(decision_id, picture)
        self._shelf.take(decision_id, picture)
        try:
            entry = self._record(held, verdict, by, words)
            if self._labels is not None:
                self._labels.keep(held, refused=verdict is Verdict.REFUSE)
            if verdict is Verdict.REFUSE:
                self._shelf.drop(decision_id, picture)
                return ()
            files = self._released(held, Ruling(decision_id=decision_id, entry=entry, by=by))
        except Refused:
            self._shelf.drop(decision_id, picture)
            raise
        except WardmarkError:
            self._shelf.put_back(decision_id, picture)
            raise
        self._shelf.store(decision_id, picture, files)
        return files

    def collected(self, decision_id: str) -> tuple[File, ...]:
        """What was released of a decision, for who asked for it."""
        return self._shelf.files(decision_id)

    def close(self) -> None:
        """Give the connections back."""
        self._shelf.close()
        if self._labels is not None:
            self._labels.close()

    def _released(self, held: Held, ruling: Ruling) -> tuple[File, ...]:
        pipeline = self._pipeline()
        if held.draft is None:
            outcome = pipeline.run(held.request, ruling=ruling)
            return tuple(map(_file, outcome.released))
        try:
            return (_file(pipeline.release_held(held, ruling)),)
        except EventConflict as error:
            raise AlreadyRuled(
                f"{held.decision_id} was released before; what released it died before the file was"
                " kept, so ask for a new picture"
            ) from error

    def _record(self, held: Held, verdict: Verdict, by: str, words: str) -> str:
        """The id of the entry. Another ruling is refused; the same, after an outage, stands."""
        named = ruling_id(held.decision_id, held.picture)
        beside = {"decision_id": held.decision_id, "ruling": verdict.value, "by": by}
        try:
            event = self._home.subjects.event(
                KIND, held.decision_id, {"said": words}, beside, event_id=named
            )
        except RetentionInvalid as error:
            raise LedgerUnavailable(f"a ruling cannot be sealed here: {error}") from error
        try:
            self._home.ledger.append([event])
        except EventConflict as error:
            (stands,) = self._home.ledger.find([named])
            if stands.body["ruling"] != verdict.value:
                raise AlreadyRuled(f"{held.decision_id} was ruled on before") from error
        return named


def _file(released: Released) -> File:
    return File(
        released.content_id,
        released.sha256,
        released.media_type,
        deliver(released),
        tuple(receipt.model_dump(mode="json") for receipt in released.trail.receipts),
    )
