"""What is held for review, as pages show it: a queue, and one thing with its picture."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from guard.check import Checker
from guard.console.views.decisions import row_of
from guard.explain.images import ImageExplanation
from guard.pipeline.entry_ids import refusal_id
from guard.review import Waiting
from policies.decision import Frozen
from provenance.ledger import Ledger
from provenance.picture import decode, encode

REQUEST: Final = "request"  # in the address, in the place of a picture's number


class Row(Frozen):
    """One thing that waits. ``rules``: those that held it; ``busy``: somebody rules on it now."""

    decision: str
    picture: int | None
    kept_at: datetime
    expires_at: datetime
    rules: tuple[str, ...]
    busy: bool

    @property
    def place(self) -> str:
        """Its name in an address."""
        return place_of(self.picture)


def queue(
    ledger: Ledger, waiting: Sequence[Waiting], seen: Callable[[Waiting], bool]
) -> tuple[Row, ...]:
    """What somebody may see of the queue, oldest first."""
    mine = [one for one in waiting if seen(one)]
    ids = [refusal_id(one.decision_id, one.picture) for one in mine]
    rules = {entry.id: row_of(entry).rules for entry in ledger.find(ids)}
    return tuple(
        Row(
            decision=one.decision_id,
            picture=one.picture,
            kept_at=one.kept_at,
            expires_at=one.expires_at,
            rules=rules.get(named, ()),
            busy=one.busy,
        )
        for one, named in zip(mine, ids, strict=True)
    )


def place_of(picture: int | None) -> str:
    """A picture's number, counted from 0, or ``request``."""
    return REQUEST if picture is None else str(picture)


def shown_png(data: bytes) -> bytes:
    """A picture that somebody sent in, as PNG without anything else of the file. Raises
    PictureInvalid."""
    return encode(decode(data).pixels, "png")


def overlay(png: bytes, checker: Checker) -> bytes:
    """The picture as PNG with what objects to it drawn over, as of today. Raises
    SafetyUnavailable."""
    from guard.explain.overlay import draw_overlay

    result = checker.image(png, explain=True)
    drawn = draw_overlay(
        decode(png).pixels,
        ImageExplanation.model_validate(result.explanation),
        decision=result.decision,
        reasons=result.reasons,
    )
    return encode(drawn, "png")
