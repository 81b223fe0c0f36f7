"""What a manifest store states. Pure; every string in it is a stranger's.

Out of c2pa's JSON, or out of what our own reader decoded, which has the same shape and bytes where
bytes stand: the two are compared.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from provenance.credential.credential import (
    Action,
    Codes,
    Contents,
    Disclosures,
    IngredientState,
    LedgerProof,
    StatedBinding,
    Step,
)
from provenance.credential.manifest import DISCLOSURE
from provenance.ledger.bundle import LABEL as LEDGER
from provenance.ledger.bundle import MAX_BUNDLE_BYTES

Json = Mapping[str, object]

MAX_TEXT = 200  # characters kept of anything stated
MAX_LISTED = 100  # actions, bindings, manifests and ingredients kept
MAX_GENERATIONS = 8  # of ingredients of ingredients that are followed
CONTENT_ID = re.compile(r"[0-9a-f]{16}")
UNTRUSTED = "signingCredential.untrusted"
ABOUT_SIGNER = ("signingCredential.", "timeStamp.")  # beginnings of codes


def contents_of(report: Json) -> Contents | None:
    """The statements in ``Reader.detailed_json``, or in ``Reading.statements``; None when no
    manifest is active."""
    label, active = _active(report)
    if label is None:
        return None
    manifests = _map(report.get("manifests"))
    done = {name: tuple(_actions(_map(manifest))) for name, manifest in manifests.items()}
    own = done[label]
    actions = [*own, *(action for name, steps in done.items() if name != label for action in steps)]
    claim = _map(active.get("claim"))
    return Contents(
        manifest=label,
        history=tuple(_clip(name) for name in list(manifests)[:MAX_LISTED]),
        title=_text(claim.get("dc:title")),
        generator=_generator(claim),
        actions=own[:MAX_LISTED],
        source_types=tuple(
            dict.fromkeys(a.digital_source_type for a in actions if a.digital_source_type)
        )[:MAX_LISTED],
        soft_bindings=tuple(_soft_bindings(active))[:MAX_LISTED],
        disclosures=_disclosures(active, own),
        lineage=_Lineage(manifests, done).step(label),
        ledger=_ledger_proof(active),
    )


def same_statements(one: Contents, other: Contents) -> bool:
    """Whether two readers took the same out of a store; the order of assertions says nothing."""
    return one == other or _sorted(one.model_dump()) == _sorted(other.model_dump())


def _sorted(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _sorted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return sorted((_sorted(inner) for inner in value), key=repr)
    return value


class SignatureInfo(NamedTuple):
    """What c2pa says of the signature. ``time`` stands there even if nobody vouches for it."""

    time: str | None
    algorithm: str | None
    common_name: str | None
    organisation: str | None


def signature_of(report: Json) -> SignatureInfo:
    """The signature of the active manifest."""
    info = _map(_active(report)[1].get("signature"))
    return SignatureInfo(
        time=_text(info.get("time")),
        algorithm=_text(info.get("alg")),
        common_name=_text(info.get("common_name")),
        organisation=_text(info.get("issuer")),
    )


def codes_of(report: Json) -> Codes:
    """Codes of the active manifest, and what c2pa itself found altered in ingredients. Who signed
    those is another question than who signed this one."""
    results = _map(report.get("validation_results"))
    active = _map(results.get("activeManifest"))
    return Codes(
        success=_codes(active.get("success")),
        informational=_codes(active.get("informational")),
        failure=tuple(
            dict.fromkeys(
                _codes(active.get("failure"))
                + tuple(c for c in _delta_failures(report) if not c.startswith(ABOUT_SIGNER))
            )
        ),
    )


def _codes(items: object) -> tuple[str, ...]:
    codes = (_text(_map(item).get("code")) for item in _list(items))
    return tuple(dict.fromkeys(code for code in codes if code))


def _delta_failures(report: Json) -> tuple[str, ...]:
    deltas = _list(_map(report.get("validation_results")).get("ingredientDeltas"))
    return tuple(
        code
        for delta in deltas
        for code in _codes(_map(_map(delta).get("validationDeltas")).get("failure"))
    )


def worst_ingredient(report: Json) -> IngredientState:
    """The worst of all ingredients in the history, as recorded when each was taken in.

    c2pa's own state leaves this out: an edit of a tampered parent reads as Trusted.
    """
    states = [
        _ingredient_state(data)
        for manifest in _map(report.get("manifests")).values()
        for label, data in _assertions(_map(manifest))
        if _base(label).startswith("c2pa.ingredient")
    ]
    if later := _delta_failures(report):
        known = all(code.startswith(ABOUT_SIGNER) for code in later)
        states.append(IngredientState.VALID if known else IngredientState.INVALID)
    return max(states, key=lambda state: state.severity, default=IngredientState.NONE)


def _ingredient_state(data: Json) -> IngredientState:
    results = data.get("validationResults", data.get("validation_results"))
    signed = any(data.get(key) for key in ("activeManifest", "c2pa_manifest", "active_manifest"))
    if results is not None:
        failures = _list(_map(_map(results).get("activeManifest")).get("failure"))
    elif "validationStatus" in data:  # ingredients of C2PA 1.x list failures only
        failures = _list(data.get("validationStatus"))
    else:
        return IngredientState.NOT_VALIDATED if signed else IngredientState.UNSIGNED
    codes = {_text(_map(failure).get("code")) for failure in failures}
    if not codes:
        return IngredientState.TRUSTED if signed else IngredientState.UNSIGNED
    return IngredientState.VALID if codes == {UNTRUSTED} else IngredientState.INVALID


class _Lineage:
    """Follows ingredients to their own manifests: at most MAX_LISTED of them, each once on its way
    up, so that a store whose manifests name one another ends."""

    def __init__(self, manifests: Json, done: Mapping[str, Sequence[Action]]) -> None:
        self.manifests = manifests
        self.done = done
        self.left = MAX_LISTED

    def step(self, label: str, above: tuple[str, ...] = (), taken: Step | None = None) -> Step:
        """The picture of the manifest ``label``; ``taken`` is what was noted when it was used."""
        manifest = _map(self.manifests.get(label))
        claim, signature = _map(manifest.get("claim")), _map(manifest.get("signature"))
        noted = taken or Step()
        return noted.model_copy(
            update={
                "manifest": _clip(label),
                "title": noted.title or _text(claim.get("dc:title")),
                "generator": _generator(claim),
                "signer": _text(signature.get("common_name")) or _text(signature.get("issuer")),
                "actions": tuple(action.action for action in self.done.get(label, ())[:MAX_LISTED]),
                "ingredients": tuple(self._ingredients(manifest, (*above, label))),
            }
        )

    def _ingredients(self, manifest: Json, above: tuple[str, ...]) -> Iterator[Step]:
        for name, data in _assertions(manifest):
            if not _base(name).startswith("c2pa.ingredient") or self.left <= 0:
                continue
            self.left -= 1
            noted = Step(
                title=_text(data.get("dc:title")),
                relationship=_text(data.get("relationship")),
                state=_ingredient_state(data),
            )
            label = _label(data.get("activeManifest", data.get("c2pa_manifest")))
            known = label in self.manifests and label not in above
            follow = known and len(above) < MAX_GENERATIONS
            yield self.step(label, above, noted) if follow else noted


def _label(reference: object) -> str:
    """The label in a hashed URI such as self#jumbf=/c2pa/urn:c2pa:..."""
    return (_text(_map(reference).get("url")) or "").rpartition("/")[2]


