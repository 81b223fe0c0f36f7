"""Makes the pictures of the README: a generated scene, and what verify says of it.

Run: make figures
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parent / "images"
PROMPT = "a red sailboat on the sea at sunset, with mountains and the sun on the left"
SEED = 20261120
COLUMNS = 84


def wardmark(*arguments: str) -> str:
    """What the command prints, with its colours."""
    command = [sys.executable, "-c", "from guard.cli import main; main()", *arguments]
    environment = {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "PATH": os.environ["PATH"]}
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ).stdout


def main() -> None:
    """Write docs/images/sailboat.png and docs/images/verify.svg."""
    IMAGES.mkdir(exist_ok=True)
    picture = IMAGES / "sailboat.png"
    with tempfile.TemporaryDirectory() as folder:
        home = str(Path(folder) / "home")
        wardmark("init", "--home", home, "--provider", "Wardmark demo")
        wardmark("generate", PROMPT, "-o", str(picture), "--seed", str(SEED), "--home", home)
        said = wardmark("verify", str(picture), "--home", home)
    console = Console(record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True)
    console.print("$ wardmark verify sailboat.png", style="bold")
    console.print(Text.from_ansi(said.replace(str(picture), "sailboat.png")))
    drawing = console.export_svg(title="wardmark")
    local = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)  # no font from the network
    (IMAGES / "verify.svg").write_text(local, encoding="utf-8")


if __name__ == "__main__":
    main()
