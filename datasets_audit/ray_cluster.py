"""A Ray cluster: one that is named, or one on this machine, on loopback, without a dashboard."""

import logging
import os
import socket
from ipaddress import ip_address
from types import ModuleType
from typing import Final

from datasets_audit.errors import EngineUnavailable

STORE_BYTES: Final = 256 << 20  # of shared memory; pictures never travel to an audit's workers
PATIENCE: Final = 5.0  # seconds for a cluster to answer at all
QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else a warning of theirs about a coming change
}
LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # tells Ray to listen nowhere else


def import_ray() -> ModuleType:
    """Ray, without its usage reports. Raises EngineUnavailable where it is not installed."""
    _set(QUIET)
    try:
        import ray
    except ImportError as error:
        raise EngineUnavailable("Ray is missing; run: pip install 'wardmark[ray]'") from error
    found: ModuleType = ray
    return found


def connect(address: str) -> ModuleType:
    """Ray, connected to the cluster at ``address``: ``host:port``, or ``auto`` for one that this
    machine belongs to. Raises EngineUnavailable."""
    ray = import_ray()
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdigit():  # Ray itself would wait for many minutes
            at = (host.rpartition("/")[2].strip("[]"), int(port))
            socket.create_connection(at, PATIENCE).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineUnavailable(
            f"No Ray cluster answers at {address} ({error}). Check the address, that this machine "
            "belongs to the cluster, and the cluster's token."
        ) from error
    return ray


def start_here(workers: int) -> ModuleType:
    """Ray, with a cluster of its own in which so many run at once. Raises EngineUnavailable."""
    _set(LOOPBACK)  # read when Ray is imported
    ray = import_ray()
    try:
        ray.init(
            address="local",
            num_cpus=workers,
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineUnavailable(
            f"Ray does not start on this machine: {error}. Look at Ray's own log."
        ) from error
    if not ip_address(ray.util.get_node_ip_address()).is_loopback:
        ray.shutdown()
        raise EngineUnavailable(
            "Ray was imported before and would listen on more than loopback. Set "
            f"{next(iter(LOOPBACK))}=0 in the environment."
        )
    return ray


def _set(variables: dict[str, str]) -> None:
    for name, value in variables.items():
        os.environ.setdefault(name, value)