def _disclosures(active: Json, actions: Sequence[Action]) -> Disclosures:
    """Our own assertion, or what the standard ones say in its place."""
    for label, data in _assertions(active):
        if _base(label) == DISCLOSURE:
            content_id = _text(data.get("content_id"))
            return Disclosures(
                provider=_text(data.get("provider")),
                system=_text(data.get("system")),
                version=_text(data.get("version")),
                created_at=_text(data.get("created_at")),
                content_id=(
                    content_id if content_id and CONTENT_ID.fullmatch(content_id) else None
                ),
            )
    created = next((a for a in actions if a.action == "c2pa.created"), None)
    return Disclosures(
        system=created.agent if created else None, created_at=created.when if created else None
    )


def _actions(manifest: Json) -> Iterator[Action]:
    for label, data in _assertions(manifest):
        if _base(label) not in ("c2pa.actions", "c2pa.actions.v2"):
            continue
        for item in map(_map, _list(data.get("actions"))):
            agent = item.get("softwareAgent")
            yield Action(
                action=_text(item.get("action")) or "unnamed",
                when=_text(item.get("when")),
                digital_source_type=_text(item.get("digitalSourceType")),
                agent=_text(agent) or _name_and_version(_map(agent)),
            )


def _soft_bindings(manifest: Json) -> Iterator[StatedBinding]:
    for label, data in _assertions(manifest):
        alg = _text(data.get("alg"))
        if _base(label) != "c2pa.soft-binding" or alg is None:
            continue
        for block in map(_map, _list(data.get("blocks"))):
            value = block.get("value")
            if isinstance(value, str | bytes):
                yield StatedBinding(alg=alg, value=_clip(_hex(value)))


def _ledger_proof(active: Json) -> LedgerProof | None:
    for label, data in _assertions(active):
        log, bundle = _text(data.get("log")), data.get("bundle")
        if _base(label) != LEDGER or log is None or not isinstance(bundle, str):
            continue
        if len(bundle) <= 2 * MAX_BUNDLE_BYTES:
            return LedgerProof(log=log, bundle=bundle)
    return None


def _hex(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.hex()
    try:
        return base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        return value


def _generator(claim: Json) -> str | None:
    info = claim.get("claim_generator_info")
    if isinstance(info, list):
        info = info[0] if info else None
    return _name_and_version(_map(info)) or _text(claim.get("claim_generator"))


def _name_and_version(info: Json) -> str | None:
    parts = [part for part in (_text(info.get("name")), _text(info.get("version"))) if part]
    return " ".join(parts) or None


def _active(report: Json) -> tuple[str | None, Json]:
    label = _text(report.get("active_manifest"))
    manifests = _map(report.get("manifests"))
    return (label, _map(manifests[label])) if label in manifests and label else (None, {})


def _assertions(manifest: Json) -> Iterator[tuple[str, Json]]:
    for label, data in _map(manifest.get("assertion_store")).items():
        yield label, _map(data)


def _base(label: str) -> str:
    """The label without the suffix that numbers assertions of one kind."""
    return label.split("__", 1)[0]


def _map(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return _clip(value) if isinstance(value, str) else None


def _clip(value: str) -> str:
    return value[:MAX_TEXT]
