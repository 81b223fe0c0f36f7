"""``python -m migrations URL``: bring a database to the newest schema."""

import sys

from migrations import head, upgrade
from provenance.errors import LedgerUnavailable


def main(arguments: list[str]) -> int:
    """Exit code 0 done, 2 wrong use, 4 the database cannot be used."""
    if len(arguments) != 1:
        print("usage: python -m migrations URL", file=sys.stderr)
        return 2
    try:
        upgrade(arguments[0])
    except LedgerUnavailable as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"schema {head()}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
