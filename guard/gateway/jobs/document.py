"""A job as its owner reads it."""

from typing import Any

import orjson

from guard.gateway.jobs.store import Job, Status


def document(job: Job) -> bytes:
    """As JSON: its state, and the answer when it is done. Times in seconds since 1970."""
    told: dict[str, Any] = {
        "id": job.id,
        "object": "job",
        "status": job.status.value,
        "created_at": int(job.created_at),
        "expires_at": int(job.expires_at),
        "result": None,
        "error": None,
    }
    if job.answer is not None and job.status is Status.COMPLETED:
        told["result"] = orjson.Fragment(job.answer.body)
    elif job.answer is not None:
        told["error"] = orjson.loads(job.answer.body)["error"]
    return orjson.dumps(told)
