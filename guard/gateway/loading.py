"""The core's weights are loaded when a process starts, behind the socket that listens already.

Until they are there `/readyz` says so, and a request waits for them like for any other turn.
"""

import threading
from collections.abc import Callable

from guard.generation import Core
from policies.errors import WardmarkError

LOADING = "its weights are being loaded"


class Loading:
    """``core`` gives the one in force. What went wrong is tried again each time that somebody asks
    how it stands. Safe to share between threads."""

    def __init__(self, core: Callable[[], Core]) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._problem = ""

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._problem = LOADING
        # A daemon: who stops a gateway does not wait for the minutes that large weights take.
        self._thread = threading.Thread(target=self._load, name="loading", daemon=True)
        self._thread.start()

    def missing(self) -> dict[str, str]:
        """What is wrong with the core, in the form of ``health.Readiness.missing``."""
        with self._lock:
            problem = self._problem
            if problem and self._thread is not None and not self._thread.is_alive():
                self.start()
        return {"core": problem} if problem else {}

    def close(self, seconds: float) -> None:
        """Wait for so long that a load which runs comes to its end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _load(self) -> None:
        try:
            self._core().load()
        except WardmarkError as error:
            self._problem = str(error)
        except Exception as error:  # noqa: BLE001  # whatever it dies of, it is not ready
            self._problem = f"it fails: {type(error).__name__}"
        else:
            self._problem = ""
