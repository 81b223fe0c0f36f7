"""A credential alone, on a picture that is there already."""

import json
from pathlib import Path

import pytest

from provenance.credential.writer.containers import container_of
from provenance.picture import decode
from tests.cli.conftest import Wardmark
from tests.credential.formats import KINDS, file_of, film_of

WRONG_USE, UNREADABLE = 2, 4
AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAMERA = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def definition(folder: Path, *actions: dict[str, object], **fields: object) -> Path:
    assertions = [{"label": "c2pa.actions", "data": {"actions": list(actions)}}]
    file = folder / "manifest.json"
    file.write_text(json.dumps({"assertions": assertions, **fields}))
    return file


def written(folder: Path, kind: str) -> tuple[Path, Path]:
    ending = kind.split("/")[1]
    source = folder / f"in.{ending}"
    source.write_bytes(file_of(kind, size=320))
    return source, folder / f"out.{ending}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_signed_as_it_is(wardmark: Wardmark, tmp_path: Path, kind: str) -> None:
    source, out = written(tmp_path, kind)
    said = wardmark("sign", source, "-o", out, "--json").document
    assert (said["state"], said["parent"], said["media_type"]) == ("trusted", "unsigned", kind)
    assert (decode(source.read_bytes()).pixels == decode(out.read_bytes()).pixels).all()
    report = wardmark("verify", out, "--json").document
    assert (report["verdict"], report["origin"]) == ("established", "unknown")


def test_a_film_is_signed_and_verified(wardmark: Wardmark, tmp_path: Path) -> None:
    source, out, page = tmp_path / "in.mp4", tmp_path / "out.mp4", tmp_path / "report.html"
    source.write_bytes(film_of())
    said = wardmark("sign", source, "-o", out, "--json").document
    assert (said["state"], said["media_type"]) == ("trusted", "video/mp4")
    report = wardmark("verify", out, "--html", page, "--json").document
    assert report["verdict"] == "established"
    assert "Films are not searched for marks" in page.read_text()
    assert wardmark("verify", source).code == 1
    assert wardmark("sign", out, "-o", tmp_path / "again.png").code == WRONG_USE


def test_what_a_definition_states_is_signed(wardmark: Wardmark, tmp_path: Path) -> None:
    source, out = written(tmp_path, "image/png")
    made = {"action": "c2pa.created", "digitalSourceType": AI}
    stated = definition(tmp_path, made, title="Harbour", claim_generator="another/1.0")
    assert wardmark("sign", source, "-o", out, "--manifest", stated).code == 0
    report = wardmark("verify", out, "--json").document
    assert (report["verdict"], report["origin"]) == ("established", "ai-generated")
    xmp = container_of(out.read_bytes(), "image/png").xmp(out.read_bytes())
    assert xmp is not None
    assert AI.encode() in xmp
    assert b"AIGC" in xmp


def test_a_photograph_is_not_labelled_as_generated(wardmark: Wardmark, tmp_path: Path) -> None:
    source, out = written(tmp_path, "image/jpeg")
    stated = definition(tmp_path, {"action": "c2pa.created", "digitalSourceType": CAMERA})
    assert wardmark("sign", source, "-o", out, "--manifest", stated).code == 0
    assert wardmark("verify", out, "--json").document["origin"] == "captured"
    assert b"TC260:AIGC" not in out.read_bytes()


def test_a_credential_that_is_there_becomes_the_parents(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    source, out = written(tmp_path, "image/webp")
    assert wardmark("sign", source, "-o", out).code == 0
    again = tmp_path / "again.webp"
    stated = definition(tmp_path, {"action": "c2pa.cropped"})
    said = wardmark("sign", out, "-o", again, "--manifest", stated, "--json").document
    assert (said["state"], said["parent"]) == ("trusted", "trusted")
    created = definition(tmp_path, {"action": "c2pa.created"})
    ran = wardmark("sign", out, "-o", tmp_path / "no.webp", "--manifest", created)
    assert (ran.code, (tmp_path / "no.webp").exists()) == (WRONG_USE, False)
    assert "carries a credential" in ran.err


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"assertions": [{"label": "c2pa.hash.data", "data": {}}]}', "written for you"),
        ('{"assertions": [{"label": "c2pa.ingredient.v3", "data": {}}]}', "written for you"),
        ('{"assertions": [{"label": "a b", "data": {}}]}', "cannot be read"),
        ('{"assertions": [{"label": "x.y", "data": {}}, {"label": "x.y", "data": {}}]}', "twice"),
        ('{"assertions": [{"label": "c2pa.actions", "data": {"actions": []}}]}', "list of actions"),
        ('{"assertions": [{"label": "c2pa.actions", "data": {"actions": [1]}}]}', "an object"),
        ('{"ingredients": [{"title": "x"}]}', "cannot be read"),
        ('{"assertions": [{"label": "c2pa.soft-binding", "data": {"blocks": [1]}}]}', "base64"),
        ("[" * 50_000, "cannot be read"),
    ],
)
def test_a_definition_that_cannot_be_signed_is_refused_in_words(
    wardmark: Wardmark, tmp_path: Path, text: str, cause: str
) -> None:
    source, out = written(tmp_path, "image/png")
    (tmp_path / "manifest.json").write_text(text)
    ran = wardmark("sign", source, "-o", out, "--manifest", tmp_path / "manifest.json")
    assert (ran.code, out.exists()) == (WRONG_USE, False)
    assert cause in ran.err


def test_signing_does_not_convert(wardmark: Wardmark, tmp_path: Path) -> None:
    source, _ = written(tmp_path, "image/png")
    ran = wardmark("sign", source, "-o", tmp_path / "out.jpg")
    assert ran.code == WRONG_USE
    assert "does not convert" in ran.err


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_whole_picture_is_not_signed(
    wardmark: Wardmark, tmp_path: Path, content: bytes
) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(content)
    ran = wardmark("sign", source, "-o", tmp_path / "out.png")
    assert ran.code in (WRONG_USE, UNREADABLE)
    assert not (tmp_path / "out.png").exists()
