"""A core on Ray Serve is a core: the same pictures, its errors, its end when nobody waits."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from datasets_audit.ray_cluster import LOOPBACK, start_here
from guard.errors import CoreFailed, CoreUnavailable, GenerationCancelled, InvalidRequest
from guard.generation.core import GenerationRequest
from guard.generation.declared import load_named_core
from guard.generation.ray_serve import Placement, RayServeCore, deployed
from tests.support.core import InMemoryCore
from tests.support.slow_core import SlowCore, draw

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None or find_spec("grpc_reflection") is None,
    reason="needs Ray: pip install 'wardmark[ray]'",
)
REPLICAS = 2
STEPS = 4
RECOVERS_WITHIN = 60.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps")


@pytest.fixture(scope="module")
def core(notes: Path) -> Iterator[RayServeCore]:
    ray = start_here(REPLICAS + 2)
    from guard.generation.ray_serve import _serve

    serve = _serve()
    serve.start(proxy_location="Disabled")  # nothing listens for HTTP
    placement = Placement(replicas=REPLICAS, cpus=0.5)
    application = deployed(partial(SlowCore, notes), placement)
    serve.run(application, name="slow", route_prefix=None)
    yield RayServeCore("slow-on-ray", "slow")
    serve.shutdown()
    ray.shutdown()


def asked(prompt: str, *, seed: int = 7, count: int = 1, steps: int = STEPS) -> GenerationRequest:
    return GenerationRequest(
        prompt=prompt, width=128, height=64, steps=steps, guidance=1.0, seed=seed, count=count
    )


def test_without_a_cluster_it_is_unavailable_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOOPBACK.items():
        monkeypatch.setenv(name, value)  # for this process, which imports Ray here
    with pytest.raises(CoreUnavailable, match=r"127\.0\.0\.1:1"):
        RayServeCore("none", "absent", "127.0.0.1:1")


def test_pictures_are_those_that_the_core_draws_here(core: RayServeCore) -> None:
    requests = [asked("a lake", seed=1, count=2), asked("a hill", seed=9)]
    steps: list[tuple[int, int]] = []
    drawn = core.generate_batch(requests, progress=lambda done, total: steps.append((done, total)))
    here = InMemoryCore(draw=draw).generate_batch(requests)
    for ours, theirs in zip(here, drawn, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert steps == [(n, STEPS) for n in range(1, STEPS + 1)]


def test_it_says_what_it_is_under_its_name_here(core: RayServeCore) -> None:
    behind = InMemoryCore(draw=draw).info
    assert core.info == behind.model_copy(update={"name": "slow-on-ray"})


def test_requests_are_spread_over_the_replicas(core: RayServeCore) -> None:
    with ThreadPoolExecutor(6) as threads:
        drawn = list(threads.map(lambda n: core.generate(asked("who", seed=n)), range(6)))
    assert len({picture[0, 0].tobytes() for (picture,) in drawn}) == REPLICAS


def test_what_is_outside_the_limits_is_refused_before_it_travels(core: RayServeCore) -> None:
    with pytest.raises(InvalidRequest):
        core.generate(asked("a lake", steps=1_000))


def test_an_error_of_the_core_stays_what_it_is(core: RayServeCore) -> None:
    with pytest.raises(CoreFailed, match="it broke, as asked"):
        core.generate(asked("fail"))


def test_who_leaves_stops_the_drawing(core: RayServeCore, notes: Path) -> None:
    left = threading.Event()
    with pytest.raises(GenerationCancelled):
        core.generate_batch(
            [asked("long", steps=50)],
            progress=lambda done, _total: left.set() if done == 3 else None,
            cancelled=left.is_set,
        )
    time.sleep(0.5)  # ten steps, if it went on
    made = int((notes / "long-7").read_text())
    time.sleep(0.5)
    assert int((notes / "long-7").read_text()) == made < 50


def test_other_weights_behind_the_name_draw_nothing(core: RayServeCore) -> None:
    other = RayServeCore("slow-on-ray", "slow")
    other._digest = "00" * 32  # as it would be had the application been deployed anew since
    with pytest.raises(CoreUnavailable, match="exchanged"):
        other.generate(asked("a lake"))


def test_it_is_declared_in_the_settings(core: RayServeCore, tmp_path: Path) -> None:
    table = {"kind": "ray-serve", "name": "elsewhere", "application": "slow"}
    declared = load_named_core("elsewhere", [table], tmp_path)
    assert declared.info.digest == core.info.digest
    assert declared.info.name == "elsewhere"


def test_an_application_that_is_not_there_is_unavailable(core: RayServeCore) -> None:
    with pytest.raises(CoreUnavailable, match="serve status"):
        RayServeCore("none", "absent")


def test_a_replica_that_dies_is_an_outage_and_then_replaced(core: RayServeCore) -> None:
    with pytest.raises(CoreUnavailable) as told:
        core.generate(asked("die"))
    assert told.value.http_status == 503
    until = time.monotonic() + RECOVERS_WITHIN
    while True:
        try:
            core.generate(asked("a lake"))
            break
        except CoreUnavailable:
            assert time.monotonic() < until
            time.sleep(0.5)
