"""What ``verify`` may ask."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from provenance.fetch import Fetcher
from provenance.keys.trust import TrustAnchors
from provenance.ledger import InclusionProof
from provenance.ledger.note import Verifier, VerifierKey
from provenance.record import Record
from provenance.verify.resolver import Resolver
from provenance.watermark import Scheme, load_scheme

DEFAULT_SCHEMES = ("lattice", "dwtDctSvd", "dwtDct")  # rivaGan needs weights and half a second


class RecordSource(Protocol):
    """The part of a ledger that ``verify`` asks. ``Ledger`` fits."""

    @property
    def verifier(self) -> VerifierKey: ...

    def record_by_content_id(self, content_id: str) -> Record | None: ...

    def record_by_sha256(self, sha256: str) -> Record | None: ...

    def fingerprint_count(self) -> int: ...

    def nearest_record(self, pdq: str, max_distance: int) -> tuple[Record, int] | None: ...

    def prove(self, entry_id: str) -> InclusionProof: ...


def default_schemes(keys: Sequence[bytes] = ()) -> tuple[Scheme, ...]:
    """The schemes that are tried when none are named, under a deployment's ``keys`` of marks."""
    return tuple(load_scheme(name, keys=keys) for name in DEFAULT_SCHEMES)


@dataclass(frozen=True)
class Sources:
    """Whom to believe and where to look.

    Without anchors no signer is trusted; without a ledger nothing can be recovered. ``schemes``:
    watermark schemes to try, in order; ``last_resort``: those to try where none of them finds any.
    ``resolvers``: services that are asked over the network for the credential of a mark, where the
    file's own does not prove its origin; none unless named.
    ``revocation``: asks the signer's authority whether its certificate was revoked (OCSP).
    ``ledger_keys``: public keys of ledgers, besides that of ``ledger``, whose proofs in credentials
    can be checked.
    """

    trust: TrustAnchors = field(default_factory=TrustAnchors)
    ledger: RecordSource | None = None
    schemes: tuple[Scheme, ...] = field(default_factory=default_schemes)
    last_resort: tuple[Scheme, ...] = ()
    resolvers: tuple[Resolver, ...] = ()
    revocation: Fetcher | None = None
    ledger_keys: tuple[Verifier, ...] = ()
