"""Queries over the events of a ledger: what the gateway and the audits left there.

Kinds of events are counted on an index; where their content matters the last ones are read, so that
a checklist over 10^6 entries takes no longer than over a thousand.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import islice
from math import sqrt
from typing import Final

from datasets_audit.checklist.evidence import Evidence, nothing_to_show, shown, wanting
from datasets_audit.recording import STATEMENT_KIND, VERSION_KIND
from provenance.errors import EventInvalid, ProofInvalid
from provenance.home import CoreDataSet
from provenance.ledger import Checkpoint, Entry, Ledger, verify_inclusion
from provenance.ledger.event import canonical_body
from provenance.ledger.journal import Tally
from provenance.ledger.note import parse

READ: Final = 200  # entries of a kind that are read
WINDOW: Final = 5_000  # entries at the end of the ledger in which they are looked for
MIN_REQUESTS: Final = 50  # in each of the two halves that are compared for drift
SIGNIFICANT: Final = 2.58  # standard errors, two-sided 1 %


@dataclass(frozen=True)
class Records:
    """A ledger and what the home declares of its cores."""

    ledger: Ledger
    data_sets: Sequence[CoreDataSet] = ()

    @cached_property
    def tallies(self) -> Mapping[str, Tally]:
        """How many events of each kind there are."""
        return self.ledger.tallies()

    def of(self, *kinds: str) -> Tally | None:
        """The sum of ``kinds`` and of all below them ("appeal" and "appeal.answered")."""
        found = [
            tally
            for name, tally in self.tallies.items()
            if any(name == kind or name.startswith(f"{kind}.") for kind in kinds)
        ]
        if not found:
            return None
        last = max(found, key=lambda tally: tally.last)
        return last._replace(entries=sum(tally.entries for tally in found))

    def last(self, kind: str) -> Iterator[Entry]:
        """Some of the last entries of a kind."""
        tally = self.tallies.get(kind)
        first = max(0, tally.last - WINDOW) if tally else 0
        return islice(self.ledger.entries(kind=kind, first=first), READ if tally else 0)

    @cached_property
    def versions(self) -> Mapping[str, tuple[str, ...]]:
        """Name of a data set -> roots of its versions on record, each once, the newest last."""
        roots: dict[str, dict[str, None]] = {}
        for entry in self.ledger.entries(kind=VERSION_KIND):
            match entry.body:
                case {"dataset": {"name": str(name), "root": str(root)}}:
                    held = roots.setdefault(name, {})
                    held.pop(root, None)
                    held[root] = None
        return {name: tuple(held) for name, held in roots.items()}

    @cached_property
    def digests(self) -> frozenset[str]:
        """Everything by which ``[[data_sets]]`` may name a version: roots, digests of reports."""
        reports = (entry.body.get("report") for entry in self.ledger.entries(kind=VERSION_KIND))
        roots = (root for held in self.versions.values() for root in held)
        return frozenset({*map(str, reports), *roots})


def recorded(ledger: Ledger, data_sets: Sequence[CoreDataSet] = ()) -> Records:
    """What may be asked of this ledger."""
    return Records(ledger, data_sets)


def _any(what: str, next_step: str, *kinds: str) -> Callable[[Records], Evidence]:
    """Evidence that there are events of these kinds; it is as old as the last of them."""

    def ask(records: Records) -> Evidence:
        tally = records.of(*kinds)
        if tally is None:
            return wanting(f"The ledger has no {what}.", next_step, *kinds)
        said = f"{tally.entries:,} {what} in the ledger, the last on {tally.at:%Y-%m-%d}."
        return shown(said, *kinds, at=tally.at.date())

    return ask


def _ledger_proof(records: Records) -> Evidence:
    last = max(records.tallies.values(), key=lambda tally: tally.last, default=None)
    if last is None:
        return wanting("The ledger is empty.", "Run wardmark init.", "checkpoint")
    (entry,) = records.ledger.entries(first=last.last, limit=1)
    try:
        verify_inclusion(records.ledger.prove(entry.id), records.ledger.keys())
    except ProofInvalid as error:
        return wanting(f"The last entry is not proved: {error}", "Run wardmark ledger verify.",
                       "checkpoint")  # fmt: skip
    said = f"Entry {entry.index:,} is proved under the signed checkpoint."
    return shown(said, "checkpoint", at=entry.at.date())


def _witnessed(records: Records) -> Evidence:
    none = wanting("No witness has cosigned a checkpoint.", "Run wardmark ledger cosign.",
                   "cosignature")  # fmt: skip
    first = next(records.ledger.entries(limit=1), None)
    if first is None:
        return none
    note = records.ledger.prove(first.id, cosigned=True).checkpoint
    seen = records.ledger.cosignatures(Checkpoint.size_in(parse(note)))
    if not seen:
        return none
    last = max(one.at for one in seen)
    return shown(f"{len(seen)} witnesses saw the history, the last on {last:%Y-%m-%d}.",
                 "cosignature", at=last.date())  # fmt: skip


def _versions(records: Records) -> Evidence:
    single = [name for name, roots in records.versions.items() if len(roots) < 2]
    at = _day(records.of(VERSION_KIND))
    if not records.versions or single:
        named = f" of {', '.join(single[:3])}" if single else ""
        return wanting(f"No earlier version{named} is on record to compare with.",
                       "Audit the next version under the same name.", VERSION_KIND)  # fmt: skip
    count = sum(map(len, records.versions.values()))
    said = f"{count:,} versions of {len(records.versions):,} data sets are on record."
    return shown(f"{said} wardmark audit-diff compares them.", VERSION_KIND, at=at)


def _statement(records: Records) -> Evidence:
    stated = {
        str(named.get("root"))
        for entry in records.ledger.entries(kind=STATEMENT_KIND)
        if isinstance(named := entry.body.get("dataset"), Mapping)
    }
    current = {roots[-1]: name for name, roots in records.versions.items()}
    missing = [name for root, name in current.items() if root not in stated]
    if missing or not current:
        named = f": {', '.join(missing[:3])}" if missing else ""
        return wanting(f"No signed statement of the last version stands in the ledger{named}.",
                       "Audit with a home whose ledger key is there.", STATEMENT_KIND)  # fmt: skip
    said = f"The last versions of {len(current):,} data sets have a signed in-toto statement."
    return shown(said, STATEMENT_KIND, at=_day(records.of(STATEMENT_KIND)))


def _core_data(records: Records) -> Evidence:
    if not records.data_sets:
        return wanting("No core is declared to have learnt from a data set.",
                       "Add [[data_sets]] entries to wardmark.toml.", VERSION_KIND)  # fmt: skip
    strange = [one.name for one in records.data_sets if one.digest not in records.digests]
    if strange:
        return wanting(
            f"Cores learnt from what no audit on record stands for: {', '.join(strange)}.",
            "Audit them, and give the root of the version as digest.", VERSION_KIND,
        )  # fmt: skip
    said = f"{len(records.data_sets)} data sets behind cores are versions on record."
    return shown(said, VERSION_KIND, at=_day(records.of(VERSION_KIND)))


def _marked(records: Records) -> Evidence:
    read = [entry.body for entry in records.last("delivery")]
    if not read:
        return wanting("No delivered picture is on record.", "Deliver one: wardmark generate.",
                       "delivery")  # fmt: skip
    bare = sum(not {"watermark", "credential"} <= _steps(body) for body in read)
    if bare:
        return wanting(
            f"Of the last {len(read)} delivered pictures {bare} left without mark or credential.",
            "Use a policy whose obligations are watermark, credential and ledger.", "delivery",
        )  # fmt: skip
    said = f"{len(read)} of the last delivered pictures all carry mark and credential."
    return shown(said, "delivery", at=_day(records.of("delivery")))


def _core_weights(records: Records) -> Evidence:
    held = [record for entry in records.last("delivery")
            if isinstance(record := entry.body.get("record"), Mapping)]  # fmt: skip
    cores = {(str(record.get("core")), str(record.get("core_digest"))) for record in held}
    if not cores or not all(digest for _, digest in cores):
        return wanting("No delivery names a core by the digest of its weights.",
                       "Deliver a picture: wardmark generate.", "delivery")  # fmt: skip
    named = ", ".join(sorted({core for core, _ in cores}))
    said = f"Deliveries name their core by the SHA-256 of its weights: {named}."
    return shown(said, "delivery", at=_day(records.of("delivery")))


def _reasons(records: Records) -> Evidence:
    read = [entry.body for kind in ("delivery", "refusal") for entry in records.last(kind)]
    if not read:
        return wanting("No decision is on record.", "Run wardmark generate.", "delivery", "refusal")
    stages = [body.get("prompt_stage") for body in read]
    dark = sum(not (isinstance(one, Mapping) and "reasons" in one) for one in stages)
    if dark:
        return wanting(f"{dark} of {len(read)} decisions carry no reasons.",
                       "Look at them: wardmark ledger export.", "delivery", "refusal")  # fmt: skip
    said = f"{len(read)} of the last decisions carry their reasons, scores and thresholds."
    return shown(said, "delivery", "refusal", at=_day(records.of("delivery", "refusal")))


def _minimal_bodies(records: Records) -> Evidence:
    size = records.ledger.size
    read = list(records.ledger.entries(first=max(0, size - READ)))
    if not read:
        return wanting("The ledger is empty.", "Run wardmark init.", "checkpoint")
    for entry in read:
        try:
            canonical_body(entry.kind, entry.id, dict(entry.body))
        except EventInvalid as error:
            return wanting(f"Entry {entry.index} may hold personal data: {error}",
                           "Find what wrote it.", entry.kind)  # fmt: skip
    said = f"The last {len(read)} entries hold no address, name or prompt in clear."
    return shown(said, "checkpoint", at=read[-1].at.date())


def _drift(records: Records) -> Evidence:
    """Whether the share of refusals moved between the two halves of the last requests."""
    stated = records.of("drift")
    if stated is not None:
        said = f"Drift was measured {stated.entries:,} times, the last on {stated.at:%Y-%m-%d}."
        return shown(said, "drift", at=stated.at.date())
    read = sorted(
        (entry for kind in ("delivery", "refusal") for entry in records.last(kind)),
        key=lambda entry: entry.index,
    )
    half = len(read) // 2
    if half < MIN_REQUESTS:
        return wanting(f"{len(read)} requests on record are too few to tell drift.",
                       f"Come back after {2 * MIN_REQUESTS} requests, or record a measurement: "
                       "wardmark checklist record drift --document FILE.", "delivery")  # fmt: skip
    before, after = (
        sum(entry.kind == "refusal" for entry in part) / len(part)
        for part in (read[:half], read[half:])
    )
    share = sum(entry.kind == "refusal" for entry in read) / len(read)
    error = sqrt(share * (1 - share) * (1 / half + 1 / (len(read) - half)))
    said = f"Of the last {len(read)} requests {before:.0%} were refused at first, {after:.0%} later"
    if error and abs(after - before) > SIGNIFICANT * error:
        return wanting(f"{said}: more than chance.", "Find out what changed, and evaluate again.",
                       "delivery", "refusal")  # fmt: skip
    return shown(f"{said}: within chance.", "delivery", "refusal", at=read[-1].at.date())


def _withdrawals(records: Records) -> Evidence:
    tally = records.of("consent.withdrawn")
    if tally is None:
        return wanting(
            "No withdrawal of consent is on record, so nobody has seen one take effect.",
            "Rehearse one: wardmark withdraw --subject with the id of an invented person.",
            "consent.withdrawn",
        )
    said = (
        f"{tally.entries:,} withdrawals are on record, the last on {tally.at:%Y-%m-%d}; keys are "
        "destroyed with the event."
    )
    return shown(said, "consent.withdrawn", at=tally.at.date())


def _retention(records: Records) -> Evidence:
    tally = records.of("retention.applied")
    if tally is None:
        return wanting("No key was ever destroyed because its time was over.",
                       "Run wardmark retention --erase once something is due.",
                       "retention.applied")  # fmt: skip
    said = f"The retention plan was last applied on {tally.at:%Y-%m-%d}."
    return shown(said, "retention.applied", at=tally.at.date())


def _refusals(records: Records) -> Evidence:
    tally, delivered = records.of("refusal"), records.of("delivery")
    if tally is None:
        return wanting("No refusal is on record, so nobody has seen the guard refuse.",
                       "Try one: wardmark generate with a prompt that the policy forbids.",
                       "refusal")  # fmt: skip
    passed = delivered.entries if delivered else 0
    said = f"{tally.entries:,} refusals beside {passed:,} deliveries."
    return shown(said, "refusal", at=tally.at.date())


def _day(tally: Tally | None) -> date | None:
    return tally.at.date() if tally else None


def _steps(body: Mapping[str, object]) -> set[str]:
    match body.get("steps"):
        case {"ran": [*ran]}:
            return {str(step) for step in ran}
    return set()


def _key_changes(records: Records) -> Evidence:
    tally = records.of("key.rotated")
    if tally is None:
        return nothing_to_show("The key of the ledger was never replaced.", "key.rotated")
    return shown(f"The key of the ledger was replaced {tally.entries} times, each time signed by "
                 "both keys.", "key.rotated", at=tally.at.date())  # fmt: skip


_RECORD: Final = "Record one: wardmark checklist record {} --document FILE."
EVENTS: Final[Mapping[str, Callable[[Records], Evidence]]] = {
    "appeals": _any("appeals", "Rehearse one: POST /v1/appeals.", "appeal"),
    "consent-records": _any("consents of subjects", "Record them as consent events.", "consent"),
    "core-data": _core_data,
    "core-weights": _core_weights,
    "decisions": _any("decisions", "Run wardmark generate.", "decision", "refusal"),
    "deliveries": _any("deliveries", "Run wardmark generate.", "delivery"),
    "drift": _drift,
    "evaluations": _any("evaluations", _RECORD.format("evaluation"), "evaluation"),
    "feedback": _any("words of feedback", "Send some from the page /verify.", "feedback"),
    "incidents": _any("incidents", _RECORD.format("incident"), "incident", "stopped"),
    "key-changes": _key_changes,
    "ledger-proof": _ledger_proof,
    "marked": _marked,
    "minimal-bodies": _minimal_bodies,
    "policy-changes": _any("changes of policy", "Change the policy's file while the gateway runs.",
                           "policy.changed"),
    "reasons": _reasons,
    "refusals": _refusals,
    "retention": _retention,
    "reviews": _any("rulings of moderators", "Answer an appeal: wardmark appeals answer.",
                    "review", "appeal.answer"),
    "statement": _statement,
    "stops": _any("requests that ended because a guard, signer or ledger was down",
                  "Rehearse one: take the signer away and ask for a picture.", "stopped"),
    "versions": _versions,
    "withdrawals": _withdrawals,
    "witnessed": _witnessed,
}  # fmt: skip
"""The evidence that is asked of a ledger."""
