"""What an audit answers. ``report.json`` is an AuditReport; ``report.html`` shows the same."""

from datetime import date
from typing import Final, Literal

from pydantic import Field

from datasets_audit.consent import ConsentState, Standing
from datasets_audit.findings import Severity
from datasets_audit.licence import DeclaredUse, LicenceUse
from policies.decision import Frozen

FORMAT: Final = "wardmark-audit/1"

Status = Literal["evidenced", "gap", "stale", "attested", "not-applicable"]
"""How an item of a checklist stands. No status says that a law or standard is met."""

Hex32 = str
"""64 hex digits: a SHA-256 or a root of a Merkle tree."""


class SourceSummary(Frozen):
    """What was audited. ``location`` is as the caller gave it."""

    kind: str
    location: str
    pictures: int
    bytes: int
    annotations: str | None
    annotation_rows: int


class Shard(Frozen):
    """One file of sample rows and the root over them; ``entry`` is the id of its ledger event.

    ``sketch``: SHA-256 of its sketch (``datasets_audit.sketch``); None in earlier reports.
    """

    file: str
    samples: int
    bytes: int
    root: Hex32
    sketch: Hex32 | None = None
    entry: str | None = None


class Figure(Frozen):
    """A headline figure and the DuckDB query, run in the report's folder, that gives it again."""

    id: str
    title: str
    value: float | int | None
    unit: Literal[
        "pictures", "bytes", "rows", "files", "share", "index", "ratio", "cells", "groups"
    ]
    query: str


class Example(Frozen):
    """One instance of a finding."""

    key: str | None
    row: int | None
    detail: str | None


class FindingGroup(Frozen):
    """All findings of one kind; every single one lies in ``findings/*.parquet``."""

    code: str
    severity: Severity
    title: str
    why: str
    next_step: str
    count: int
    examples: tuple[Example, ...]


class ConsentCount(Frozen):
    """Pictures in one state of consent, and what that state allows."""

    state: ConsentState
    standing: Standing
    count: int
    share: float


class LicenceCount(Frozen):
    """Pictures under one licence; ``expression`` is SPDX, None for all that is not recognised."""

    expression: str | None
    use: LicenceUse
    attribution: bool
    share_alike: bool
    count: int
    share: float


class HostCount(Frozen):
    """Pictures that came from one host, and their share of those that name a source."""

    host: str
    count: int
    share: float


class RightsFile(Frozen):
    """A list of opt-outs or a record of responses, as it was when the audit read it.

    ``first``, ``last``: the days (UTC) of its oldest and newest response, where they are stated.
    """

    name: str
    sha256: Hex32
    first: str | None = None
    last: str | None = None


class BalanceCell(Frozen):
    """One category or combination. A hidden cell has neither count nor shares.

    ``reference`` and ``ratio``: its share in the reference population, and ours over theirs.
    """

    values: tuple[str, ...]
    hidden: bool
    count: int | None
    share: float | None
    low: float | None
    high: float | None
    reference: float | None = None
    ratio: float | None = None


class Balance(Frozen):
    """How evenly one attribute, or an intersection of several, is covered.

    ``stated``: pictures that state all of ``attributes``; shares are of these. ``empty`` cells
    have no picture, ``thin`` ones fewer than ``THIN_CELL``, empty ones among them; ``hidden`` ones
    are not published. ``imbalance`` (largest over smallest count) is None where a cell is empty or
    the smallest is hidden; then ``imbalance_above`` is a bound that gives nothing away.
    ``divergence``: Jensen-Shannon, in nats, from the reference, for single attributes only; ``kl``:
    Kullback-Leibler of the data set from it, None where the reference lacks a value.
    """

    attributes: tuple[str, ...]
    stated: int
    not_stated: int
    origins: dict[str, int]
    cells_total: int
    empty: int
    thin: int
    hidden: int
    entropy: float
    evenness: float
    imbalance: float | None
    imbalance_above: float | None
    smallest: BalanceCell | None
    cells: tuple[BalanceCell, ...]
    reference: str | None = None
    divergence: float | None = None
    kl: float | None = None


class ClassBalance(Frozen):
    """How often a group is of a class, beside the others (``class_balance`` has the definitions).

    ``given``: the attribute on which ``disparity`` is conditional (CDDL); None: on none (DD).
    """

    attribute: str
    value: str
    label: str
    dpl: float
    disparity: float
    given: str | None = None


class BalanceSummary(Frozen):
    """Intersections come first, as they do in the report.

    ``reference`` names the population that the data set was measured against. Without one
    ``statement`` says that nothing here means representative.
    """

    reference: str | None
    statement: str
    suppressed_below: int
    thin_below: int
    intersections: tuple[Balance, ...]
    attributes: tuple[Balance, ...]
    not_computed: tuple[str, ...]
    classes: tuple[ClassBalance, ...] = ()


class ControlStatus(Frozen):
    """One item of a checklist. ``evidence``: ids of figures and kinds of events that it rests on.

    ``attestation``: the entry of the ledger by which a person attested it, if anybody did.
    """

    framework: str
    edition: str
    id: str
    title: str
    status: Status
    because: str
    next_step: str | None
    evidence: tuple[str, ...]
    attestation: str | None = None


class LedgerReference(Frozen):
    """Where this audit stands in the ledger. ``digest``: SHA-256 over the report without this.

    ``proof``: that the event of the version stands under ``checkpoint``, a proof bundle
    (``provenance.ledger.bundle``, about 2 kB) in base64; None in reports of earlier versions.
    """

    version_entry: str
    shard_entries: tuple[str, ...]
    digest: Hex32
    checkpoint: str
    proof: str | None = None


class AuditReport(Frozen):
    """An audit of one version of a data set, whose identity is ``root``."""

    format: Literal["wardmark-audit/1"] = FORMAT
    name: str
    root: Hex32
    as_of: date
    use: DeclaredUse | None
    summary: str
    source: SourceSummary
    shards: tuple[Shard, ...]
    figures: tuple[Figure, ...]
    findings: tuple[FindingGroup, ...]
    consent: tuple[ConsentCount, ...]
    licences: tuple[LicenceCount, ...]
    hosts: tuple[HostCount, ...] = Field(default=(), description="the largest, up to 1,000")
    balance: BalanceSummary
    checklist: tuple[ControlStatus, ...]
    files: dict[str, Hex32] = Field(description="every other file of the report and its SHA-256")
    tools: dict[str, str]
    # Left out where there is none: the digests of reports that were recorded before it hold.
    rights: tuple[RightsFile, ...] = Field(default=(), exclude_if=lambda files: not files)
    ledger: LedgerReference | None = None

    def figure(self, figure_id: str) -> float | int | None:
        """The value of the figure of that id. Raises KeyError."""
        return next(f.value for f in self.figures if f.id == figure_id)
