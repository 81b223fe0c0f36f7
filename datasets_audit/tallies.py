"""What was counted, grouped for a reader: consent, licences, findings, and one line of summary."""

# ruff: noqa: S608 - built of our own names and of checked attribute names

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from datasets_audit.consent import ConsentState
from datasets_audit.figures import FINDINGS, HOST, SAMPLES
from datasets_audit.findings import KINDS, Severity
from datasets_audit.licence import LicenceUse
from datasets_audit.report import ConsentCount, Example, FindingGroup, HostCount, LicenceCount

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HOSTS: Final = 1_000  # in the report; more are in the rows
EXAMPLES: Final = 5  # of each kind of finding, in the report; all are in findings/*.parquet


def consent_counts(connection: "DuckDBPyConnection") -> tuple[ConsentCount, ...]:
    """Pictures in every state of consent, also in those that no picture is in."""
    rows = connection.execute(
        f"SELECT consent, count(*) FROM {SAMPLES} GROUP BY consent"
    ).fetchall()
    counts = {ConsentState(state): int(count) for state, count in rows}
    total = sum(counts.values())
    return tuple(
        ConsentCount(
            state=state,
            standing=state.standing,
            count=counts.get(state, 0),
            share=counts.get(state, 0) / total,
        )
        for state in ConsentState
    )


def licence_counts(connection: "DuckDBPyConnection") -> tuple[LicenceCount, ...]:
    """Pictures under each licence, the most frequent first."""
    columns = "licence_expression, licence_use, attribution, share_alike"
    rows = connection.execute(
        f"SELECT {columns}, count(*) AS n, count(*) / sum(count(*)) OVER () FROM {SAMPLES} "
        f"GROUP BY {columns} ORDER BY n DESC, {columns}"
    ).fetchall()
    return tuple(
        LicenceCount(
            expression=expression,
            use=LicenceUse(use),
            attribution=attribution,
            share_alike=share_alike,
            count=count,
            share=share,
        )
        for expression, use, attribution, share_alike, count, share in rows
    )


def host_counts(connection: "DuckDBPyConnection") -> tuple[HostCount, ...]:
    """The hosts that most pictures came from."""
    rows = connection.execute(
        f"SELECT {HOST} AS host, count(*) AS n, count(*) / sum(count(*)) OVER () FROM {SAMPLES} "
        f"WHERE {HOST} IS NOT NULL GROUP BY host ORDER BY n DESC, host LIMIT {HOSTS}"
    ).fetchall()
    return tuple(HostCount(host=host, count=count, share=share) for host, count, share in rows)


def finding_groups(connection: "DuckDBPyConnection") -> tuple[FindingGroup, ...]:
    """All findings by kind, worst first, with a few examples of each."""
    rows = connection.execute(
        # Structs are ordered by their fields. A window over all findings would hold them all.
        f"SELECT code, count(*), min({{'key': key, 'row': row, 'detail': detail}}, {EXAMPLES}) "
        f"FROM {FINDINGS} GROUP BY code ORDER BY code"
    ).fetchall()
    groups = [
        FindingGroup(
            code=code,
            severity=KINDS[code].severity,
            title=KINDS[code].title,
            why=KINDS[code].why,
            next_step=KINDS[code].next_step,
            count=count,
            examples=tuple(Example(**example) for example in examples),
        )
        for code, count, examples in rows
    ]
    order = list(KINDS)
    return tuple(sorted(groups, key=lambda g: (g.severity.rank, -g.count, order.index(g.code))))


def summarise(figures: Mapping[str, float | int | None], groups: Sequence[FindingGroup]) -> str:
    """One or two sentences: how much can be used, and the worst that was found."""
    pictures = figures["pictures"] or 0
    usable = round((figures["usable"] or 0) * pictures)
    said = f"{usable:,} of {pictures:,} pictures have consent and a licence that fits."
    worst = [group for group in groups if group.severity is Severity.CRITICAL] or [
        group for group in groups if group.severity is Severity.SERIOUS
    ]
    if not worst:
        return f"{said} Nothing serious was found."
    named = "; ".join(
        f"{group.title[0].lower()}{group.title[1:]} ({group.count:,})" for group in worst[:3]
    )
    return f"{said} Most pressing: {named}."
