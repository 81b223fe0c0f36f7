"""Writes credentials that no honest signer would write, into PNG, JPEG and WebP files.

JUMBF boxes, CBOR and COSE_Sign1 by hand (C2PA 2.2, chapters 11 and 13), so that a certificate may
be expired or of the wrong kind, the hash may leave out whatever the forger likes, and a manifest
may say of another what it likes.
"""

import hashlib
import struct
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from provenance.keys import KeySigner

CREATED = {
    "actions": [
        {
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
        }
    ]
}
"""The least that a claim must say, as c2pa.actions.v2."""

STORE_AT = 33  # after a PNG's signature and IHDR
STAMP_ROOM = 6000  # bytes that a header with time stamps is padded to, so that sizes settle
_SUFFIX = bytes.fromhex("00110010800000AA00389B71")
_FILE_BOX = bytes.fromhex("40CB0C32BB8A489DA70B2AD6F47F4369")

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Change = Callable[[bytes], bytes]


class Pen(NamedTuple):
    """What signs: a COSE algorithm, a chain of certificates (DER) and the raw signature."""

    alg: int
    chain: tuple[bytes, ...]
    sign: Callable[[bytes], bytes]


def pen(signer: KeySigner, alg: int = -7) -> Pen:
    """A pen of an ES256 signer."""
    chain = x509.load_pem_x509_certificates(signer.certificate_chain)
    der = tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)
    return Pen(alg, der, lambda data: _raw(signer.sign(data), 32))


def pen_of(key: Key, certificate: x509.Certificate) -> Pen:
    """A pen of any key that C2PA allows."""
    chain = (certificate.public_bytes(Encoding.DER),)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Pen(-8, chain, key.sign)
    if isinstance(key, rsa.RSAPrivateKey):
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return Pen(-37, chain, lambda data: key.sign(data, salted, hashes.SHA256()))
    alg, digest = {
        256: (-7, hashes.SHA256()),
        384: (-35, hashes.SHA384()),
        521: (-36, hashes.SHA512()),
    }[key.curve.key_size]
    width = (key.curve.key_size + 7) // 8
    return Pen(alg, chain, lambda data: _raw(key.sign(data, ec.ECDSA(digest)), width))


def _raw(der: bytes, width: int) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


class Picture(NamedTuple):
    """An assertion that holds a file, such as a thumbnail."""

    media_type: str
    data: bytes


@dataclass
class Forgery:
    """Everything that may be done otherwise than an honest signer does.

    ``left_out``: (start, length) in the file that the hash skips. ``parents``: manifest boxes that
    stand before the new one. ``claim``: changes the claim before it is signed; ``after``: the store
    when it is done, keeping its length. ``stamp``: makes a time stamp token of a message.
    ``unlisted``: assertions that the claim does not name.
    """

    assertions: Mapping[str, object] = field(default_factory=lambda: {"c2pa.actions.v2": CREATED})
    left_out: Sequence[tuple[int, int]] = ()
    unprotected: Mapping[str, object] = field(default_factory=dict)
    protected: Mapping[object, object] = field(default_factory=dict)
    parents: Sequence[bytes] = ()
    claim: Callable[[dict[str, object]], None] = lambda claim: None
    binding: Callable[[dict[str, object]], None] = lambda binding: None
    after: Change = lambda store: store
    stamp: Callable[[bytes], bytes] | None = None
    stamped_claim: bool = False
    claim_label: str = "c2pa.claim.v2"
    unlisted: Mapping[str, object] = field(default_factory=dict)
    bound: bool = True
    label: str = field(default_factory=lambda: f"urn:c2pa:{uuid.uuid4()}")
    _odd: int = 0

    def into(self, data: bytes, pen: Pen, kind: str = "png") -> bytes:
        """The file with the forged credential inside."""
        at = {"png": STORE_AT, "jpeg": 2, "webp": len(data)}[kind]
        wrap = {"png": _png_chunk, "jpeg": _jpeg_segments, "webp": _webp_chunk}[kind]
        size = 0
        # CBOR integers have a width of their own, so the size settles after a round or two.
        for _ in range(8):
            holder = _with_riff_size(data, size) if kind == "webp" else data
            # A byte that fills a RIFF chunk to an even length is covered by the hash.
            filler = b"\0" * self._odd if kind == "webp" and size else b""
            store = self.after(self._store(pen, holder + filler, at, size - len(filler)))
            wrapped = wrap(store)
            if len(wrapped) == size and self._odd == len(store) % 2:
                return holder[:at] + wrapped + holder[at:]
            size, self._odd = len(wrapped), len(store) % 2
        raise AssertionError("the size of the credential does not settle")

    def _store(self, pen: Pen, data: bytes, at: int, size: int) -> bytes:
        return _superbox("c2pa", "c2pa", *self.parents, self.manifest(pen, data, at, size))

    def manifest(self, pen: Pen, data: bytes = b"", at: int = 0, size: int = 0) -> bytes:
        """The manifest box alone."""
        boxes = {name: _assertion(name, said) for name, said in self.assertions.items()}
        if self.bound:
            binding = _data_hash(data, at, size, sorted(self.left_out))
            self.binding(binding)
            boxes["c2pa.hash.data"] = _assertion("c2pa.hash.data", binding)
        claim: dict[str, object] = {
            "instanceID": f"xmp:iid:{self.label[-36:]}",
            "claim_generator_info": {"name": "forger"},
            "signature": f"self#jumbf=/c2pa/{self.label}/c2pa.signature",
            "created_assertions": [
                {"url": f"self#jumbf=c2pa.assertions/{name}", "hash": _sha256(box[8:])}
                for name, box in boxes.items()
            ],
            "alg": "sha256",
        }
        self.claim(claim)
        encoded = cbor2.dumps(claim)
        unlisted = [_assertion(name, said) for name, said in self.unlisted.items()]
        return _superbox(
            "c2ma",
            self.label,
            _superbox("c2as", "c2pa.assertions", *boxes.values(), *unlisted),
            _superbox("c2cl", self.claim_label, _box(b"cbor", encoded)),
            _superbox("c2cs", "c2pa.signature", _box(b"cbor", self._cose(pen, encoded))),
        )

    def _cose(self, pen: Pen, claim: bytes) -> bytes:
        chain = list(pen.chain) if len(pen.chain) > 1 else pen.chain[0]
        protected = cbor2.dumps({1: pen.alg, 33: chain, **self.protected})
        signature = pen.sign(cbor2.dumps(["Signature1", protected, b"", claim]))
        headers: dict[str, object] = {"pad": b"", **self.unprotected}
        if self.stamp is not None:
            over = claim if self.stamped_claim else cbor2.dumps(signature)
            token = self.stamp(cbor2.dumps(["CounterSignature", protected, b"", over]))
            name = "sigTst" if self.stamped_claim else "sigTst2"
            headers[name] = {"tstTokens": [{"val": token}]}
            headers["pad"] = bytes(STAMP_ROOM - len(token))
        return cbor2.dumps(cbor2.CBORTag(18, [protected, headers, None, signature]))


