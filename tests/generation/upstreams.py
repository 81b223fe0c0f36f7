"""Services that draw, on loopback: each speaks its API as recorded, or fails as a test tells it."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from provenance.picture import Pixels, encode
from tests.support.core import textured_picture


class Asked(NamedTuple):
    """One request. ``body``: of JSON; ``parts``: of a form, by name."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str | None
    body: dict[str, Any]
    parts: dict[str, bytes]


class Said(NamedTuple):
    """An answer: JSON unless it is bytes."""

    status: int
    body: Any = MappingProxyType({})
    retry_after: str | None = None


Script = Callable[[Asked], Said]


class Upstream:
    """``url``, and what was asked. ``left``: set when a client went away before its answer."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.url = ""
        self.left = threading.Event()

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


@contextmanager
def upstream(script: Script) -> Iterator[Upstream]:
    """A service that answers by ``script`` until the block ends."""
    found = Upstream(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({}, {})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
            kind = self.headers["Content-Type"] or ""
            if kind.startswith("multipart/"):
                self._answer({}, _parts(kind, raw))
            else:
                self._answer(json.loads(raw) if raw else {}, {})

        def _answer(self, body: dict[str, Any], parts: dict[str, bytes]) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            asked = Asked(
                self.command, address.path, query, self.headers["Authorization"], body, parts
            )
            found.asked.append(asked)
            said = found.script(asked)
            sent = (
                said.body
                if isinstance(said.body, bytes)
                else json.dumps(said.body, default=dict).encode()
            )
            try:
                self.send_response(said.status)
                if said.retry_after is not None:
                    self.send_header("Retry-After", said.retry_after)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)
                self.wfile.flush()
            except OSError:
                found.left.set()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _parts(kind: str, raw: bytes) -> dict[str, bytes]:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
    found: dict[str, bytes] = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(part.get_param("name", header="content-disposition"))] = content
    return found


def drawn(prompt: str, width: int, height: int, seed: int) -> Pixels:
    """What all of them draw."""
    return textured_picture(prompt, width, height, seed)


def png(prompt: str, width: int, height: int, seed: int = 0) -> bytes:
    return encode(drawn(prompt, width, height, seed), "png")


def openai_images(asked: Asked) -> Said:
    """Draws, and refuses what names a dragon."""
    said = asked.body or {name: value.decode("latin-1") for name, value in asked.parts.items()}
    if "dragon" in said["prompt"]:
        error = {"message": "rejected", "type": "image_generation_user_error"}
        return Said(400, {"error": error | {"code": "moderation_blocked", "param": None}})
    width, height = map(int, said["size"].split("x"))
    seed = int(said.get("seed", 0))
    pictures = [png(said["prompt"], width, height, seed + n) for n in range(int(said["n"]))]
    data = [{"b64_json": base64.b64encode(one).decode()} for one in pictures]
    return Said(200, {"created": 1, "data": data})


def automatic1111(asked: Asked) -> Said:
    """Draws a batch from consecutive seeds."""
    if asked.path == "/sdapi/v1/progress":
        return Said(200, {"progress": 0.5, "eta_relative": 1.0, "state": {}, "textinfo": None})
    if asked.path == "/sdapi/v1/interrupt":
        return Said(200, {})
    said = asked.body
    pictures = [
        png(said["prompt"], said["width"], said["height"], said["seed"] + n)
        for n in range(said["batch_size"])
    ]
    images = [base64.b64encode(one).decode() for one in pictures]
    return Said(200, {"images": images, "parameters": {}, "info": "{}"})


class ComfyUI:
    """A queue that has a picture ready after it was asked for ``looks`` times."""

    def __init__(self, looks: int = 2) -> None:
        self.looks = looks
        self.graphs: dict[str, dict[str, Any]] = {}

    def __call__(self, asked: Asked) -> Said:
        if asked.path == "/prompt":
            number = f"job-{len(self.graphs)}"
            self.graphs[number] = asked.body["prompt"]
            return Said(200, {"prompt_id": number, "number": 1, "node_errors": {}})
        if asked.path.startswith("/history/"):
            number = asked.path.rpartition("/")[2]
            self.looks -= 1
            if self.looks > 0:
                return Said(200, {})
            image = {"filename": f"{number}.png", "subfolder": "", "type": "output"}
            return Said(200, {number: {"outputs": {"9": {"images": [image]}}}})
        if asked.path == "/view":
            graph = self.graphs[asked.query["filename"].removesuffix(".png")]
            size = graph["5"]["inputs"]
            seed = graph["3"]["inputs"]["seed"]
            return Said(200, png(graph["6"]["inputs"]["text"], size["width"], size["height"], seed))
        return Said(200)


def slowly(script: Script, seconds: float) -> Script:
    """``script``, whose work takes so long."""

    def answer(asked: Asked) -> Said:
        if asked.method == "POST" and not asked.path.endswith(("interrupt", "queue")):
            time.sleep(seconds)
        return script(asked)

    return answer


GRAPH: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {"seed": "{seed}", "steps": "{steps}"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": "{width}", "height": "{height}"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "{prompt}", "clip": ["4", 1]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}},
}
