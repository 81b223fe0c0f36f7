"""The state of consent of one picture, as a state machine.

    unknown ──declare──> declared ──┐
       │ ────license──> licensed ──┤──expire──> expired ──(declare, license, claim)──> ...
       │ ────claim────> claimed  ──┘
       └────── withdraw, from any state ──────> withdrawn   (final)

``unknown`` is where every picture starts, and it denies: silence is not consent. ``withdrawn`` is
final: somebody who consents again does so in a new record, under new evidence, for a new version
of the data set. Pure: the date comes from the caller, never from a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class ConsentState(StrEnum):
    """What is known of the consent of the person or right holder."""

    UNKNOWN = "unknown"
    DECLARED = "declared"  # the subject or right holder agreed
    LICENSED = "licensed"  # a licence or contract covers it
    CLAIMED = "claimed"  # the collector claims a legitimate interest; nobody agreed
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"

    @property
    def standing(self) -> "Standing":
        """Whether training may rest on this state."""
        return _STANDING[self]


class Standing(StrEnum):
    """What a state of consent allows. ``contested`` needs a decision by a person."""

    PERMITTED = "permitted"
    CONTESTED = "contested"
    DENIED = "denied"


_STANDING = {
    ConsentState.UNKNOWN: Standing.DENIED,
    ConsentState.DECLARED: Standing.PERMITTED,
    ConsentState.LICENSED: Standing.PERMITTED,
    ConsentState.CLAIMED: Standing.CONTESTED,
    ConsentState.WITHDRAWN: Standing.DENIED,
    ConsentState.EXPIRED: Standing.DENIED,
}


class Move(StrEnum):
    """What can happen to a consent."""

    DECLARE = "declare"
    LICENSE = "license"
    CLAIM = "claim"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"


_GRANTS = {
    Move.DECLARE: ConsentState.DECLARED,
    Move.LICENSE: ConsentState.LICENSED,
    Move.CLAIM: ConsentState.CLAIMED,
}
_GRANTED = frozenset(_GRANTS.values())
_MOVE_TO = {
    ConsentState.DECLARED: Move.DECLARE,
    ConsentState.LICENSED: Move.LICENSE,
    ConsentState.CLAIMED: Move.CLAIM,
    ConsentState.WITHDRAWN: Move.WITHDRAW,
}
# Strictest last. Contradicting rows have no order in time, so the strictest of them holds.
_BY_STRICTNESS = (
    ConsentState.LICENSED,
    ConsentState.DECLARED,
    ConsentState.CLAIMED,
    ConsentState.UNKNOWN,
    ConsentState.EXPIRED,
    ConsentState.WITHDRAWN,
)


def advance(state: ConsentState, move: Move) -> ConsentState:
    """The state after ``move``. Withdrawal holds against everything; nothing unknown expires."""
    if state is ConsentState.WITHDRAWN or move is Move.WITHDRAW:
        return ConsentState.WITHDRAWN
    if move is Move.EXPIRE:
        return state if state is ConsentState.UNKNOWN else ConsentState.EXPIRED
    return _GRANTS[move]


@dataclass(frozen=True, slots=True)
class ConsentClaim:
    """What one row of the annotations says. ``expires`` is the last day on which it holds.

    ``evidence``: what shows it; ``evidence_sha256``: what that was when the row was written;
    ``since``: the day on which it was given.
    """

    state: ConsentState
    evidence: str | None = None
    expires: date | None = None
    since: date | None = None
    evidence_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """The state that holds, the claim it rests on, and whether rows contradicted each other."""

    state: ConsentState
    evidence: str | None = None
    expires: date | None = None
    contradicted: bool = False
    since: date | None = None
    evidence_sha256: str | None = None


def state_of(claim: ConsentClaim, as_of: date) -> ConsentState:
    """The state that a single claim leads to on the day ``as_of`` (its last day included)."""
    if claim.state is ConsentState.EXPIRED:
        return ConsentState.EXPIRED
    if claim.state is ConsentState.UNKNOWN:
        return ConsentState.UNKNOWN
    if claim.state in _GRANTED and claim.since is not None and as_of < claim.since:
        return ConsentState.UNKNOWN  # it is yet to be given
    state = advance(ConsentState.UNKNOWN, _MOVE_TO[claim.state])
    if claim.expires is not None and as_of > claim.expires:
        state = advance(state, Move.EXPIRE)
    return state


def resolve(claims: Sequence[ConsentClaim], as_of: date) -> Consent:
    """The consent that holds on ``as_of`` given every claim made, in any order.

    No claim is ``unknown``. Claims that lead to different states are a contradiction, and the
    strictest state holds: withdrawn, expired, unknown, claimed, declared, licensed.
    """
    if not claims:
        return Consent(ConsentState.UNKNOWN)
    states = [state_of(claim, as_of) for claim in claims]
    strictest = max(states, key=_BY_STRICTNESS.index)
    # Among claims of the same state the one with evidence, then the one that ends first, holds.
    held = min(
        (claim for claim, state in zip(claims, states, strict=True) if state is strictest),
        key=lambda claim: (
            claim.evidence is None,
            claim.expires is None,
            claim.expires or date.max,
            claim.evidence or "",
        ),
    )
    return Consent(
        strictest,
        held.evidence,
        held.expires,
        len(set(states)) > 1,
        held.since,
        held.evidence_sha256,
    )
