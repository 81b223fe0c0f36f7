"""What needs attention: one sign for each thing that may, with what to do about it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Literal

from guard.console.views.decisions import KINDS, Seen, row_of
from guard.console.views.keys import SignerRow
from guard.decisions import Result
from guard.policy_draft import Draft
from policies.decision import Action, Frozen, PolicyRef
from provenance.errors import LedgerEntryNotFound
from provenance.keys.ring import KeyState
from provenance.ledger import Entry, Ledger

RECENT: Final = 500  # decisions that shares are drawn from
OLD_CHECKPOINT: Final = timedelta(days=1)  # after that somebody should ask why

State = Literal["holds", "unsure", "against", "missing"]


class Sign(Frozen):
    """One thing to look at. ``figure``: in a few characters; ``path`` and ``link``: where to go."""

    name: str
    state: State
    figure: str
    said: str
    path: str = ""
    link: str = ""


def recent(ledger: Ledger, seen: Seen) -> tuple[Entry, ...]:
    """The last endings of requests that somebody may see, newest first: ``RECENT`` that shares are
    drawn from, and those before, against which they are held."""
    return tuple(filter(seen, islice(ledger.latest(*KINDS), 2 * RECENT)))


def of_queue(kept: Sequence[datetime], now: datetime) -> Sign:
    """What is held for a person. ``kept``: since when, of each."""
    waited = span(now - min(kept)) if kept else ""
    return Sign(
        name="Held for a person",
        state="unsure" if kept else "holds",
        figure=str(len(kept)),
        said=f"The longest has waited for {waited}." if kept else "Nothing waits for a ruling.",
        path="/console/review" if kept else "",
        link="Rule",
    )


def of_decisions(entries: Sequence[Entry]) -> tuple[Sign, ...]:
    """What the last decisions tell."""
    rows = [row_of(entry) for entry in entries[:RECENT]]
    if not rows:
        said = "Nobody has asked for anything yet."
        return (Sign(name="Decisions", state="missing", figure="none", said=said),)
    refused = sum(row.result in (Result.REFUSED, Result.HELD) for row in rows)
    stopped = sum(row.result is Result.STOPPED for row in rows)
    judged = [row for row in rows if row.action is not None]
    unseen = sum(bool(row.not_assessed) for row in judged)
    return (
        Sign(
            name="Refused or held",
            state="holds",
            figure=_share(refused, len(rows)),
            said=f"{refused} of the last {len(rows)} decisions.",
            path="/console/decisions?result=refused",
            link="Read them",
        ),
        Sign(
            name="Stopped on the way",
            state="against" if stopped else "holds",
            figure=str(stopped),
            said=f"of the last {len(rows)} decisions, by an outage or by the caller.",
            path="/console/decisions?result=stopped" if stopped else "",
            link="Read them",
        ),
        Sign(
            name="Not wholly assessed",
            state="unsure" if unseen else "holds",
            figure=_share(unseen, len(judged)),
            said=f"{unseen} of {len(judged)} had a category that nobody looked at.",
        ),
    )


def of_drift(entries: Sequence[Entry]) -> Sign:
    """Whether prompts or pictures score otherwise than those before them did."""
    from guard.evaluate.drift import State, drift_of  # scipy takes a second to load

    newer, older = (_scores(part) for part in (entries[:RECENT], entries[RECENT:]))
    found = drift_of(older, newer)
    known = [name for name, one in found.items() if one.state is not State.TOO_FEW]
    moved = [name for name in known if found[name].state is not State.STEADY]
    much = any(found[name].state is State.MUCH for name in moved)
    names = ", ".join(name.replace("_", " ") for name in moved)
    figure = State.MUCH if much else State.SOME if moved else State.STEADY
    said = f"Scores are other than before: {names}." if moved else "Scores are as before."
    return Sign(
        name="Drift",
        state=("against" if much else "unsure" if moved else "holds") if known else "missing",
        figure=figure.value if known else "unknown",
        said=said if known else "There are too few scores on record to compare.",
    )


def of_assessors(entries: Sequence[Entry], appealed: Collection[str]) -> tuple[Sign, ...]:
    """Of each version of an assessor, how much of what it judged last was refused or held, and how
    much of that was appealed against. ``appealed``: the ids of decisions."""
    judged: dict[str, dict[str, bool]] = {}
    for entry in entries[:RECENT]:
        decision = str(entry.body["decision_id"])
        accounts: list[Any] = [each for each in entry.body.values() if isinstance(each, dict)]
        for account in accounts:
            if account.keys() >= {"assessor", "action"}:
                named = f"{account['assessor']['name']}@{account['assessor']['version']}"
                strict = Action(account["action"]) >= Action.REVIEW
                mine = judged.setdefault(named, {})
                mine[decision] = mine.get(decision, False) or strict
    return tuple(
        Sign(
            name=named,
            state="holds",
            figure=_share(sum(mine.values()), len(mine)),
            said=f"{sum(mine.values())} of {len(mine)} that it judged were refused or held for it; "
            f"{len(mine.keys() & set(appealed))} were appealed against.",
        )
        for named, mine in judged.items()
    )


def of_appeals(opened: Sequence[datetime], now: datetime) -> Sign:
    """Who waits for an answer. ``opened``: when, of each."""
    waited = span(now - min(opened)) if opened else ""
    said = f"The longest has waited for {waited}." if opened else "Nobody waits for an answer."
    return Sign(
        name="Open appeals",
        state="against" if opened else "holds",
        figure=str(len(opened)),
        said=said,
        path="/console/appeals" if opened else "",
        link="Answer",
    )


def of_ledger(ledger: Ledger, now: datetime) -> Sign:
    """How old the last signed head is."""
    try:
        head = ledger.checkpoint()
    except LedgerEntryNotFound:
        return Sign(name="Ledger", state="missing", figure="empty", said="Nothing is signed yet.")
    last = next(ledger.latest())
    age = now - last.at
    cosigned = len(ledger.cosignatures(head.size))
    witnesses = f"{cosigned} witnesses have seen it." if cosigned else "No witness has seen it."
    return Sign(
        name="Last checkpoint",
        state="unsure" if age > OLD_CHECKPOINT else "holds",
        figure=f"{span(age)} ago",
        said=f"{head.size:,} entries are signed. {witnesses}",
    )


def of_policy(policy: PolicyRef, fault: str | None, drafts: Sequence[Draft]) -> Sign:
    """Whether the file of the policy holds, and what waits for a second person."""
    waiting = sum(not draft.published for draft in drafts)
    said = f"{waiting} drafts are being written." if waiting else "Nobody is writing another."
    return Sign(
        name="Policy in force",
        state="against" if fault else "holds",
        figure=f"{policy.name} {policy.version}",
        said="Its file does not hold; what was in force stays." if fault else said,
        path="/console/policies",
        link="Read it",
    )


def of_signers(rows: Sequence[SignerRow]) -> tuple[Sign, ...]:
    """How long the certificate of the signer lasts; nothing where it is kept elsewhere."""
    active = next((row for row in rows if row.entry.state is KeyState.ACTIVE), None)
    if active is None:
        return ()
    return (
        Sign(
            name="Signer's certificate",
            state="against" if active.days < 0 else "unsure" if active.warns else "holds",
            figure=f"{active.days} days",
            said="until it ends; then nothing is delivered. Renew it with: wardmark keys",
        ),
    )


def span(age: timedelta) -> str:
    """A span in its largest unit."""
    seconds = age.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return "a moment"


def _scores(entries: Sequence[Entry]) -> dict[str, list[float]]:
    """Scores by what was judged and the category: of prompts, each decision's once, and of
    pictures that were drawn."""
    prompts = {}
    found: dict[str, list[float]] = {}
    for entry in entries:
        stage = entry.body.get("prompt_stage")
        if isinstance(stage, dict):
            prompts[entry.body["decision_id"]] = stage["scores"]
        drawn = entry.body.get("image")
        if isinstance(drawn, dict) and "scores" in drawn:
            for name, score in drawn["scores"].items():
                found.setdefault(f"{name} in pictures", []).append(score)
    for scores in prompts.values():
        for name, score in scores.items():
            found.setdefault(f"{name} in prompts", []).append(score)
    return found


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"
