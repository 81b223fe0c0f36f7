"""A moderation endpoint on loopback that answers, or fails, as a test tells it to."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple

from guard.prompts.adapters.crosswalk import OPENAI

Script = Callable[["Asked"], "Answer | dict[str, Any]"]


class Asked(NamedTuple):
    """One request."""

    path: str
    authorization: str | None
    body: dict[str, Any]


class Answer(NamedTuple):
    """A status, a body, and what else a server may do to its client."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = MappingProxyType({})
    drip: float = 0.0  # seconds between the bytes


def honest(asked: Asked) -> dict[str, Any]:
    """What is violent in a world where a bomb is."""
    results = []
    for text in asked.body["input"]:
        bad = "bomb" in text
        scores = dict.fromkeys(OPENAI, 0.01) | ({"violence": 0.9} if bad else {})
        flags = {name: bad and name == "violence" for name in OPENAI}
        results.append({"flagged": bad, "categories": flags, "category_scores": scores})
    return {"id": "modr-1", "model": "m", "results": results}


class Endpoint:
    """Where it is, and what it was asked."""

    def __init__(self, script: Script) -> None:
        self.asked: list[Asked] = []
        self.script = script
        self.url = ""


@contextmanager
def endpoint(script: Script = honest) -> Iterator[Endpoint]:
    """A server that answers by ``script`` until the block ends."""
    found = Endpoint(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            asked = Asked(self.path, self.headers["Authorization"], json.loads(raw))
            found.asked.append(asked)
            said = found.script(asked)
            answer = said if isinstance(said, Answer) else Answer(200, json.dumps(said).encode())
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            try:
                if not answer.drip:
                    self.wfile.write(answer.body)
                    return
                for byte in answer.body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(answer.drip)
            except OSError:
                pass  # the client has had enough

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_port}/v1/moderations"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()
