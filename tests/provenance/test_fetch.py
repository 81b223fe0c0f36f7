"""An address that a stranger chose: only public ones are asked, and none for long."""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from provenance import fetch
from provenance.errors import AddressRefused, FetchFailed
from provenance.fetch import Fetcher
from tests.credential.authority import Authority

HERE = Fetcher(allow_loopback=True, seconds=5, max_bytes=100_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/png; x=y\r\nContent-Length: 5\r\n\r\nbytes"

Speak = Callable[[socket.socket, bytes], None]


@contextlib.contextmanager
def server(speak: Speak, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server on loopback that hands each connection and its request to ``speak``."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                way = context.wrap_socket(raw, server_side=True) if context else raw
                with way:
                    way.settimeout(10)
                    speak(way, way.recv(65536))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def saying(answer: bytes) -> Speak:
    return lambda way, _: way.sendall(answer)


def at(port: int, path: str = "/", scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}{path}"


def test_what_lies_at_an_address_is_fetched_with_its_kind() -> None:
    with server(saying(OK)) as port:
        found = HERE.get(at(port, "/a?b=c"), kinds={"image/png"})
    assert (found.data, found.media_type) == (b"bytes", "image/png")


def test_a_request_carries_its_body_and_nothing_of_ours() -> None:
    heard: list[bytes] = []

    def speak(way: socket.socket, request: bytes) -> None:
        heard.append(request)
        way.sendall(OK)

    with server(speak) as port:
        HERE.post(at(port, "/m"), b"picture", "image/png")
    assert heard[0].startswith(b"POST /m HTTP/1.1\r\n")
    assert b"Content-Type: image/png" in heard[0]
    assert b"Cookie" not in heard[0]
    assert b"Authorization" not in heard[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "http://10.1.2.3/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[fe80::1]/",
        "http://[fc00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:1:1:1:1:80ff:fffe]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://127.0.0.1:25/",
        "http:///nothing",
        "http://user:secret@example.org/",
        "http://example.org:25/",
        "http://example.org:99999/",
        "http://example.org/a b",
        "http://example.org/\r\nHost: other",
        "http://ex\u00e4mple.org/",
        "",
    ],
)
def test_no_address_in_a_private_network_is_asked_however_it_is_written(url: str) -> None:
    with pytest.raises((AddressRefused, FetchFailed)) as refused:
        Fetcher(seconds=5).get(url)
    # FetchFailed only where the name means nothing to this system's resolver.
    assert isinstance(refused.value, AddressRefused) or "looked up" in str(refused.value)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_inside_an_ipv6_address_is_judged_as_itself(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert fetch._is_public(mapped) == fetch._is_public(address)
    if not fetch._is_public(address):
        for packed in (0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
            assert not fetch._is_public(ipaddress.IPv6Address(packed))


def test_a_name_with_one_private_address_is_not_asked_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else whichever answer comes second would be the one that is connected to."""

    def both(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", ("93.184.216.34", 80)), (0, 0, 0, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        Fetcher().get("http://example.org/")


def test_the_name_is_looked_up_once_and_the_checked_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that answers differently the second time (DNS rebinding) gains nothing."""
    look_ups: list[str] = []

    def once(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        look_ups.append(host)
        return [(0, 0, 0, "", ("127.0.0.1", 80))]

    with server(saying(OK)) as port:
        real = socket.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", once)
        connected: list[object] = []

        def to(address: tuple[str, int], timeout: float) -> socket.socket:
            connected.append(address)
            made = socket.socket(socket.AF_INET)
            made.settimeout(timeout)
            made.connect(address)
            return made

        monkeypatch.setattr(socket, "create_connection", to)
        assert HERE.get(f"http://pictures.example:{port}/").data == b"bytes"
        monkeypatch.setattr(socket, "create_connection", real)
    assert look_ups == ["pictures.example"]
    assert connected == [("127.0.0.1", port)]


def redirect(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    "to", ["http://10.0.0.1/", "http://169.254.169.254/", "file:///etc/passwd", "http://x:y@h/"]
)
def test_a_redirect_into_a_private_network_is_not_followed(to: str) -> None:
    with server(saying(redirect(to))) as port, pytest.raises(AddressRefused):
        HERE.get(at(port))


def test_a_redirect_is_followed_and_a_ring_of_them_has_an_end() -> None:
    def once(way: socket.socket, request: bytes) -> None:
        way.sendall(OK if b"GET /there" in request else redirect("/there"))

    with server(once) as port:
        assert HERE.get(at(port)).url.endswith("/there")
    with server(saying(redirect("/"))) as port, pytest.raises(FetchFailed, match="redirects"):
        HERE.get(at(port))
    with server(saying(redirect("/there", 307))) as port, pytest.raises(FetchFailed):
        HERE.post(at(port), b"x", "text/plain")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "404"),
        (OK.replace(b"image/png", b"text/html"), "text/html"),
        (OK.replace(b"Length: 5", b"Length: 500"), "broke off"),
        (OK.replace(b"Content-Length: 5", b"Content-Encoding: gzip"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + b"x" * 200_000, "larger"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n", "cannot be fetched"),
        (b"SSH-2.0-OpenSSH\r\n", "cannot be fetched"),
        (b"", "cannot be fetched"),
    ],
)
def test_what_is_not_a_whole_answer_of_the_right_kind_is_an_error_with_words(
    answer: bytes, words: str
) -> None:
    with server(saying(answer)) as port, pytest.raises(FetchFailed, match=words):
        HERE.get(at(port), kinds={"image/png"})


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nX: ", OK[:-5].replace(b"5", b"99")])
def test_a_server_that_drips_its_bytes_is_cut_off(before: bytes) -> None:
    """Each single byte arrives in time; the whole does not."""

    def drip(way: socket.socket, _: bytes) -> None:
        way.sendall(before)
        for _n in range(100):
            way.sendall(b"x")
            time.sleep(0.05)

    with server(drip) as port, pytest.raises(FetchFailed, match=r"within|broke off"):
        Fetcher(seconds=0.4, allow_loopback=True).get(at(port))


def test_https_is_spoken_and_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority("Web")
    chain, key = authority.web_server("127.0.0.1")
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    with server(saying(OK), context) as port:
        with pytest.raises(FetchFailed, match="certificate verify failed"):
            HERE.get(at(port, scheme="https"))
        root = authority.certificate
        (tmp_path / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
        assert HERE.get(at(port, scheme="https")).data == b"bytes"
    assert isinstance(root, x509.Certificate)
