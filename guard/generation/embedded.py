"""The core that comes with Wardmark: a small model of the project's own rendered scenes.

What it can draw is known (docs/model-cards/scenes-core.md), so its domain is closed. Its files are
checked against the digest on record before they are used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from guard.errors import CoreUnavailable
from guard.generation.core import EMBEDDED
from guard.generation.diffusers_core import DiffusersCore

CHECKPOINTS: Final = Path(__file__).parent / "checkpoints"
STRENGTH: Final = 0.9  # its latent holds on to colours: below, a day does not turn into a night
DIGEST_SUFFIX: Final = ".sha256.txt"  # an ending that packaging takes along


def load_embedded(name: str = EMBEDDED, checkpoints: Path = CHECKPOINTS) -> DiffusersCore:
    """Load the embedded core. Raises CoreUnavailable if its files are not the released ones."""
    directory, record = checkpoints / name, checkpoints / (name + DIGEST_SUFFIX)
    if not directory.is_dir() or not record.is_file():
        raise CoreUnavailable(
            f"The embedded core {name!r} is missing from this installation. Install Wardmark "
            "again, or train it with `make train-core`."
        )
    # A closed domain rests on these very weights, so nothing else may pass under the name.
    core = DiffusersCore(directory, name=name, domain="closed", device="cpu", strength=STRENGTH)
    if core.info.digest != record.read_text().strip():
        raise CoreUnavailable(
            f"The files of the embedded core {name!r} are not the ones that were released: "
            f"their digest is {core.info.digest}. Install Wardmark again."
        )
    return core
