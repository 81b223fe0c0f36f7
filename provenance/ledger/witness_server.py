"""A witness over HTTP (C2SP tlog-witness): the server, and the client that asks it.

    POST PREFIX/add-checkpoint      200 with cosignature lines; 400, 403, 404, 409, 422 say why not

The server needs no database and no framework: one request is one small text, one answer one line.
It believes nothing but signatures, so it asks nobody who they are.
"""

import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from policies.errors import WardmarkError
from provenance.errors import (
    LogUnknown,
    LogUntrusted,
    ProofInvalid,
    SubmissionInvalid,
    WitnessElsewhere,
    WitnessRefused,
    WitnessUnavailable,
)
from provenance.ledger import note as notes
from provenance.ledger.cosignature import Cosignature, WitnessVerifier
from provenance.ledger.submission import MAX_SUBMISSION_BYTES, Submission
from provenance.ledger.witness import Witness

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"
IDLE_SECONDS = 30.0  # after which a silent client loses its connection
TIMEOUT_SECONDS = 30.0  # of the client
MAX_ANSWER_BYTES = 64 << 10
_REFUSALS: dict[int, type[WitnessRefused]] = {
    kind.http_status: kind for kind in (SubmissionInvalid, LogUntrusted, LogUnknown, WitnessRefused)
}


class WitnessServer(ThreadingHTTPServer):
    """Answers for one witness; ``serve_forever`` until ``shutdown``."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        """Listen on (host, port); port 0 takes a free one, see ``server_address``."""
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise WitnessUnavailable(
                f"{address[0]}:{address[1]} cannot be listened on: {error.strerror}."
            ) from error
        self.witness = witness


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive
    server_version = "wardmark-witness"
    sys_version = ""
    timeout: ClassVar = IDLE_SECONDS
    server: WitnessServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_SUBMISSION_BYTES:
            self.close_connection = True  # what was not read would be taken for the next request
            self._answer(400, "Give a Content-Length of at most 64 KiB.\n")
            return
        body = self.rfile.read(int(length))
        if self.path != PATH:
            self._answer(404, f"A witness answers at {PATH} alone.\n")
            return
        try:
            cosignature = self.server.witness.add_checkpoint(Submission.parse(body))
        except WitnessElsewhere as error:
            self._answer(error.http_status, f"{error.size}\n", SIZE_TYPE)
        except WardmarkError as error:
            self._answer(error.http_status, f"{error}\n")
        else:
            self._answer(200, notes.render_signatures((cosignature.line,)))

    def _answer(self, status: int, text: str, kind: str = TEXT_TYPE) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests say nothing that the state does not."""


class HttpWitness:
    """A witness at ``url``, the submission prefix, whose cosignatures ``verifier`` checks."""

    def __init__(self, url: str, verifier: WitnessVerifier) -> None:
        """Raises ``WitnessUnavailable`` for what is no http or https URL."""
        self._url = urlsplit(url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise WitnessUnavailable(f"{url!r} is no URL of a witness; give http(s)://HOST[:PORT]")
        self._verifier = verifier

    @property
    def verifier(self) -> WitnessVerifier:
        """The key under which it cosigns."""
        return self._verifier

    def add_checkpoint(self, submission: Submission) -> Cosignature:
        """Ask for a cosignature and check it. Raises as ``Witness.add_checkpoint``."""
        status, kind, answer = self._post(submission.render())
        if status == 409 and kind == SIZE_TYPE and answer.strip().isdecimal():
            raise WitnessElsewhere(
                f"{self._verifier.name} last cosigned {answer.strip()} entries.", int(answer)
            )
        if status in _REFUSALS:
            raise _REFUSALS[status](f"{self._verifier.name} does not cosign: {answer.strip()}")
        if status != 200:
            raise WitnessUnavailable(f"{self._url.geturl()} answers {status}: {answer.strip()}")
        text = notes.parse(submission.note).text
        note = notes.Note(text, notes.parse_signatures(answer))
        cosignature = self._verifier.find(note)
        if cosignature is None:
            raise ProofInvalid(
                f"{self._url.geturl()} cosigned with another key than {self._verifier}; "
                "ask its operator for the right one."
            )
        return cosignature

    def _post(self, body: bytes) -> tuple[int, str, str]:
        host, port = self._url.hostname or "", self._url.port
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(host, port, timeout=TIMEOUT_SECONDS)
        try:
            path = self._url.path.rstrip("/") + PATH
            connection.request("POST", path, body, {"Content-Type": TEXT_TYPE})
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER_BYTES).decode(errors="replace")
            return answer.status, answer.headers.get("Content-Type", ""), content
        except (OSError, http.client.HTTPException) as error:
            raise WitnessUnavailable(
                f"The witness {self._url.geturl()} cannot be reached: {error}"
            ) from error
        finally:
            connection.close()
