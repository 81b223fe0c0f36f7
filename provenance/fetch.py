"""One HTTP request to an address that a stranger may have chosen (server-side request forgery).

The name is resolved once, every address it stands for must be public, and the connection goes to
the very address that was checked: a name that is looked up twice can answer differently (DNS
rebinding). Each redirect is checked anew. Size, kind and time are bounded, nothing is
decompressed, no proxy is asked, and neither cookies nor credentials are sent.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

from provenance.errors import AddressRefused, FetchFailed

MAX_BYTES = 32 * 1024 * 1024
SECONDS = 10.0  # name, connection, redirects and body together
MAX_REDIRECTS = 3
CHUNK_BYTES = 64 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}
PRIVILEGED_PORTS = 1024  # below it only the two above: no mail server is spoken to
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: IPv4 in the last 32 bits

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
T = TypeVar("T")


class Fetched(NamedTuple):
    """An answer with status 200. ``url``: after redirects; ``media_type``: lower case, without
    parameters."""

    url: str
    media_type: str
    data: bytes


class Answer(NamedTuple):
    """What an address answers, whatever its status. ``headers``: (name, value) as they came.

    ``body``: its first bytes; ``whole``: it has no more of them.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool


@dataclass(frozen=True)
class Fetcher:
    """``seconds`` and ``max_bytes`` bound one call, redirects included. ``allow_loopback``: lets
    127.0.0.0/8 and ::1 be asked as well, for a service on this machine and for tests. ``agent``:
    as whom we ask."""

    seconds: float = SECONDS
    max_bytes: int = MAX_BYTES
    allow_loopback: bool = False
    agent: str = "wardmark"

    def get(self, url: str, kinds: Collection[str] = ()) -> Fetched:
        """What lies at an http or https ``url``. ``kinds``: media types that are accepted, all
        where none is named.

        Raises AddressRefused for an address that is not asked, and FetchFailed where there is no
        answer of an accepted kind within the limits.
        """
        return self._ask("GET", url, kinds)

    def post(self, url: str, body: bytes, media_type: str, kinds: Collection[str] = ()) -> Fetched:
        """As ``get``, sending ``body``. A redirect of it is not followed."""
        return self._ask("POST", url, kinds, body, media_type)

    def look(self, method: Literal["GET", "HEAD"], url: str) -> Answer:
        """What ``url`` itself answers: no redirect is followed, and of the body ``max_bytes`` are
        read.

        Raises AddressRefused for an address that is not asked, and FetchFailed without an answer.
        """

        def read(response: http.client.HTTPResponse) -> Answer:
            body = response.read(self.max_bytes)
            whole = not response.read(1)
            return Answer(url, response.status, tuple(response.getheaders()), body, whole)

        return self._speak(method, url, b"", "", time.monotonic() + self.seconds, read)

    def _ask(
        self, method: str, url: str, kinds: Collection[str], body: bytes = b"", sent_as: str = ""
    ) -> Fetched:
        until = time.monotonic() + self.seconds
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._speak(
                method, url, body, sent_as, until, partial(self._answer, url, kinds, until)
            )
            if isinstance(answer, Fetched):
                return answer
            if method != "GET":
                raise FetchFailed(f"{_shown(url)} sends a request with a body elsewhere")
            url = urljoin(url, answer)
        raise FetchFailed(f"{_shown(url)} redirects more than {MAX_REDIRECTS} times")

    def _speak(
        self,
        method: str,
        url: str,
        body: bytes,
        sent_as: str,
        until: float,
        read: Callable[[http.client.HTTPResponse], T],
    ) -> T:
        """What ``read`` makes of the answer to one request."""
        parts = _checked(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        address = self._address(parts, port, until)
        host = str(parts.hostname)
        connection = http.client.HTTPConnection(host, port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept-Encoding": "identity", "User-Agent": self.agent, "Connection": "close"}
        if body:
            headers["Content-Type"] = sent_as
        try:
            tls_name = host if parts.scheme == "https" else None
            with _opened(address, port, until, tls_name) as way, _cut_off(way, until):
                if isinstance(way, ssl.SSLSocket):
                    way.do_handshake()
                connection.sock = way
                connection.request(method, path, body or None, headers)
                return read(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= until
            why = f"no whole answer within {self.seconds:g} s" if late else str(error)
            raise FetchFailed(f"{_shown(url)} cannot be fetched: {why}") from error

    def _address(self, parts: SplitResult, port: int, until: float) -> IPAddress:
        """The address to connect to; every other one of the name was found public as well."""
        found = _resolved(str(parts.hostname), port, until)
        for address in found:
            if not (_is_public(address) or (self.allow_loopback and address.is_loopback)):
                raise AddressRefused(
                    f"{_shown(parts.geturl())} leads to {address}, which is not a public address"
                )
        return found[0]

    def _answer(
        self, url: str, kinds: Collection[str], until: float, response: http.client.HTTPResponse
    ) -> Fetched | str:
        """An answer, or the address that it redirects to."""
        if 300 <= response.status < 400 and (elsewhere := response.headers["Location"]):
            return str(elsewhere)
        if response.status != 200:
            raise FetchFailed(f"{_shown(url)} answers {response.status}")
        media_type = response.headers.get_content_type()
        if kinds and media_type not in kinds:
            raise FetchFailed(
                f"{_shown(url)} is {media_type[:100]}, not one of {', '.join(sorted(kinds))}"
            )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise FetchFailed(f"{_shown(url)} answers in a compressed form, which is not read")
        return Fetched(url, media_type, self._body(response, url, until))

    def _body(self, response: http.client.HTTPResponse, url: str, until: float) -> bytes:
        announced = response.length
        body = bytearray()
        while chunk := response.read(CHUNK_BYTES):
            body += chunk
            if len(body) > self.max_bytes:
                raise FetchFailed(f"{_shown(url)} is larger than {self.max_bytes} bytes")
        if time.monotonic() >= until or (announced is not None and len(body) < announced):
            raise FetchFailed(f"{_shown(url)} broke off before its end")
        return bytes(body)


def is_loopback(host: str) -> bool:
    """Whether an address or name is of this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _checked(url: str) -> SplitResult:
    """The parts of a URL that may be asked for. Raises AddressRefused for every other one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"{_shown(url)} is no web address: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise AddressRefused(f"{_shown(url)} is not an http or https address")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("an address with a user name or password in it is not fetched")
    if port is not None and port < PRIVILEGED_PORTS and port not in DEFAULT_PORTS.values():
        raise AddressRefused(f"port {port} is not asked; use 80, 443 or one from 1024")
    if not url.isascii() or any(ord(sign) <= 32 for sign in url):
        raise AddressRefused("write the address in ASCII, other characters percent-encoded")
    return parts


def _resolved(host: str, port: int, until: float) -> list[IPAddress]:
    """All addresses of a name. The system's resolver takes no time limit, so it gets a thread."""
    found: list[IPAddress] = []

    def look_up() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(ipaddress.ip_address(str(entry[4][0])) for entry in entries)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    if thread.is_alive() or not found:
        raise FetchFailed(f"{host[:200]} is not a name that can be looked up")
    return found


def _is_public(address: IPAddress) -> bool:
    """Whether it lies in the open Internet, and so does the IPv4 address that is packed into it."""
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo
        packed = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
        if packed is None and address in NAT64:
            packed = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if packed is not None and not _is_public(packed):
            return False
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _opened(address: IPAddress, port: int, until: float, tls_name: str | None) -> socket.socket:
    """A connection; with ``tls_name`` one whose certificate must be of that name."""
    left = max(0.001, until - time.monotonic())
    plain = socket.create_connection((str(address), port), timeout=left)
    if tls_name is None:
        return plain
    return ssl.create_default_context().wrap_socket(
        plain, server_hostname=tls_name, do_handshake_on_connect=False
    )


@contextlib.contextmanager
def _cut_off(connected: socket.socket, until: float) -> Iterator[None]:
    """Ends the connection when the time is up, however slowly the other side drips its bytes."""

    def end() -> None:
        with contextlib.suppress(OSError):
            # not SSLSocket's own, which takes the keys from under the thread that reads
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, until - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shown(url: str) -> str:
    """As much of an address as a message may repeat: it may be long, or hold a secret query."""
    return url.split("?", 1)[0][:200]
