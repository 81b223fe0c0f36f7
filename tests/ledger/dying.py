"""A process that forks one for each line on stdin, which withdraws a subject and dies on the way.

Run as a program; each line is FOLDER, a tab, and the name of a death. The answer is what the child
printed before it died, a tab, and the number of the signal that killed it.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from forgetful import ADA, KEY_FILE, SECRET
from sqlalchemy import event as hooks

from provenance.ledger import Ledger, LedgerKey
from provenance.ledger.forgetting import KeyStore, Subjects
from provenance.ledger.forgetting.database import KeyDatabase
from provenance.ledger.forgetting.settling import Settling


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("kill -9 returned")


def instead(owner: type, method: str) -> Callable[[KeyStore], None]:
    """Die where ``method`` would begin."""
    return lambda _: setattr(owner, method, die)


def after(owner: type, method: str) -> Callable[[KeyStore], None]:
    """Die once ``method`` is done."""

    def prepare(_: KeyStore) -> None:
        first = getattr(owner, method)

        def both(*arguments: Any) -> NoReturn:
            first(*arguments)
            die()

        setattr(owner, method, both)

    return prepare


DEATHS: dict[str, Callable[[KeyStore], None]] = {
    "before the event": instead(Ledger, "append"),
    "after the event": after(Ledger, "append"),
    "with some keys deleted": after(Settling, "forget"),
    "as the deletion is committed": lambda keys: hooks.listen(
        keys._database._engine, "commit", die
    ),
    "after the deletion": instead(KeyStore, "compact"),
    "after the file is rewritten": after(KeyDatabase, "compact"),
    "while looking for what can be read": instead(Subjects, "_opens"),
}


def withdraw(folder: Path, death: str) -> NoReturn:
    keys = KeyStore(f"sqlite:///{folder / 'keys.db'}")
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}", LedgerKey.load(folder / KEY_FILE))
    subjects = Subjects(ledger, keys, SECRET)
    if death in DEATHS:
        DEATHS[death](keys)
    done = subjects.withdraw(ADA)
    print(f"{done.readable} of {done.sealed} readable", end="", flush=True)
    die()


def main() -> None:
    for line in sys.stdin:
        folder, death = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            withdraw(Path(folder), death)
        _, status = os.waitpid(child, 0)
        print(f"\t{os.WTERMSIG(status)}", flush=True)


if __name__ == "__main__":
    main()
