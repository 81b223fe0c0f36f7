"""Who may see and do what on the pages. Each request is held against the key as it is now."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from guard.console.session import Session, Sessions, same
from guard.errors import CredentialInvalid, NotAllowed
from guard.gateway.callers import ApiKeys, Callers, Identity, KeyState, Role, Scope, sees_commitment
from guard.gateway.uploads import FRAME_BYTES, read_form
from provenance.home import Home
from provenance.ledger import Entry

COOKIE: Final = "wardmark_console"
ROLES: Final = (Role.MODERATOR, Role.AUDITOR, Role.ADMIN)
RULING: Final = (Role.MODERATOR, Role.ADMIN)
ADMINS: Final = (Role.ADMIN,)
OVERSIGHT: Final = (Role.AUDITOR, Role.ADMIN)


class SignedIn(NamedTuple):
    """Somebody at the console."""

    identity: Identity
    session: Session

    @property
    def everywhere(self) -> bool:
        """Whether they work for the operator and see what belongs to all tenants."""
        return self.identity.tenant is None

    def may(self, *roles: Role) -> bool:
        """Whether their role is one of these."""
        return self.identity.role in roles


def sessions_of(request: Request) -> Sessions:
    """The sessions of this home."""
    home: Home = request.app.state.home
    return Sessions(home.commitment_key)


def check_key(identity: Identity) -> None:
    """Raises NotAllowed for a key that is not for the console."""
    if identity.role not in ROLES:
        raise NotAllowed(
            f"the console is for the roles {', '.join(ROLES)}; this key has the role"
            f" {identity.role}. Make one with: wardmark api-keys create --role moderator"
        )
    if Scope.CONSOLE not in identity.scopes:
        raise NotAllowed("this key is not for the console: it lacks the scope console")


async def signed_in(request: Request) -> SignedIn:
    """Who is signed in, as a dependency of each page but the sign-in.

    Raises CredentialInvalid where nobody is, or the key has ended, NotAllowed, LedgerUnavailable.
    """
    known: SignedIn | None = getattr(request.state, "signed_in", None)
    if known is not None:
        return known
    sessions = sessions_of(request)
    callers: Callers = request.app.state.callers
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":  # a program: no browser sends this by itself
        identity = await run_in_threadpool(callers.of_token, token.strip())
        session = sessions.of_program(identity.subject)
    else:
        opened = sessions.open(request.cookies.get(COOKIE, ""))
        if opened is None:
            raise CredentialInvalid("sign in; you were not signed in here, or for too long idle")
        session = opened
        identity = await run_in_threadpool(_identity_now, callers.keys, session.subject)
    check_key(identity)
    who = SignedIn(identity, session)
    request.state.signed_in = who
    request.state.identity = identity  # for the log
    return who


def _identity_now(keys: ApiKeys, subject: str) -> Identity:
    held = keys.held(subject.removeprefix("key_"))
    if held is None or held.key.state(keys.clock()) is not KeyState.ACTIVE:
        raise CredentialInvalid("the key that you signed in with was revoked or has expired")
    return held.identity


Who = Annotated[SignedIn, Depends(signed_in)]


def for_roles(*roles: Role, operator: bool = False) -> Callable[[SignedIn], Awaitable[SignedIn]]:
    """A dependency that lets these roles in; ``operator``: only those who see all tenants.
    Raises NotAllowed."""

    async def allowed(who: Who) -> SignedIn:
        if roles and not who.may(*roles):
            raise NotAllowed(f"this page is for the role {' or '.join(roles)}; yours is "
                             f"{who.identity.role}")  # fmt: skip
        if operator and not who.everywhere:
            raise NotAllowed("this page speaks of all tenants, and you work for one of them")
        return who

    return allowed


Ruling = Annotated[SignedIn, Depends(for_roles(*RULING))]
OPERATORS: Final = Depends(for_roles(operator=True))
Operator = Annotated[SignedIn, OPERATORS]
Admin = Annotated[SignedIn, Depends(for_roles(*ADMINS, operator=True))]


async def sent_form(request: Request, who: SignedIn, most: int = FRAME_BYTES) -> dict[str, str]:
    """The fields of a form that this session sent, of ``most`` bytes. Raises NotAllowed for one
    that did not come from its pages."""
    fields = await read_form(request, most)
    if not same(fields.pop("csrf", ""), who.session.csrf):
        raise NotAllowed("this form does not come from your session; load its page again")
    return fields


def sees(who: SignedIn, entry: Entry, commitment_key: bytes) -> bool:
    """Whether an ending of a request belongs to what somebody may see."""
    stage = entry.body.get("prompt_stage")
    told = stage.get("fields", {}).get("caller.tenant") if isinstance(stage, dict) else None
    told = told or entry.body.get("tenant")  # of a request that stopped before it was judged
    return sees_commitment(who.identity, told if isinstance(told, str) else None, commitment_key)
