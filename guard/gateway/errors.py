"""One shape for every error, that of the OpenAI API, with what a person needs beside it.

    {"error": {"message", "type", "param", "code", "gateway": {...}?}}

A refusal is 400 and says not to try again; an outage is 503 and says when. They never share a code.
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from guard.errors import (
    CredentialInvalid,
    DecisionRefused,
    IdempotencyConflict,
    RateLimited,
    StillRunning,
)
from policies.errors import Unavailable, WardmarkError

RETRY_AFTER_SECONDS = 30
NO_RETRY = {"x-should-retry": "false"}

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_CODES = {
    400: "invalid_value",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    415: "unsupported_media_type",
}


class ErrorTold(BaseModel):
    """What went wrong: ``message`` for people, ``code`` for programs. ``gateway``: the decision
    behind a refusal."""

    message: str
    type: str
    param: str | None
    code: str
    gateway: dict[str, Any] | None = None


class ErrorDocument(BaseModel):
    """The body of every error."""

    error: ErrorTold


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorDocument, "description": "The request is wrong, or was refused."},
    "5XX": {"model": ErrorDocument, "description": "Something that is needed is not there."},
}
"""Of the OpenAPI description of every route."""


def install_error_shape(app: FastAPI) -> None:
    """Make every error of ``app`` answer in the one shape."""
    app.add_exception_handler(WardmarkError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_bug)


def error_body(
    message: str, *, status: int, code: str, param: str | None = None, **more: Any
) -> dict[str, Any]:
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code, **more}}


def gateway_block(error: DecisionRefused) -> dict[str, Any]:
    """The decision behind a refusal, as data."""
    decision = error.decision
    return {
        "decision_id": error.decision_id,
        "action": decision.action.value,
        "policy": decision.policy.model_dump(),
        "reasons": [reason.model_dump(mode="json") for reason in decision.reasons],
        "decision_url": f"/v1/decisions/{error.decision_id}",
        "appeal_url": "/v1/appeals",
    }


def retry_headers(error: WardmarkError) -> dict[str, str]:
    """When to try again, where that can help, and what kind of credential is asked for."""
    if isinstance(error, (DecisionRefused, IdempotencyConflict)):
        return NO_RETRY
    if isinstance(error, StillRunning):
        return {"retry-after": "1"}
    if isinstance(error, CredentialInvalid):
        return {"www-authenticate": "Bearer"}
    if isinstance(error, RateLimited):
        return {"retry-after": str(error.retry_after)}
    if isinstance(error, Unavailable):
        return {"retry-after": str(RETRY_AFTER_SECONDS)}
    return {}


def error_document(error: WardmarkError) -> dict[str, Any]:
    """The body of an error of ours; a refusal carries its decision."""
    more: dict[str, Any] = {}
    if isinstance(error, DecisionRefused):
        more = {"gateway": gateway_block(error)}
    return error_body(str(error), status=error.http_status, code=error.code, **more)


async def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WardmarkError)  # noqa: S101  # registered for it alone
    request.state.code = error.code
    return JSONResponse(error_document(error), error.http_status, retry_headers(error))


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it alone
    request.state.code = "invalid_value"
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"] if part != "body") or None
    message = f"{param}: {first['msg']}" if param else first["msg"]
    return JSONResponse(error_body(message, status=400, code="invalid_value", param=param), 400)


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for it alone
    code = request.state.code = _CODES.get(error.status_code, "http_error")
    body = error_body(str(error.detail), status=error.status_code, code=code)
    return JSONResponse(body, error.status_code, error.headers)


async def _of_bug(request: Request, _: Exception) -> JSONResponse:
    """A fault of ours: says nothing of its inside, and names the request for the logs."""
    request.state.code = "internal_error"
    named = request.state.request_id
    message = f"internal error; quote request {named} to the operator"
    body = error_body(message, status=500, code="internal_error")
    return JSONResponse(body, 500, {"x-request-id": named})  # made outside of the entrance
