"""DER (ITU-T X.690) as nested values: as much of ASN.1 as a time stamp token needs. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

INTEGER, OCTET_STRING, OID, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x30, 0x31
GENERALIZED_TIME = 0x18
LONG_LENGTH = 0x80
MAX_LENGTH_BYTES = 4
MULTIBYTE_TAG = 0x1F


class NotDer(ValueError):
    """Bytes that are not what the reader expects at this place."""


class Value(NamedTuple):
    """``content``: without tag and length; ``whole``: with them."""

    tag: int
    content: bytes
    whole: bytes


def values(data: bytes) -> Iterator[Value]:
    """The values side by side in ``data``, to its very end. Raises NotDer."""
    at = 0
    while at < len(data):
        if at + 2 > len(data) or data[at] & MULTIBYTE_TAG == MULTIBYTE_TAG:
            raise NotDer("a value breaks off, or has a tag that is not read")
        start, length = at + 2, data[at + 1]
        if length >= LONG_LENGTH:
            width = length - LONG_LENGTH
            if not 0 < width <= MAX_LENGTH_BYTES:
                raise NotDer("a length is indefinite or too long")
            start += width
            length = int.from_bytes(data[at + 2 : start], "big")
        end = start + length
        if end > len(data):
            raise NotDer("a length reaches beyond the end")
        yield Value(data[at], data[start:end], data[at:end])
        at = end


def first(data: bytes) -> Value:
    """The first value in ``data``. Raises NotDer."""
    for value in values(data):
        return value
    raise NotDer("nothing is there")


def children(value: Value, tag: int) -> list[Value]:
    """What ``value``, which must have this tag, holds."""
    if value.tag != tag:
        raise NotDer(f"tag {value.tag:#x} where {tag:#x} is due")
    return list(values(value.content))


def content(value: Value, tag: int) -> bytes:
    """The content of ``value``, which must have this tag."""
    if value.tag != tag:
        raise NotDer(f"tag {value.tag:#x} where {tag:#x} is due")
    return value.content


def oid(value: Value) -> str:
    """An object identifier with dots."""
    numbers: list[int] = []
    number = 0
    for byte in content(value, OID):
        number = number << 7 | byte & 0x7F
        if byte < LONG_LENGTH:
            numbers.append(number)
            number = 0
    if not numbers:
        raise NotDer("an empty object identifier")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))
