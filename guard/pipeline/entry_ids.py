"""Under which ids the ledger holds what became of a request. Pure.

The id of an entry follows from the decision's, so that all entries of a decision are found by the
one index that the ledger has anyway, and none is written twice. A delivery stands under its content
id; the ledger's table of records leads there from the decision.
"""

from guard.pipeline.request import MAX_IMAGES


def refusal_id(decision_id: str, picture: int | None) -> str:
    """Of the refusal of one picture, counted from 0, or of what was asked (None)."""
    return f"{decision_id}:refusal:{'request' if picture is None else picture}"


def stopped_id(decision_id: str) -> str:
    """Of a request that ended neither delivered nor refused."""
    return f"{decision_id}:stopped"


def ending_ids(decision_id: str) -> tuple[str, ...]:
    """Every id under which a request may have ended without a delivery."""
    pictures = (None, *range(MAX_IMAGES))
    return (*(refusal_id(decision_id, each) for each in pictures), stopped_id(decision_id))
