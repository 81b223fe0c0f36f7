"""``python -m migrations URL [subject-keys]``: bring a database to the newest schema."""

import sys

from migrations import LEDGER, SUBJECT_KEYS, head, upgrade
from provenance.errors import LedgerUnavailable


def main(arguments: list[str]) -> int:
    """Exit code 0 done, 2 wrong use, 4 the database cannot be used."""
    url, *rest = arguments or [""]
    if not url or rest not in ([], ["subject-keys"]):
        print("usage: python -m migrations URL [subject-keys]", file=sys.stderr)
        return 2
    history = SUBJECT_KEYS if rest else LEDGER
    try:
        upgrade(url, history)
    except LedgerUnavailable as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"schema {head(history)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
