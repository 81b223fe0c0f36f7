"""Drafts of the policy in force: written by one person, published by another.

    drafts = Drafts(home, "policies/own.yaml")
    draft = drafts.begin("Less strict on history", by="key_a")
    draft = drafts.save(draft.id, policy_text, cases_text, seen=draft.digest, by="key_a")
    drafts.publish(draft.id, seen=draft.digest, by="key_b", fits=check)

A draft lies in ``HOME/policy-drafts`` and decides nothing. Publishing asks for four eyes: whoever
wrote in a draft cannot publish it. Both stand in the ledger (``policy.approved``) before the file
is replaced, whole; the gateways that follow the file take it from there (``guard.policy_watch``).
What somebody saw is named by its digest, so that nobody publishes or overwrites what they have not
read.
"""

import fcntl
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, Field, ValidationError

from guard.errors import DraftConflict, DraftNotFound, DraftUnfit, NotAllowed
from policies.cases import Case, Outcome, cases_of, cases_path, run
from policies.decision import Frozen, PolicyRef
from policies.errors import PolicyInvalid, Problem
from policies.inclusion import Effective
from policies.lint import Finding, lint
from policies.load import effective_of, pack_names, packs_folder, policy_path
from policies.policy import Policy
from policies.source import MAX_BYTES
from provenance.errors import OutputFailed
from provenance.home import Home
from provenance.ledger import Event
from provenance.picture import write_atomically

FOLDER: Final = "policy-drafts"  # in the home
KIND: Final = "policy.approved"
MAX_TITLE: Final = 200  # characters
MAX_DRAFTS: Final = 100  # that are open at once
_ID = re.compile(r"[0-9a-f]{12}")


