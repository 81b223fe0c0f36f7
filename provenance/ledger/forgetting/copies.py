"""Copies of the store of subjects' keys: short-lived, and never a way back for somebody who left.

A copy is an SQLite store of its own, whatever database the store lives in. It says when it expires,
and the store remembers that it was made, so that a withdrawal can say until when an older copy may
still hold the key. Deleting expired copies is up to whoever keeps them; restoring one is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from provenance.errors import KeyCopyRefused, LedgerUnavailable, OutputFailed
from provenance.ledger.forgetting.keys import KeyStore
from provenance.ledger.forgetting.subjects import carry_out, unsettled
from provenance.ledger.ledger import Ledger

MAX_KEEP: Final = timedelta(days=30)  # GDPR art. 12(3): a month to act on a request


def write_copy(store: KeyStore, path: Path, keep: timedelta) -> datetime:
    """Copy all keys to the new file ``path``, readable by its owner alone; returns its expiry.

    ``keep``: how long it may be restored, above zero and at most 30 days. Raises
    ``KeyCopyRefused``, ``OutputFailed``.
    """
    if not timedelta(0) < keep <= MAX_KEEP:
        raise KeyCopyRefused(f"A copy of keys is kept for up to {MAX_KEEP.days} days, not {keep}.")
    if path.exists():
        raise OutputFailed(f"{path} is there already; name a new file.")
    expires = store.now() + keep
    with _whole_or_absent(path) as building:
        store.note_copy(expires)  # first: a copy that nobody knows of would outlive a withdrawal
        contents = store.contents()
        with KeyStore.create(f"sqlite:///{building}") as copy, copy.settling() as settling:
            settling.take_in(contents)
            settling.done(contents.settlement.size)
            settling.become_copy(expires)
    return expires


def restore(path: Path, store: KeyStore, ledger: Ledger, *, forgetting: bool = False) -> None:
    """Bring the keys of a copy into ``store``, which holds none yet.

    Raises ``KeyCopyRefused`` for a copy that has expired or that is older than a withdrawal or an
    end of retention: it holds keys that were destroyed. With ``forgetting`` such a copy is taken,
    and those keys are destroyed in the same transaction that brings the others.
    """
    if not path.is_file():
        raise LedgerUnavailable(f"There is no copy of keys at {path}.")
    with KeyStore(f"sqlite:///{path}") as copy:
        contents = copy.contents()
    expires = contents.settlement.expires_at
    if expires is None:
        raise KeyCopyRefused(f"{path} is a store of keys itself, no copy that write_copy made.")
    if expires <= store.now():
        raise KeyCopyRefused(f"The copy {path} expired at {expires}; delete it.")
    if store.held_by_class():
        raise KeyCopyRefused("A copy is restored into a store that holds no keys; this one does.")
    newer = len(list(unsettled(ledger, contents.settlement.size)))
    if newer and not forgetting:
        raise KeyCopyRefused(
            f"The copy {path} is older than {newer} withdrawals or ends of retention and holds "
            "keys that were destroyed since. Restore a newer one, or restore it forgetting."
        )
    with store.settling() as settling:
        settling.take_in(contents)
        carry_out(ledger, settling)
    store.compact()


@contextmanager
def _whole_or_absent(path: Path) -> Iterator[Path]:
    building = path.with_name(f".{path.name}.part")
    try:
        building.unlink(missing_ok=True)  # of one that was interrupted
        yield building
        building.replace(path)
    except OSError as error:
        raise OutputFailed(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        building.unlink(missing_ok=True)
