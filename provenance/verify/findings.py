"""What each layer says of a file, before anybody judges. Values only."""

from dataclasses import dataclass

from provenance.credential.credential import Credential, State
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
class Likeness:
    """The file's picture held against another. ``distance``: bits between the two fingerprints, the
    nearest of the file's turns and flips. ``comparable``: both have enough detail for that to mean
    something."""

    distance: int
    comparable: bool

    @property
    def agrees(self) -> bool:
        """The fingerprints are as near as those of copies are."""
        return self.distance <= MATCH_DISTANCE

    @property
    def unrelated(self) -> bool:
        """The fingerprints are as far apart as those of different pictures are."""
        return self.comparable and self.distance >= UNRELATED_DISTANCE


@dataclass(frozen=True)
class Candidate(Likeness):
    """A record that one layer leads to, held against the file.

    ``chance``: of an unrelated picture among all those searched being as near. ``stored``: the
    recorded credential, judged. ``same_store``: the file carries that very credential.
    """

    record: Record
    chance: float
    stored: Credential
    same_store: bool
    inclusion: Inclusion
    checkpoint: str | None = None

    @property
    def look_alike(self) -> bool:
        """Near, but among so many records that it may well be another picture."""
        return self.agrees and self.chance > MOST_CHANCE


@dataclass(frozen=True)
class Resolved:
    """A credential that a resolver keeps, judged like any other.

    ``likeness``: of the file to the picture of itself that the credential carries, None where it
    carries none. ``bound``: it states the very mark by which it was found. ``chance``: of an
    unrelated picture coming as far. ``similarity``: 0..100, as the resolver states.
    """

    resolver: str
    manifest: str
    stored: Credential
    likeness: Likeness | None
    bound: bool
    chance: float
    similarity: int | None = None

    @property
    def recovers(self) -> bool:
        """It speaks for the picture in place of a credential in the file."""
        return (
            self.stored.state is State.TRUSTED
            and self.likeness is not None
            and self.likeness.comparable
            and self.likeness.agrees
            and self.chance <= MOST_CHANCE
        )


@dataclass(frozen=True)
class CarriedProof:
    """The ledger's proof that a credential carries, checked with the ledger's public key.

    ``of_this``: whether it is of this picture's own decision, None where no record can tell.
    """

    log: str
    inclusion: Inclusion
    of_this: bool | None = None


@dataclass(frozen=True)
class Findings:
    """All that was gathered. ``by_*``: the record that this layer leads to, if any.
    ``fingerprint``: None of a film, of which the credential alone is looked at.

    ``ledger_asked`` is False where there was no ledger to ask. ``algs_tried``: the soft binding
    algorithms that were looked for, in a smaller copy if ``searched_smaller``.
    ``self_portrait``: the picture held against the one that its own credential carries, looked at
    where the credential does not hold. ``resolved``: what resolvers keep for it; ``unresolved``:
    resolvers that could not be asked. ``carried_proof``: of the ledger, in the credential.
    """

    credential: Credential
    mark: Mark | None
    fingerprint: Fingerprint | None
    algs_tried: frozenset[str] = frozenset()
    ledger_asked: bool = False
    by_file: Candidate | None = None
    by_mark: Candidate | None = None
    by_credential: Candidate | None = None
    by_fingerprint: Candidate | None = None
    searched_smaller: bool = False
    self_portrait: Likeness | None = None
    resolved: tuple[Resolved, ...] = ()
    unresolved: tuple[str, ...] = ()
    carried_proof: CarriedProof | None = None

    @property
    def recovering(self) -> Resolved | None:
        """The first credential kept by a resolver that speaks for the picture."""
        return next((found for found in self.resolved if found.recovers), None)

    @property
    def candidate(self) -> Candidate | None:
        """The record to speak of: the first whose fingerprint agrees, else the first at all."""
        found = [
            candidate
            for candidate in (self.by_file, self.by_mark, self.by_credential, self.by_fingerprint)
            if candidate is not None
        ]
        return next((c for c in found if c.agrees), found[0] if found else None)
