"""The pass on Ray: the same pure function, on the machines of a cluster.

``$RAY_ADDRESS`` names the cluster. Without it one is started on this machine, on loopback, without
a dashboard, and is gone when the pass ends. What comes back is what ``LocalEngine`` yields, byte
for byte: the function is pure, the order is that of the work, and a cluster whose machines have
other versions of what measures is refused.
"""

import os
import platform
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from types import ModuleType
from typing import Any, Final

from datasets_audit.engine import BATCHES_AHEAD, Result, Work
from datasets_audit.errors import EngineUnavailable, WorkerLost
from datasets_audit.ray_cluster import connect, start_here

ADDRESS: Final = "RAY_ADDRESS"
RETRIES: Final = 2  # of a batch whose worker died: the function is pure, so again is the same


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
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():  # by the program that we run in: its business
        yield ray
        return
    named = os.environ.get(ADDRESS)
    ray = connect(named) if named else start_here(workers)
    try:
        if named:
            _check_versions(ray)
        yield ray
    finally:
        ray.shutdown()


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
