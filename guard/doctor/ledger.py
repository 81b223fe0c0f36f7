"""The ledger: reached, of this version's schema, whole, in time, and witnessed."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

import migrations as schema
from guard.doctor.subject import Remarks, Subject, fail, ok, warn
from provenance.home import KEY_FILE
from provenance.ledger import Ledger, resumption
from provenance.ledger.cosigning import last_cosigned
from provenance.ledger.database import REVISION, Database
from provenance.ledger.leader import LEADER_LOCK

FINDINGS_SHOWN = 5
# An advisory lock of one number stands in pg_locks as its two halves.
_LEADER = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON database = pg_database.oid "
    "WHERE locktype = 'advisory' AND datname = current_database() AND granted "
    "AND classid = 0 AND objid = :key AND objsubid = 1"
)
_WAITING = text("SELECT count(*) FROM queue")


@contextmanager
def _ledger(subject: Subject) -> Iterator[Ledger]:
    with closing(subject.home.ledger) as opened:
        yield opened


@contextmanager
def _database(subject: Subject) -> Iterator[Database]:
    with closing(Database(subject.home.ledger_url)) as opened:
        yield opened


def database(subject: Subject) -> Remarks:
    """The ledger's database answers."""
    with _database(subject) as opened:
        with opened.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
        yield ok(f"{opened.name} answers")


def migrations(subject: Subject) -> Remarks:
    """The schema is the newest one, and the one that this version was written for."""
    with _database(subject) as opened:
        opened.check_revision()
    newest = schema.head()
    if newest != REVISION:
        yield fail(
            f"this installation holds schema steps up to {newest}, its code needs {REVISION}",
            "Install Wardmark again: parts of two versions are mixed.",
        )
    else:
        yield ok(f"schema {REVISION}")


def verification(subject: Subject) -> Remarks:
    """The stored entries lead to the signed root: from the last checkpoint, or all of them."""
    with _ledger(subject) as opened, TemporaryDirectory() as folder:
        state = Path(folder) / "verified.json"
        if not subject.whole:
            resumption.save(state, opened.checkpoint().note)
        report = opened.verify(resume=None if subject.whole else state)
        for finding in report.findings[:FINDINGS_SHOWN]:
            yield fail(
                f"{finding.what}: {finding.detail}",
                "Stop the gateway, keep this database as evidence, run: wardmark ledger verify;"
                " then restore a backup.",
            )
        if report.ok:
            reach = "all of them" if subject.whole else "from the last checkpoint on"
            yield ok(f"{report.size} entries of {report.origin}, verified {reach}")


def sequencer(subject: Subject) -> Remarks:
    """Whoever has the ledger's key appends: this home itself, or a sequencer that leads."""
    home = subject.home
    if (home.path / KEY_FILE).exists() or not home.settings.database:
        yield ok("this home has the ledger's key and appends by itself")
        return
    with _database(subject) as opened, opened.reading() as connection:
        leads = connection.execute(_LEADER, {"key": LEADER_LOCK}).scalar_one()
        waiting = connection.execute(_WAITING).scalar_one()
    if leads:
        yield ok(f"a sequencer leads; {waiting} tickets wait for it")
    else:
        yield fail(
            f"this home has no ledger.key, and no sequencer leads: {waiting} tickets wait",
            "Run on a host that has the key: wardmark ledger sequence.",
        )


def clock(subject: Subject) -> Remarks:
    """This machine's clock is not behind the ledger. No time server is asked."""
    with _ledger(subject) as opened:
        last = next(opened.entries(first=max(opened.size - 1, 0)), None)
    if last is None:
        yield ok("the ledger is empty: nothing to hold the clock against")
        return
    behind = last.at - subject.now
    if behind > subject.limits.clock_behind:
        yield fail(
            f"the clock says {_minute(subject.now)}, and the last entry is of {_minute(last.at)}",
            "Set the clock (timedatectl set-ntp true), and find out which host's was wrong.",
        )
    else:
        yield ok(f"not behind the last entry, of {_minute(last.at)}; no time server was asked")


def witnesses(subject: Subject) -> Remarks:
    """Somebody else has seen the ledger lately."""
    command = "wardmark ledger cosign --witness URL --witness-key KEY"
    with _database(subject) as stored, stored.reading() as connection:
        size = last_cosigned(connection)
    if size is None:
        yield warn(
            "no witness has ever cosigned: a rewritten ledger could not be told from this one",
            f"Name a witness on another machine, and have it cosign daily: {command}",
        )
        return
    with _ledger(subject) as opened:
        latest = max(word.at for word in opened.cosignatures(size))
        unseen = opened.size - size
    said = f"cosigned at {size} entries on {_minute(latest)}; {unseen} entries came since"
    if unseen and subject.now - latest > subject.limits.witness_age:
        yield warn(said, f"Have it cosign daily: {command}")
    else:
        yield ok(said)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
