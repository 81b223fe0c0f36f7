"""Who asks, and what somebody in that role and tenant may see. Pure."""

from enum import StrEnum
from typing import NamedTuple

from guard.pipeline.request import Caller, Quota
from policies.decision import Frozen
from provenance.callers import Limits
from provenance.ledger.commitment import commitment

ANONYMOUS = "anonymous"


class Role(StrEnum):
    """What somebody is here for. No role holds another: each route names those that it takes."""

    USER = "user"  # asks for pictures
    MODERATOR = "moderator"  # reads decisions, rules on what is held and on appeals
    AUDITOR = "auditor"  # reads everything, changes nothing
    ADMIN = "admin"  # policies and keys too


class Scope(StrEnum):
    """What a credential may be used for, whoever holds it."""

    GENERATE = "generate"
    EDIT = "edit"
    MODERATE = "moderate"
    READ = "read"  # models, decisions, jobs
    APPEAL = "appeal"
    CONSOLE = "console"
    BULK = "bulk"  # many people ask through it: their attempts are not held against one another


ORDINARY = frozenset(Scope) - {Scope.BULK}
"""The scopes of a credential for which nobody said otherwise."""


class Identity(Frozen):
    """Who asks. ``None`` means not known.

    ``subject``: "key_..." of an API key, "oidc:" and a commitment, or "anonymous"; it stays the
    same when a key is rotated, and names no person. ``tenant``: the organisation; who has none
    works for the operator of this gateway, or is anonymous. ``region``: ISO 3166-1.
    """

    subject: str = ANONYMOUS
    role: Role = Role.USER
    tenant: str | None = None
    scopes: frozenset[str] = ORDINARY
    region: str | None = None
    age_verified: bool | None = None
    limits: Limits = Limits()

    def caller(self, quota: Quota | None = None, probing: int | None = None) -> Caller:
        """This identity as the pipeline and policies know it."""
        return Caller(
            role=self.role.value,
            tenant=self.tenant,
            region=self.region,
            age_verified=self.age_verified,
            quota=quota,
            probing=probing,
        )


class Checked(NamedTuple):
    """Who a credential speaks of, and until when at most (POSIX seconds)."""

    identity: Identity
    until: float


def may_see(identity: Identity, tenant: str | None) -> bool:
    """Whether what belongs to ``tenant`` exists for ``identity``; where not, answer 404, as for
    what was never there.

    A tenant sees its own and nothing else, whatever the role. Moderators, auditors and admins of
    the operator (without a tenant) see everything; its users and anonymous callers see what
    belongs to no tenant.
    """
    if identity.tenant is None and identity.role is not Role.USER:
        return True
    return identity.tenant == tenant


def sees_commitment(identity: Identity, committed: str | None, key: bytes) -> bool:
    """``may_see`` of an account in the ledger, where the tenant stands as a commitment under
    ``key`` (``fields["caller.tenant"]`` of a stage), or not at all."""
    if committed is None or identity.tenant is None:
        return may_see(identity, committed)
    own = commitment(key, f"caller.tenant={identity.tenant}")
    return may_see(identity, identity.tenant if committed == own else None)
