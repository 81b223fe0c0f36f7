"""Giving a ledger a new key: the event in the ledger and the files beside it.

    ledger.next.key  ledger.next.pub    made first
    (the event)                         from here on the old key signs nothing any more
    ledger.key  ledger.pub              then take the place of the old ones

Killed at any point, ``rotate`` run again finishes what was begun.
"""

import contextlib
import os
from pathlib import Path

from provenance.errors import LedgerKeyInvalid
from provenance.ledger.key import LedgerKey, load_verifier, verifier_path
from provenance.ledger.ledger import Ledger
from provenance.ledger.note import VerifierKey


def rotate(url: str, path: Path) -> VerifierKey:
    """Give the ledger at ``url``, whose key lies at ``path``, a new key; returns its public half.

    The old private key is removed; its public half stays beside as ``ledger-KEYID.pub``. Raises
    ``LedgerKeyInvalid``, ``LedgerUnavailable``.
    """
    next_path = path.with_suffix(".next.key")
    public = verifier_path(path)
    if not next_path.exists() and verifier_path(next_path).exists():
        if not path.exists():
            raise LedgerKeyInvalid(f"{path} is gone; restore it, then rotate again.")
        return _install(next_path, path)  # killed between the two renames
    old = LedgerKey.load(path)
    if next_path.exists():
        new = LedgerKey.load(next_path)
    else:
        new = LedgerKey.create(next_path, old.public.name)
    archived = public.with_name(f"{public.stem}-{old.public.key_id.hex()}.pub")
    try:
        archived.write_text(f"{old.verifier}\n", encoding="utf-8")
    except OSError as error:
        raise LedgerKeyInvalid(f"{archived} cannot be written: {error}.") from error
    with Ledger(url, old) as ledger:
        if ledger.keys().keys[-1] != new.public:
            ledger.rotate(new)
    return _install(next_path, path)


def _install(next_path: Path, path: Path) -> VerifierKey:
    try:
        with contextlib.suppress(FileNotFoundError):
            next_path.replace(path)
        verifier_path(next_path).replace(verifier_path(path))
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise LedgerKeyInvalid(
            f"The new key could not be put in place: {error}. Rotate again to finish."
        ) from error
    return load_verifier(verifier_path(path))
