"""The pass on Ray: the same pure function, on the machines of a cluster.

``$RAY_ADDRESS`` names the cluster. Without it one is started on this machine, on loopback, without
a dashboard, and is gone when the pass ends. What comes back is what ``LocalEngine`` yields, byte
for byte: the function is pure, the order is that of the work, and a cluster whose machines have
other versions of what measures is refused.
"""

import logging
import os
import platform
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from itertools import islice
from types import ModuleType
from typing import Any, Final

from datasets_audit.engine import BATCHES_AHEAD, Result, Work
from datasets_audit.errors import EngineUnavailable, WorkerLost

ADDRESS: Final = "RAY_ADDRESS"
RETRIES: Final = 2  # of a batch whose worker died: the function is pure, so again is the same
STORE_BYTES: Final = 256 << 20  # of shared memory; measurements are small, pictures never travel
PATIENCE: Final = 5.0  # seconds for a cluster to answer at all
QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else a warning of theirs about a coming change
}
LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # tells Ray to listen nowhere else


class RayEngine:
    """Workers of a Ray cluster. ``workers``: how many, where the cluster is this machine alone."""

    def __init__(self, workers: int) -> None:
        self._workers = max(workers, 1)

    def map(self, function: Callable[[Work], Result], work: Iterable[Work]) -> Generator[Result]:
        """Results in order. Raises WorkerLost where a batch keeps killing its workers, and
        EngineUnavailable where Ray or its cluster cannot be used."""
        with _cluster(self._workers) as ray:
            run = ray.remote(num_cpus=1, max_retries=RETRIES)(_applied)
            given = ray.put(function)
            ahead = int(ray.cluster_resources().get("CPU", 1)) * BATCHES_AHEAD
            rest = iter(work)
            waiting = deque(run.remote(given, item) for item in islice(rest, ahead))
            try:
                while waiting:
                    result: Result = _result(ray, waiting.popleft())
                    for item in islice(rest, 1):
                        waiting.append(run.remote(given, item))
                    yield result
            finally:
                for reference in waiting:
                    ray.cancel(reference)


def _applied(function: Callable[[Work], Result], item: Work) -> Result:
    return function(item)


def _result(ray: ModuleType, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)  # what the function itself raised
        if isinstance(cause, Exception) and not isinstance(cause, ray.exceptions.RayError):
            raise cause from error
        raise WorkerLost(
            f"Workers of Ray ended over one batch, {RETRIES + 1} times ({type(error).__name__}: "
            "killed, out of memory, or without our code). Nothing was written; look at Ray's own "
            "log, or take the local engine."
        ) from error


@contextmanager
def _cluster(workers: int) -> Iterator[ModuleType]:
    """Ray, connected; what was started here is stopped here."""
    named = os.environ.get(ADDRESS)
    for name, value in (QUIET if named else QUIET | LOOPBACK).items():
        os.environ.setdefault(name, value)  # read when Ray is imported
    try:
        import ray
    except ImportError as error:
        raise EngineUnavailable(
            "The engine ray needs Ray; run: pip install 'wardmark[ray]'"
        ) from error
    if ray.is_initialized():  # by the program that we run in, whose business it is
        yield ray
        return
    if named:
        _check_answers(named)
    own = {} if named else {"num_cpus": workers, "object_store_memory": STORE_BYTES}
    try:
        ray.init(
            address=named or "local",
            include_dashboard=None if named else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **own,
        )
    except (ConnectionError, RuntimeError, TimeoutError) as error:
        raise _no_answer(named or "this machine", error) from error
    try:
        if named:
            _check_versions(ray)
        elif not ip_address(ray.util.get_node_ip_address()).is_loopback:
            raise EngineUnavailable(
                "Ray was imported before the audit began and would listen on more than loopback. "
                f"Set {next(iter(LOOPBACK))}=0 in the environment."
            )
        yield ray
    finally:
        ray.shutdown()


def _check_answers(named: str) -> None:
    """Ray itself would wait for many minutes. Raises EngineUnavailable."""
    host, _, port = named.rpartition(":")
    if not host or not port.isdigit():  # "auto", which looks for a cluster on this machine
        return
    try:
        socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), PATIENCE).close()
    except OSError as error:
        raise _no_answer(named, error) from error


def _no_answer(where: str, error: Exception) -> EngineUnavailable:
    return EngineUnavailable(
        f"No Ray cluster answers at {where} ({error}). Check $RAY_ADDRESS and the cluster's token, "
        "or take it out of the environment to start a cluster here."
    )


def _check_versions(ray: ModuleType) -> None:
    """Every machine measures with what this one has. Raises EngineUnavailable."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ours = versions()
    for node in ray.nodes():
        if not node["Alive"] or not node["Resources"].get("CPU"):
            continue
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        theirs = _result(ray, ray.remote(versions).options(scheduling_strategy=there).remote())
        if theirs != ours:
            other = ", ".join(f"{k} {theirs.get(k)}, here {ours[k]}" for k in ours
                              if theirs.get(k) != ours[k])  # fmt: skip
            raise EngineUnavailable(
                f"{node['NodeManagerHostname']} has other versions, so its rows could differ: "
                f"{other}. Install the same on every machine of the cluster."
            )


def versions() -> dict[str, str]:
    """What a row depends on: the packages that measure, with their versions, and Python's."""
    from datasets_audit.audit import TOOLS

    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for tool in TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            found[tool] = "none"
    return found
