"""What a shard holds, in about 3 kB that add up: exact counts, histograms, and a distinct count.

A sketch answers, without a single row, how many samples stand in which state of consent, under
which class of licence and with which fault, how large and how sharp they are, and how many distinct
files there are. ``merge`` is associative and commutative, and the merged sketches of any shards are
the sketch of all their rows, byte for byte in canonical JSON. So a data set of 10^10 samples is
summed up by reading one event for each shard.

No attribute of people is in it: small cells must be hidden (``suppression``), what is hidden does
not add up, and an entry of the ledger can never be taken back (docs/adr/0013).
"""

import hmac
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

import numpy as np
import rfc8785
from pydantic import Field, field_serializer, model_validator

from policies.decision import Frozen

REGISTERS: Final = 2_048  # standard error of the distinct count 1.04 / sqrt(2048) = 2.3 %
INDEX_BITS: Final = 11
HASH_BITS: Final = 64
MAX_RANK: Final = HASH_BITS - INDEX_BITS + 1
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_RANK: Final = {letter: rank for rank, letter in enumerate(ALPHABET)}
_RANKS: Final = np.zeros(128, np.uint8)  # the same by ASCII code
_RANKS[np.frombuffer(ALPHABET.encode(), np.uint8)] = np.arange(len(ALPHABET))

# Four bins an octave, so that a quantile is known to 19 %; integers, so that no machine's logarithm
# decides.
_OCTAVES: Final = tuple(sorted({round(2 ** (step / 4)) for step in range(4 * 48)}))
EDGES: Final[Mapping[str, tuple[int, ...]]] = {
    "bytes": _OCTAVES,
    "pixels": _OCTAVES,
    "side": _OCTAVES,
    "sharpness": _OCTAVES,
    "brightness": tuple(range(0, 256, 16)),
    "pdq_quality": tuple(range(0, 101, 10)),
}
"""Lower ends of the bins. Bin ``n`` holds values from ``edges[n - 1]`` to below ``edges[n]``; bin 0
what is below all of them. ``side`` is the shorter one, ``bytes`` of the file."""

FLAGS: Final = ("annotated", "attribution", "share_alike", "gps", "serial", "owner", "c2pa")

Count = Annotated[int, Field(ge=1)]
Counts = dict[str, Count]


class Bin(NamedTuple):
    """Where a quantile lies: at least ``low``, below ``high``; None where there is no end."""

    low: int | None
    high: int | None


class Sketch(Frozen):
    """Sums over samples. What was counted zero times is left out.

    ``counts``: samples by value of ``consent``, ``licence`` (use), ``problem``, ``media_type`` and
    ``flag``. ``bins``: samples by number of bin, for each of EDGES. ``distinct``: HyperLogLog
    registers (Flajolet et al. 2007) of the keyed content hashes, one base64 digit each. ``key``:
    names the key of those hashes; sketches under two keys do not add up.
    """

    v: Literal[1] = 1
    samples: int = Field(ge=0)
    file_bytes: int = Field(ge=0)
    counts: dict[str, Counts]
    bins: dict[str, Counts]
    distinct: str = Field(pattern=f"^[A-Za-z0-9+/]{{{REGISTERS}}}$")
    key: str = Field(pattern="^[0-9a-f]{16}$")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if any(_RANK[letter] > MAX_RANK for letter in set(self.distinct)):
            raise ValueError(f"a register of a sketch is above {MAX_RANK}")
        for name, bins in self.bins.items():
            if name not in EDGES or any(not _is_bin(number, name) for number in bins):
                raise ValueError(f"a sketch has bins of {name} that there are not")
        if any(sum(bins.values()) > self.samples for bins in self.bins.values()):
            raise ValueError("a sketch has more in its bins than samples")
        return self

    @field_serializer("file_bytes", when_used="json")
    def _as_digits(self, size: int) -> str:
        return str(size)  # 10^10 pictures pass 2^53, up to which JSON keeps integers

    def canonical(self) -> bytes:
        """The sketch as canonical JSON (RFC 8785): equal bytes for equal sums."""
        return bytes(rfc8785.dumps(self.model_dump(mode="json")))

    def digest(self) -> str:
        """SHA-256 (hex) of ``canonical``."""
        return sha256(self.canonical()).hexdigest()

    def quantile(self, name: str, share: float) -> Bin | None:
        """The bin of EDGES[name] in which the quantile ``share`` (0..1) lies; None of nothing.

        Raises KeyError for a name that is not in EDGES.
        """
        edges, bins = EDGES[name], self.bins.get(name, {})
        wanted = max(1, math.ceil(share * sum(bins.values())))
        for number in sorted(map(int, bins)):
            wanted -= bins[str(number)]
            if wanted <= 0:
                low = edges[number - 1] if number else None
                return Bin(low, edges[number] if number < len(edges) else None)
        return None

    def distinct_files(self) -> float:
        """About how many distinct files there are, with a standard error of 2.3 %.

        The improved estimator of Ertl (2017, arXiv:1702.01284, algorithm 6), which needs no
        correction at either end.
        """
        ranks = [_RANK[letter] for letter in self.distinct]
        having = [ranks.count(rank) for rank in range(MAX_RANK + 1)]
        if having[0] == REGISTERS:
            return 0.0
        total = REGISTERS * _tau(1 - having[MAX_RANK] / REGISTERS)
        for rank in range(MAX_RANK - 1, 0, -1):
            total = 0.5 * (total + having[rank])
        total += REGISTERS * _sigma(having[0] / REGISTERS)
        return REGISTERS**2 / (2 * math.log(2) * total)


