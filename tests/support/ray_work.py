"""Work for Ray's workers, which import it by name."""

import os
from pathlib import Path


def die_at_first_sight(mark: str) -> str:
    """Kill the worker, unless an earlier one left its mark here."""
    if not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return mark


def note(mark: str) -> None:
    """Leave a mark of having been done."""
    Path(mark).touch()
