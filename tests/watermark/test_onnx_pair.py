"""A scheme with the operator's weights marks, reads, checks its files and claims what it may."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.cli import run
from provenance.errors import MarkInvalid, ProvenanceUnavailable, WatermarkFailed
from provenance.home import SETTINGS_FILE, Home
from provenance.picture import encode
from provenance.watermark import FALSE_POSITIVE_LIMIT
from provenance.watermark.keys import key_id
from provenance.watermark.onnx_pair import (
    FALSE_POSITIVES,
    WORD_BITS,
    OnnxPair,
    OnnxPairScheme,
    _read,
    _word,
)
from tests.support.onnx_pair import write_pair
from tests.watermark.pictures import flat, photographs, textured

PAYLOAD = bytes.fromhex("0123456789abcdef")
OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def pair(folder: Path) -> OnnxPair:
    return OnnxPair.model_validate(write_pair(folder))


@settings(max_examples=10, deadline=None)
@given(
    payload=st.binary(min_size=8, max_size=8), width=st.integers(64, 200), seed=st.integers(0, 99)
)
def test_any_payload_comes_back_from_pictures_of_any_size(
    pair: OnnxPair, folder: Path, payload: bytes, width: int, seed: int
) -> None:
    picture = textured(width, 64 + seed, seed)
    scheme = OnnxPairScheme(pair, folder)
    found = scheme.detect(scheme.embed(picture, payload))
    assert found is not None
    assert found.payload == payload
    assert found.false_positive_probability == FALSE_POSITIVES <= FALSE_POSITIVE_LIMIT


def test_photographs_hold_the_mark_and_look_alike(pair: OnnxPair, folder: Path) -> None:
    scheme = OnnxPairScheme(pair, folder)
    for picture in photographs().values():
        assert scheme.detect(picture) is None
        marked = scheme.embed(picture, PAYLOAD)
        assert marked.shape == picture.shape
        assert np.abs(marked.astype(int) - picture).mean() < 16


def test_a_mark_is_read_by_the_keys_of_its_deployment_alone(pair: OnnxPair, folder: Path) -> None:
    picture = textured(200, 150, 3)
    marked = OnnxPairScheme(pair, folder, [OLD]).embed(picture, PAYLOAD)
    found = OnnxPairScheme(pair, folder, [NEW, OLD]).detect(marked)
    assert found is not None
    assert found.key_id == key_id(OLD)
    assert found.false_positive_probability == 2 * FALSE_POSITIVES
    assert OnnxPairScheme(pair, folder, [NEW]).detect(marked) is None
    assert OnnxPairScheme(pair, folder).detect(marked) is None


@pytest.mark.parametrize("which", ["encoder", "decoder"])
def test_weights_with_another_digest_stop_it(pair: OnnxPair, folder: Path, which: str) -> None:
    other = pair.model_copy(update={f"{which}_sha256": "0" * 64})
    with pytest.raises(ProvenanceUnavailable, match="not 0000"):
        OnnxPairScheme(other, folder)


def test_missing_weights_stop_it(pair: OnnxPair, tmp_path: Path) -> None:
    with pytest.raises(ProvenanceUnavailable, match="cannot be read"):
        OnnxPairScheme(pair, tmp_path)


@pytest.mark.parametrize("wrong", [{"side": 128}, {"bits": 128}])
def test_a_declaration_that_the_weights_contradict_is_told(
    pair: OnnxPair, folder: Path, wrong: dict[str, int]
) -> None:
    scheme = OnnxPairScheme(pair.model_copy(update=wrong), folder)
    with pytest.raises(ProvenanceUnavailable, match=r"wardmark\.toml"):
        scheme.embed(textured(200, 200, 1), PAYLOAD)
    with pytest.raises(ProvenanceUnavailable, match=r"wardmark\.toml"):
        scheme.detect(textured(200, 200, 1))


def test_a_picture_that_does_not_hold_it_is_refused(pair: OnnxPair, folder: Path) -> None:
    weak = OnnxPairScheme(pair.model_copy(update={"strength": 0.001}), folder)
    with pytest.raises(WatermarkFailed, match="strength"):
        weak.embed(photographs()["chelsea"], PAYLOAD)


def test_payloads_and_pictures_that_do_not_fit_are_refused(pair: OnnxPair, folder: Path) -> None:
    scheme = OnnxPairScheme(pair, folder)
    with pytest.raises(MarkInvalid, match="8 bytes"):
        scheme.embed(textured(100, 100, 1), b"short")
    with pytest.raises(MarkInvalid, match="Scale it up"):
        scheme.embed(textured(63, 100, 1), PAYLOAD)
    assert scheme.detect(textured(63, 100, 1)) is None


def test_a_declaration_without_room_for_the_check_is_refused(pair: OnnxPair) -> None:
    for wrong in ({"bits": WORD_BITS - 1}, {"low": 1.0, "high": 1.0}, {"name": "../x"}):
        with pytest.raises(ValidationError):
            OnnxPair.model_validate(pair.model_dump() | wrong)


def test_up_to_eight_wrong_bits_are_mended_where_they_are_the_least_certain() -> None:
    rng = np.random.default_rng(5)
    sums = (2.0 * _word(PAYLOAD, NEW) - 1.0) * rng.uniform(1.0, 2.0, WORD_BITS)
    wrong = rng.permutation(WORD_BITS)[:8]
    sums[wrong] *= -0.1
    assert _read(sums, NEW) == PAYLOAD
    sums[(wrong[0] + 1) % WORD_BITS] *= -1.0
    assert _read(sums, NEW) is None


def test_flat_pictures_bear_no_mark_whatever_their_colour(pair: OnnxPair, folder: Path) -> None:
    scheme = OnnxPairScheme(pair, folder)
    for colour in ((0, 0, 0), (255, 255, 255), (90, 140, 200)):
        assert scheme.detect(flat(100, 100, colour)) is None


def test_a_home_that_declares_a_scheme_marks_detects_and_verifies_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.create(tmp_path / "home", provider="Test", version="0")
    declaration = write_pair(home.path)
    settings_file = home.path / SETTINGS_FILE
    said = settings_file.read_text().replace('scheme = ""', 'scheme = "tiny"')
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in declaration.items())
    settings_file.write_text(f"{said}\n[[schemes]]\n{table}")
    source, marked = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(encode(photographs()["chelsea"]))
    at_home = ["--home", str(home.path)]
    assert run([*at_home, "mark", str(source), "-o", str(marked), "--payload", PAYLOAD.hex()]) == 0
    assert run([*at_home, "detect", str(marked), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["scheme"], found["payload"]) == ("tiny", PAYLOAD.hex())
    assert found["key_id"] == key_id(home.mark_keys[0].key)
    assert run([*at_home, "verify", str(marked), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "unconfirmed"
    assert report["watermark"]["scheme"] == "tiny"
    (home.path / "decoder.onnx").write_bytes(b"other weights")
    assert run([*at_home, "verify", str(marked)]) == 4
