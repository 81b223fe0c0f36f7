"""``POST /v1/verify``: the free, public detector. Keeps nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request

from guard.errors import InvalidRequest
from guard.gateway.limits import RateLimiter
from guard.gateway.uploads import Sent, read_sent
from provenance.fetch import Fetcher
from provenance.home import Home
from provenance.picture import MEDIA_TYPES
from provenance.verify import Report, verify

PER_MINUTE = 120  # requests from one address
AT_ONCE = 4  # verifications; each may hold 192 MB of pixels (provenance.picture.MAX_PIXELS)
KINDS = frozenset(
    {*MEDIA_TYPES.values(), "image/avif", "image/tiff", "image/gif", "application/octet-stream"}
)

T = TypeVar("T")

router = APIRouter()


class Examined(NamedTuple):
    """A report, and the bytes that it is of."""

    report: Report
    data: bytes


class Detector:
    """Verifies what strangers send, within limits. ``fetcher``: None where addresses are not
    fetched."""

    def __init__(self, home: Home, fetcher: Fetcher | None, per_minute: int = PER_MINUTE) -> None:
        self.home = home
        self.fetcher = fetcher
        self.limiter = RateLimiter(per_minute)
        self._places = CapacityLimiter(AT_ONCE)

    def count(self, request: Request) -> None:
        """Count a request against its address. Raises RateLimited."""
        self.limiter.take(request.client.host if request.client else "")

    async def examine(self, sent: Sent) -> Examined:
        """Verify what was sent. Raises what ``verify`` and the fetcher raise, and InvalidRequest
        for an address where none is fetched."""
        return await self.run(partial(self._examine, sent))

    async def run(self, work: Callable[[], T]) -> T:
        """Do work that holds a picture, when there is a place for it."""
        return await to_thread.run_sync(work, limiter=self._places)

    def _examine(self, sent: Sent) -> Examined:
        data = self._fetched(sent.url) if sent.url else sent.data
        report = verify(data, sources=self.home.sources())
        return Examined(report.model_copy(update={"file": sent.url or sent.name}), data)

    def _fetched(self, url: str) -> bytes:
        if self.fetcher is None:
            raise InvalidRequest(
                "addresses are not fetched here; send the file itself, or ask the operator to"
                " start the gateway with --fetch-urls"
            )
        return self.fetcher.get(url, KINDS).data


_FILE = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
_URL = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}
BODY = {
    "required": True,
    "content": {"multipart/form-data": {"schema": _FILE}, "application/json": {"schema": _URL}},
}
"""Of the OpenAPI description: the body is read by ``read_sent``, which keeps it off the disk."""


@router.post("/v1/verify", openapi_extra={"requestBody": BODY})
async def verify_upload(request: Request) -> dict[str, Any]:
    """Where does this picture come from? The JSON of ``wardmark verify``."""
    detector: Detector = request.app.state.detector
    detector.count(request)
    examined = await detector.examine(await read_sent(request))
    return examined.report.model_dump(mode="json")
