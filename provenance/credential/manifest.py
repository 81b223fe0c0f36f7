"""Claims as the statements of a C2PA manifest. Pure.

Labels and fields: C2PA 2.2, chapter 18 (assertions; 18.15 actions, 18.10 soft bindings); CAWG
training and data mining 1.1; ``org.wardmark.*`` are our own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

from provenance.credential.claims import Claims, DigitalSourceType, RedactedArea
from provenance.credential.xmp import Labels

ACTIONS = "c2pa.actions.v2"
SOFT_BINDING = "c2pa.soft-binding"
TRAINING_AND_MINING = "cawg.training-mining"
DISCLOSURE = "org.wardmark.disclosure"
DECISION = "org.wardmark.decision"
MODEL = "org.wardmark.model"

CREATED, OPENED, EDITED = "c2pa.created", "c2pa.opened", "c2pa.edited"
PLACED, WATERMARKED = "c2pa.placed", "c2pa.watermarked.bound"

SPEC_VERSION = "2.4.0"  # whose fields we write
TRAINING_USES = ("cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining")

Map = Mapping[str, object]


@dataclass(frozen=True)
class Statements:
    """What a manifest states besides its binding, thumbnail and ingredients.

    ``actions``: what was done, in order, without the opening of ingredients. ``assertions``: by
    label, besides the actions. ``labels``: what XMP says too, if anything.
    """

    title: str
    actions: Sequence[Map] = ()
    assertions: Mapping[str, Map] = field(default_factory=dict)
    labels: Labels | None = None


def statements(claims: Claims, *, has_parent: bool = False) -> Statements:
    """The statements of ``claims``. ``has_parent``: the picture was made by changing another."""
    assertions = {
        # Generated pictures are not to be learnt from as if they were photographs.
        TRAINING_AND_MINING: {"entries": {use: {"use": "notAllowed"} for use in TRAINING_USES}},
        DISCLOSURE: _disclosure(claims),
        DECISION: _decision(claims),
        MODEL: _model(claims),
    }
    if claims.soft_binding is not None:
        assertions[SOFT_BINDING] = soft_binding(claims.soft_binding.alg, claims.soft_binding.value)
    return Statements(
        title=claims.title,
        actions=tuple(_actions(claims, EDITED if has_parent else CREATED)),
        assertions=assertions,
        labels=Labels(
            source_type=claims.digital_source_type.value,
            generated=True,
            provider=claims.provider,
            system=claims.system,
            version=claims.system_version,
            content_id=claims.content_id,
        ),
    )


@cache  # looking the version up reads the package's metadata anew each time
def generator_info() -> Map:
    """Who writes the claim, and by which specification."""
    return {"name": "Wardmark", "version": version("wardmark"), "specVersion": SPEC_VERSION}


def is_generated(source_type: str) -> bool:
    """Whether an IPTC digital source type says that a generator had a part in the picture."""
    return source_type in set(DigitalSourceType)


def soft_binding(alg: str, value: bytes) -> Map:
    """A soft binding whose value is bytes, as the specification (18.10) has it."""
    return {"alg": alg, "blocks": [{"scope": {}, "value": value}], "pad": b""}


def _actions(claims: Claims, first: str) -> list[Map]:
    agent = {"name": claims.agent.name, "version": claims.agent.version}
    when = _utc(claims.created_at)
    made = {
        "action": first,
        "when": when,
        "digitalSourceType": claims.digital_source_type.value,
        "softwareAgent": agent,
    }
    actions: list[Map] = [made]
    if claims.redacted:
        # "c2pa.redacted" is of assertions (18.15.2); of pixels, it is an edit of these regions.
        actions.append(
            {
                "action": EDITED,
                "when": when,
                "softwareAgent": generator_info(),
                "description": "Made unreadable by policy",
                "changes": [_region(area) for area in claims.redacted],
            }
        )
    if claims.soft_binding is not None:
        actions.append({"action": WATERMARKED, "when": when, "softwareAgent": generator_info()})
    return actions


def _region(area: RedactedArea) -> Map:
    """A region of interest (C2PA 2.2, 18.2), in pixels."""
    shape = {
        "type": "rectangle",
        "unit": "pixel",
        "origin": {"x": area.x, "y": area.y},
        "width": area.width,
        "height": area.height,
    }
    return {"region": [{"type": "spatial", "shape": shape}]}


def _disclosure(claims: Claims) -> Map:
    return {
        "provider": claims.provider,
        "system": claims.system,
        "version": claims.system_version,
        "created_at": _utc(claims.created_at),
        "content_id": claims.content_id,
    }


def _decision(claims: Claims) -> Map:
    decision: dict[str, object] = {
        "decision_id": claims.decision_id,
        "policy": claims.policy.model_dump(),
    }
    if claims.ledger is not None:
        decision["ledger"] = claims.ledger
    return decision


def _model(claims: Claims) -> Map:
    agent = claims.agent
    return {
        "name": agent.name,
        "version": agent.version,
        "weights": {"alg": "sha256", "hash": bytes.fromhex(agent.digest)},
        "data_sets": [
            {"name": data_set.name, "alg": "sha256", "hash": bytes.fromhex(data_set.digest)}
            for data_set in agent.data_sets
        ],
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
