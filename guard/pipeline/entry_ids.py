"""Under which ids the ledger holds what became of a request. Pure.

The id of an entry follows from the decision's, so that all entries of a decision are found by the
one index that the ledger has anyway, and none is written twice. A delivery stands under its content
id; the ledger's table of records leads there from the decision.
"""

from guard.pipeline.request import MAX_IMAGES


def refusal_id(decision_id: str, picture: int | None, *, ruled: bool = False) -> str:
    """Of the refusal of one picture, counted from 0, or of what was asked (None). ``ruled``: after
    a person had let pass what was asked, which was held before."""
    what = "request" if picture is None else picture
    return f"{decision_id}:refusal:{what}{':ruled' if ruled else ''}"


def stopped_id(decision_id: str) -> str:
    """Of a request that ended neither delivered nor refused."""
    return f"{decision_id}:stopped"


def ending_ids(decision_id: str) -> tuple[str, ...]:
    """Every id under which a request may have ended without a delivery."""
    refusals = (
        refusal_id(decision_id, picture, ruled=ruled)
        for ruled in (False, True)
        for picture in (None, *range(MAX_IMAGES))
    )
    return (*refusals, stopped_id(decision_id))


def ruling_id(decision_id: str, picture: int | None) -> str:
    """Of what a person ruled on something that was held."""
    return f"{decision_id}:ruling:{'request' if picture is None else picture}"


def ruling_ids(decision_id: str) -> tuple[str, ...]:
    """Of everything that a person may have ruled of a decision."""
    return tuple(ruling_id(decision_id, picture) for picture in (None, *range(MAX_IMAGES)))
