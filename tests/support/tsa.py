"""A time stamping authority on loopback, which answers as a test tells it."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from asn1crypto import cms, tsp

from tests.credential.stamps import TimeStamping

Answer = Callable[[bytes], tuple[int, bytes]]
"""From a request to an HTTP status and a body."""


class LoopbackAuthority(TimeStamping):
    """Answers requests (TimeStampReq) instead of stamping messages that it is given."""

    def granted(self, request: bytes) -> tuple[int, bytes]:
        """As it should be."""
        return self._reply(self._imprint(request))

    def of_another(self, _: bytes) -> tuple[int, bytes]:
        """A token that is whole, but of something else."""
        return self._reply(hashlib.sha256(b"another").digest())

    def refused(self, _: bytes) -> tuple[int, bytes]:
        """RFC 3161's rejection."""
        return 200, bytes.fromhex("30053003020102")  # a status and no token

    def _imprint(self, request: bytes) -> bytes:
        asked = tsp.TimeStampReq.load(request, strict=True)
        assert asked["cert_req"].native is True
        digest: bytes = asked["message_imprint"]["hashed_message"].native
        return digest

    def _reply(self, digest: bytes) -> tuple[int, bytes]:
        info = self._info(digest)
        token = cms.ContentInfo.load(self._signed(info, hashlib.sha256(info).digest()))
        said = {"status": {"status": "granted"}, "time_stamp_token": token}
        return 200, tsp.TimeStampResp(said).dump()


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address at which ``answer`` answers, while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stamp"
    finally:
        server.shutdown()
        server.server_close()
