"""Reads CBOR (RFC 8949) strictly: whatever two readers could take differently is refused. Pure.

c2pa-rs believes some lengths before it looks: a text that says it has 2 GB costs it as much memory,
in a credential of 2 KB (benchmarks/hostile.py). So nothing reaches it unless it was decoded here:
each length fits into the bytes that are there, no map has a key twice, and depth and number of
items are bounded.
"""

import math
import struct
from typing import NamedTuple

MAX_DEPTH = 64  # credentials nest below ten
MAX_ITEMS = 500_000  # about half a second of this reader
MAX_KEY_BYTES = 1024  # keys are names
INDEFINITE = 31
BREAK = 0xFF

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIMPLE_VALUES: dict[int, object] = {20: False, 21: True, 22: None, 23: None}
_KEYS = (str, int, bytes)
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


class Malformed(Exception):
    """Not CBOR, or CBOR of a kind that is not read; the message says why."""


class Tagged(NamedTuple):
    """A value with a tag: 18 is COSE_Sign1; 0 a date in words."""

    tag: int
    value: object


def decode(data: bytes) -> object:
    """The first item in ``data``: int, bytes, str, list, dict, Tagged, bool, float or None.

    What follows that item is ignored: it says nothing. Raises Malformed beyond the limits, for
    lengths that lie, a key that stands twice or is neither text nor a number, text that is no
    UTF-8, and simple values without a meaning.
    """
    return decode_within(data, MAX_ITEMS).value


class Decoded(NamedTuple):
    """``left``: how many items more may be read."""

    value: object
    left: int


def decode_within(data: bytes, items: int) -> Decoded:
    """As ``decode``, of at most so many items."""
    decoder = _Decoder(data, items)
    return Decoded(decoder.item(0), decoder.left)


def is_well_formed(data: bytes) -> bool:
    """Whether ``decode`` reads it."""
    try:
        decode(data)
    except Malformed:
        return False
    return True


class _Decoder:
    """Position and budget of one pass over ``data``."""

    def __init__(self, data: bytes, items: int) -> None:
        self.data = data
        self.at = 0
        self.left = items

    def item(self, depth: int) -> object:
        data, at = self.data, self.at
        self.left -= 1
        if at >= len(data) or depth > MAX_DEPTH or self.left < 0:
            raise Malformed("it breaks off, nests too deep or holds too many items")
        major, info = data[at] >> 5, data[at] & 0x1F
        if info < 24:
            value, self.at = info, at + 1
        elif info < 28:
            width = 1 << (info - 24)
            self.at = at + 1 + width
            if self.at > len(data):
                raise Malformed("a number breaks off")
            value = int.from_bytes(data[at + 1 : self.at], "big")
        elif info == INDEFINITE and major in (_BYTES, _TEXT, _ARRAY, _MAP):
            self.at = at + 1
            return self._indefinite(major, depth)
        else:
            raise Malformed(f"a head of {data[at]:#x} means nothing")
        if major in (_TEXT, _BYTES):
            return self._string(major, value)
        if major == _UNSIGNED:
            return value
        if major == _NEGATIVE:
            return -1 - value
        if major == _TAG:
            return Tagged(value, self.item(depth + 1))
        if major == _SIMPLE:
            return self._simple(info, value, at)
        items = value * (2 if major == _MAP else 1)
        if items > len(data) - self.at:  # an item takes a byte at least
            raise Malformed("more items are announced than there are bytes")
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in range(value)]
        made: dict[object, object] = {}
        for _ in range(value):
            self._pair(made, depth)
        return made

    def _indefinite(self, major: int, depth: int) -> object:
        """A container that ends with a break; text and bytes come in definite pieces."""
        if major == _MAP:
            made: dict[object, object] = {}
            while not self._broken():
                self._pair(made, depth)
            return made
        parts: list[object] = []
        while not self._broken():
            if major != _ARRAY and not (
                self.data[self.at] >> 5 == major and self.data[self.at] & 0x1F != INDEFINITE
            ):
                raise Malformed("a piece is of another kind than the whole")
            parts.append(self.item(depth + 1))
        if major == _ARRAY:
            return parts
        if major == _TEXT:
            return "".join(part for part in parts if isinstance(part, str))
        return b"".join(part for part in parts if isinstance(part, bytes))

    def _broken(self) -> bool:
        if self.at >= len(self.data):
            raise Malformed("it breaks off")
        if self.data[self.at] != BREAK:
            return False
        self.at += 1
        return True

    def _pair(self, made: dict[object, object], depth: int) -> None:
        before = self.at
        key = self.item(depth + 1)
        if not isinstance(key, _KEYS) or self.at - before > MAX_KEY_BYTES:
            raise Malformed("a key is not a name or a number")
        if key in made:
            raise Malformed("a map has a key twice")
        made[key] = self.item(depth + 1)

    def _string(self, major: int, length: int) -> str | bytes:
        start, self.at = self.at, self.at + length
        raw = self.data[start : self.at]
        if len(raw) != length:
            raise Malformed("a length reaches beyond the end")
        if major == _BYTES:
            return raw
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("text is not UTF-8") from error

    def _simple(self, info: int, value: int, at: int) -> object:
        if info in _FLOATS:
            number: float = struct.unpack(_FLOATS[info], self.data[at + 1 : self.at])[0]
            return None if math.isnan(number) else number  # NaN differs even from itself
        if info in _SIMPLE_VALUES:
            return _SIMPLE_VALUES[info]
        raise Malformed(f"the simple value {value} means nothing")