def sketch_key(secret: bytes) -> bytes:
    """The key of the content hashes in sketches, 32 bytes, of the secret of an audit.

    Keyed, so that nobody who has a picture can ask the ledger whether it is in the data set.
    """
    return hmac.digest(secret, b"sketch", "sha256")


def sketch(rows: Iterable[Mapping[str, Any]], key: bytes) -> Sketch:
    """The sketch of sample rows (the columns of ``sample.to_row``)."""
    samples = size = 0
    counts: dict[str, Counts] = {}
    bins: dict[str, Counts] = {}
    registers = bytearray(REGISTERS)
    for row in rows:
        samples += 1
        size += row["bytes"]
        for name, value in _classes(row):
            _add(counts, name, value)
        for name, measured in _measures(row):
            if measured is not None:
                _add(bins, name, str(bisect_right(EDGES[name], measured)))
        if row["sha256"] is not None:
            index, rank = _place(key, row["sha256"])
            registers[index] = max(registers[index], rank)
    return Sketch(
        samples=samples,
        file_bytes=size,
        counts=counts,
        bins=bins,
        distinct="".join(ALPHABET[rank] for rank in registers),
        key=_name_of(key),
    )


def merge(sketches: Iterable[Sketch]) -> Sketch:
    """The sketch of all rows together. Raises ValueError for none, and for two keys."""
    samples = size = 0
    counts: dict[str, Counts] = {}
    bins: dict[str, Counts] = {}
    registers = np.zeros(REGISTERS, np.uint8)
    keys = set()
    for one in sketches:
        samples += one.samples
        size += one.file_bytes
        _add_all(counts, one.counts)
        _add_all(bins, one.bins)
        ranks = _RANKS[np.frombuffer(one.distinct.encode(), np.uint8)]
        np.maximum(registers, ranks, out=registers)
        keys.add(one.key)
    if len(keys) != 1:
        raise ValueError(
            "sketches of content hashes under two keys do not add up"
            if keys
            else "there is no sketch to merge"
        )
    return Sketch(
        samples=samples,
        file_bytes=size,
        counts=counts,
        bins=bins,
        distinct="".join(ALPHABET[rank] for rank in registers),
        key=keys.pop(),
    )


def _add_all(sums: dict[str, Counts], counts: Mapping[str, Counts]) -> None:
    for name, held in counts.items():
        for value, count in held.items():
            _add(sums, name, value, count)


def _add(counts: dict[str, Counts], name: str, value: str, count: int = 1) -> None:
    held = counts.setdefault(name, {})
    held[value] = held.get(value, 0) + count


def _classes(row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "consent", row["consent"]
    yield "licence", row["licence_use"]
    for name in ("media_type", "problem"):
        if row[name] is not None:
            yield name, str(row[name])
    yield from (("flag", name) for name in FLAGS if row[name])


def _measures(row: Mapping[str, Any]) -> Iterable[tuple[str, float | None]]:
    yield from ((name, row[name]) for name in ("bytes", "sharpness", "brightness", "pdq_quality"))
    if row["width"] is not None and row["height"] is not None:
        yield "pixels", row["width"] * row["height"]
        yield "side", min(row["width"], row["height"])


def _place(key: bytes, digest: str) -> tuple[int, int]:
    """The register of a content hash, and the rank that it puts there: 1..MAX_RANK."""
    keyed = int.from_bytes(hmac.digest(key, bytes.fromhex(digest), "sha256")[:8])
    index = keyed >> (HASH_BITS - INDEX_BITS)
    rest = keyed & ((1 << (HASH_BITS - INDEX_BITS)) - 1)
    return index, HASH_BITS - INDEX_BITS - rest.bit_length() + 1


def _name_of(key: bytes) -> str:
    return sha256(b"sketch key\x00" + key).hexdigest()[:16]


def _is_bin(number: str, name: str) -> bool:
    return number.isascii() and number.isdecimal() and int(number) <= len(EDGES[name])


def _sigma(x: float) -> float:
    """x + the sum over k of x^(2^k) 2^(k-1), for x below 1 (Ertl 2017, section 4.3)."""
    total, weight, before = x, 1.0, -1.0
    while total != before:
        before = total
        x *= x
        total += x * weight
        weight *= 2
    return total


def _tau(x: float) -> float:
    """What the registers at their highest rank add (Ertl 2017, section 4.3)."""
    if x in (0.0, 1.0):
        return 0.0
    total, weight, before = 1 - x, 1.0, -1.0
    while total != before:
        before = total
        x = math.sqrt(x)
        weight /= 2
        total -= (1 - x) ** 2 * weight
    return total / 3
