"""A checkpoint of a model hub, at one commit, for an operator who allowed that very one.

What is taken is named by its commit, which cannot be exchanged behind one's back as a branch or a
tag can, and is of settings, vocabularies and safetensors only: pickles and programs stay where they
are. Nothing is fetched unless the settings say so; else it must lie in the hub's cache on this
machine (``HF_HOME``) already.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from guard.errors import CoreUnavailable

TAKEN: Final = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Files of a checkpoint; ``*.model`` is a vocabulary of SentencePiece."""

HUB_ID: Final = r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$"
COMMIT: Final = r"^[0-9a-f]{40}$"


def snapshot(hub: str, revision: str, *, fetch: bool = False, endpoint: str | None = None) -> Path:
    """The directory of the model ``hub`` ("owner/name") at the commit ``revision`` (40 hex digits).

    ``fetch``: asks the hub for what is not here; ``endpoint``: another than ``HF_ENDPOINT``. Raises
    CoreUnavailable where it is not to be had, or is named by anything but a commit.
    """
    if not re.fullmatch(HUB_ID, hub):
        raise CoreUnavailable(f"{hub!r} is no id of a model hub; write owner/name.")
    if not re.fullmatch(COMMIT, revision):
        raise CoreUnavailable(
            f"{revision!r} is no commit of {hub}: give the 40 hex digits. A branch or a tag can be"
            " moved to other weights."
        )
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            hub,
            revision=revision,
            allow_patterns=list(TAKEN),
            local_files_only=not fetch,
            endpoint=endpoint,
        )
    except Exception as error:  # the hub's client raises errors of many trees
        advice = (
            "the hub does not give it"
            if fetch
            else "it is not in the cache of the hub on this machine; fetch it there, or write"
            " fetch = true beside its id"
        )
        raise CoreUnavailable(
            f"{hub} at {revision[:12]} cannot be used: {advice} ({type(error).__name__})."
        ) from error
    return Path(found)
