"""Does the file still have the bytes that a claim is bound to? The hard binding c2pa.hash.data."""

import hashlib
import hmac
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

DATA_HASH = "c2pa.hash.data"
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
