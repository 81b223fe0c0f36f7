"""Unlabelled prompts of users that a reader found unsafe: they are not benign, whatever a model
says. Kept as the beginnings of SHA-256s, since the prompts are not ours to copy.
"""

import hashlib
import json
from functools import cache
from importlib.resources import files


@cache
def _unsafe() -> frozenset[str]:
    raw = files("guard.prompts.training").joinpath("judged.json").read_text("utf-8")
    return frozenset(json.loads(raw)["unsafe"])


def fingerprint(text: str) -> str:
    """The first 16 hex digits of the SHA-256 of a prompt, white space at its ends taken off."""
    return hashlib.sha256(text.strip().encode("utf-8", "replace")).hexdigest()[:16]


def judged_unsafe(text: str) -> bool:
    """Whether a reader found the prompt unsafe."""
    return fingerprint(text) in _unsafe()
