"""What each layer says of a file, before anybody judges. Values only."""

from dataclasses import dataclass

from provenance.credential.credential import Credential
from provenance.fingerprint import MATCH_DISTANCE, Fingerprint
from provenance.record import Record
from provenance.verify.report import Inclusion
from provenance.watermark import Detection

UNRELATED_DISTANCE = 82
"""Bits. Of unrelated pictures, one pair in a thousand is nearer (provenance/fingerprint.py)."""

MOST_CHANCE = 0.1
"""0..1. A record that only a search led to speaks for a picture if one as near turns up by chance,
among so many records, less often than this."""


@dataclass(frozen=True)
class Mark:
    """A mark that was read, and the soft binding algorithm of the scheme that read it."""

    detection: Detection
    alg: str

    @property
    def payload(self) -> str:
        """Hex digits."""
        return self.detection.payload.hex()


@dataclass(frozen=True)
class Candidate:
    """A record that one layer leads to, held against the file.

    ``distance``: bits between the two fingerprints, the nearest of the file's turns and flips.
    ``comparable``: both pictures have enough detail for that to mean something. ``chance``: of an
    unrelated picture among all those searched being as near. ``stored``: the recorded credential,
    judged. ``same_store``: the file carries that very credential.
    """

    record: Record
    distance: int
    comparable: bool
    chance: float
    stored: Credential
    same_store: bool
    inclusion: Inclusion
    checkpoint: str | None = None

    @property
    def agrees(self) -> bool:
        """The fingerprints are as near as those of copies are."""
        return self.distance <= MATCH_DISTANCE

    @property
    def unrelated(self) -> bool:
        """The fingerprints are as far apart as those of different pictures are."""
        return self.comparable and self.distance >= UNRELATED_DISTANCE

    @property
    def look_alike(self) -> bool:
        """Near, but among so many records that it may well be another picture."""
        return self.agrees and self.chance > MOST_CHANCE


@dataclass(frozen=True)
class Findings:
    """All that was gathered. ``by_*``: the record that this layer leads to, if any.

    ``ledger_asked`` is False where there was no ledger to ask. ``algs_tried``: the soft binding
    algorithms that were looked for.
    """

    credential: Credential
    mark: Mark | None
    fingerprint: Fingerprint
    algs_tried: frozenset[str] = frozenset()
    ledger_asked: bool = False
    by_file: Candidate | None = None
    by_mark: Candidate | None = None
    by_credential: Candidate | None = None
    by_fingerprint: Candidate | None = None

    @property
    def candidate(self) -> Candidate | None:
        """The record to speak of: the first whose fingerprint agrees, else the first at all."""
        found = [
            candidate
            for candidate in (self.by_file, self.by_mark, self.by_credential, self.by_fingerprint)
            if candidate is not None
        ]
        return next((c for c in found if c.agrees), found[0] if found else None)
