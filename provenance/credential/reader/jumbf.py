"""JUMBF boxes (ISO/IEC 19566-5) as a tree, if they fill one another exactly. Pure."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from provenance.credential.cbor import MAX_ITEMS, Malformed, decode_within

MAX_STORE_BYTES = 32 * 1024 * 1024  # with ingredients and their thumbnails a few MB are usual
MAX_BOXES = 20_000  # a manifest has about 30
MAX_NESTING = 8  # store, manifest, assertion store, assertion, content
MAX_LABEL_BYTES = 1024
UUID_BYTES = 16
TYPE_SUFFIX = bytes.fromhex("00110010800000AA00389B71")  # after four letters that name the type
LABEL_PRESENT = 0x03  # toggles of a description box: requestable, with a label
COMPRESSED = b"brob"  # a box of Brotli data: what it grows to cannot be told beforehand


class Box(NamedTuple):
    """A box that holds no others. ``start`` and ``end``: of its content in the store."""

    kind: bytes
    start: int
    end: int


@dataclass
class Superbox:
    """A box of boxes. ``start`` and ``end``: of its content, which is what hashes are made of;
    ``type``: of its description, such as b"c2ma"; ``label``: empty where it has none."""

    start: int
    end: int
    type: bytes = b""
    label: str = ""
    described: bool = False
    boxes: list[Box] = field(default_factory=list)
    children: list["Superbox"] = field(default_factory=list)

    @cached_property
    def _by_label(self) -> "dict[str, Superbox | None]":
        found: dict[str, Superbox | None] = {}
        for child in self.children:
            found[child.label] = None if child.label in found else child
        return found

    def child(self, label: str) -> "Superbox | None":
        """The superbox of that label inside; None where there is none, or more than one: which is
        meant could be argued. Asked only when the store was parsed to its end."""
        return self._by_label.get(label)

    def content(self, kind: bytes) -> Box | None:
        """The one box of that kind inside."""
        found = [box for box in self.boxes if box.kind == kind]
        return found[0] if len(found) == 1 else None


@dataclass
class Store:
    """A parsed store. ``decoded``: every CBOR box of it, by where its content starts."""

    data: bytes
    root: Superbox
    decoded: dict[int, object]
    _digests: dict[tuple[int, str], bytes] = field(default_factory=dict)

    def digest(self, box: Superbox, alg: str) -> bytes:
        """The hash of a superbox's content, made once however often it is referred to: a store of
        some MB could otherwise have terabytes hashed."""
        key = (box.start, alg)
        if key not in self._digests:
            self._digests[key] = hashlib.new(alg, self.data[box.start : box.end]).digest()
        return self._digests[key]


def parse(data: bytes) -> Store:
    """The boxes of a manifest store.

    Raises Malformed for a store over MAX_STORE_BYTES, boxes that do not fill one another exactly,
    compressed ones, and CBOR that ``cbor.decode`` does not read: no decoder is to see those.
    """
    if len(data) > MAX_STORE_BYTES:
        raise Malformed(f"it is larger than {MAX_STORE_BYTES} bytes")
    budget, items = MAX_BOXES, MAX_ITEMS
    top = Superbox(0, len(data), described=True)
    decoded: dict[int, object] = {}
    waiting = [(top, 0)]
    while waiting:
        outer, depth = waiting.pop()
        filled = outer.start
        for box in _boxes(data, outer.start, outer.end):
            filled = box.end
            budget -= 1
            if budget < 0 or depth > MAX_NESTING:
                raise Malformed("it holds too many boxes")
            if box.kind == COMPRESSED:
                raise Malformed("it is compressed, which is not read")
            if box.kind == b"jumb":
                outer.children.append(Superbox(box.start, box.end))
            elif box.kind == b"jumd" and not outer.described:
                _describe(outer, data[box.start : box.end])
            else:
                outer.boxes.append(box)
                if box.kind == b"cbor":
                    decoded[box.start], items = _cbor(data[box.start : box.end], items)
        if filled != outer.end or outer.start == outer.end:
            raise Malformed("its boxes do not fit into one another")
        waiting.extend((child, depth + 1) for child in outer.children)
    if len(top.children) != 1 or top.boxes:
        raise Malformed("it is not one box of boxes")
    return Store(data, top.children[0], decoded)


def _cbor(content: bytes, items: int) -> tuple[object, int]:
    try:
        return decode_within(content, items)
    except Malformed as error:
        raise Malformed(f"its CBOR is malformed ({error})") from error


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Boxes between two offsets, as far as they are well formed."""
    while start + 8 <= end:
        length, header = int.from_bytes(data[start : start + 4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif length == 0:
            length = end - start
        if length < header or start + length > end:
            return
        yield Box(data[start + 4 : start + 8], start + header, start + length)
        start += length


def _describe(outer: Superbox, description: bytes) -> None:
    """Type and label out of a description box. What follows the label (a salt) is passed over."""
    outer.described = True
    uuid, toggles = description[:UUID_BYTES], description[UUID_BYTES : UUID_BYTES + 1]
    outer.type = uuid[:4] if uuid[4:] == TYPE_SUFFIX else uuid
    if not toggles or toggles[0] & LABEL_PRESENT != LABEL_PRESENT:
        return
    end = description.find(b"\0", UUID_BYTES + 1)
    raw = description[UUID_BYTES + 1 : end]
    if end < 0 or len(raw) > MAX_LABEL_BYTES:
        raise Malformed("a label has no end")
    try:
        outer.label = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a label is not UTF-8") from error
