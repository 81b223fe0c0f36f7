"""A file opened up where its store will stand, and the hard binding over the rest of it. Pure.

Sources: C2PA 2.2, sections 18.5 (``c2pa.hash.data``) and 18.6 (``c2pa.hash.bmff.v3``).
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cbor2

from provenance.credential.writer.boxes import Assertion

DATA_HASH = "c2pa.hash.data"
BMFF_HASH = "c2pa.hash.bmff.v3"
NAME = "jumbf manifest"
STORE_BOX_UUID = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")  # of the uuid box of BMFF files
WIDEST = 2**32 - 1  # bytes; no file that we read is as long


@dataclass(frozen=True)
class Place:
    """``head`` and ``tail``: all bytes before and after the store as it will stand in the file.

    ``wrap``: what the kind of file puts around a store; its length depends on the store's alone.
    ``boxed``: the file is one of ISO base media boxes, which are hashed box by box.
    """

    head: bytes
    tail: bytes
    wrap: Callable[[bytes], bytes]
    boxed: bool = False

    def filled(self, store: bytes) -> bytes:
        """The whole file."""
        return b"".join((self.head, self.wrap(store), self.tail))

    def binding(self, size: int) -> Assertion:
        """The assertion that binds a store of ``size`` bytes to this file: always as long as
        ``placeholder`` of that kind of file."""
        return self._bmff_hash(size) if self.boxed else self._data_hash(size)

    def _data_hash(self, size: int) -> Assertion:
        digest = hashlib.sha256(self.head)
        digest.update(self.tail)
        taken = len(self.wrap(bytes(size)))
        return _data_hash(len(self.head), taken, digest.digest())

    def _bmff_hash(self, size: int) -> Assertion:
        digest = hashlib.sha256()
        shift = len(self.wrap(bytes(size)))
        for start, part in (0, self.head), (len(self.head) + shift, self.tail):
            for at, whole in top_boxes(part):
                # What a box says depends on where it stands, so its offset is hashed with it.
                if whole[4:8] not in (b"ftyp", b"mfra"):
                    digest.update((start + at).to_bytes(8, "big"))
                    digest.update(whole)
        return _bmff_hash(digest.digest())


def placeholder(*, boxed: bool) -> Assertion:
    """A hard binding of nothing, of the length that all have."""
    return _bmff_hash(bytes(32)) if boxed else _data_hash(WIDEST, WIDEST, bytes(32))


def _data_hash(start: int, length: int, digest: bytes) -> Assertion:
    said = {
        "exclusions": [{"start": start, "length": length}],
        "name": NAME,
        "alg": "sha256",
        "hash": digest,
    }
    widest = said | {"exclusions": [{"start": WIDEST, "length": WIDEST}]}
    pad = bytes(len(cbor2.dumps(widest)) - len(cbor2.dumps(said)))  # at most 8: one byte of head
    return Assertion.cbor(DATA_HASH, said | {"pad": pad})


def _bmff_hash(digest: bytes) -> Assertion:
    exclusions = [
        {"xpath": "/uuid", "data": [{"offset": 8, "value": STORE_BOX_UUID}]},
        {"xpath": "/ftyp"},
        {"xpath": "/mfra"},
    ]
    said = {"exclusions": exclusions, "alg": "sha256", "hash": digest, "name": NAME}
    return Assertion.cbor(BMFF_HASH, said)


def top_boxes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, box with its header) of each box side by side. Raises ValueError on a bad length."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        elif length == 0:  # up to the end of the file
            length = len(data) - at
        if length < 8 or at + length > len(data):
            raise ValueError("a box does not fit into the file")
        yield at, data[at : at + length]
        at += length
