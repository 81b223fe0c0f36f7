"""What others ask of a data set in words: the EU summary of training content, and a data card.

Both are Markdown, made of the report alone. What only the provider can say is a line that begins
with "To be written"; nothing is made up for it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from datasets_audit.report import AuditReport

HOSTS_LISTED: Final = 20  # in the card; the summary lists what the template asks for
TOP_SHARE: Final = 0.1  # of hosts by size, which the template asks to be named
_SIZES: Final = ((1_000_000, "less than 1 million"), (1_000_000_000, "1 million to 1 billion"))
_CATEGORIES: Final = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
)  # fmt: skip


def training_summary(report: AuditReport) -> str:
    """The summary of training content (Regulation (EU) 2024/1689 art. 53(1)(d); the sections of the
    template annexed to C(2025) 8311), as far as this one data set goes."""
    return "\n".join(_summary(report)) + "\n"


def data_card(report: AuditReport) -> str:
    """A card as Hugging Face and Gebru et al. (2021, Datasheets for datasets) lay it out."""
    return "\n".join(_card(report)) + "\n"


def _summary(report: AuditReport) -> Iterator[str]:
    pictures = report.source.pictures
    size = next((words for limit, words in _SIZES if pictures < limit), "more than 1 billion")
    yield from (f"# Summary of training content: {_line(report.name)}", "")
    yield from ("For one data set. Figures are those of the audit named below.", "")
    yield from ("## 1. General information", "")
    yield from _table(
        ("Item", "Answer"),
        [
            ("Provider and model", "To be written: name, contact, model, date of placing on the "
             "market"),
            ("Modality", "Image"),
            ("Size", f"{pictures:,} pictures ({size}), {report.source.bytes:,} bytes"),
            ("Latest date of collection", "To be written"),
            ("Version", f"`{report.root}`"),
            ("Judged on", report.as_of.isoformat()),
        ],
    )  # fmt: skip
    yield from ("", "## 2. List of data sources", "")
    stated, hosts = _count(report, "origin.source"), _count(report, "origin.hosts")
    yield f"Of {pictures:,} pictures {stated:,} name a source, on {hosts:,} hosts."
    yield f"{_count(report, 'synthetic'):,} say of themselves that AI made them."
    named = max(1, round(hosts * TOP_SHARE)) if hosts else 0
    if report.hosts:
        yield from ("", f"The largest {min(named, len(report.hosts))} hosts by pictures:", "")
        rows = [(one.host, f"{one.count:,}", f"{one.share:.1%}") for one in report.hosts[:named]]
        yield from _table(("Host", "Pictures", "Share"), rows)
    yield from ("", "Kinds of source (public, licensed, scraped, of users, synthetic): "
                "To be written for each host.")  # fmt: skip
    yield from ("", "## 3. Aspects of data processing", "", "### Rights that were reserved", "")
    yield (
        f"Reservations were looked up for {_count(report, 'rights.asked'):,} pictures (opt-out "
        "lists, the files themselves, X-Robots-Tag, TDMRep, ai.txt, robots.txt); "
        f"{_count(report, 'rights.reserved'):,} are reserved."
    )
    yield from ("Measures taken on these: To be written.", "", "### Licences", "")
    rows = [(one.expression or "not recognised", one.use.value, f"{one.count:,}")
            for one in report.licences[:HOSTS_LISTED]]  # fmt: skip
    yield from _table(("Licence", "Use", "Pictures"), rows)
    yield from ("", "### Unlawful content and personal data", "")
    yield (
        f"Positions in {_count(report, 'privacy.gps'):,} pictures, names of owners in "
        f"{_count(report, 'privacy.owner'):,}, personal data in "
        f"{_count(report, 'privacy.caption'):,} captions."
    )
    yield "What was done to find and remove unlawful content: To be written."


def _card(report: AuditReport) -> Iterator[str]:
    pictures = report.source.pictures
    category = next((name for limit, name in _CATEGORIES if pictures < limit), "n>1B")
    licences = sorted({one.expression.lower() for one in report.licences if one.expression})
    yield from ("---", f"pretty_name: {_quoted(report.name)}")
    if licences:
        yield from ("license:", *(f"- {_quoted(licence)}" for licence in licences))
    yield from ("size_categories:", f"- {category}", "---", "", f"# {_line(report.name)}", "")
    yield from (_line(report.summary), "", "## What it holds", "")
    figures = [(one.title, _value(one.value, one.unit)) for one in report.figures
               if not one.id.startswith("balance.") and one.value is not None]  # fmt: skip
    yield from _table(("Figure", "Value"), figures)
    yield from ("", "## Where it comes from", "")
    if report.hosts:
        rows = [(one.host, f"{one.count:,}") for one in report.hosts[:HOSTS_LISTED]]
        yield from _table(("Host", "Pictures"), rows)
    else:
        yield "No picture names its source."
    yield from ("", "## Consent and licences", "")
    yield from _table(
        ("Consent", "Allows", "Pictures"),
        [(one.state.value, one.standing.value, f"{one.count:,}") for one in report.consent],
    )
    yield from ("", "## Whom it shows", "", report.balance.statement, "")
    tables = [
        (" x ".join(map(_line, one.attributes)), f"{one.cells_total}", f"{one.empty}",
         f"{one.thin}", f"{one.entropy:.3f}")
        for one in (*report.balance.intersections, *report.balance.attributes)
    ]  # fmt: skip
    if tables:
        head = ("Table", "Cells", "Empty", f"Below {report.balance.thin_below}", "Entropy")
        yield from _table(head, tables)
    yield from ("", "## Known faults", "")
    if report.findings:
        faults = [(one.severity.value, one.title, f"{one.count:,}", one.next_step)
                  for one in report.findings]  # fmt: skip
        yield from _table(("How bad", "What", "How many", "What to do"), faults)
    else:
        yield "None was found."
    yield from ("", "## What it is meant for", "")
    yield "To be written: intended uses, and those that it is not fit for."
    yield from ("", "## Proof", "", f"Version `{report.root}`, judged on {report.as_of}.")
    if report.ledger:
        yield f"On record as `{report.ledger.version_entry}`; `wardmark audit-verify` checks it."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_line, row))} |"


def _count(report: AuditReport, figure: str) -> int:
    return int(report.figure(figure) or 0)


def _value(value: float | int | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if unit in ("share", "index", "ratio") else f"{value:,}"


def _line(text: str) -> str:
    """Words of strangers on one line, without a meaning in Markdown or HTML."""
    return re.sub(r"([\\|*\[\]<>#])", r"\\\1", " ".join(text.split()))


def _quoted(text: str) -> str:
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
