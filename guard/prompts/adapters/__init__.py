"""Guards that a deployment brings along, behind the same port as the embedded assessor."""

from guard.prompts.adapters.ensemble import Ensemble, Member
from guard.prompts.adapters.settings import guards_of

__all__ = ["Ensemble", "Member", "guards_of"]
