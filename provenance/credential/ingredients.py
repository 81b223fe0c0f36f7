"""Pictures that a picture was made from, with what their own credentials said and how they stood.

What was found is kept in the new credential, failures included, so that an edit cannot launder its
parent (C2PA 2.2, section 18.16; field names as in ``c2pa.ingredient.v3``).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

import orjson

from provenance.credential.container import find_store, holds_stores, kind_of
from provenance.credential.engine import context
from provenance.credential.reader import Malformed, Reading, open_store
from provenance.credential.reader.jumbf import Superbox
from provenance.credential.writer import boxes
from provenance.errors import PictureInvalid
from provenance.keys.chain import NO_ANCHOR, OUT_OF_TIME, REVOKED, WRONG_PURPOSE, check_chain
from provenance.keys.trust import TrustAnchors

LABEL = "c2pa.ingredient.v3"

# What our own look at the signer found, in the words of the specification (section 15.2).
_STANDARD_CODES = {
    WRONG_PURPOSE: "signingCredential.invalid",
    OUT_OF_TIME: "signingCredential.expired",
    NO_ANCHOR: "signingCredential.untrusted",
    REVOKED: "signingCredential.ocsp.revoked",
}


class Relationship(StrEnum):
    """What an ingredient is to the picture made from it."""

    PARENT = "parentOf"
    COMPONENT = "componentOf"
    INPUT = "inputTo"


@dataclass(frozen=True)
class Ingredient:
    """A picture taken in. ``reading``: its manifest store, None where it had none; ``results``:
    what validation found, as C2PA writes it."""

    title: str
    media_type: str
    relationship: Relationship
    reading: Reading | None = None
    results: Mapping[str, object] | None = None

    @property
    def manifests(self) -> Mapping[str, bytes]:
        """The manifests of its store by label, the active one last, as they stand."""
        if self.reading is None:
            return {}
        data = self.reading.store.data
        found = {m.label: m.box for m in self.reading.manifests}
        return {label: boxes.box(b"jumb", data[b.start : b.end]) for label, b in found.items()}

    def assertion(self, label: str) -> boxes.Assertion:
        """As an assertion of the new manifest."""
        said: dict[str, object] = {
            "dc:title": self.title,
            "dc:format": self.media_type,
            "relationship": self.relationship.value,
        }
        if self.reading is not None:
            active = self.reading.active
            signature = active.box.child(boxes.SIGNATURE)
            url = f"self#jumbf=/c2pa/{active.label}"
            said |= {
                "validationResults": dict(self.results or {}),
                "activeManifest": {"url": url, "hash": _hash(self.reading, active.box)},
            }
            if signature is not None:
                said["claimSignature"] = {
                    "url": f"{url}/{boxes.SIGNATURE}",
                    "hash": _hash(self.reading, signature),
                }
        return boxes.Assertion.cbor(label, said)


def _hash(reading: Reading, superbox: Superbox) -> bytes:
    return sha256(reading.store.data[superbox.start : superbox.end]).digest()


def take_in(
    data: bytes,
    trust: TrustAnchors,
    relationship: Relationship = Relationship.PARENT,
    *,
    title: str = "Input image",
) -> Ingredient:
    """The picture file ``data`` as an ingredient, its credential validated against ``trust``.

    ``title`` must name no person, so a file's name is no good one. Raises PictureInvalid where its
    credential cannot be read: signing over it would drop it without a trace.
    """
    kind = kind_of(data)
    store = _store_of(data, kind)
    if store is None:
        return Ingredient(title, kind, relationship)
    try:
        reading = open_store(store)
        found = _validated(data, kind, store, trust)
    except (Malformed, ValueError) as error:
        raise PictureInvalid(
            f"this picture's own credential cannot be read ({error}), and signing would erase it;"
            " take it out first if that is what you want"
        ) from error
    return Ingredient(title, kind, relationship, reading, _results(found, reading, trust))


def holds_credential(data: bytes, kind: str) -> bool:
    """Whether a file of this media type carries a credential, of whatever worth."""
    return _store_of(data, kind) is not None


def _store_of(data: bytes, kind: str) -> bytes | None:
    if holds_stores(kind):
        found = find_store(data, kind)
        if found is not None and found.stores > 1:
            raise PictureInvalid(
                "this picture carries several credentials side by side, which nobody can read;"
                " take them out first if that is what you want"
            )
        return found.store if found else None
    return None


def _validated(
    data: bytes, kind: str, store: bytes, trust: TrustAnchors
) -> Mapping[str, object]:
    """What c2pa found; every string in it is a stranger's. Raises ValueError where it cannot."""
    import c2pa

    try:
        with c2pa.Reader(
            kind, io.BytesIO(data), manifest_data=store, context=context(trust)
        ) as reader:
            results = orjson.loads(reader.detailed_json()).get("validation_results")
    except c2pa.C2paError as error:
        raise ValueError(str(error)) from error
    if not isinstance(results, dict):
        raise ValueError("it names no active manifest")  # noqa: TRY004
    return results


def _results(
    found: Mapping[str, object], reading: Reading, trust: TrustAnchors
) -> Mapping[str, object]:
    """c2pa's results, and what our own reader found besides."""
    problems = check_chain(reading.chain, trust, datetime.now(UTC)).problems
    own = (*(_STANDARD_CODES[problem] for problem in problems), *reading.failures)
    active = found.get("activeManifest")
    codes = dict(active) if isinstance(active, dict) else {}
    failures = list(codes.get("failure") or [])
    said = {failure.get("code") for failure in failures if isinstance(failure, dict)}
    url = f"self#jumbf=/c2pa/{reading.active.label}/{boxes.SIGNATURE}"
    failures += [{"code": code, "url": url} for code in dict.fromkeys(own) if code not in said]
    kept = {"activeManifest": codes | {"failure": failures}}
    deltas = found.get("ingredientDeltas")
    return kept | ({"ingredientDeltas": deltas} if deltas else {})
