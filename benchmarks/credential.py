"""Signing and reading a credential beside the least that any scheme must do: one SHA-256 of the
file and one ES256 signature, or one SHA-256 and one verification.

    python benchmarks/credential.py [--seconds N]

Prints a row for each size and format: milliseconds of CPU (the least of many runs in turn, which a
busy machine disturbs least) and the ratio to the floor measured in the same run. ``c2pa`` is the
Reader of c2pa-python on the same file with the same settings, so ``read/c2pa`` is what our second
look costs; ``store`` is a credential without its picture.
"""

import argparse
import hashlib
import io
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import c2pa
import cv2
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from policies.decision import PolicyRef
from provenance.credential import (
    Claims,
    Signed,
    SoftBinding,
    SoftwareAgent,
    check_store,
    read,
    sign,
)
from provenance.credential.engine import context
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
        "floor sign": lambda: signer.sign(hashlib.sha256(data).digest()),
        "sign": lambda: sign(data, media_type, CLAIMS, signer),
        "floor read": lambda: public.verify(
            signature, hashlib.sha256(data).digest(), ec.ECDSA(hashes.SHA256())
        ),
        "read": lambda: read(signed.data, trust),
        "c2pa": peer,
        "store": lambda: check_store(signed.store, trust),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        signer, trust = create_development_signer(Path(folder)), load_trust(Path(folder))
    print(
        f"{'picture':12} {'KB':>6} | {'floor':>6} {'sign':>6} {'ratio':>6} | "
        f"{'floor':>6} {'read':>6} {'ratio':>6} | {'c2pa':>6} {'read/c2pa':>9} | {'store':>6}"
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
                f"{took['floor sign']:6.2f} {took['sign']:6.2f} "
                f"{took['sign'] / took['floor sign']:5.1f}x | "
                f"{took['floor read']:6.2f} {took['read']:6.2f} "
                f"{took['read'] / took['floor read']:5.1f}x | "
                f"{took['c2pa']:6.2f} {took['read'] / took['c2pa']:8.2f}x | {took['store']:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
