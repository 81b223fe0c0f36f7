"""The report: its shape, what it says of the record, and what it keeps to itself."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from sqlalchemy import create_engine, text

from provenance.errors import LedgerKeyInvalid, PictureInvalid, ProvenanceUnavailable
from provenance.ledger import Ledger, VerifierKey, verify_inclusion
from provenance.picture import encode
from provenance.verify import Inclusion, Verdict, verify
from tests.credential.authority import DAY
from tests.credential.scenery import picture
from tests.verify.studio import Delivered, Studio

# What INTERFACES promises. More may stand there; nothing of this may be missing.
SHAPE = {
    "": {
        "file",
        "media_type",
        "sha256",
        "verdict",
        "origin",
        "summary",
        "credential",
        "watermark",
        "fingerprint",
        "record",
        "agreement",
        "disclosures",
        "legal",
    },
    "credential": {
        "state",
        "integrity",
        "coverage",
        "signer",
        "time",
        "revocation",
        "worst_ingredient",
        "codes",
    },
    "watermark": {"found", "scheme", "payload", "false_positive_probability", "geometry"},
    "fingerprint": {"pdq", "quality", "match"},
    "record": {"found", "id", "inclusion", "checkpoint"},
    "disclosures": {"provider", "system", "version", "created_at", "content_id"},
}


def test_of_a_stripped_copy_the_history_on_record_is_told(
    studio: Studio, delivered: Delivered
) -> None:
    whole = verify(delivered.data, sources=studio.sources)
    copy = verify(encode(delivered.pixels, "png"), sources=studio.sources)
    stranger = verify(delivered.data)

    assert (whole.verdict, copy.verdict) == (Verdict.ESTABLISHED, Verdict.RECOVERED)
    assert copy.history == whole.history
    assert copy.history is not None
    assert "c2pa.created" in copy.history.actions
    assert stranger.history is None


def test_the_json_is_the_promised_one(studio: Studio, delivered: Delivered) -> None:
    for data in (delivered.data, encode(picture(seed=70), "png")):
        report = json.loads(verify(data, sources=studio.sources).model_dump_json())
        assert SHAPE[""] <= report.keys()
        for part, names in SHAPE.items():
            assert names <= (report[part] if part else report).keys()
        assert report["credential"]["codes"].keys() == {"success", "informational", "failure"}
        assert report["credential"]["time"].keys() == {"value", "trusted"}
        assert all({"between", "holds", "detail"} <= a.keys() for a in report["agreement"])
        assert all({"line", "status", "because"} == item.keys() for item in report["legal"])


def test_all_layers_of_an_untouched_picture_name_the_same_record(
    studio: Studio, delivered: Delivered
) -> None:
    report = verify(delivered.data, sources=studio.sources)
    content_id = delivered.record.content_id
    assert report.fingerprint.match is not None
    assert {
        report.watermark.payload,
        report.record.id,
        report.fingerprint.match.record,
        report.disclosures.content_id,
    } == {content_id}
    assert report.fingerprint.match.distance == 0
    assert report.sha256 == delivered.record.sha256


def test_a_file_and_its_bytes_are_judged_alike(
    studio: Studio, delivered: Delivered, tmp_path: Path
) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(delivered.data)
    by_path = verify(file, sources=studio.sources)
    by_bytes = verify(delivered.data, sources=studio.sources)
    assert by_path.file == str(file)
    assert by_path.model_copy(update={"file": ""}) == by_bytes


def test_a_missing_file_is_an_error_with_words(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(PictureInvalid):
        verify(tmp_path / "nothing.png", sources=studio.sources)


def test_the_record_comes_with_a_checkpoint_that_anybody_can_check(
    studio: Studio, delivered: Delivered
) -> None:
    record = verify(delivered.data, sources=studio.sources).record
    assert record.inclusion is Inclusion.PROVED
    proof = studio.ledger.prove(delivered.record.content_id)
    assert verify_inclusion(proof, studio.ledger.verifier).note == record.checkpoint


def test_the_chance_of_a_match_grows_with_the_records_searched(
    studio: Studio, delivered: Delivered
) -> None:
    """A mirrored copy is found by search, a plain one by its mark."""
    plain = verify(encode(delivered.pixels, "png"), sources=studio.sources)
    mirrored = verify(encode(delivered.pixels[:, ::-1].copy(), "png"), sources=studio.sources)
    assert plain.fingerprint.match is not None
    assert mirrored.fingerprint.match is not None
    assert mirrored.fingerprint.match.distance >= plain.fingerprint.match.distance
    assert (
        mirrored.fingerprint.match.false_positive_probability
        >= plain.fingerprint.match.false_positive_probability
    )


def test_a_record_that_was_changed_in_the_database_contradicts(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    own = studio.deliver(picture(seed=71))
    copy = encode(own.pixels, "png")
    assert verify(copy, sources=studio.sources).verdict is Verdict.RECOVERED
    engine = create_engine(studio.url)
    with engine.begin() as connection:
        triggers = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'record'")
        ).scalars()
        for trigger in triggers.all():
            connection.execute(text(f'DROP TRIGGER "{trigger}"'))
        connection.execute(text("UPDATE record SET core = 'another core'"))
    engine.dispose()
    report = verify(copy, sources=studio.sources)
    studio.ledger.close()
    assert report.verdict is Verdict.CONTRADICTED
    assert report.record.inclusion is Inclusion.FAILED
    assert "record-not-proved" in report.summary


class Keyless:
    """A ledger whose verifier key nobody has."""

    def __init__(self, ledger: Ledger) -> None:
        self.record_by_content_id = ledger.record_by_content_id
        self.record_by_sha256 = ledger.record_by_sha256
        self.fingerprint_count = ledger.fingerprint_count
        self.nearest_record = ledger.nearest_record
        self.prove = ledger.prove

    @property
    def verifier(self) -> VerifierKey:
        raise LedgerKeyInvalid("no key is known")


def test_a_ledger_without_its_key_proves_nothing_but_still_recovers(
    studio: Studio, delivered: Delivered
) -> None:
    sources = replace(studio.sources, ledger=Keyless(studio.ledger))
    report = verify(encode(delivered.pixels, "png"), sources=sources)
    assert report.record.inclusion is Inclusion.UNAVAILABLE
    assert report.verdict is Verdict.RECOVERED


def test_a_ledger_that_cannot_be_asked_is_an_outage_and_no_answer(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    own = studio.deliver(picture(seed=72))
    studio.ledger.close()
    (tmp_path / "ledger.db").write_bytes(b"no database any more" * 500)
    for leftover in tmp_path.glob("ledger.db-*"):
        leftover.unlink()
    with pytest.raises(ProvenanceUnavailable):
        verify(own.data, sources=studio.sources)


def test_a_certificate_is_judged_at_the_moment_asked_about(
    studio: Studio, delivered: Delivered
) -> None:
    now = datetime.now(UTC)
    for moment, verdict in (
        (now, Verdict.ESTABLISHED),
        (now + 300 * DAY, Verdict.ESTABLISHED),
        # Out of its time then; but the ledger proves when it was made.
        (now + 400 * DAY, Verdict.RECOVERED),
    ):
        assert verify(delivered.data, sources=studio.sources, at=moment).verdict is verdict


def test_a_development_certificate_is_named_in_the_summary_and_in_the_signer(
    studio: Studio, delivered: Delivered
) -> None:
    for data in (delivered.data, encode(delivered.pixels, "png")):
        assert "development certificate" in verify(data, sources=studio.sources).summary
    signer = verify(delivered.data, sources=studio.sources).credential.signer
    assert signer is not None
    assert signer.development
    assert "DEVELOPMENT" in (signer.name or "")


def test_lines_of_law_follow_from_the_layers(studio: Studio, delivered: Delivered) -> None:
    signed = verify(delivered.data, sources=studio.sources)
    copy = verify(encode(delivered.pixels, "png"), sources=studio.sources)
    status = {line.line: str(line.status) for line in signed.legal}
    assert status["EU-E1"] == status["EU-E3"] == status["EU-E10"] == status["EU-E11"] == "pass"
    assert status["CA-C1"] == status["CA-C2"] == "pass"
    assert status["EU-E2"] == "fail"  # there is no time stamp yet
    stripped = {line.line: str(line.status) for line in copy.legal}
    assert stripped["EU-E1"] == stripped["EU-E10"] == stripped["CA-C1"] == "fail"
    assert stripped["EU-E3"] == stripped["CA-C2"] == "pass"


def test_no_personal_data_and_no_prompt_stand_in_a_credential(delivered: Delivered) -> None:
    assert b"prompt" not in delivered.record.credential


def test_a_report_survives_json(studio: Studio, delivered: Delivered) -> None:
    report = verify(delivered.data, sources=studio.sources)
    assert type(report).model_validate(orjson.loads(report.model_dump_json())) == report
