"""The audit end to end, on the example with its planted faults and on a real ledger."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import rfc8785

import migrations
from datasets_audit import (
    AuditReport,
    DeclaredUse,
    audit,
    check_report,
    load_report,
    recompute,
)
from datasets_audit.errors import (
    AnnotationsInvalid,
    EngineUnknown,
    OutputOccupied,
    PdfUnavailable,
)
from datasets_audit.example import Example, make_example
from datasets_audit.page.pdf import print_pdf
from datasets_audit.recording import recorded_sketch, report_digest
from datasets_audit.sample import rows_root
from datasets_audit.shards import in_shards
from datasets_audit.sketch import Sketch, merge
from provenance.errors import OutputFailed
from provenance.ledger import Ledger, LedgerKey, verify_inclusion
from provenance.ledger.merkle import leaf_hash, root_of

SECRET = b"a secret of exactly 32 bytes ..."
WRITTEN_OF_THE_REPORT = (
    "report.json", "report.html", "croissant.json", "oscal.json", "training-summary.md", "card.md",
)  # fmt: skip
TERMS = {"use": DeclaredUse.COMMERCIAL, "as_of": date(2026, 6, 30), "secret": SECRET}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return make_example(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
    migrations.upgrade(url)
    with Ledger(url, LedgerKey.generate("ledger.test/audit")) as opened:
        yield opened


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out") / "audit"


@pytest.fixture(scope="module")
def report(example: Example, ledger: Ledger, out: Path) -> AuditReport:
    return audit(
        example.images,
        name="example",
        annotations=example.annotations,
        reference=example.reference,
        ledger=ledger,
        out=out,
        **TERMS,
    )


def test_every_planted_fault_is_found_as_often_as_it_was_planted(
    report: AuditReport, example: Example
) -> None:
    found = {group.code: group.count for group in report.findings}
    assert {code: found.get(code) for code in example.planted} == example.planted


def test_every_figure_can_be_recomputed_from_the_rows(report: AuditReport, out: Path) -> None:
    answers = recompute(out)
    assert len(answers) == len(report.figures)
    assert [answer for answer in answers if not answer.agrees] == []


def test_a_changed_row_is_noticed_by_a_figure_and_by_the_root(
    report: AuditReport, out: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    path = copy / report.shards[0].file
    table = pq.read_table(path)
    rows = table.to_pylist()
    assert rows_root(rows).hex() == report.shards[0].root
    row = next(row for row in rows if row["consent"] == "withdrawn")
    row |= {"consent": "declared", "standing": "permitted"}
    pq.write_table(type(table).from_pylist(rows, table.schema), path)
    assert {a.figure.id for a in recompute(copy) if not a.agrees} >= {"consent.withdrawn", "usable"}
    assert rows_root(rows).hex() != report.shards[0].root


def test_a_report_that_holds_has_no_discrepancy(report: AuditReport, out: Path) -> None:
    assert check_report(out) == []


def test_every_kind_of_tampering_has_its_name(
    report: AuditReport, out: Path, tmp_path: Path
) -> None:
    def tampered(change: Callable[[Path], object]) -> set[str]:
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(out, copy)
        change(copy)
        return {one.what for one in check_report(copy)}

    def edit_row(copy: Path) -> None:
        path = copy / report.shards[0].file
        table = pq.read_table(path)
        rows = [row | {"consent": "declared"} for row in table.to_pylist()]
        pq.write_table(type(table).from_pylist(rows, table.schema), path)

    def edit_report(copy: Path) -> None:
        path = copy / "report.json"
        path.write_text(path.read_text().replace("Consent was withdrawn", "All is well"))

    shard = report.shards[0].file
    assert {shard, f"root of {shard}", "consent.withdrawn"} <= tampered(edit_row)
    assert tampered(edit_report) == {"report.json"}
    assert tampered(lambda copy: (copy / "attribution.csv").unlink()) == {"attribution.csv"}


def test_figures_agree_with_the_balance_that_is_shown(report: AuditReport) -> None:
    for balance in (*report.balance.attributes, *report.balance.intersections):
        slug = f"balance.{'*'.join(balance.attributes)}"
        assert report.figure(f"{slug}.entropy") == pytest.approx(balance.entropy)
        assert report.figure(f"{slug}.evenness") == pytest.approx(balance.evenness)
        assert report.figure(f"{slug}.empty") == balance.empty
        assert report.figure(f"{slug}.stated") == balance.stated


def test_counts_add_up(report: AuditReport) -> None:
    assert sum(count.count for count in report.consent) == report.source.pictures
    assert sum(count.count for count in report.licences) == report.source.pictures
    assert sum(shard.samples for shard in report.shards) == report.source.pictures


def test_no_small_cell_is_printed(report: AuditReport, out: Path) -> None:
    for balance in (*report.balance.attributes, *report.balance.intersections):
        for cell in balance.cells:
            assert cell.count is None or cell.count == 0 or cell.count >= 11
            assert not cell.hidden or (cell.share, cell.low, cell.ratio) == (None, None, None)


def test_the_ledger_holds_every_shard_and_the_version(report: AuditReport, ledger: Ledger) -> None:
    assert report.ledger is not None
    for entry in (*report.ledger.shard_entries, report.ledger.version_entry):
        verify_inclusion(ledger.prove(entry), ledger.verifier)
    proved = {entry.id: entry for entry in ledger.entries(kind="dataset.version")}
    body = proved[report.ledger.version_entry].body
    assert body["dataset"] == {"name": "example", "root": report.root}
    assert body["report"] == report_digest(report) == report.ledger.digest
    shard_roots = [leaf_hash(bytes.fromhex(shard.root)) for shard in report.shards]
    assert root_of(shard_roots).hex() == report.root


def test_the_report_proves_offline_that_the_ledger_has_it(
    out: Path, ledger: Ledger, tmp_path: Path
) -> None:
    assert check_report(out, ledger.verifier) == []
    stranger = LedgerKey.generate(ledger.origin).public
    assert [one.what for one in check_report(out, stranger)] == ["ledger.proof"]
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    text = (copy / "report.json").read_text()
    assert len(json.loads(text)["ledger"]["proof"]) < 3_000
    for change in (
        {"proof": None},
        {"proof": json.loads(text)["ledger"]["proof"][:-4]},
    ):
        found = json.loads(text)
        found["ledger"] |= change
        (copy / "report.json").write_text(json.dumps(found))
        assert [one.what for one in check_report(copy, ledger.verifier)] == ["ledger.proof"]
    (copy / "report.json").write_text(text.replace("Consent was withdrawn", "All is well"))
    assert {one.what for one in check_report(copy, ledger.verifier)} == {
        "report.json",
        "ledger.proof",
    }


def test_the_digest_covers_what_report_json_says(report: AuditReport, out: Path) -> None:
    written = json.loads((out / "report.json").read_text())
    place = written.pop("ledger")
    for shard in written["shards"]:
        del shard["entry"]
    assert sha256(rfc8785.dumps(written)).hexdigest() == place["digest"]
    assert load_report(out) == report


def test_the_digests_of_the_other_files_are_in_the_report(report: AuditReport, out: Path) -> None:
    files = {
        path.relative_to(out).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
        and path.name not in WRITTEN_OF_THE_REPORT
    }
    assert files == report.files


def test_recording_the_same_audit_twice_changes_nothing(
    report: AuditReport, example: Example, ledger: Ledger, tmp_path: Path
) -> None:
    size = ledger.checkpoint().size
    again = audit(
        example.images,
        name="example",
        annotations=example.annotations,
        reference=example.reference,
        ledger=ledger,
        out=tmp_path / "again",
        **TERMS,
    )
    assert ledger.checkpoint().size == size
    assert again == report


def test_the_ledger_sums_up_the_version_without_a_row(
    report: AuditReport, out: Path, ledger: Ledger
) -> None:
    events = [e for e in ledger.entries(kind="dataset.sketch") if e.body["shard"] is not None]
    shards = [e.body["sketch"] for e in ledger.entries(kind="dataset.shard")]
    sketches = [Sketch.model_validate(event.body["sketch"]) for event in events]
    assert [sketch.digest() for sketch in sketches] == shards
    whole = recorded_sketch(ledger, report.root)
    assert whole == merge(sketches)
    assert whole.samples == report.source.pictures
    assert whole.file_bytes == report.source.bytes
    assert whole.counts["consent"] == {c.state.value: c.count for c in report.consent if c.count}
    distinct = report.source.pictures - report.figure("duplicates.exact")
    assert whole.distinct_files() == pytest.approx(distinct, rel=0.1)
    assert recorded_sketch(ledger, "0" * 64) is None


def test_a_sketch_that_is_not_of_its_rows_is_found(example: Example, tmp_path: Path) -> None:
    out = tmp_path / "out"
    audit(example.images, name="x", out=out, **TERMS)
    key = out / "sketches" / "key.hex"
    key.write_text("00" * 32)
    assert {one.what for one in check_report(out)} == {
        "sketches/key.hex", "sketch of samples/part-00000.parquet"
    }  # fmt: skip


def test_no_subject_stands_in_clear(report: AuditReport, out: Path) -> None:
    for path in out.rglob("*"):
        assert path.is_dir() or b"contributor-0" not in path.read_bytes()
    subjects = pq.read_table(out / report.shards[0].file)["subject"].to_pylist()
    assert all(re.fullmatch("[0-9a-f]{64}", subject) for subject in subjects if subject)


def test_the_page_stands_alone(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert not re.search(r"<script|<link|@import|url\(", page)
    assert not re.search(r'(?:src|href)="(?!data:image/)', page)
    assert "default-src 'none'" in page
    assert "Nobody has attested" in page
    assert "data:image/jpeg" in page


def test_no_picture_whose_consent_is_at_issue_is_shown(report: AuditReport, out: Path) -> None:
    page = (out / "report.html").read_text()
    shown = set(re.findall(r'<img src="[^"]+" alt="">([^<]+)<', page))
    private = {
        example.key
        for group in report.findings
        if group.code.startswith(("consent_", "exif_")) and group.code != "consent_without_evidence"
        for example in group.examples
    }
    assert shown
    assert not shown & private


def test_hostile_names_do_not_become_markup(tmp_path: Path, example: Example) -> None:
    images = tmp_path / "images"
    images.mkdir()
    name = "<img src=x onerror=alert(1)>.jpg"
    shutil.copy(example.images / "drawing-000.jpg", images / name)
    annotations = tmp_path / "a.csv"
    with annotations.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["file", "licence", "attr.<b>"], [name, "<script>alert(1)</script>", "<i>"]]
        )
    with pytest.raises(AnnotationsInvalid, match="no name for an attribute"):
        audit(images, name="x", annotations=annotations)
    annotations.write_text(annotations.read_text().replace("attr.<b>", "attr.b"))
    audit(images, name="<svg onload=alert(1)>", annotations=annotations, out=tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    for markup in ("<img src=x", "<script", "<svg onload", "<i>"):
        assert markup not in page


def test_the_attribution_list_names_everybody_who_asks_for_it(
    report: AuditReport, out: Path
) -> None:
    with (out / "attribution.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == report.figure("licence.attribution")
    assert all(row["creator"] or not row["source_url"] for row in rows)


def test_croissant_describes_the_rows_that_are_there(report: AuditReport, out: Path) -> None:
    described = json.loads((out / "croissant.json").read_text())
    (record_set,) = described["recordSet"]
    columns = [field["source"]["extract"]["column"] for field in record_set["field"]]
    assert columns == pq.read_schema(out / report.shards[0].file).names
    for file in described["distribution"]:
        assert file["sha256"] == sha256((out / file["contentUrl"]).read_bytes()).hexdigest()


@pytest.mark.filterwarnings("ignore")  # of the validator's own dependencies
def test_the_validator_of_croissant_reads_every_row(report: AuditReport, out: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="needs pip install mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
    rows = list(dataset.records("samples"))
    assert len(rows) == report.source.pictures


def test_the_number_of_workers_changes_nothing(example: Example, tmp_path: Path) -> None:
    """Enough pictures for the pool to be used, in real processes."""
    images = tmp_path / "images"
    for number in range(3):
        shutil.copytree(example.images, images / str(number))
    reports = [
        audit(images, name="x", out=tmp_path / f"out-{n}", workers=n, **TERMS) for n in (1, 2)
    ]
    assert reports[0] == reports[1]
    assert reports[0].source.pictures > 256


def test_progress_ends_where_it_said_it_would(example: Example) -> None:
    told: list[tuple[str, int, int]] = []
    audit(example.images, name="x", progress=lambda *tick: told.append(tick), **TERMS)
    inspecting = [(done, total) for what, done, total in told if what == "inspecting"]
    assert inspecting == sorted(inspecting)
    assert inspecting[-1][0] == inspecting[-1][1] > 0


def test_without_annotations_nothing_is_usable(example: Example) -> None:
    report = audit(example.images, name="x", **TERMS)
    assert report.figure("usable") == 0
    assert report.figure("consent.unknown") == report.source.pictures
    assert "nothing can be said about balance" in report.balance.statement


def test_an_earlier_audit_is_replaced_and_anything_else_is_left_alone(
    example: Example, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for name in ("one", "two"):
        audit(example.images, name=name, out=out, **TERMS)
    assert load_report(out).name == "two"
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    with pytest.raises(OutputOccupied):
        audit(example.images, name="x", out=precious, **TERMS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "precious"]


def test_a_failed_audit_leaves_nothing_behind(example: Example, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputFailed):
        audit(example.images, name="x", out=tmp_path / "file" / "out", **TERMS)
    bad = tmp_path / "bad.csv"
    bad.write_text("file,consent_state\na.jpg,perhaps\n")
    with pytest.raises(AnnotationsInvalid):
        audit(example.images, name="x", annotations=bad, out=tmp_path / "out", **TERMS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "file"]


def test_an_unknown_engine_is_refused(example: Example) -> None:
    with pytest.raises(EngineUnknown):
        audit(example.images, name="x", engine="spark")


def test_shards_do_not_depend_on_batches() -> None:
    pictures = list(range(23))
    for batch in (1, 4, 23):
        batches = [pictures[at : at + batch] for at in range(0, 23, batch)]
        shards = list(in_shards(batches, 10))  # type: ignore[arg-type]
        assert shards == [pictures[:10], pictures[10:20], pictures[20:]]


def test_the_summary_and_the_card_say_what_the_report_says(report: AuditReport, out: Path) -> None:
    summary = (out / "training-summary.md").read_text()
    assert [line for line in summary.splitlines() if line.startswith("## ")] == [
        "## 1. General information",
        "## 2. List of data sources",
        "## 3. Aspects of data processing",
    ]
    assert "| example.org | " in summary
    assert f"{report.source.pictures:,} pictures (less than 1 million)" in summary
    assert summary.count("To be written") == 5  # what nobody but the provider can say
    card = (out / "card.md").read_text()
    assert card.startswith('---\npretty_name: "example"\n')
    assert "size_categories:\n- n<1K" in card
    for group in report.findings:
        assert f"| {group.severity.value} | {group.title} | {group.count:,} |" in card


def test_words_of_strangers_mean_nothing_in_the_documents(
    tmp_path: Path, example: Example
) -> None:
    audit(example.images, name="a | b <script> [x](y)", out=tmp_path / "out", **TERMS)
    for name in ("card.md", "training-summary.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "# a \\| b \\<script\\> \\[x\\](y)" in text or "a \\| b" in text
        assert "<script>" not in text.replace("\\<script\\>", "").replace('"a | b <script>', "")


def test_the_report_prints_as_a_pdf(out: Path, tmp_path: Path) -> None:
    if not shutil.which("chromium"):
        pytest.skip("needs a browser: apt-get install chromium")
    print_pdf(out / "report.html", tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_without_a_browser_no_pdf_is_promised(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PdfUnavailable, match="Install the package chromium"):
        print_pdf(out / "report.html", tmp_path / "report.pdf")
