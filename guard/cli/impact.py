"""``wardmark impact``: what somebody's samples reach. Nothing is changed; wardmark withdraw does.

The id is never printed, logged or stored: what stands for it is the pseudonym.
"""

from pathlib import Path
from typing import Annotated

import typer

from datasets_audit.impact import Impact, impact
from datasets_audit.register import folders_of
from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results
from provenance.ledger.forgetting.subjects import ConsentStanding


def show_impact(
    context: typer.Context,
    subject: Annotated[str, typer.Option(help="The subject's id, as the data sets name it.")],
    audits: Annotated[
        list[Path] | None,
        typer.Option("--audit", metavar="DIR", help="Search this, not what the home knows."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the data sets, versions, cores and pictures that a subject's samples reach."""
    opened = open_home(context, home)
    known = opened.subjects
    found = impact(
        known.pseudonym(subject),
        opened.commitment_key,
        audits or folders_of(opened.path, opened.ledger),
        opened.ledger,
        opened.settings.data_sets,
    )
    standing = known.consent(subject)
    if as_json:
        document = found.model_dump(mode="json")
        print_json(document | {"consent": standing.model_dump(mode="json")})
    else:
        _print_for_people(found, standing)


def _print_for_people(found: Impact, standing: ConsentStanding) -> None:
    since = f" since {standing.since:%Y-%m-%d %H:%M} UTC" if standing.since else ""
    lines = [f"subject  {found.subject}", f"consent  {standing.state}{since}"]
    for version in found.versions:
        states = ", ".join(f"{state} {count}" for state, count in version.consent.items())
        recorded = "on record" if version.entry else "not on record"
        lines.append(
            f"version  {version.name}  {version.root[:12]}  {version.samples:,} samples "
            f"({states})  {recorded}"
        )
    lines += [f"core     {one.core}  learnt from {one.data_set}" for one in found.cores]
    lines += [
        f"drawn    {one.core}  {one.pictures:,} pictures, {one.first:%Y-%m-%d} to "
        f"{one.last:%Y-%m-%d}"
        for one in found.pictures
    ]
    if not found.versions:
        lines.append(f"nothing of this subject in {found.searched} audits that were searched")
    lines.append("not known:")
    lines += [f"  {reason}" for reason in found.unknown]
    for line in lines:
        results.print(line, markup=False)
