"""Who asks, what they may do, and how much of it.

from guard.gateway.callers import Identified, Role, may_see, require

async def route(identity: Identified): ...
async def route(identity: Annotated[Identity, Depends(require(Role.MODERATOR, Role.ADMIN))])
"""

from guard.gateway.callers.access import Callers, Identified, check_exposure, identify, require
from guard.gateway.callers.admission import Admission, Admitted
from guard.gateway.callers.identity import (
    Identity,
    Role,
    Scope,
    may_see,
    sees_commitment,
)
from guard.gateway.callers.keys import ApiKey, ApiKeys, Issued, KeyState, KeyTerms
from provenance.callers import Limits

__all__ = [
    "Admission",
    "Admitted",
    "ApiKey",
    "ApiKeys",
    "Callers",
    "Identified",
    "Identity",
    "Issued",
    "KeyState",
    "KeyTerms",
    "Limits",
    "Role",
    "Scope",
    "check_exposure",
    "identify",
    "may_see",
    "require",
    "sees_commitment",
]
