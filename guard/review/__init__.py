"""Review: what a policy holds, a person looks at, and lets pass or refuses."""

from guard.review.labels import RuledPictures, export_ruled
from guard.review.review import Review, Shown, Verdict
from guard.review.shelf import File, SealedShelf, State, Waiting

__all__ = [
    "File",
    "Review",
    "RuledPictures",
    "SealedShelf",
    "Shown",
    "State",
    "Verdict",
    "Waiting",
    "export_ruled",
]
