"""``wardmark serve``: the gateway, in one process or several."""

import os
import socket
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from guard.cli.options import HomeOption, PolicyOption, open_home
from guard.cli.output import say
from guard.deployment import build_pipeline
from guard.errors import InvalidRequest
from guard.generation.core import EMBEDDED
from policies.decision import Frozen
from policies.errors import Unavailable, WardmarkError
from policies.load import load_policy
from provenance.home import Home

if TYPE_CHECKING:
    from fastapi import FastAPI

MAX_WORKERS = 256
HANGS_AFTER = 10  # seconds in which a worker says nothing, before another takes its place
SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"  # a folder through which workers count together
THREADS = "OMP_NUM_THREADS"  # of each worker
_WORKER = "WARDMARK_WORKER"  # the environment in which a worker finds what it is to serve


class Served(Frozen):
    """What each process serves."""

    home: Path
    core: str
    policy: str | None
    fetch_urls: bool
    exposed: bool


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine, callers need keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 8000,
    workers: Annotated[
        int,
        typer.Option(min=1, max=MAX_WORKERS, help="Processes; each loads its own core and guards."),
    ] = 1,
    core: Annotated[
        str, typer.Option(help="'scenes', one of the settings, or a checkpoint directory.")
    ] = EMBEDDED,
    policy: PolicyOption = None,
    fetch_urls: Annotated[
        bool,
        typer.Option("--fetch-urls", help="Let verification fetch pictures at public addresses."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Serve the OpenAI-compatible API."""
    from guard.gateway.callers import check_exposure

    opened = open_home(context, home)
    served = Served(
        home=opened.path.absolute(),
        core=core,
        policy=policy,
        fetch_urls=fetch_urls,
        exposed=check_exposure(host, opened),
    )
    load_policy(policy or opened.settings.policy)  # what is wrong with it is said before all else
    with _listen(host, port) as listening:
        _serve(served, opened, host, workers, listening)


def _serve(
    served: Served, home: Home, host: str, workers: int, listening: socket.socket
) -> None:
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from guard.gateway.patience import http

    named = f"[{host}]" if ":" in host else host
    at = f"http://{named}:{listening.getsockname()[1]}"
    app = "guard.cli.serve:worker" if workers > 1 else _app(served, home)
    config = uvicorn.Config(
        app,
        factory=workers > 1,
        workers=workers,
        http=http(home.settings.callers.patience),
        log_level="warning",
        timeout_graceful_shutdown=ceil(home.settings.work.grace),
        timeout_worker_healthcheck=HANGS_AFTER,
    )
    say(f"serving on {at}  (API under /v1, description under /docs)")
    say(f"verification for people: {at}/verify")
    with suppress(KeyboardInterrupt):  # how a person ends it
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listening])
            return
        home.ledger.close()
        os.environ[_WORKER] = served.model_dump_json()
        # Left alone, torch takes every core in every worker, and their threads fight.
        os.environ.setdefault(THREADS, str(max(1, len(os.sched_getaffinity(0)) // workers)))
        with tempfile.TemporaryDirectory(prefix="wardmark-metrics-") as folder:
            os.environ.setdefault(SHARED_METRICS, folder)
            supervisor = Multiprocess(config, sockets=[listening])
            supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            _app(served, home)  # which says what is wrong
            raise Unavailable("a worker could not start, though all its parts can be used")


def worker() -> "FastAPI":
    """The application of one worker: what uvicorn starts in each process."""
    from uvicorn.config import STARTUP_FAILURE

    served = Served.model_validate_json(os.environ[_WORKER])
    try:
        return _app(served, Home.open(served.home))
    except WardmarkError:  # told by the first process, which tries the same
        sys.exit(STARTUP_FAILURE)


def _app(served: Served, home: Home) -> "FastAPI":
    from guard.gateway import create_app, logs
    from guard.gateway.policy_change import follow
    from guard.generation.batching import BatchingCore
    from guard.generation.declared import load_named_core
    from guard.generation.diffusers_core import DiffusersCore
    from guard.generation.process_core import ProcessCore
    from guard.policy_watch import PolicyWatch
    from provenance.fetch import Fetcher

    logs.install()
    pipeline = build_pipeline(home, core=served.core, policy=served.policy)
    work, core = home.settings.work, pipeline.core
    if work.core_process and isinstance(core, DiffusersCore):
        load = partial(load_named_core, served.core, home.settings.cores, home.path)
        core = ProcessCore(core.info, load)
    if work.batch_wait and core.info.batches:
        core = BatchingCore(core, work.batch_wait)
    pipeline = replace(pipeline, core=core)
    fetcher = Fetcher() if served.fetch_urls else None
    app = create_app(home, pipeline, fetcher=fetcher, exposed=served.exposed)
    watch = PolicyWatch(pipeline, served.policy or home.settings.policy, home.settings.candidate)
    follow(app, watch, lambda said: say(escape(said)))
    return app


def _listen(host: str, port: int) -> socket.socket:
    """A socket at that address, taken before anything is loaded. Raises InvalidRequest."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with ExitStack() as undo:
            listening = undo.enter_context(socket.socket(family, kind))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            undo.pop_all()
    except OSError as error:
        raise InvalidRequest(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --host"
            " and --port"
        ) from error
    return listening
