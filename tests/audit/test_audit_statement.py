"""What an audit says under signature, what is withdrawn since, and what policies may ask of it."""

import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datasets_audit import AuditReport, audit, check_report, load_report
from datasets_audit.dsse import Envelope, opened, pre_authentication, seal
from datasets_audit.example import make_example
from datasets_audit.register import remember
from datasets_audit.statement import FILE, PAYLOAD_TYPE, ROOT
from datasets_audit.training import TrainingData
from datasets_audit.withdrawals import withdrawn_samples, withdrawn_subjects
from guard.deployment import load_training
from guard.errors import PolicyRefused
from guard.pipeline.request import ImageRequest
from provenance.errors import ProofInvalid
from provenance.home import Home
from provenance.ledger import LedgerKey
from tests.support.deployment import pipeline_of, policy_from

SUBJECT = "contributor-007"
POLICY = """
name: fresh
version: "1.0.0"
applies: Tests
description: Only cores whose data are audited, of late, and without a withdrawn sample.
obligations: [watermark, credential, ledger]
rules:
  - id: audit-too-old
    stage: prompt
    action: block
    when: {field: training.audit_age_days, op: ">", limit: 30}
    message: What this generator learnt from was not audited of late.
  - id: sample-withdrawn
    stage: prompt
    action: block
    when: {field: training.withdrawn_samples, op: ">", limit: 0}
    message: Somebody whose pictures this generator learnt from withdrew consent.
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    path = tmp_path_factory.mktemp("deployment") / "home"
    made = Home.create(path, provider="Test provider", version="0.0")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def report(home: Home) -> AuditReport:
    example = make_example(home.path.parent / "example")
    lines = example.annotations.read_text().splitlines()
    kept = [line for line in lines if ",withdrawn," not in line]
    example.annotations.write_text("\n".join(kept) + "\n")
    made = audit(
        example.images, name="drawings", annotations=example.annotations, ledger=home.ledger,
        out=home.path.parent / "audit", secret=home.commitment_key, key=home.ledger_key,
    )  # fmt: skip
    remember(home.path, made, home.path.parent / "audit")
    with (home.path / "wardmark.toml").open("a", encoding="utf-8") as settings:
        for core, digest in (("in-memory", made.root), ("lost", "ab" * 32)):
            settings.write(
                f'\n[[data_sets]]\ncore = "{core}"\nname = "drawings"\ndigest = "{digest}"\n'
            )
    return made


@pytest.fixture
def folder(home: Home, report: AuditReport) -> Path:
    return home.path.parent / "audit"


def test_the_form_of_a_signed_envelope_is_dsse() -> None:
    """The example of the DSSE protocol, section "Test vectors"."""
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    key = LedgerKey.generate("ledger.test/dsse")
    envelope = seal("text/plain", b"words", key)
    assert opened(envelope, "text/plain", [key.public]) == b"words"
    for broken in (
        envelope.model_copy(update={"payload": b64encode(b"other").decode()}),
        envelope.model_copy(update={"payload": "%"}),
    ):
        with pytest.raises(ProofInvalid):
            opened(broken, "text/plain", [key.public])
    with pytest.raises(ProofInvalid, match="not text/html"):
        opened(envelope, "text/html", [key.public])
    with pytest.raises(ProofInvalid, match="of a key of this ledger"):
        opened(envelope, "text/plain", [LedgerKey.generate(key.public.name).public])


def test_a_version_has_a_signed_statement_on_record(
    home: Home, report: AuditReport, folder: Path
) -> None:
    envelope = Envelope.model_validate_json((folder / FILE).read_bytes())
    said = json.loads(b64decode(envelope.payload))
    assert envelope.payload_type == PAYLOAD_TYPE
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    whole, *shards = said["subject"]
    assert whole == {"name": "drawings", "digest": {ROOT: report.root}}
    assert [one["digest"][ROOT] for one in shards] == [shard.root for shard in report.shards]
    assert said["predicate"]["samples"] == report.source.pictures
    (entry,) = home.ledger.entries(kind="dataset.statement")
    assert entry.body["dataset"] == {"name": "drawings", "root": report.root}
    assert check_report(folder, home.ledger.keys()) == []
    assert check_report(folder, home.verifier) == []


def test_a_statement_of_another_report_or_key_is_found(
    home: Home, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    stranger = LedgerKey.generate(home.ledger.origin)
    payload = b64decode(json.loads((copy / FILE).read_text())["payload"])
    for envelope in (
        seal(PAYLOAD_TYPE, payload, stranger),
        seal(PAYLOAD_TYPE, payload.replace(b"declared", b"licensed"), home.ledger_key),
    ):
        (copy / FILE).write_text(json.dumps(envelope.model_dump(by_alias=True)))
        assert [one.what for one in check_report(copy, home.ledger.keys())] == [FILE]
    (copy / FILE).write_text("{}")
    assert [one.what for one in check_report(copy, home.ledger.keys())] == [FILE]


def test_what_is_not_known_of_a_core_is_left_out(home: Home, report: AuditReport) -> None:
    assert TrainingData(home, "lost").facts() == {}
    assert TrainingData(home, "nobody").facts() == {}
    assert load_training(Home.open(home.path), "nobody") is None


def test_a_policy_takes_only_cores_whose_data_are_audited_of_late(
    home: Home, report: AuditReport, tmp_path: Path
) -> None:
    day = datetime.now(UTC).date()
    today = [day]
    data = TrainingData(Home.open(home.path), "in-memory", today=lambda: today[0])
    assert data.facts() == {"training.audit_age_days": 0, "training.withdrawn_samples": 0}
    pipeline = pipeline_of(home, policy=policy_from(tmp_path, POLICY))
    request = ImageRequest(prompt="a calm sea", seed=1)
    with pytest.raises(PolicyRefused, match="not audited of late"):
        pipeline.run(request)  # of a core of which nothing is known
    pipeline = replace(pipeline, training=data.facts)
    assert len(pipeline.run(request).released) == 1
    today[0] = day + timedelta(days=31)
    with pytest.raises(PolicyRefused, match="not audited of late"):
        pipeline.run(request)
    today[0] = day
    home.subjects.withdraw(SUBJECT)
    with pytest.raises(PolicyRefused, match="withdrew consent"):
        pipeline.run(request)


def test_a_withdrawal_holds_for_samples_of_an_earlier_audit(
    home: Home, report: AuditReport, folder: Path
) -> None:
    home.subjects.withdraw("contributor-011")
    subjects = withdrawn_subjects(home.ledger)
    found = withdrawn_samples(folder, subjects)
    assert report.figure("consent.withdrawn") == 0
    assert found.samples == len(found.keys) > 0
    assert withdrawn_samples(folder, ()).samples == 0
    facts = TrainingData(Home.open(home.path), "in-memory").facts()
    assert facts["training.withdrawn_samples"] >= found.samples


def test_rows_that_are_gone_say_nothing(home: Home, report: AuditReport, folder: Path) -> None:
    rows = folder / load_report(folder).shards[0].file
    rows.rename(rows.with_suffix(".moved"))
    try:
        assert TrainingData(Home.open(home.path), "in-memory").facts() == {}
    finally:
        rows.with_suffix(".moved").rename(rows)
