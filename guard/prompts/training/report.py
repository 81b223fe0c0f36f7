"""What training says while it runs."""

import sys
import time


def say(text: str) -> None:
    """One line with the time of day, to standard error."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
