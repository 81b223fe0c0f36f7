"""A small house that makes pictures as the gateway does: mark, sign, record. Every part is real."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import migrations
from policies.decision import PolicyRef
from provenance.credential import Claims, Signed, sign
from provenance.fingerprint import fingerprint
from provenance.keys import TrustAnchors, create_development_signer, load_trust
from provenance.ledger import Ledger, LedgerKey
from provenance.picture import Pixels, encode
from provenance.record import Record
from provenance.verify import Sources
from tests.credential.scenery import SCHEME, claims

Seal = Callable[[bytes, Claims], Signed]
"""Puts a credential with these claims into a PNG."""


@dataclass(frozen=True)
class Delivered:
    """A picture as it left, and its record."""

    pixels: Pixels
    data: bytes
    record: Record


class Studio:
    """Keys, a ledger and a scheme in one folder. ``clock`` gives the time of deliveries."""

    def __init__(
        self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.clock = clock
        self.folder = folder
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        migrations.upgrade(self.url)
        self.ledger = Ledger(self.url, LedgerKey.create(folder / "ledger.key"), clock=clock)
        self.signer = create_development_signer(folder / "keys")
        self.trust = load_trust(folder / "keys")

    @property
    def sources(self) -> Sources:
        return Sources(trust=self.trust, ledger=self.ledger)

    def deliver(self, pixels: Pixels, *, seal: Seal | None = None) -> Delivered:
        """Mark, sign (or ``seal``) and record a picture."""
        content_id = secrets.token_hex(8)
        marked = SCHEME.embed(pixels, bytes.fromhex(content_id))
        stated = claims(content_id).model_copy(update={"created_at": self.clock()})
        signed = (seal or self.seal)(encode(marked, "png"), stated)
        print_of_it = fingerprint(marked)
        record = Record(
            content_id=content_id,
            decision_id="decision-1",
            created_at=self.clock(),
            media_type="image/png",
            width=pixels.shape[1],
            height=pixels.shape[0],
            sha256=hashlib.sha256(signed.data).hexdigest(),
            pdq=print_of_it.pdq,
            pdq_quality=print_of_it.quality,
            watermark_scheme=SCHEME.name,
            credential=signed.store,
            core="embedded",
            core_digest="0" * 64,
            policy=PolicyRef(name="default", version="1", digest="1" * 64),
        )
        self.ledger.record(record)
        return Delivered(marked, signed.data, record)

    def seal(self, png: bytes, stated: Claims) -> Signed:
        """What the gateway does."""
        return sign(png, "image/png", stated, self.signer)

    def trusting(self, trust: TrustAnchors) -> Sources:
        """The sources, with further anchors."""
        return Sources(trust=self.trust | trust, ledger=self.ledger)
