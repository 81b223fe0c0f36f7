"""What is kept for people to look at: the tables ``[review]`` and ``[appeals]`` of the settings."""

from policies.decision import Frozen


class ReviewSettings(Frozen):
    """``keep``: what a policy holds for review is kept sealed, with its prompt, until a person
    rules on it or its time is over (docs/gateway.md); else it is gone with the refusal. ``label``:
    pictures that a person ruled on stay sealed as labelled data (docs/image-guard.md)."""

    keep: bool = False
    label: bool = False


class AppealSettings(Frozen):
    """``accept``: people may appeal over HTTP. ``export``: prompts that appellants gave for it may
    leave as labelled data, with the ruling on them."""

    accept: bool = True
    export: bool = False
