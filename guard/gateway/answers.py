"""What a client gets of pictures that were drawn, or of what came in between: a status and JSON."""

import base64
import time
from typing import Any, NamedTuple

import orjson

from guard.gateway.errors import error_body, error_document, gateway_block
from guard.pipeline import Outcome, Released, deliver
from policies.errors import WardmarkError
from provenance.picture import Format


class Answer(NamedTuple):
    """The HTTP status, and the body as JSON."""

    status: int
    body: bytes


def answer_of(outcome: Outcome, output_format: Format) -> Answer:
    """The pictures of a request, in the shape of the OpenAI images API.

    Raises ObligationUnmet where any receipt is missing.
    """
    asked = outcome.asked
    source = {"source": outcome.source.receipt} if outcome.source else {}
    return Answer(
        200,
        orjson.dumps(
            {
                "created": int(time.time()),
                "data": [_datum(released) for released in outcome.released],
                "size": f"{asked.width}x{asked.height}",
                "quality": "high",
                "output_format": output_format,
                "background": "opaque",
                "gateway": source
                | {
                    "decision_id": outcome.decision_id,
                    "policy": outcome.prompt_decision.policy.model_dump(),
                    "seed": asked.seed,
                    "not_assessed": sorted(outcome.prompt_assessment.not_assessed),
                    "refused": [
                        error_body(
                            str(refusal.error),
                            status=400,
                            code=refusal.error.code,
                            gateway=gateway_block(refusal.error),
                        )["error"]
                        for refusal in outcome.refusals
                    ],
                },
            }
        ),
    )


def answer_to(error: WardmarkError) -> Answer:
    """What a client is told of a request that came to no picture."""
    return Answer(error.http_status, orjson.dumps(error_document(error)))


def _datum(released: Released) -> dict[str, Any]:
    return {
        "b64_json": base64.b64encode(deliver(released)).decode("ascii"),
        "gateway": {
            "content_id": released.content_id,
            "sha256": released.sha256,
            "record": released.entry.id if released.entry else None,
            "receipts": [receipt.model_dump(mode="json") for receipt in released.trail.receipts],
            "not_run": list(released.trail.not_run),
        },
    }
