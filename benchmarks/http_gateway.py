"""The pipeline over HTTP, beside a bare FastAPI route in the same run.

    python benchmarks/http_gateway.py [--seconds 60] [--clients 200] [--requests 2000]

Three tables. What a check of a prompt costs the server besides its model: CPU of the server's
process (user and system, all threads) a request, with an assessor that answers at once, so that
what is left is HTTP, policy and reasons. How many clients are served at once on a core in memory,
with real marks, credentials and ledger: every picture that a client got must stand in the ledger,
and the ledger must verify. How long it takes from the start of ``wardmark serve`` until ``/readyz``
says so. Servers run in processes of their own; clients speak over kept connections.
"""

import argparse
import asyncio
import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from guard.assessment import Assessment
    from provenance.picture import Pixels

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the core and the assessors in memory of the tests

ADDED_TARGET = 1.5  # CPU-ms that a check of a prompt may cost besides the model
SPREAD_TARGET = 10.0  # p99 / p50 of many clients
READY_TARGET = 5.0  # seconds from start to ready
FLAT = 1.10  # memory at the end / memory after a quarter of the time
CONNECTIONS = 16  # of those who ask for checks
WARM_UP = 200  # requests that are not counted
TICKS = os.sysconf("SC_CLK_TCK")
PROMPT = "a red house in a meadow at sunset with mountains"


def app_of(kind: str, home: Path) -> object:
    """The application of one of the servers: bare, check, guarded or drawing."""
    from fastapi import FastAPI

    from guard.gateway.moderations import ModerationBody

    if kind == "bare":
        app = FastAPI()

        @app.post("/v1/moderations")
        async def moderate(body: ModerationBody) -> dict[str, object]:
            return {"id": "modr-0", "model": "none", "results": [{"flagged": body.input == ""}]}

        return app

    from guard.deployment import load_prompt_assessor
    from guard.gateway import create_app
    from provenance.home import Home
    from tests.support.assessors import ScriptedImageAssessor
    from tests.support.deployment import pipeline_of

    class _Passing(ScriptedImageAssessor):
        """Keeps no picture that it saw, as the scripted one does for tests."""

        def _assess(self, image: "Pixels") -> "Assessment":
            self.seen.clear()
            return super()._assess(image)

    opened = Home.open(home)
    guard = load_prompt_assessor(opened) if kind == "guarded" else None
    return create_app(opened, pipeline_of(opened, prompts=guard, images=_Passing()))


def serve(kind: str, home: Path) -> None:
    """Serve until told to stop; says on stdout where."""
    import socket

    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    app = app_of(kind, home)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Server:
    """A process that serves at ``address``."""

    pid: int
    address: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def cpu(self) -> float:
        """Seconds of CPU so far, user and system, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> float:
        """Megabytes that are resident."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found
        return int(found[1]) / 1024


@contextmanager
def running(command: list[str]) -> Iterator[Server]:
    """A server, once it has said where it listens."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )
    try:
        assert process.stdout
        for line in process.stdout:
            if found := re.search(r"http://[\w.:]+", line):
                yield Server(process.pid, found[0])
                return
        raise SystemExit("the server did not start")
    finally:
        process.terminate()
        process.communicate()


def of_kind(kind: str, home: Path) -> list[str]:
    return [sys.executable, __file__, "--serve", kind, "--home", str(home)]


def cpu_of_a_check(kind: str, home: Path, requests: int) -> float:
    """CPU-ms of the server for one check of a prompt."""
    with running(of_kind(kind, home)) as server:
        asyncio.run(ask_checks(server, WARM_UP))
        before = server.cpu()
        asyncio.run(ask_checks(server, requests))
        return (server.cpu() - before) / requests * 1000


async def ask_checks(server: Server, requests: int) -> None:
    """Ask that often, over kept connections."""
    numbers = iter(range(requests))

    async def asking() -> None:
        connection = await Connection.to(server)
        for number in numbers:
            status, _ = await connection.post("/v1/moderations", {"input": f"{PROMPT} {number}"})
            assert status == 200, status
        connection.close()

    await asyncio.gather(*(asking() for _ in range(CONNECTIONS)))


class Connection:
    """A kept connection, which costs its client little."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, server: Server) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def post(self, path: str, document: object) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        body = orjson.dumps(document)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        told = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"content-length: (\d+)", told)
        assert length
        return int(told[9:12]), await self._reader.readexactly(int(length[1]))

    def close(self) -> None:
        self._writer.close()


def cpu_of_the_model(requests: int) -> float:
    """CPU-ms of the embedded guard of prompts alone."""
    from guard.prompts import load_assessor

    assessor = load_assessor()
    assessor.assess([PROMPT])
    began = time.process_time()
    for number in range(requests):
        assessor.assess([f"{PROMPT} {number}"])
    return (time.process_time() - began) / requests * 1000