class Draft(Frozen):
    """A policy that somebody is writing. ``base``: SHA-256 of the file when it was begun.

    ``authors``: everybody who wrote in it. ``approver`` and ``entry`` (of the ledger) are there
    once it was published.
    """

    id: str
    title: str = Field(min_length=1, max_length=MAX_TITLE)
    policy: str
    cases: str
    base: str
    authors: tuple[str, ...]
    begun_at: AwareDatetime
    changed_at: AwareDatetime
    approver: str | None = None
    entry: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over both texts."""
        texts = f"{len(self.policy)}\x00{self.policy}{self.cases}"
        return hashlib.sha256(texts.encode()).hexdigest()

    @property
    def published(self) -> bool:
        """It is in force, or was."""
        return self.entry is not None


class Examined(Frozen):
    """What there is to say of a draft. ``policy`` is None where it does not load.

    ``problems`` and ``case_problems``: why the policy, and the cases, do not load. ``outdated``:
    the file was changed since the draft was begun.
    """

    policy: PolicyRef | None
    problems: tuple[Problem, ...]
    case_problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]
    outdated: bool

    @property
    def objections(self) -> tuple[str, ...]:
        """Why it cannot be published, in words; empty where it can."""
        failed = sum(not one.passed for one in self.outcomes)
        faults = sum(not one.is_note for one in self.findings)
        said = {
            "The policy does not load.": self.policy is None,
            "The cases do not load.": bool(self.case_problems),
            f"{failed} cases fail.": failed > 0,
            f"The lint finds {faults} faults.": faults > 0,
            "The file was changed since this draft was begun; begin another.": self.outdated,
        }
        return tuple(words for words, holds in said.items() if holds)


class Drafts:
    """The drafts of one home. ``policy``: the name or file that is in force. Processes of one host
    take turns."""

    def __init__(self, home: Home, policy: str) -> None:
        self._home = home
        self._folder = home.path / FOLDER
        self._named = policy

    @property
    def file(self) -> Path:
        """Where the policy in force lies. Raises PolicyNotFound where it is gone."""
        return policy_path(self._named)

    @property
    def is_pack(self) -> bool:
        """The policy in force comes with the software, so nothing can be published over it."""
        return self._named in pack_names() or Path(self._named).parent == packs_folder()

    def all(self) -> tuple[Draft, ...]:
        """Every draft that can be read, the last changed first."""
        found = []
        for path in self._folder.glob("*.json"):
            with suppress(DraftNotFound):  # discarded this moment, or damaged; it decides nothing
                found.append(self.read(path.stem))
        return tuple(sorted(found, key=lambda one: one.changed_at, reverse=True))

    def read(self, draft_id: str) -> Draft:
        """Raises DraftNotFound."""
        file = self._folder / f"{draft_id}.json"
        if not _ID.fullmatch(draft_id) or not file.exists():
            raise DraftNotFound(f"no draft {draft_id!r}; it was discarded, or never was")
        try:
            return Draft.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise DraftNotFound(f"the draft {draft_id!r} cannot be read: {error}") from error

    def begin(self, title: str, *, by: str) -> Draft:
        """A draft that says what is in force now. ``title``: why it is written.

        Raises DraftUnfit for a title that is none, DraftConflict where too many are open.
        """
        if not 1 <= len(title.strip()) <= MAX_TITLE:
            raise DraftUnfit(f"say what the draft is for in 1 to {MAX_TITLE} characters")
        with self._turn():
            if sum(not one.published for one in self.all()) >= MAX_DRAFTS:
                raise DraftConflict(f"{MAX_DRAFTS} drafts are open; discard some")
            now = datetime.now(UTC)
            cases = cases_path(self.file)
            draft = Draft(
                id=secrets.token_hex(6),
                title=title.strip(),
                policy=self.file.read_text(encoding="utf-8"),
                cases=cases.read_text(encoding="utf-8") if cases.exists() else "",
                base=self._on_disk(),
                authors=(by,),
                begun_at=now,
                changed_at=now,
            )
            self._write(draft)
        return draft

    def save(self, draft_id: str, policy: str, cases: str, *, seen: str, by: str) -> Draft:
        """Replace both texts, whether they load or not. ``seen``: digest of what ``by`` changed.

        Raises DraftNotFound, DraftConflict where somebody else changed it meanwhile or it was
        published, DraftUnfit for texts that are too long.
        """
        if max(len(policy.encode()), len(cases.encode())) > MAX_BYTES:
            raise DraftUnfit(f"a policy or its cases are longer than {MAX_BYTES:,} bytes")
        with self._turn():
            draft = self._open(draft_id, seen)
            changed = draft.model_copy(
                update={
                    "policy": policy,
                    "cases": cases,
                    "authors": tuple(dict.fromkeys((*draft.authors, by))),
                    "changed_at": datetime.now(UTC),
                }
            )
            self._write(changed)
        return changed

    def discard(self, draft_id: str) -> None:
        """Forget a draft. Raises DraftNotFound, DraftConflict for one that was published."""
        with self._turn():
            if self.read(draft_id).published:
                raise DraftConflict("a draft that was published stays")
            (self._folder / f"{draft_id}.json").unlink(missing_ok=True)

    def examine(self, draft: Draft) -> Examined:
        """Load, lint and put the cases to a draft, as if it stood in its file."""
        found: Effective | None = None
        problems: tuple[Problem, ...] = ()
        case_problems: tuple[Problem, ...] = ()
        cases: tuple[Case, ...] = ()
        try:
            found = effective_of(draft.policy, self.file)
        except PolicyInvalid as error:
            problems = error.problems or (Problem(0, 0, str(error)),)
        try:
            if draft.cases.strip():
                cases = cases_of(draft.cases, self.file.name)
        except PolicyInvalid as error:
            case_problems = error.problems or (Problem(0, 0, str(error)),)
        policy = Policy(found.document) if found else None
        return Examined(
            policy=policy.ref if policy else None,
            problems=problems,
            case_problems=case_problems,
            findings=lint(found, cases) if found else (),
            outcomes=run(policy, cases) if policy else (),
            outdated=not draft.published and draft.base != self._on_disk(),
        )

    def policy_of(self, draft: Draft) -> Policy:
        """The policy that a draft says. Raises PolicyInvalid."""
        return Policy(effective_of(draft.policy, self.file).document)

    def publish(
        self, draft_id: str, *, seen: str, by: str, fits: Callable[[Policy], object]
    ) -> Draft:
        """Put a draft in the place of the file. ``seen``: digest of what ``by`` read; ``fits``
        raises where the policy cannot be kept with the parts of this deployment.

        Raises NotAllowed for an author, DraftConflict, DraftUnfit with every objection,
        LedgerUnavailable, OutputFailed, and what ``fits`` raises. The file is as it was then.
        """
        if self.is_pack:
            raise DraftConflict(
                f"{self.file.stem} comes with the software and is not changed; save the draft as a"
                ' file, name that in wardmark.toml (policy = "..."), and start the gateway again'
            )
        with self._turn():
            draft = self._open(draft_id, seen)
            if by in draft.authors:
                raise NotAllowed("you wrote in this draft; somebody else has to publish it")
            objections = self.examine(draft).objections
            if objections:
                raise DraftUnfit("not published: " + " ".join(objections))
            policy = self.policy_of(draft)
            fits(policy)
            entry = self._record(draft, policy, by)
            cases = cases_path(self.file)
            if draft.cases.strip():
                cases.parent.mkdir(exist_ok=True)
                write_atomically(cases, draft.cases.encode())
            write_atomically(self.file, draft.policy.encode())
            published = draft.model_copy(update={"approver": by, "entry": entry})
            self._write(published)
        return published

    def _record(self, draft: Draft, policy: Policy, by: str) -> str:
        event = Event(
            KIND,
            {
                "draft": draft.id,
                "policy": policy.ref.model_dump(),
                "file_sha256": hashlib.sha256(draft.policy.encode()).hexdigest(),
                "previous_file_sha256": draft.base,
                "cases": len(cases_of(draft.cases, "cases")) if draft.cases.strip() else 0,
                "authors": list(draft.authors),
                "approver": by,
            },
        )
        (entry,) = self._home.ledger.append([event])
        return entry.id

    def _open(self, draft_id: str, seen: str) -> Draft:
        draft = self.read(draft_id)
        if draft.published:
            raise DraftConflict("this draft was published before; begin another")
        if draft.digest != seen:
            raise DraftConflict("somebody changed this draft since you read it; read it again")
        return draft

    def _on_disk(self) -> str:
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def _write(self, draft: Draft) -> None:
        write_atomically(self._folder / f"{draft.id}.json", draft.model_dump_json().encode())

    @contextmanager
    def _turn(self) -> Iterator[None]:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            lock = (self._folder / "lock").open("ab")
        except OSError as error:
            raise OutputFailed(
                f"{self._folder} cannot be written: {error.strerror}; check the rights of the home"
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed
            yield

