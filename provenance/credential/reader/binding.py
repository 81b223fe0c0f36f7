"""Does the file still have the bytes that a claim is bound to? The hard bindings, checked. Pure.

Sources: C2PA 2.2, sections 18.5 (c2pa.hash.data) and 18.6 (c2pa.hash.bmff, as versions 2 and 3 have
it: of each box at the top, its offset and then its bytes).
"""

import hashlib
import hmac
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

DATA_HASH = "c2pa.hash.data"
BMFF_HASHES = ("c2pa.hash.bmff.v3", "c2pa.hash.bmff.v2")
BMFF_UUID = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")  # of the box with the store
MAX_TOP_BOXES = 10_000  # a picture has about four
HARD_BINDINGS = ("c2pa.hash.data", "c2pa.hash.boxes", "c2pa.hash.bmff", "c2pa.hash.collection")
DIGESTS = ("sha256", "sha384", "sha512")  # C2PA 2.2, section 13.1
MAX_EXCLUSIONS = 1000


class Binding(Enum):
    """``unread``: bound in a way that is not checked here (boxes, BMFF), or not at all."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNREAD = "unread"


class HashedRange(NamedTuple):
    """An exclusion of a data hash: ``length`` bytes from ``start`` are not protected."""

    start: int
    length: int


def check_data_hash(data: bytes, stated: Mapping[str, object], default_alg: object) -> Binding:
    """Whether ``stated``, a c2pa.hash.data assertion, is of the file ``data``. Exclusions must be
    in the file and must not overlap, else nothing is said of which bytes are meant."""
    alg, digest = stated.get("alg", default_alg), stated.get("hash")
    ranges = exclusions(stated)
    if alg not in DIGESTS or not isinstance(digest, bytes) or ranges is None:
        return Binding.BROKEN
    made = hashlib.new(str(alg))
    at = 0
    view = memoryview(data)
    for start, length in ranges:
        if start < at or start + length > len(data):
            return Binding.BROKEN
        made.update(view[at:start])
        at = start + length
    made.update(view[at:])
    return Binding.HOLDS if hmac.compare_digest(made.digest(), digest) else Binding.BROKEN


def exclusions(stated: Mapping[str, object]) -> tuple[HashedRange, ...] | None:
    """The exclusions of a data hash in order; None where they are no ranges."""
    listed = stated.get("exclusions") or []
    if not isinstance(listed, list) or len(listed) > MAX_EXCLUSIONS:
        return None
    ranges = []
    for item in listed:
        if not isinstance(item, dict):
            return None
        start, length = item.get("start"), item.get("length")
        if not isinstance(start, int) or not isinstance(length, int) or min(start, length) < 0:
            return None
        ranges.append(HashedRange(start, length))
    return tuple(sorted(ranges))


def check_bmff_hash(data: bytes, stated: Mapping[str, object], default_alg: object) -> Binding:
    """Whether ``stated``, a c2pa.hash.bmff assertion, is of the file ``data``.

    Read are exclusions of whole boxes at the top, which is what pictures need: no Merkle trees, and
    nothing of a box inside another one.
    """
    alg, digest = stated.get("alg", default_alg), stated.get("hash")
    left_out = bmff_exclusions(data, stated)
    if left_out is None or stated.get("merkle") is not None:
        return Binding.UNREAD
    if alg not in DIGESTS or not isinstance(digest, bytes):
        return Binding.BROKEN
    made = hashlib.new(str(alg))
    view = memoryview(data)
    for start, length in top_boxes(data):
        if HashedRange(start, length) not in left_out:
            made.update(start.to_bytes(8, "big"))
            made.update(view[start : start + length])
    return Binding.HOLDS if hmac.compare_digest(made.digest(), digest) else Binding.BROKEN


def bmff_exclusions(data: bytes, stated: Mapping[str, object]) -> frozenset[HashedRange] | None:
    """The boxes that a BMFF hash leaves out; None where it leaves out parts of boxes."""
    listed = stated.get("exclusions")
    if not isinstance(listed, list) or len(listed) > MAX_EXCLUSIONS:
        return None
    boxes = top_boxes(data)
    left_out: set[HashedRange] = set()
    for item in listed:
        pairs = item.items() if isinstance(item, dict) else ()
        said = {key: value for key, value in pairs if value is not None}
        xpath, marks = said.pop("xpath", None), said.pop("data", [])
        if not isinstance(xpath, str) or xpath.count("/") != 1 or said or _unclear(marks):
            return None
        kind = xpath[1:].encode("latin-1", "replace")
        left_out |= {box for box in boxes if _is(data, box, kind, marks)}
    return frozenset(left_out)


def beyond_mandated(data: bytes, stated: Mapping[str, object]) -> tuple[HashedRange, ...] | None:
    """What a BMFF hash leaves out beside ``ftyp`` and ``mfra``, which each must: the store's box
    and whatever else. None where that cannot be told."""
    left_out = bmff_exclusions(data, stated)
    if left_out is None:
        return None
    return tuple(
        sorted(b for b in left_out if data[b.start + 4 : b.start + 8] not in (b"ftyp", b"mfra"))
    )


def top_boxes(data: bytes) -> list[HashedRange]:
    """The boxes of an ISO base media file side by side (ISO/IEC 14496-12, section 4.2), as far as
    they fit; a rest that is no box counts as one."""
    found: list[HashedRange] = []
    at = 0
    while at < len(data) and len(found) < MAX_TOP_BOXES:
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        if length < 8 or at + length > len(data):
            length = len(data) - at
        found.append(HashedRange(at, length))
        at += length
    return found


def _unclear(marks: object) -> bool:
    """Bytes that a box must have to be meant: a list of offsets and values, or nothing to check."""
    return not isinstance(marks, list) or not all(
        isinstance(mark, dict)
        and isinstance(mark.get("offset"), int)
        and isinstance(mark.get("value"), bytes)
        and mark["offset"] >= 0
        for mark in marks
    )


def _is(data: bytes, box: HashedRange, kind: bytes, marks: list[dict[str, Any]]) -> bool:
    start, end = box.start, box.start + box.length
    return data[start + 4 : start + 8] == kind and all(
        data[start + mark["offset"] : end].startswith(mark["value"]) for mark in marks
    )
