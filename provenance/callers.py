"""How callers are recognised: the table ``[callers]`` of the settings. The gateway acts on it."""

from policies.decision import Frozen


class CallerSettings(Frozen):
    """``required``: callers on this machine need a credential too."""

    required: bool = False
