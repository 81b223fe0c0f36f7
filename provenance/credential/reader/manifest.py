"""The manifests of a store, each checked by itself: whose claim, and do its hashes hold? Pure.

Labels and structure: C2PA 2.2, chapters 10 (claims), 11 (boxes), 15 (validation). What fails is
said in C2PA's own status codes, so that it can be laid beside what c2pa-rs says.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from provenance.credential.cbor import Malformed, Tagged
from provenance.credential.reader.binding import DIGESTS, HARD_BINDINGS
from provenance.credential.reader.cose import (
    MAX_SIGNATURE_BYTES,
    ClaimSignature,
    claim_signature,
    signature_holds,
)
from provenance.credential.reader.jumbf import Store, Superbox

CLAIM, CLAIM_V1, SIGNATURE, ASSERTIONS = (
    "c2pa.claim.v2",
    "c2pa.claim",
    "c2pa.signature",
    "c2pa.assertions",
)
STORE_TYPE, STORE_LABEL = b"c2pa", "c2pa"
MANIFEST_TYPES = (b"c2ma", b"c2um")  # standard, update
URI = "self#jumbf="
LISTED = ("created_assertions", "gathered_assertions", "assertions")
MAX_MANIFESTS = 200
MAX_ASSERTIONS = 2000
MAX_JSON_BYTES = 1024 * 1024  # of a manifest; few have any since C2PA 2

Json = Mapping[str, object]


@dataclass(frozen=True)
class Manifest:
    """``statements``: assertions by label, bytes as bytes. ``failures``: C2PA status codes.
    ``standard``: it is bound to a picture, not an update of statements alone."""

    label: str
    box: Superbox
    standard: bool
    claim: Json
    claim_bytes: bytes
    signature: ClaimSignature | None
    statements: Mapping[str, object]
    failures: tuple[str, ...]


def manifests(store: Store) -> tuple[Manifest, ...]:
    """All manifests in order; the last is the active one.

    Raises Malformed where there is none, two have the same label (which is meant could be argued),
    or one has no claim that can be read.
    """
    root = store.root
    if (root.type, root.label) != (STORE_TYPE, STORE_LABEL):
        raise Malformed("it is not a manifest store")
    boxes = [child for child in root.children if child.type in MANIFEST_TYPES]
    labels = {box.label for box in boxes}
    if not boxes or len(boxes) > MAX_MANIFESTS or len(boxes) != len(root.children):
        raise Malformed("it holds no manifest, too many, or something else")
    if len(labels) != len(boxes) or "" in labels:
        raise Malformed("two manifests in it have one name")
    redacted = {uri for box in boxes for uri in _redacted(store, box)}
    return tuple(_manifest(store, box, redacted) for box in boxes)


def _claim_box(store: Store, box: Superbox) -> tuple[Json, bytes, str]:
    found = [label for label in (CLAIM, CLAIM_V1) if (box.child(label) is not None)]
    if len(found) != 1 or len([c for c in box.children if c.label in (CLAIM, CLAIM_V1)]) != 1:
        raise Malformed("a manifest has no claim, or more than one")
    child = box.child(found[0])
    content = child.content(b"cbor") if child else None
    if content is None:
        raise Malformed("a claim is not CBOR")
    claim = store.decoded[content.start]
    if not isinstance(claim, dict):
        raise Malformed("a claim is not a map")
    return claim, store.data[content.start : content.end], found[0]


def _redacted(store: Store, box: Superbox) -> Iterator[str]:
    listed = _claim_box(store, box)[0].get("redacted_assertions")
    for uri in listed if isinstance(listed, list) else []:
        if isinstance(uri, str) and not uri.startswith(f"{URI}/c2pa/{box.label}/"):
            yield uri  # of another manifest: none may redact itself


def _manifest(store: Store, box: Superbox, redacted: set[str]) -> Manifest:
    claim, claim_bytes, _ = _claim_box(store, box)
    signature = _signature(store, box)
    failures = []
    if signature is None:
        failures.append("claimSignature.missing")
    elif claim.get("signature") not in (
        f"{URI}{SIGNATURE}",
        f"{URI}/c2pa/{box.label}/{SIGNATURE}",
    ) or not signature_holds(signature, claim_bytes):
        failures.append("claimSignature.mismatch")
    statements, held = _statements(store, box)
    failures += _assertion_failures(store, box, claim, held, redacted)
    return Manifest(
        label=box.label,
        box=box,
        standard=box.type == MANIFEST_TYPES[0],
        claim=claim,
        claim_bytes=claim_bytes,
        signature=signature,
        statements=statements,
        failures=tuple(dict.fromkeys(failures)),
    )


def _signature(store: Store, box: Superbox) -> ClaimSignature | None:
    child = box.child(SIGNATURE)
    content = child.content(b"cbor") if child else None
    if content is None or content.end - content.start > MAX_SIGNATURE_BYTES:
        return None
    return claim_signature(store.decoded[content.start])


def _statements(store: Store, box: Superbox) -> tuple[dict[str, object], list[str]]:
    """What each assertion says, and the labels of all. Those of pictures say nothing in words."""
    outer = box.child(ASSERTIONS)
    children = outer.children if outer else []
    if len(children) > MAX_ASSERTIONS:
        raise Malformed("it holds too many assertions")
    texts = [held for child in children if (held := child.content(b"json")) is not None]
    if sum(text.end - text.start for text in texts) > MAX_JSON_BYTES:
        raise Malformed("it holds too much JSON")
    said: dict[str, object] = {}
    for child in children:
        cbor, json = child.content(b"cbor"), child.content(b"json")
        if cbor is not None:
            said[child.label] = plain(store.decoded[cbor.start])
        elif json is not None:
            try:
                said[child.label] = orjson.loads(store.data[json.start : json.end])
            except orjson.JSONDecodeError as error:
                raise Malformed("its JSON is malformed") from error
    return said, [child.label for child in children]


def plain(value: object) -> object:
    """``value`` without tags: a date is its words."""
    if isinstance(value, Tagged):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def _assertion_failures(
    store: Store, box: Superbox, claim: Json, held: list[str], redacted: set[str]
) -> Iterator[str]:
    listed = [uri for name in LISTED for uri in _list(claim.get(name))]
    if len(listed) > MAX_ASSERTIONS:
        raise Malformed("a claim names too many assertions")
    named = set()
    hard = 0
    for uri in listed:
        url = uri.get("url") if isinstance(uri, dict) else None
        label = str(url).rpartition("/")[2]
        if label in named:  # c2pa-rs holds what is named in memory once for each time
            raise Malformed("a claim names an assertion twice")
        named.add(label)
        hard += label.split("__")[0].removesuffix(".v2").removesuffix(".v3") in HARD_BINDINGS
        target = resolve(store, box, url)
        if target is None:
            if f"{URI}/c2pa/{box.label}/{ASSERTIONS}/{label}" not in redacted:
                yield "assertion.missing"
        elif not hash_fits(store, target, uri, claim.get("alg")):
            yield "assertion.hashedURI.mismatch"
    if len(set(held)) != len(held) or not set(held) <= named:
        yield "assertion.undeclared"
    if box.type == MANIFEST_TYPES[0] and hard != 1:
        yield "assertion.multipleHardBindings" if hard else "claim.hardBindings.missing"


def resolve(store: Store, box: Superbox, url: object) -> Superbox | None:
    """The superbox that a JUMBF URI names, seen from the manifest ``box``."""
    if not isinstance(url, str) or not url.startswith(URI):
        return None
    path = url.removeprefix(URI)
    at: Superbox | None = box
    if path.startswith("/"):
        root, _, path = path[1:].partition("/")
        at = store.root if root == STORE_LABEL else None
    for label in path.split("/"):
        at = at.child(label) if at is not None and label else None
    return at


def hash_fits(store: Store, target: Superbox, uri: object, default_alg: object) -> bool:
    """Whether the hash in a hashed URI is of the content of ``target``."""
    if not isinstance(uri, dict):
        return False
    alg, digest = uri.get("alg", default_alg), uri.get("hash")
    if alg not in DIGESTS or not isinstance(digest, bytes):
        return False
    return hmac.compare_digest(store.digest(target, str(alg)), digest)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
