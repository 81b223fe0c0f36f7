"""What files say of themselves, and what captions give away."""

import io
from pathlib import Path

import cbor2
import pytest
from PIL import Image, PngImagePlugin

from datasets_audit import audit
from datasets_audit.inspection import inspect
from datasets_audit.personal import personal_kinds
from datasets_audit.selfstated import NOTHING, read_statements

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def with_xmp(properties: str, inside: str = "") -> bytes:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f"{properties}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(file, "JPEG", xmp=packet.encode())
    return file.getvalue()


def test_a_picture_that_says_nothing_says_nothing() -> None:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(file, "JPEG")
    assert read_statements(file.getvalue(), store=False) == NOTHING


def test_iptc_and_the_chinese_label_say_that_ai_made_it() -> None:
    assert inspect(with_xmp(f'Iptc4xmpExt:DigitalSourceType="{TRAINED}"')).synthetic
    assert inspect(with_xmp("TC260:AIGC='{\"Label\": \"1\"}'")).synthetic
    captured = TRAINED.replace("trainedAlgorithmicMedia", "digitalCapture")
    assert not inspect(with_xmp(f'Iptc4xmpExt:DigitalSourceType="{captured}"')).synthetic


def test_the_chunk_of_a_generator_says_that_ai_made_it() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a cat, steps: 20")
    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(file, "PNG", pnginfo=text)
    assert inspect(file.getvalue()).synthetic


@pytest.mark.parametrize(
    ("value", "forbids"),
    [
        ("DMI-PROHIBITED", True),
        ("DMI-PROHIBITED-AIMLTRAINING", True),
        ("DMI-PROHIBITED-GENAIMLTRAINING", True),
        ("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", True),
        ("DMI-ALLOWED", False),
        ("DMI-UNSPECIFIED", False),
    ],
)
def test_the_data_mining_property_is_heard(value: str, forbids: bool) -> None:
    said = f'plus:DataMining="http://ns.useplus.org/ldf/vocab/{value}"'
    assert (inspect(with_xmp(said)).no_training == "plus:DataMining") == forbids


@pytest.mark.parametrize(("use", "forbids"), [("notAllowed", True), ("allowed", False)])
def test_a_training_mining_assertion_is_heard(use: str, forbids: bool) -> None:
    entries = cbor2.dumps({"entries": {"cawg.ai_training": {"use": use}}})
    data = b"....cawg.training-mining\x00\x00\x00\x00\x40cbor" + entries
    assert (read_statements(data, store=True).no_training is not None) == forbids
    assert read_statements(data + b"cawg.training-mining\x00cbor\xff", store=True)


def test_statements_of_rights_are_kept_and_cut() -> None:
    rights = "<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>(c) A &amp; B</rdf:li></rdf:Alt>"
    assert inspect(with_xmp("", rights + "</dc:rights>")).rights == "(c) A & B"
    long = inspect(with_xmp(f'xmpRights:WebStatement="https://example.org/{"x" * 900}"')).rights
    assert long is not None
    assert len(long) == 300


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Write to jo.weber@example.org", ("email",)),
        ("call +49 30 1234567 at noon", ("phone",)),
        ("card 4111 1111 1111 1111", ("card",)),
        ("card 4111 1111 1111 1112", ()),
        ("IBAN DE89 3704 0044 0532 0130 00", ("bank",)),
        ("from 8.8.8.8 and 192.168.0.1", ("ip",)),
        ("number 078-05-1120", ("ssn",)),
        ("a dog at 12:30 on 2026-06-30, f/2.8 1/250 s ISO 100", ()),
        ("0000 0000 0000 0000", ()),
        ("@" * 50_000, ()),
    ],
)
def test_captions_that_reach_a_person_are_told_from_others(
    text: str, kinds: tuple[str, ...]
) -> None:
    assert personal_kinds(text) == kinds


def test_what_files_and_captions_say_becomes_findings(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    prohibited = 'plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"'
    (images / "a.jpg").write_bytes(with_xmp(prohibited))
    (images / "b.jpg").write_bytes(with_xmp(f'Iptc4xmpExt:DigitalSourceType="{TRAINED}"'))
    (tmp_path / "a.csv").write_text(
        f"file,caption,sha256\nb.jpg,by jo@example.org,{'0' * 64}\na.jpg,,\n"
    )
    report = audit(images, name="x", annotations=tmp_path / "a.csv")
    found = {group.code: group.examples[0] for group in report.findings}
    assert (found["rights_reserved"].key, found["synthetic_stated"].key) == ("a.jpg", "b.jpg")
    assert found["caption_personal"].detail == "email"
    assert found["url_drift"].key == "b.jpg"
    figures = ("rights.reserved", "synthetic", "privacy.caption", "poison")
    assert [report.figure(figure) for figure in figures] == [1, 1, 1, 1]
