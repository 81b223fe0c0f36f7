"""People: whose data is sealed, and who may ask."""

from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import make_url

from guard.doctor.subject import Remark, Remarks, Subject, fail, ok, warn
from guard.gateway.callers import check_exposure
from guard.gateway.callers.redis import RedisNotes
from provenance.home import SUBJECT_KEYS_FILE
from provenance.ledger.database import sqlite_path
from provenance.ledger.forgetting import KeyStore
from provenance.ledger.forgetting.subjects import unsettled

SETTLE = "Run: wardmark retention, which carries it out before it answers."


def subject_keys(subject: Subject) -> Remarks:
    """The store of subjects' keys is there, apart from the ledger, and as far as the ledger is."""
    home = subject.home
    file = home.path / SUBJECT_KEYS_FILE
    url = home.settings.subject_keys or f"sqlite:///{file}"
    if not home.settings.subject_keys and not file.exists():
        yield fail(
            f"{file} is missing: what was sealed cannot be opened",
            "Bring back a copy: wardmark subject-keys restore FILE.",
        )
        return
    with closing(KeyStore(url)) as keys, closing(home.ledger) as ledger:
        settlement = keys.settlement()
        undone = len(list(unsettled(ledger, settlement.size)))
        held = sum(of_class.number for of_class in keys.held_by_class().values())
    if settlement.expires_at is not None:
        yield fail(
            f"{url} is a copy of a store, which nothing may be sealed with",
            "Restore it: wardmark subject-keys restore FILE.",
        )
    if undone:
        yield fail(f"{undone} withdrawals or ends of retention are not carried out", SETTLE)
    if settlement.residue:
        yield warn("a trace of destroyed keys may be left in the store", SETTLE)
    yield from _apart(home.ledger_url, url)
    yield ok(f"{held} keys; withdrawals among {settlement.size} entries are carried out")


def _apart(ledger: str, keys: str) -> Iterator[Remark]:
    """They cannot share a database; a backup takes more than that: a folder, or a server."""
    of_ledger, of_keys = make_url(ledger), make_url(keys)
    ledger_file, keys_file = sqlite_path(of_ledger), sqlite_path(of_keys)
    if ledger_file and keys_file and ledger_file.parent == keys_file.parent:
        yield warn(
            f"{keys_file} lies beside the ledger: a backup of {keys_file.parent} takes both",
            "Set subject_keys to another volume, or leave the file out of that backup.",
        )
    elif not ledger_file and (of_ledger.host, of_ledger.port) == (of_keys.host, of_keys.port):
        yield warn(
            f"the server {of_keys.host} holds ledger and keys: its base backups and its write-ahead"
            " log hold both",
            "Put the keys on a server of their own, or back up by database with pg_dump.",
        )


def limits(subject: Subject) -> Remarks:
    """What callers have had is counted; where Redis is to count it, Redis answers."""
    counters = subject.home.settings.callers.redis
    if not counters:
        yield ok("each process counts by itself; name a Redis in [callers] to count for all")
        return
    with closing(RedisNotes(counters)) as notes:
        notes.read("nobody")
    yield ok("Redis answers, which counts for all processes")


def callers(subject: Subject) -> Remarks:
    """Whoever can reach the gateway from elsewhere has to say who they are, and somebody can."""
    home = subject.home
    with closing(home.ledger):
        exposed = check_exposure(subject.host, home)  # raises where nobody has a credential
    if exposed or home.settings.callers.required:
        yield ok("every caller needs a credential")
    else:
        yield ok(f"{subject.host} is this machine alone: callers on it may be anonymous")