def forge_png(
    png: bytes,
    signer: KeySigner,
    assertions: Mapping[str, object],
    *,
    left_out: Sequence[tuple[int, int]] = (),
    unprotected: Mapping[str, object] | None = None,
) -> bytes:
    """``png`` with a credential. ``left_out``: (start, length) in ``png`` that the hash skips;
    ``unprotected``: further headers that the signature does not cover."""
    forgery = Forgery(assertions, left_out=left_out, unprotected=unprotected or {})
    return forgery.into(png, pen(signer))


def manifests_of(store: bytes) -> tuple[bytes, ...]:
    """The manifest boxes of a store, to be put before a new one."""
    description = int.from_bytes(store[8:12], "big")
    at, found = 8 + description, []
    while at < len(store):
        end = at + int.from_bytes(store[at : at + 4], "big")
        found.append(store[at:end])
        at = end
    return tuple(found)


def label_of(manifest: bytes) -> str:
    """The label in a manifest box."""
    return manifest[33 : manifest.index(b"\0", 33)].decode()


def ingredient(manifest: bytes, failures: Sequence[str] = (), **changes: object) -> object:
    """An ingredient assertion (v3) for a parent, with what a validator is said to have found."""
    status = [{"code": code} for code in failures]
    return {
        "relationship": "parentOf",
        "dc:title": "parent",
        "activeManifest": {
            "url": f"self#jumbf=/c2pa/{label_of(manifest)}",
            "hash": _sha256(manifest[8:]),
        },
        "validationResults": {
            "activeManifest": {"success": [], "informational": [], "failure": status}
        },
        **changes,
    }


def edit_of(said: object) -> dict[str, object]:
    """The assertions of an edit that opened this ingredient."""
    label = "c2pa.ingredient.v3"
    uri = {
        "url": f"self#jumbf=c2pa.assertions/{label}",
        "hash": _sha256(_assertion(label, said)[8:]),
    }
    opened = {"action": "c2pa.opened", "parameters": {"ingredients": [uri]}}
    return {label: said, "c2pa.actions.v2": {"actions": [opened]}}


def _data_hash(
    data: bytes, at: int, size: int, left_out: Sequence[tuple[int, int]]
) -> dict[str, object]:
    digest, done = hashlib.sha256(), 0
    for start, length in left_out:
        digest.update(data[done:start])
        done = start + length
    digest.update(data[done:])
    moved = [{"start": s + (size if s >= at else 0), "length": n} for s, n in left_out]
    return {
        "exclusions": sorted([{"start": at, "length": size}, *moved], key=lambda e: e["start"]),
        "name": "jumbf manifest",
        "alg": "sha256",
        "hash": digest.digest(),
        "pad": b"",
    }


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _described(uuid: bytes, label: str, *children: bytes) -> bytes:
    description = uuid + b"\x03" + label.encode() + b"\0"
    return _box(b"jumb", _box(b"jumd", description) + b"".join(children))


def _superbox(kind: str, label: str, *children: bytes) -> bytes:
    return _described(kind.encode() + _SUFFIX, label, *children)


def _assertion(label: str, said: object) -> bytes:
    if isinstance(said, Picture):
        about = _box(b"bfdb", b"\0" + said.media_type.encode() + b"\0")
        return _described(_FILE_BOX, label, about, _box(b"bidb", said.data))
    encoded = said if isinstance(said, bytes) else cbor2.dumps(said)
    return _superbox("cbor", label, _box(b"cbor", encoded))


def _png_chunk(store: bytes) -> bytes:
    chunk = b"caBX" + store
    return struct.pack(">I", len(store)) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _jpeg_segments(store: bytes) -> bytes:
    header, body, most = store[:8], store[8:], 65000
    pieces = [body[at : at + most] for at in range(0, len(body), most)]
    return b"".join(
        b"\xff\xeb" + struct.pack(">H", len(piece) + 18) + b"JP" + struct.pack(">HI", 1, number)
        + header + piece
        for number, piece in enumerate(pieces, start=1)
    )  # fmt: skip


def _webp_chunk(store: bytes) -> bytes:
    return b"C2PA" + struct.pack("<I", len(store)) + store + b"\0" * (len(store) % 2)


def _with_riff_size(webp: bytes, more: int) -> bytes:
    return webp[:4] + struct.pack("<I", len(webp) - 8 + more) + webp[8:]
