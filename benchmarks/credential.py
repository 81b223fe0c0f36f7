"""Signing and reading a credential beside the least that any scheme must do: one SHA-256 of the
file and one ES256 signature, or one SHA-256 and one verification.

    python benchmarks/credential.py [--seconds N] [--part sign|read]

Prints a row for each size and format: milliseconds of CPU (the least of many runs in turn, which a
busy machine disturbs least) and the ratio to the floor measured in the same run.

Signing is what a delivery does: thumbnail (made beforehand), all statements, XMP; ``bytes`` is what
the file grows by. ``c2pa`` is c2pa-python's Builder with the same statements behind a callback.
Reading: ``c2pa`` is the Reader of c2pa-python on the same file with the same settings, so
``read/c2pa`` is what our second look costs; ``store`` is a credential without its picture.
"""

import argparse
import hashlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import c2pa
import cv2
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from policies.decision import PolicyRef
from provenance.credential import (
    Attachments,
    Claims,
    Signed,
    SoftBinding,
    SoftwareAgent,
    check_store,
    read,
    sign,
    thumbnail,
)
from provenance.credential.engine import context
from provenance.credential.manifest import statements
from provenance.keys import KeySigner, TrustAnchors, create_development_signer, load_trust
from provenance.picture import MEDIA_TYPES, Format, Pixels, encode

SIZES = (512, 1024)  # pixels of a side
FORMATS: tuple[Format, ...] = ("png", "jpeg", "webp")

CLAIMS = Claims(
    content_id="0123456789abcdef",
    created_at=datetime.now(UTC),
    agent=SoftwareAgent(name="embedded", version="1", digest="0" * 64),
    provider="Example",
    system="Wardmark",
    system_version="0.1",
    soft_binding=SoftBinding(alg="org.wardmark.dwtdctsvd.1", value=bytes(8)),
    policy=PolicyRef(name="default", version="1", digest="0" * 64),
    decision_id="decision",
)


THUMBNAIL = "thumbnail.jpg"


