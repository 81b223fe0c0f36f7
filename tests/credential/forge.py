"""Writes credentials that c2pa would refuse to write, into PNG files: a forger's tool for tests.

JUMBF boxes, CBOR and COSE_Sign1 by hand (C2PA 2.2, chapters 11 and 13), so that a certificate may
be expired or of the wrong kind, and the hash may leave out whatever the forger likes.
"""

import hashlib
import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence

import cbor2
from cryptography import x509
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
_SUFFIX = bytes.fromhex("00110010800000AA00389B71")
_ES256 = -7


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
    label, instance = f"urn:c2pa:{uuid.uuid4()}", f"xmp:iid:{uuid.uuid4()}"
    skipped = sorted(left_out)
    digest = hashlib.sha256()
    at = 0
    for start, length in skipped:
        digest.update(png[at:start])
        at = start + length
    digest.update(png[at:])

    def store(chunk_bytes: int) -> bytes:
        exclusions = [{"start": STORE_AT, "length": chunk_bytes}] + [
            {"start": start + chunk_bytes, "length": length} for start, length in skipped
        ]
        binding = {
            "exclusions": exclusions,
            "name": "jumbf manifest",
            "alg": "sha256",
            "hash": digest.digest(),
            "pad": b"",
        }
        bound = {**assertions, "c2pa.hash.data": binding}
        return _store(signer, bound, label, instance, unprotected or {})

    # CBOR integers have a width of their own, so the size settles after a round or two.
    chunk_bytes = 0
    while len(made := store(chunk_bytes)) + 12 != chunk_bytes:
        chunk_bytes = len(made) + 12
    chunk = struct.pack(">I", len(made)) + b"caBX" + made
    return png[:STORE_AT] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + png[STORE_AT:]


def _store(
    signer: KeySigner,
    assertions: Mapping[str, object],
    label: str,
    instance: str,
    unprotected: Mapping[str, object],
) -> bytes:
    boxes = {name: _cbor_box(name, value) for name, value in assertions.items()}
    claim = cbor2.dumps(
        {
            "instanceID": instance,
            "claim_generator_info": {"name": "forger"},
            "signature": f"self#jumbf=/c2pa/{label}/c2pa.signature",
            "created_assertions": [
                {
                    "url": f"self#jumbf=c2pa.assertions/{name}",
                    "hash": hashlib.sha256(box[8:]).digest(),
                }
                for name, box in boxes.items()
            ],
            "alg": "sha256",
        }
    )
    manifest = _superbox(
        "c2ma",
        label,
        _superbox("c2as", "c2pa.assertions", *boxes.values()),
        _superbox("c2cl", "c2pa.claim.v2", _box(b"cbor", claim)),
        _superbox("c2cs", "c2pa.signature", _box(b"cbor", _cose(signer, claim, unprotected))),
    )
    return _superbox("c2pa", "c2pa", manifest)


def _cose(signer: KeySigner, claim: bytes, unprotected: Mapping[str, object]) -> bytes:
    chain = x509.load_pem_x509_certificates(signer.certificate_chain)
    der = [certificate.public_bytes(Encoding.DER) for certificate in chain]
    protected = cbor2.dumps({1: _ES256, 33: der if len(der) > 1 else der[0]})
    r, s = decode_dss_signature(signer.sign(cbor2.dumps(["Signature1", protected, b"", claim])))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {"pad": b"", **unprotected}, None, signature]))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _superbox(kind: str, label: str, *children: bytes) -> bytes:
    description = kind.encode() + _SUFFIX + b"\x03" + label.encode() + b"\0"
    return _box(b"jumb", _box(b"jumd", description) + b"".join(children))


def _cbor_box(label: str, value: object) -> bytes:
    return _superbox("cbor", label, _box(b"cbor", cbor2.dumps(value)))
