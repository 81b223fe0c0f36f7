"""Where a picture that was sent in comes from, as far as it says, and what of that is kept."""

import hashlib
from dataclasses import dataclass
from typing import Any

from guard.pipeline.release import Provenance
from guard.pipeline.sent_in import SentIn
from policies.decision import Scalar
from provenance.credential import Ingredient, State, read, take_in
from provenance.ledger import Ledger
from provenance.ledger.commitment import commitment
from provenance.watermark import Detection

TITLE = "Input image"  # a file's own name may name a person


@dataclass(frozen=True, eq=False)
class Source:
    """``ingredient``: it with its credential, as the credential of its edit will hold it, and
    ``credential`` how that stood. ``known``: this very file was delivered here, by a core of which
    it is known what it can draw; of any other picture it is not known what it shows."""

    sent: SentIn
    sha256: str
    ingredient: Ingredient
    credential: State
    mark: Detection | None
    known: bool

    @property
    def receipt(self) -> dict[str, Scalar]:
        """What the receipt of reading it says."""
        return {
            "credential": self.credential.value,
            "mark": self.mark.payload.hex() if self.mark else None,
            "known": self.known,
        }

    def account(self, key: bytes) -> dict[str, Any]:
        """As JSON for the ledger. The hash of a person's picture stands as a commitment under
        ``key``, as a prompt's does."""
        return {
            "commitment": commitment(key, self.sha256),
            "media_type": self.sent.media_type,
            "width": self.sent.width,
            "height": self.sent.height,
            "masked": self.sent.mask is not None,
            "credential": self.credential.value,
            "mark": self.mark.payload.hex() if self.mark else None,
            "mark_scheme": self.mark.scheme if self.mark else None,
            "known": self.known,
        }


def read_source(sent: SentIn, parts: Provenance) -> Source:
    """Read credential, mark and ledger. Raises PictureInvalid where its credential cannot be kept,
    LedgerUnavailable."""
    sha256 = hashlib.sha256(sent.data).hexdigest()
    return Source(
        sent=sent,
        sha256=sha256,
        ingredient=take_in(sent.data, parts.trust, title=TITLE),
        credential=read(sent.data, parts.trust).state,
        mark=parts.scheme.detect(sent.pixels),
        known=_drawn_closed(sha256, parts.ledger),
    )


def _drawn_closed(sha256: str, ledger: Ledger) -> bool:
    record = ledger.record_by_sha256(sha256)
    if record is None:
        return False
    for entry in ledger.find([record.content_id]):
        judged = entry.body.get("image_redacted") or entry.body.get("image")
        if isinstance(judged, dict):
            return bool(judged.get("fields", {}).get("core.domain") == "closed")
    return False
