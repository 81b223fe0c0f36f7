"""A Redis of the tests' own, on a socket in a folder of its own and on no network."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISSING = "needs Redis: apt install redis-server, pip install 'wardmark[redis]'"
PATIENCE = 30.0  # seconds to start, on a busy machine


class RedisServer:
    """``stop`` and ``start`` may take turns; nothing is kept in between."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        command = ["redis-server", "--port", "0", "--unixsocket", str(self._socket)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._socket.parent)]
        if shutil.which("setpriv"):  # tests that are killed leave no server behind
            command = ["setpriv", "--pdeathsig=INT", *command]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < until, "Redis did not start"
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as line:
            return line.connect_ex(str(self._socket)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    # Not below pytest's folder, whose name is too long for a socket's.
    folder = Path(tempfile.mkdtemp(prefix="wardmark-redis-"))
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
