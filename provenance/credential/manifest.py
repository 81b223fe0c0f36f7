"""Claims as a C2PA manifest definition. Pure.

Labels and fields: C2PA 2.2, chapters 18 (assertions) and 18.15 (actions); CAWG training and data
mining 1.1; ``org.wardmark.*`` are our own.
"""

import base64
from datetime import UTC, datetime
from importlib.metadata import version

from provenance.credential.claims import Claims

ACTIONS = "c2pa.actions.v2"
SOFT_BINDING = "c2pa.soft-binding"
TRAINING_AND_MINING = "cawg.training-mining"
DISCLOSURE = "org.wardmark.disclosure"
DECISION = "org.wardmark.decision"

SPEC_VERSION = "2.4.0"  # of the c2pa-rs that c2pa-python 0.38.1 carries
AGENT_DIGEST = "org.wardmark.digest"  # beside the standard name and version of the agent
TRAINING_USES = ("cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining")


def manifest(claims: Claims, media_type: str) -> dict[str, object]:
    """The definition that c2pa's Builder takes."""
    assertions = [
        (ACTIONS, _actions(claims)),
        # Generated pictures are not to be learnt from as if they were photographs.
        (TRAINING_AND_MINING, {"entries": {use: {"use": "notAllowed"} for use in TRAINING_USES}}),
        (DISCLOSURE, _disclosure(claims)),
        (DECISION, _decision(claims)),
    ]
    if claims.soft_binding is not None:
        assertions.append((SOFT_BINDING, _soft_binding(claims)))
    return {
        "claim_generator_info": [
            {"name": "Wardmark", "version": version("wardmark"), "specVersion": SPEC_VERSION}
        ],
        "title": claims.title,
        "format": media_type,
        # created: stated by the signer itself, not gathered from elsewhere.
        "assertions": [
            {"label": label, "data": data, "created": True} for label, data in assertions
        ],
    }


def _actions(claims: Claims) -> dict[str, object]:
    created = {
        "action": "c2pa.created",
        "when": _utc(claims.created_at),
        "digitalSourceType": claims.digital_source_type.value,
        "softwareAgent": {
            "name": claims.agent.name,
            "version": claims.agent.version,
            AGENT_DIGEST: claims.agent.digest,
        },
    }
    return {"actions": [created], "allActionsIncluded": True}


def _soft_binding(claims: Claims) -> dict[str, object]:
    if claims.soft_binding is None:
        return {}
    # The specification wants byte strings for value and pad; c2pa-python's JSON door can only
    # write text (c2pa-rs issue 2689), so value is base64, as in the Soft Binding Resolution API.
    value = base64.b64encode(claims.soft_binding.value).decode("ascii")
    return {"alg": claims.soft_binding.alg, "pad": "", "blocks": [{"scope": {}, "value": value}]}


def _disclosure(claims: Claims) -> dict[str, object]:
    return {
        "provider": claims.provider,
        "system": claims.system,
        "version": claims.system_version,
        "created_at": _utc(claims.created_at),
        "content_id": claims.content_id,
    }


def _decision(claims: Claims) -> dict[str, object]:
    decision: dict[str, object] = {
        "decision_id": claims.decision_id,
        "policy": claims.policy.model_dump(),
    }
    if claims.ledger is not None:
        decision["ledger"] = claims.ledger
    return decision


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
