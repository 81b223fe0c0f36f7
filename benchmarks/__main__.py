"""Run every benchmark, one after another: make bench.

Each prints a table with a ratio against a peer or a floor that was measured in the same run. Those
that need data take it from $WARDMARK_DATA (a folder with prompts/, photos/ and labels/).
"""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Returns 0 when every benchmark ran."""
    failed = []
    for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(f"\n== {script.stem}", flush=True)
        if subprocess.run([sys.executable, str(script)], check=False).returncode:
            failed.append(script.stem)
    if failed:
        print(f"\ndid not finish: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
