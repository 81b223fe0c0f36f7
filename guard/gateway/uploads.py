"""What a person sends to be verified: a file of a form, or an address. Never touches a disk."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

import orjson
from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from guard.errors import InvalidRequest
from provenance.errors import PictureTooLarge

MAX_UPLOAD_BYTES = 32 * 1024 * 1024
FRAME_BYTES = 64 * 1024  # of a form beside its file
MAX_FIELDS = 8


class Sent(NamedTuple):
    """Either the ``data`` of a file, with the name its sender gave it, or a ``url``."""

    name: str
    data: bytes
    url: str


class InMemoryParser(MultiPartParser):
    """Starlette's own parser puts files over 1 MB on the disk, and takes half a form for a whole
    one."""

    spool_max_size = MAX_UPLOAD_BYTES + FRAME_BYTES
    _ended = False

    def on_end(self) -> None:
        """The last boundary was read."""
        self._ended = True

    async def parse(self) -> FormData:
        """Raises MultiPartException, also for a form that breaks off."""
        form = await super().parse()
        if not self._ended:
            await form.close()
            if self._current_part.file is not None:
                await self._current_part.file.close()
            raise MultiPartException("it breaks off before its last boundary")
        return form


async def read_sent(request: Request) -> Sent:
    """The one file or address in a request: multipart field ``file`` or ``url``, or JSON ``url``.

    Raises InvalidRequest where it is neither or both, PictureTooLarge.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return Sent("", b"", _url_of(await _body(request)))
    if kind != "multipart/form-data":
        raise InvalidRequest(
            'send the picture as multipart/form-data in the field "file", or {"url": ...} as JSON'
        )
    sent = await _multipart(request)
    if len(sent.data) > MAX_UPLOAD_BYTES:
        raise PictureTooLarge(f"the file has more than {MAX_UPLOAD_BYTES:,} bytes; send a smaller")
    if bool(sent.url) == bool(sent.data or sent.name):
        raise InvalidRequest('choose a file (field "file") or give an address (field "url")')
    return sent


async def read_picture(request: Request) -> bytes:
    """The picture that is the body, as the C2PA API has it, or the field ``file`` of a form.

    Raises InvalidRequest, PictureTooLarge.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return (await read_sent(request)).data
    return b"".join([chunk async for chunk in bounded(request, MAX_UPLOAD_BYTES)])


async def read_form(request: Request, most: int = FRAME_BYTES) -> dict[str, str]:
    """The text fields of a form of ``most`` bytes. Raises InvalidRequest, PictureTooLarge."""
    parser = FormParser(request.headers, bounded(request, most))
    fields = await parser.parse()
    return {name: value for name, value in fields.items() if isinstance(value, str)}


async def _multipart(request: Request) -> Sent:
    stream = bounded(request, MAX_UPLOAD_BYTES + FRAME_BYTES)
    parser = InMemoryParser(request.headers, stream, max_files=1, max_fields=MAX_FIELDS)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"this form cannot be read: {error.message}") from error
    file, url = form.get("file"), form.get("url")
    url = url.strip() if isinstance(url, str) else ""
    try:
        if not isinstance(file, UploadFile):
            return Sent("", b"", url)
        return Sent(file.filename or "", await file.read(), url)
    finally:
        await form.close()


def _url_of(body: bytes) -> str:
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"this is not JSON: {error}") from error
    if not isinstance(sent, dict) or set(sent) != {"url"} or not isinstance(sent["url"], str):
        raise InvalidRequest('give {"url": "https://..."} and nothing else')
    return sent["url"]


async def _body(request: Request) -> bytes:
    return b"".join([chunk async for chunk in bounded(request, FRAME_BYTES)])


async def bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes; a length that nobody declared is counted."""
    got = 0
    async for chunk in request.stream():
        got += len(chunk)
        if got > most:
            raise PictureTooLarge(f"the request has more than {most:,} bytes; send a smaller one")
        yield chunk