def definition() -> dict[str, object]:
    """The same statements for c2pa-python, which has no bytes: digests and bindings as text."""

    def plain(value: object) -> object:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, Mapping):
            return {name: plain(inner) for name, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value

    stated = statements(CLAIMS)
    actions = {"actions": list(stated.actions), "allActionsIncluded": True}
    every = {"c2pa.actions.v2": actions, **stated.assertions}
    return {
        "title": stated.title,
        "thumbnail": {"format": "image/jpeg", "identifier": THUMBNAIL},
        "assertions": [
            {"label": label, "data": plain(data), "created": True} for label, data in every.items()
        ],
    }


DEFINITION = definition()


def scene(side: int) -> Pixels:
    """Soft shapes with grain, so that the file is as large as a picture's."""
    noise = np.random.default_rng(0)
    shapes = cv2.GaussianBlur(noise.normal(0, 1, (side, side, 3)), (0, 0), side / 30)
    shapes = (shapes - shapes.min()) / (shapes.max() - shapes.min()) * 220
    return np.clip(shapes + noise.normal(8, 2, shapes.shape), 0, 255).astype(np.uint8)


def least(works: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """CPU milliseconds of the quickest run of each, taking turns for ``seconds``."""
    best = dict.fromkeys(works, float("inf"))
    stop = time.perf_counter() + seconds
    rounds = 0
    while rounds < 5 or time.perf_counter() < stop:
        rounds += 1
        for name, work in works.items():
            start = time.process_time()
            work()
            best[name] = min(best[name], (time.process_time() - start) * 1e3)
    return best


def works(
    data: bytes, media_type: str, signed: Signed, signer: KeySigner, trust: TrustAnchors
) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    public = x509.load_pem_x509_certificates(signer.certificate_chain)[0].public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signature = signer.sign(hashlib.sha256(data).digest())

    def peer() -> str:
        stream = io.BytesIO(signed.data)
        with c2pa.Reader(media_type, stream, context=context(trust)) as reader:
            return str(reader.json())

    return {
        "floor read": lambda: public.verify(
            signature, hashlib.sha256(data).digest(), ec.ECDSA(hashes.SHA256())
        ),
        "read": lambda: read(signed.data, trust),
        "c2pa": peer,
        "store": lambda: check_store(signed.store, trust),
    }


def files(side: int) -> Iterator[tuple[str, bytes]]:
    """A picture of this side in every kind of file that is signed, by media type."""
    pixels = scene(side)
    for kind in FORMATS:
        yield MEDIA_TYPES[kind], encode(pixels, kind)
    for other in ("tiff", "avif"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, other)
        yield f"image/{other}", buffer.getvalue()


def signing(signer: KeySigner, seconds: float) -> None:
    """The table of signing."""
    print(
        f"{'picture':10} {'KB':>6} | {'floor':>6} {'sign':>6} {'ratio':>6} {'bytes':>6} | "
        f"{'c2pa':>6} {'ratio':>6} {'bytes':>6}"
    )
    chain = signer.certificate_chain.decode()
    for side in SIZES:
        small = Attachments(thumbnail=thumbnail(scene(side)))
        for media_type, data in files(side):

            def ours(data: bytes = data, media_type: str = media_type) -> bytes:
                return sign(data, media_type, CLAIMS, signer, attached=small).data  # noqa: B023

            def theirs(data: bytes = data, media_type: str = media_type) -> bytes:
                out = io.BytesIO()
                with (
                    c2pa.Signer.from_callback(
                        signer.sign, c2pa.C2paSigningAlg.ES256, chain, None
                    ) as native,
                    c2pa.Builder(DEFINITION, context(TrustAnchors())) as builder,
                ):
                    builder.add_resource(THUMBNAIL, io.BytesIO(small.thumbnail or b""))  # noqa: B023
                    builder.sign(native, media_type, io.BytesIO(data), out)
                return out.getvalue()

            def floor(data: bytes = data) -> bytes:
                return signer.sign(hashlib.sha256(data).digest())

            took = least({"floor": floor, "ours": ours, "theirs": theirs}, seconds)
            print(
                f"{side:5} {media_type[6:]:4} {len(data) / 1024:6.0f} | "
                f"{took['floor']:6.2f} {took['ours']:6.2f} "
                f"{took['ours'] / took['floor']:5.1f}x {len(ours()) - len(data):6} | "
                f"{took['theirs']:6.2f} {took['theirs'] / took['floor']:5.1f}x "
                f"{len(theirs()) - len(data):6}",
                flush=True,
            )


def reading(signer: KeySigner, trust: TrustAnchors, seconds: float) -> None:
    """The table of reading."""
    print(
        f"{'picture':12} {'KB':>6} | {'floor':>6} {'read':>6} {'ratio':>6} | {'c2pa':>6} "
        f"{'read/c2pa':>9} | {'store':>6}"
    )
    for side in SIZES:
        pixels = scene(side)
        for kind in FORMATS:
            media_type = MEDIA_TYPES[kind]
            data = encode(pixels, kind)
            signed = sign(data, media_type, CLAIMS, signer)
            took = least(works(data, media_type, signed, signer, trust), seconds)
            print(
                f"{side:5} {kind:6} {len(data) / 1024:6.0f} | "
                f"{took['floor read']:6.2f} {took['read']:6.2f} "
                f"{took['read'] / took['floor read']:5.1f}x | "
                f"{took['c2pa']:6.2f} {took['read'] / took['c2pa']:8.2f}x | {took['store']:6.2f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    parser.add_argument("--part", choices=("sign", "read"), help="one of the two tables")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        signer, trust = create_development_signer(Path(folder)), load_trust(Path(folder))
    if asked.part != "read":
        signing(signer, asked.seconds)
    if asked.part != "sign":
        reading(signer, trust, asked.seconds)


if __name__ == "__main__":
    main()
