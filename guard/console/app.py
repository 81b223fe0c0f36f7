"""All routes of the console, put into a gateway."""

from typing import Final

from fastapi import FastAPI

from guard.appeals import Appeals
from guard.console.routes import appeals, decisions, front, sign_in
from guard.gateway.limits import RateLimiter

SIGN_INS_PER_MINUTE: Final = 10  # from one address

_PARTS: Final = (sign_in, front, decisions, appeals)


def install(app: FastAPI) -> None:
    """Give ``app`` the pages. It has its home, pipeline and callers in its state already."""
    app.state.sign_in_limit = RateLimiter(SIGN_INS_PER_MINUTE)
    if not hasattr(app.state, "appeals"):
        app.state.appeals = Appeals(app.state.home)
    for part in _PARTS:
        app.include_router(part.router)
