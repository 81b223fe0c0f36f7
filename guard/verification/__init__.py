"""Many files verified at once, and reports of it for people and for the record."""

from guard.verification.batch import Asked, Outcome, Problem, verify_all
from guard.verification.files import named_files

__all__ = ["Asked", "Outcome", "Problem", "named_files", "verify_all"]
