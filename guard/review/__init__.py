"""Review: what a policy holds, a person looks at, and lets pass or refuses."""

from guard.review.review import Review, Shown, Verdict
from guard.review.shelf import File, SealedShelf, State, Waiting

__all__ = ["File", "Review", "SealedShelf", "Shown", "State", "Verdict", "Waiting"]
