"""Is it up, and can it serve?"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from cryptography import x509
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from guard.gateway.loading import Loading
from guard.pipeline import Pipeline
from guard.policy_watch import PolicyWatch
from policies.errors import WardmarkError
from provenance.errors import SignerUnavailable
from provenance.keys import Signer

FRESH_SECONDS = 15.0  # for so long what was found of a part is believed; probes come often
PROBE = b"wardmark readiness\x00"  # no claim of C2PA begins so

router = APIRouter()


class Readiness:
    """Looks at every part that a delivery needs, each by using it. Safe to share between threads.

    ``clock``: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._at = -FRESH_SECONDS
        self._of: Pipeline | None = None

    def missing(self, pipeline: Pipeline) -> dict[str, str]:
        """What is not there by name, and what is wrong with it."""
        with self._lock:  # one looks, the others wait for what it finds
            if pipeline is not self._of or self._clock() - self._at >= FRESH_SECONDS:
                self._found = _missing(pipeline)
                self._at, self._of = self._clock(), pipeline
            return dict(self._found)


def _missing(pipeline: Pipeline) -> dict[str, str]:
    provenance = pipeline.provenance
    nothing = np.full((64, 64, 3), 127, np.uint8)
    parts: dict[str, Callable[[], object]] = {
        "ledger": provenance.ledger.checkpoint,
        "signer": lambda: _sign(provenance.signer),
        "prompt_guard": lambda: pipeline.prompt_assessor.assess(["a calm sea"]),
        "image_guard": lambda: pipeline.image_assessor.assess([nothing]),
        "core": lambda: pipeline.core.info.digest,
    }
    found = {}
    for name, use in parts.items():
        try:
            use()
        except WardmarkError as error:
            found[name] = str(error)
        except Exception as error:  # noqa: BLE001  # whatever it dies of, it is not ready
            found[name] = f"it fails: {type(error).__name__}"
    return found


def _sign(signer: Signer) -> None:
    leaf = x509.load_pem_x509_certificates(signer.certificate_chain)[0]
    if not leaf.not_valid_before_utc <= datetime.now(UTC) <= leaf.not_valid_after_utc:
        raise SignerUnavailable("the certificate is out of its time; see: wardmark keys list")
    signer.sign(PROBE)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Every part is there; where one is not, 503 and its name. A change of the policy's file that
    was refused is told here, while the policy before it stays in force."""
    state = request.app.state
    pipeline: Pipeline = state.pipeline
    readiness: Readiness = state.readiness
    loading: Loading = state.loading
    missing = await run_in_threadpool(readiness.missing, pipeline) | loading.missing()
    if missing:
        return JSONResponse({"status": "not ready", "missing": missing}, 503)
    told: dict[str, Any] = {"status": "ready", "policy": pipeline.policy.ref.model_dump()}
    watch: PolicyWatch | None = getattr(state, "policy_watch", None)
    if watch is not None and watch.fault is not None:
        told["policy_refused"] = watch.fault
    return JSONResponse(told)
