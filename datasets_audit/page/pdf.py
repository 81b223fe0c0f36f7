"""The report as PDF, printed by a Chromium that is installed: same page, no network."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from datasets_audit.errors import PdfUnavailable

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS: Final = 120.0
FLAGS: Final = ("--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND")  # fmt: skip


def print_pdf(page: Path, pdf: Path) -> None:
    """Print the HTML file ``page`` to ``pdf``. Raises PdfUnavailable."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise PdfUnavailable(
            "A PDF is printed by Chromium, which is not installed. Install the package chromium, "
            "or print report.html from a browser."
        )
    # Chromium refuses its sandbox to root; the page is ours and holds no script.
    sandbox = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="wardmark-pdf-") as profile:
        command = [browser, *FLAGS, *sandbox, f"--user-data-dir={profile}",
                   f"--print-to-pdf={pdf.resolve()}", page.resolve().as_uri()]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603 - a fixed program, our own paths
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PdfUnavailable(f"{browser} did not print the report: {error}.") from error
    if not pdf.is_file():
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise PdfUnavailable(f"{browser} did not print the report: {' '.join(said)}")
