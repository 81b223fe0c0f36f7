"""The audit, end to end: source and annotations in, a folder with the report out.

    open -> pass (inspect, annotate, write shards) -> copies -> figures and balance -> checklist
         -> record in the ledger -> report

Everything is written into a folder beside ``out`` and takes its name at the very end, so that
``out`` is whole or not there.
"""

# ruff: noqa: S608 - built of our own names and of checked attribute names

import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from hashlib import file_digest
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from datasets_audit import oscal, page
from datasets_audit.annotations import Annotations, load_annotations
from datasets_audit.checklist import Audited, assess, of_audit
from datasets_audit.checklist.audited import counted, critical
from datasets_audit.checklist.standing import answered_by_audits
from datasets_audit.copies import find_copies
from datasets_audit.coverage import balance_findings, measure_balance
from datasets_audit.croissant import croissant
from datasets_audit.declaration import Terms
from datasets_audit.documents import data_card, training_summary
from datasets_audit.engine import default_workers, load_engine
from datasets_audit.errors import OutputOccupied
from datasets_audit.features import Features, LabelJudge, feature_findings, load_features
from datasets_audit.figures import QUESTIONS, SAMPLES, ask, balance_questions, database
from datasets_audit.findings import Finding
from datasets_audit.licence import DeclaredUse
from datasets_audit.look import Look
from datasets_audit.memory import Memory, inspected
from datasets_audit.poison import poison_findings
from datasets_audit.recording import record
from datasets_audit.reference import ReferencePopulation, load_reference
from datasets_audit.report import AuditReport, Figure, Shard, SourceSummary
from datasets_audit.rights import Rights
from datasets_audit.shards import (
    SKETCH_KEY,
    Inspected,
    ShardWriter,
    in_shards,
    inspect_batch,
    load_sketch,
    version_root,
    write_findings,
)
from datasets_audit.sketch import sketch_key
from datasets_audit.sources import Source, open_source
from datasets_audit.statement import write_statement
from datasets_audit.tallies import (
    consent_counts,
    finding_groups,
    host_counts,
    licence_counts,
    summarise,
)
from policies.frameworks import load_frameworks
from provenance.errors import OutputFailed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from provenance.ledger import Ledger, LedgerKey

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and how much there is."""

SECRET_BYTES: Final = 32
WORTH_A_POOL: Final = 256  # pictures; for fewer, starting processes takes longer than the pass
ATTRIBUTED_AT_ONCE: Final = 10_000  # rows; bounds memory
FINDINGS_OF_THE_SET: Final = "findings/set.parquet"
TOOLS: Final = ("wardmark", "duckdb", "license-expression", "opencv-python", "pdqhash", "pyarrow",
                "simplejpeg")  # fmt: skip


def audit(
    source: Path | str,
    *,
    name: str,
    annotations: Path | str | None = None,
    reference: Path | str | None = None,
    ledger: "Ledger | None" = None,
    out: Path | str | None = None,
    engine: str = "local",
    progress: Progress | None = None,
    use: DeclaredUse | None = None,
    as_of: date | None = None,
    workers: int | None = None,
    secret: bytes | None = None,
    rights: Rights | None = None,
    memory: Path | str | None = None,
    key: "LedgerKey | None" = None,
    features: Path | str | None = None,
    look: Look | None = None,
    label_judge: LabelJudge = LabelJudge.CONFIDENCE,
) -> AuditReport:
    """Audit the data set at ``source``, a path or URL (``sources.open_source`` says of what).

    ``annotations``: CSV, TSV, JSON lines or Parquet (docs/audit.md lists the columns).
    ``reference``: YAML or JSON of a population to compare with. ``out``: the folder to write;
    without it nothing is kept but the report that is returned. ``use``: what licences are judged
    by. ``as_of``: the day on which consent is judged, today (UTC) if not given. ``secret``: 32
    bytes that key the commitments to subjects and the salts of rows; give the same one to be able
    to find a subject in several audits. Without it they are keyed at random.
    ``rights``: opt-outs and recorded responses (``datasets_audit.rights.load_rights``).
    ``memory``: a file that remembers what was measured, so that only what changed is opened, and an
    audit that was killed goes on. ``key``: of the ledger, signs a statement of the version.
    ``features``: Parquet of feature vectors (``datasets_audit.features``). ``look``: reads what is
    written in pictures, or counts faces (``datasets_audit.look``). ``label_judge``: which labels
    are doubtful, where there are features.

    Raises SourceInvalid, AnnotationsInvalid, ReferenceInvalid, FeaturesInvalid, EngineUnknown,
    OutputOccupied, MemoryUnusable, OutputFailed, WorkerLost, LedgerUnavailable. Whatever is wrong
    with a single picture or row is a finding in the report.
    """
    tick = progress or (lambda _what, _done, _total: None)
    population = load_reference(Path(reference)) if reference else None
    given = open_source(source)
    vectors = load_features(Path(features)) if features else None
    count = given.count()
    terms = Terms(
        as_of or datetime.now(UTC).date(),
        use,
        secret or secrets.token_bytes(SECRET_BYTES),
        rights or Rights(),
    )
    spread = load_engine(engine, (workers or default_workers()) if count >= WORTH_A_POOL else 1)
    with ExitStack() as stack:
        workspace = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardmark-audit-")))
        said = Path(annotations) if annotations else given.annotations(workspace)
        stated = stack.enter_context(load_annotations(said, workspace)) if said else None
        folder = stack.enter_context(_whole_or_absent(Path(out) if out else workspace / "report"))
        (folder / SKETCH_KEY).parent.mkdir()
        (folder / SKETCH_KEY).write_text(sketch_key(terms.secret).hex() + "\n", encoding="ascii")
        writer = ShardWriter(folder, stated, terms)
        looks = look.name if look else ""
        remembered = stack.enter_context(Memory(Path(memory), looks)) if memory else None
        work = partial(inspect_batch, look=look)
        passing = stack.enter_context(closing(inspected(spread, work, given.batches(), remembered)))
        counted_in = _counted(passing, count, tick)
        shards = [
            writer.write(number, pictures) for number, pictures in enumerate(in_shards(counted_in))
        ]
        tick("measuring", 0, 1)
        with database(folder) as connection:
            report = _measure(
                connection, folder, given, shards, stated, terms, population, vectors,
                name=name, location=str(source), recorded=ledger is not None,
                annotated=str(annotations) if annotations else None,
                look=looks, label_judge=label_judge,
            )  # fmt: skip
        tick("measuring", 1, 1)
        if ledger is not None:
            report = record(report, [load_sketch(folder, shard) for shard in shards], ledger)
            if key is not None:
                write_statement(report, folder, key, ledger)
        _write_report(report, folder, given, writer.attributes)
    return report


def _counted(
    batches: Iterator[list[Inspected]], total: int, tick: Progress
) -> Iterator[list[Inspected]]:
    done = 0
    tick("inspecting", done, total)
    for batch in batches:
        yield batch
        done += len(batch)
        tick("inspecting", done, total)


def _measure(
    connection: "DuckDBPyConnection",
    folder: Path,
    source: Source,
    shards: Sequence[Shard],
    annotations: Annotations | None,
    terms: Terms,
    reference: ReferencePopulation | None,
    features: Features | None,
    *,
    name: str,
    location: str,
    annotated: str | None,
    recorded: bool,
    look: str,
    label_judge: LabelJudge,
) -> AuditReport:
    attributes = annotations.attributes if annotations else ()
    balance = measure_balance(connection, attributes, reference)
    # One after the other, as they are written: a list of them all would know no bound.
    findings = chain(
        (Finding("file_not_taken", stray.key, detail=stray.why) for stray in source.strays()),
        find_copies(connection, folder),
        poison_findings(connection, folder),
        feature_findings(connection, features, label_judge) if features else (),
        _of_annotations(annotations, folder) if annotations else (),
        balance_findings(balance),
    )
    write_findings(findings, folder / FINDINGS_OF_THE_SET)
    figures = _figures(
        connection, [b.attributes for b in (*balance.intersections, *balance.attributes)]
    )
    write_attribution(connection, folder)
    groups = finding_groups(connection)
    values = {figure.id: figure.value for figure in figures}
    audited = Audited(
        name=name,
        as_of=terms.as_of,
        figures=values,
        findings=counted(groups),
        critical=critical(groups),
        balance=balance,
        use=terms.use,
        recorded=recorded,
    )
    return AuditReport(
        name=name,
        root=version_root(shards).hex(),
        as_of=terms.as_of,
        use=terms.use,
        summary=summarise(values, groups),
        source=SourceSummary(
            kind=source.kind,
            location=location,
            pictures=sum(shard.samples for shard in shards),
            bytes=sum(shard.bytes for shard in shards),
            annotations=annotated,
            annotation_rows=annotations.rows if annotations else 0,
        ),
        shards=tuple(shards),
        figures=tuple(figures),
        findings=groups,
        consent=consent_counts(connection),
        licences=licence_counts(connection),
        hosts=host_counts(connection),
        balance=balance,
        checklist=tuple(assess(answered_by_audits(load_frameworks()), of_audit(audited))),
        files=_digests(folder),
        tools=_tools(look, label_judge if features else None),
        rights=terms.rights.files,
    )


def _of_annotations(annotations: Annotations, folder: Path) -> Iterator[Finding]:
    yield from annotations.without_picture(folder / "samples" / "*.parquet")
    yield from (Finding("column_not_used", detail=column) for column in annotations.unused)
    for attribute in annotations.without_origin:
        yield Finding("attribute_origin_missing", detail=f"attr.{attribute}")


def _figures(connection: "DuckDBPyConnection", tables: Sequence[tuple[str, ...]]) -> list[Figure]:
    questions = [*QUESTIONS, *(q for attributes in tables for q in balance_questions(attributes))]
    return ask(connection, questions)


def write_attribution(connection: "DuckDBPyConnection", folder: Path) -> None:
    """Whom to name, and under which licence: the list that attribution licences ask for."""
    import pyarrow.csv

    rows = connection.sql(
        "SELECT key, creator, coalesce(licence_expression, licence) AS licence, source_url "
        f"FROM {SAMPLES} WHERE attribution ORDER BY key"
    ).to_arrow_reader(ATTRIBUTED_AT_ONCE)
    with pyarrow.csv.CSVWriter(folder / "attribution.csv", rows.schema) as file:
        for batch in rows:
            file.write_batch(batch)


def _tools(look: str, label_judge: LabelJudge | None) -> dict[str, str]:
    tools = {tool: version(tool) for tool in TOOLS}
    if label_judge is LabelJudge.CLEANLAB:
        tools["cleanlab"] = version("cleanlab")
    return tools | ({"look": look} if look else {})


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digests[path.relative_to(folder).as_posix()] = file_digest(
                    file, "sha256"
                ).hexdigest()
    return digests


def _write_report(
    report: AuditReport, folder: Path, source: Source, attributes: tuple[str, ...]
) -> None:
    described = json.dumps(croissant(report, attributes), indent=1, ensure_ascii=False)
    (folder / "croissant.json").write_text(described + "\n", encoding="utf-8")
    assessed = oscal.dumps(oscal.assessment_results(report))
    (folder / "oscal.json").write_text(assessed, encoding="utf-8")
    (folder / "training-summary.md").write_text(training_summary(report), encoding="utf-8")
    (folder / "card.md").write_text(data_card(report), encoding="utf-8")
    with database(folder) as connection:
        drawn = page.draw_map(connection, source)
        shown = page.thumbnails(report.findings, source, connection)
    (folder / "report.html").write_text(page.render(report, shown, drawn), encoding="utf-8")
    text = json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")


@contextmanager
def _whole_or_absent(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes ``out`` if all goes well and is gone if not.

    An earlier audit at ``out`` is replaced; anything else that is there is left alone.
    """
    if (
        out.exists()
        and not (out / "report.json").is_file()
        and (not out.is_dir() or any(out.iterdir()))
    ):
        raise OutputOccupied(f"{out} holds something that is not an audit. Name another folder.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear_killed(out)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.{os.getpid()}.", dir=out.parent))
        try:
            folder = staging / "new"
            folder.mkdir()
            yield folder
            if out.exists():
                out.rename(staging / "old")
            folder.rename(out)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise OutputFailed(
            f"The report could not be written to {out}: {reason}. Nothing half-written was left; "
            "check the folder, its permissions and the free space."
        ) from error


def _clear_killed(out: Path) -> None:
    """Remove what audits of ``out`` left that were killed: their process is no more."""
    ours = re.compile(re.escape(f".{out.name}.") + r"(\d+)\..+")
    for left in out.parent.iterdir():
        if (found := ours.fullmatch(left.name)) and not _runs(int(found[1])):
            shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