def checks(home: Path, requests: int) -> None:
    bare = cpu_of_a_check("bare", home, requests)
    checked = cpu_of_a_check("check", home, requests)
    guarded = cpu_of_a_check("guarded", home, requests // 4)
    model = cpu_of_the_model(requests // 4)
    print(f"check of a prompt, {requests} requests, {CONNECTIONS} connections: server's CPU-ms")
    print(f"  bare FastAPI route                 {bare:6.2f}")
    print(f"  check, the assessor costs nothing  {checked:6.2f}  {checked / bare:5.1f} x bare")
    print(f"  check, the embedded guard          {guarded:6.2f}  the model alone {model:.2f}")
    verdict = "within" if checked <= ADDED_TARGET else "ABOVE"
    print(f"  besides the model: {checked:.2f}, {verdict} the target of {ADDED_TARGET}")


@dataclass
class Crowd:
    """What many clients saw. Times in seconds."""

    took: list[float] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)  # when, megabytes


async def client(server: Server, number: int, until: float, crowd: Crowd) -> None:
    connection = await Connection.to(server)
    asked = 0
    while time.monotonic() < until:
        asked += 1
        began = time.monotonic()
        wanted = {"prompt": f"{PROMPT} {number} {asked}"}
        status, body = await connection.post("/v1/images/generations", wanted)
        crowd.took.append(time.monotonic() - began)
        answer = orjson.loads(body)
        if status == 200:
            crowd.content += [datum["gateway"]["content_id"] for datum in answer["data"]]
        else:
            crowd.faults.append(f"{answer['error']['code']}: {answer['error']['message']}")
    connection.close()


async def watch(server: Server, until: float, crowd: Crowd) -> None:
    began = time.monotonic()
    while time.monotonic() < until:
        crowd.memory.append((time.monotonic() - began, server.memory()))
        await asyncio.sleep(0.5)


async def together(server: Server, clients: int, seconds: float) -> Crowd:
    crowd = Crowd()
    until = time.monotonic() + seconds
    asking = [client(server, number, until, crowd) for number in range(clients)]
    await asyncio.gather(watch(server, until, crowd), *asking)
    return crowd


def many_clients(home: Path, clients: int, seconds: float) -> None:
    from provenance.home import Home

    with running(of_kind("drawing", home)) as server:
        before = server.cpu()
        crowd = asyncio.run(together(server, clients, seconds))
        cpu = (server.cpu() - before) / len(crowd.took)
    opened = Home.open(home)
    recorded = {entry.id for entry in opened.ledger.entries(kind="delivery")}
    lost = set(crowd.content) - recorded
    report = opened.ledger.verify()
    opened.ledger.close()
    p50, p99 = median(crowd.took), quantiles(crowd.took, n=100)[98]
    quarter = next((mb for at, mb in crowd.memory if at >= seconds / 4), crowd.memory[-1][1])
    growth = crowd.memory[-1][1] / quarter
    print(f"\n{clients} clients for {seconds:.0f} s: one process, core in memory, 256 x 256")
    print(f"  pictures {len(crowd.content)}, errors {len(crowd.faults)}, lost records {len(lost)}")
    for fault in sorted(set(crowd.faults))[:5]:
        print(f"    {fault}")
    verified = "holds" if report.ok else "DOES NOT HOLD"
    print(f"  the ledger of {report.size} entries {verified}")
    print(f"  CPU-s a picture {cpu:.3f}; pictures a second {len(crowd.took) / seconds:.1f}")
    spread = "within" if p99 <= SPREAD_TARGET * p50 else "ABOVE"
    print(f"  p50 {p50:.2f} s, p99 {p99:.2f} s: {p99 / p50:.1f} x, {spread} {SPREAD_TARGET:.0f} x")
    flat = "flat" if growth <= FLAT else "GROWS"
    end = crowd.memory[-1][1]
    print(f"  memory {quarter:.0f} MB after a quarter of the time, {end:.0f} MB at the end: {flat}")


def starts(home: Path) -> None:
    """Time to the first answer: ``wardmark serve`` with its own guards, and the bare route."""
    wardmark = [sys.executable, "-c", "from guard.cli import main; main()", "--home", str(home)]
    began = time.monotonic()
    with running([*wardmark, "serve", "--port", "0"]) as server:
        _answered(server, "/readyz")
        ready, cpu = time.monotonic() - began, server.cpu()
    began = time.monotonic()
    with running(of_kind("bare", home)) as server:
        _answered(server, "/openapi.json")
        bare, bare_cpu = time.monotonic() - began, server.cpu()
    print("\nstart to ready, the core's weights aside (seconds, of which CPU)")
    print(f"  bare FastAPI route   {bare:5.2f}  {bare_cpu:5.2f}")
    print(f"  wardmark serve       {ready:5.2f}  {cpu:5.2f}  {ready / bare:.1f} x bare")
    print(f"  {'within' if ready <= READY_TARGET else 'ABOVE'} the target of {READY_TARGET:.0f} s")


def _answered(server: Server, path: str) -> None:
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.home)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from provenance.home import SETTINGS_FILE, Home

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        Home.create(home, provider="Benchmark", version="0").ledger.close()
        with (home / SETTINGS_FILE).open("a") as settings:
            settings.write("[work]\nload_core = false\n")  # it is the gateway that is timed
        checks(home, options.requests)
        many_clients(home, options.clients, options.seconds)
        starts(home)


if __name__ == "__main__":
    main()
