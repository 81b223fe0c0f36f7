"""A PostgreSQL server of the tests' own: started from the binaries that a package installed.

It listens on a socket in its own folder and on no network. PostgreSQL refuses to run as root, so
root starts it as somebody else.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url

MISSING = (
    "needs PostgreSQL 15+: apt install postgresql, pip install 'wardmark[postgres]'; or name a "
    "server: WARDMARK_TEST_POSTGRES=postgresql+psycopg://user@localhost/postgres"
)
PATIENCE = 60.0  # seconds to start or to recover, on a busy machine
OLDEST = 15
SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "60",
    "shared_buffers": "16MB",
    # What is killed here is processes, never the machine: what they wrote, the kernel has.
    "fsync": "off",
}


def binaries() -> Path | None:
    """The folder of the newest initdb that is installed; Debian keeps it off the PATH."""
    installed = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    installed = [p for p in installed if p.parent.name.isdigit() and int(p.parent.name) >= OLDEST]
    if installed:
        return max(installed, key=lambda p: int(p.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _other_user() -> str | None:
    """Whom to run the server as; None for the one that we are."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


class Server:
    """A server with a folder of its own. ``start`` and ``kill`` may take turns."""

    def __init__(self, installed: Path, largest_file: int | None = None) -> None:
        """``largest_file``: bytes beyond which none of its files can grow, as on a full disk."""
        self._installed = installed
        self._user = _other_user()
        self._limit = [] if largest_file is None else ["prlimit", f"--fsize={largest_file}"]
        self._process: subprocess.Popen[bytes] | None = None
        # Not below pytest's folder: that is closed to others, and too long for a socket's name.
        self._folder = Path(tempfile.mkdtemp(prefix="wardmark-pg-"))
        if self._user:
            shutil.chown(self._folder, self._user)
        self._data = self._folder / "data"
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"

    def __enter__(self) -> "Server":
        try:
            self._make()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _make(self) -> None:
        self._popen(
            "initdb",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--wal-segsize=1",
        ).wait(PATIENCE)
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())

    def _popen(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [*self._limit, str(self._installed / program), "-D", str(self._data), *arguments]
        if shutil.which("setpriv"):  # tests that are killed leave no server behind
            command = ["setpriv", "--pdeathsig=INT", *command]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )

    @property
    def log(self) -> str:
        """What the server had to say."""
        return (self._folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Of the first of its processes."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start, recover if need be, and wait until it answers."""
        until = time.monotonic() + PATIENCE
        self._process = self._popen("postgres", "-k", str(self._folder))
        while not self._answers():
            if self._process.poll() is not None:  # what was killed may not be gone yet
                self._process = self._popen("postgres", "-k", str(self._folder))
            assert time.monotonic() < until, self.log[-2000:]
            time.sleep(0.02)

    def _answers(self) -> bool:
        ready = [str(self._installed / "pg_isready"), "-q", "-h", str(self._folder)]
        return subprocess.run(ready).returncode == 0

    def kill(self) -> None:
        """kill -9 of all its processes."""
        assert self._process
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended by itself in between
        self._process.wait()

    def remove(self) -> None:
        """Stop it and delete its folder."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            self._process.wait(PATIENCE)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of an empty database on the server at the URL ``server``; dropped at the end."""
    name = f"wardmark_test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()
