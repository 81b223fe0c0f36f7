"""``make demo``: the main job on a fresh machine, through the same commands a person would type."""

import argparse
import io
import json
import shlex
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.table import Table

from guard.cli import run
from provenance.picture import decode, encode, write_atomically

PROMPT = "a red sailboat on the sea at sunset, with mountains and the sun on the left"
UNSAFE_PROMPT = "a labelled diagram that shows how to build a pipe bomb at home"
SEED = 20261120
SOCIAL_SCALE, SOCIAL_QUALITY = 0.7, 70  # what a social network does to an upload

screen = Console(highlight=False)


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    exit_code: int
    document: Any


def main() -> int:
    """Run the demonstration; returns 0 when every step ended as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    out: Path = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    home = str(out / "home")

    expect(wardmark("init", "--home", home, "--provider", "Wardmark demo"), 0)
    picture = out / "sailboat.png"
    asked = ("generate", PROMPT, "-o", str(picture), "--seed", str(SEED), "--home", home)
    made = expect(wardmark(*asked), 0).document["images"][0]
    refused = expect(
        wardmark("generate", UNSAFE_PROMPT, "-o", str(out / "refused.png"), "--home", home), 3
    ).document["error"]
    page = out / "verification.html"
    original = expect(
        wardmark("verify", str(picture), "--html", str(page), "--home", home), 0
    ).document

    screenshot, social = out / "screenshot.png", out / "social-media.jpg"
    copy_without_metadata(picture, screenshot, social)
    copies = [
        expect(wardmark("verify", str(copy), "--home", home), 0).document
        for copy in (screenshot, social)
    ]

    from datasets_audit.example import make_example

    example = make_example(out / "example-data-set")
    report = out / "audit"
    audited = expect(
        wardmark(
            "audit",
            str(example.images),
            "--name",
            "example",
            "--annotations",
            str(example.annotations),
            "--reference",
            str(example.reference),
            "--use",
            "commercial",
            "--out",
            str(report),
            "--home",
            home,
        ),
        0,
    ).document
    ledger = expect(wardmark("ledger", "verify", "--home", home), 0).document

    summary = Table(title="What happened", title_justify="left", show_header=False, pad_edge=False)
    summary.add_column(style="bold")
    summary.add_column()
    summary.add_row("Asked for", PROMPT)
    summary.add_row("Delivered", f"{picture}  (content id {made['content_id']})")
    summary.add_row("Receipts", " → ".join(r["step"] for r in made["receipts"]))
    summary.add_section()
    summary.add_row("Also asked for", UNSAFE_PROMPT)
    summary.add_row("Refused", "; ".join(why(reason) for reason in refused["reasons"]))
    summary.add_section()
    summary.add_row("The file itself", f"[green]{original['verdict']}[/]  {original['summary']}")
    summary.add_row("A screenshot", recovery(copies[0]))
    summary.add_row("From social media", recovery(copies[1]))
    summary.add_section()
    summary.add_row("Data set", audit_line(audited))
    summary.add_row("Ledger", f"{ledger['size']} entries, all verified")
    screen.print()
    screen.print(summary)

    files = Table(title="Where to look", title_justify="left", show_header=False, pad_edge=False)
    files.add_column(style="bold")
    files.add_column(overflow="fold")
    files.add_row("The picture", str(picture))
    files.add_row("Its copies", f"{screenshot}, {social}")
    files.add_row("What verify says of it", str(page))
    files.add_row("Audit report", str(report / "report.html"))
    files.add_row("Home", home)
    screen.print(files)
    return 0


def wardmark(*arguments: str) -> Answer:
    """Run one command in this process and read its JSON."""
    shown = ["wardmark", *arguments]
    screen.print(f"[bold cyan]$[/] {shlex.join(shown)}", markup=True, soft_wrap=True)
    printed, said = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(said):
        code = run([*arguments, "--json"])
    try:
        return Answer(code, json.loads(printed.getvalue()))
    except json.JSONDecodeError:
        raise SystemExit(f"no JSON from {shlex.join(shown)}\n{said.getvalue()}") from None


def expect(answer: Answer, exit_code: int) -> Answer:
    """``answer``, or the end of the demonstration where it is not the one promised."""
    if answer.exit_code != exit_code:
        sys.exit(f"exit code {answer.exit_code} instead of {exit_code}: {answer.document}")
    return answer


def copy_without_metadata(picture: Path, screenshot: Path, social: Path) -> None:
    """The pixels as a new PNG, and a smaller JPEG of poorer quality: no metadata in either."""
    pixels = decode(picture.read_bytes()).pixels
    write_atomically(screenshot, encode(pixels, "png"))
    smaller = cv2.resize(
        pixels, None, fx=SOCIAL_SCALE, fy=SOCIAL_SCALE, interpolation=cv2.INTER_AREA
    )
    write_atomically(social, encode(smaller, "jpeg", quality=SOCIAL_QUALITY))


def why(reason: dict[str, Any]) -> str:
    clauses = ", ".join(
        f"{b['field']} {b['value']:.2f} {b['op']} {b['limit']:.2f}"
        if isinstance(b["value"], float) and isinstance(b["limit"], float)
        else f"{b['field']} {b['value']} {b['op']} {b['limit']}"
        for b in reason["because"]
    )
    return f"{reason['message']} [dim]({clauses})[/]"


def recovery(report: dict[str, Any]) -> str:
    """Which layer led back to the record when the credential was gone."""
    both = report["watermark"]["found"]
    led = "watermark and fingerprint lead" if both else "its fingerprint leads"
    match = report["fingerprint"]["match"]
    return (
        f"[green]{report['verdict']}[/]  the credential is gone; {led} back to record"
        f" {report['record']['id']} ({match['distance']} of 256 bits differ)"
    )


def audit_line(report: dict[str, Any]) -> str:
    """How many pictures, and the worst of what was found."""
    worst = [group for group in report["findings"] if group["severity"] == "critical"]
    found = "; ".join(f"{group['count']} x {group['title']}" for group in worst[:3])
    return f"{report['source']['pictures']} pictures, {found or 'nothing critical'}"


if __name__ == "__main__":
    sys.exit(main())
