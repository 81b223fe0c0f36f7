"""What a policy holds for a person, so that somebody can look at it and let it go on.

Without a shelf what is held is gone with its refusal. With one it is kept there before the refusal
is recorded, and a moderator's ruling takes it the rest of its way.
"""

from dataclasses import dataclass
from typing import Protocol

from guard.assessment import Region
from guard.pipeline.release import Draft
from guard.pipeline.request import ImageRequest
from guard.pipeline.trail import Trail
from policies.decision import Action, Decision, Frozen


@dataclass(frozen=True)
class Held:
    """``picture`` counts from 0; None where what was asked is held and nothing is drawn yet.

    ``trail``: the way so far. ``regions``: what the assessor objected to. ``draft``: of a picture,
    what would be released.
    """

    decision_id: str
    picture: int | None
    request: ImageRequest
    decision: Decision
    trail: Trail
    regions: tuple[Region, ...] = ()
    draft: Draft | None = None


class Shelf(Protocol):
    """Keeps what is held where nobody reads it by accident."""

    def keep(self, held: Held) -> None:
        """Raises ProvenanceUnavailable where it cannot be kept; nothing is refused then."""
        ...


class Ruling(Frozen):
    """A moderator lets something pass that a policy held. ``entry``: where the ledger says so;
    ``by``: who, an id."""

    decision_id: str
    entry: str
    by: str


def lifted(ruling: Ruling | None, decision: Decision) -> bool:
    """Whether a person let pass what ``decision`` holds; nobody lets pass what it blocks."""
    return ruling is not None and decision.action is not Action.BLOCK
