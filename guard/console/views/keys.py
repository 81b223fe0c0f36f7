"""Keys as pages show them: those of callers, and the signers with the time that they have left."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from guard.gateway.callers import ApiKey, KeyState
from policies.decision import Frozen
from provenance.home import Home
from provenance.keys.ring import KeyEntry, entries
from provenance.keys.settings import Kind

SOON: Final = 30  # days before a signer's certificate ends that somebody should know


class ApiKeyRow(Frozen):
    """An API key, without its secret."""

    key: ApiKey
    state: KeyState


class SignerRow(Frozen):
    """A signer of the ring. ``days``: until its certificate ends, negative once it has."""

    entry: KeyEntry
    days: int

    @property
    def warns(self) -> bool:
        """It signs, and will not for long."""
        return self.entry.state.value == "active" and self.days < SOON


def api_keys(keys: Sequence[ApiKey], now: datetime) -> tuple[ApiKeyRow, ...]:
    """Those that open something come first."""
    rows = [ApiKeyRow(key=key, state=key.state(now)) for key in keys]
    return tuple(sorted(rows, key=lambda row: row.state is not KeyState.ACTIVE))


def signers(home: Home, now: datetime) -> tuple[SignerRow, ...]:
    """The signers in files of this home; empty where the settings name one elsewhere."""
    if home.settings.signer.kind is not Kind.RING:
        return ()
    return tuple(
        SignerRow(entry=entry, days=(entry.valid_until - now).days)
        for entry in entries(home.keys_folder)
    )
