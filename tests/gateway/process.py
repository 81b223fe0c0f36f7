"""A gateway in a process of its own, which can be killed: ``python -m tests.gateway.process HOME``.

Says its address. Each picture takes it a moment, and the leases of its jobs are short.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LEASE_SECONDS = 1.5
STEP_SECONDS = 0.05
ROOT = Path(__file__).parents[2]


def main(home: Path) -> None:
    """Serve until told to stop."""
    import uvicorn

    from guard.gateway import create_app
    from guard.gateway.jobs import holding, store
    from provenance.home import Home
    from tests.support.core import InMemoryCore
    from tests.support.deployment import pipeline_of

    store.LEASE_SECONDS = holding.LEASE_SECONDS = LEASE_SECONDS

    class Unhurried(InMemoryCore):
        def generate_batch(self, requests, *, progress=None, cancelled=None):  # type: ignore[no-untyped-def]
            def step(done: int, steps: int) -> None:
                time.sleep(STEP_SECONDS)

            return super().generate_batch(requests, progress=step, cancelled=cancelled)

    opened = Home.open(home)
    app = create_app(opened, pipeline_of(opened, core=Unhurried()))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


@contextmanager
def gateway(home: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of a gateway that answers, and what kills it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway.process", str(home)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith("http://")
        yield address, process.kill
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
