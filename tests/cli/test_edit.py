"""``wardmark edit``, with the real parts from end to end."""

from pathlib import Path

import numpy as np
import pytest

from provenance.picture import Pixels, decode, encode
from tests.cli.conftest import Wardmark
from tests.support.core import textured_picture

DAY = "a red house on a meadow on a sunny day with mountains"


@pytest.fixture(scope="module")
def day(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from guard.cli import run

    path = tmp_path_factory.mktemp("made") / "day.png"
    arguments = ["generate", DAY, "-o", str(path), "--seed", "50", "--home", str(home)]
    assert run(arguments) == 0
    return path


def pixels(path: Path) -> Pixels:
    return decode(path.read_bytes()).pixels


def saved(path: Path, image: Pixels) -> Path:
    path.write_bytes(encode(image, "png"))
    return path


def test_an_edited_picture_is_established_with_its_parent(
    day: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    night = tmp_path / "night.png"
    prompt = "a red house on a meadow at night with mountains"
    ran = wardmark("edit", day, prompt, "-o", night, "--seed", 3, "--json")
    assert ran.code == 0, ran.err
    assert ran.document["source"]["credential"] == "trusted"
    assert ran.document["images"][0]["file"] == str(night)
    assert pixels(night).mean() < pixels(day).mean() / 2
    report = wardmark("verify", night, "--json").document
    assert (report["verdict"], report["origin"]) == ("established", "ai-edited")
    assert report["credential"]["worst_ingredient"] == "trusted"
    assert report["watermark"]["payload"] == ran.document["images"][0]["content_id"]
    assert report["record"]["inclusion"] == "proved"


def test_behind_a_mask_only_the_masked_part_changes(
    day: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    mask = np.zeros((512, 512, 3), np.uint8)
    mask[270:420, 130:330] = 255
    out = tmp_path / "blue.png"
    ran = wardmark(
        *("edit", day, DAY.replace("red", "blue"), "-o", out, "--seed", 3),
        *("--mask", saved(tmp_path / "mask.png", mask)),
    )
    assert ran.code == 0, ran.err
    away = np.abs(pixels(out).astype(int) - pixels(day)).max(axis=2)
    inside = mask[..., 0] > 0
    assert np.percentile(away[inside], 90) > 40
    assert np.percentile(away[~inside], 99) < 25  # two watermarks
    assert wardmark("verify", out, "--json").document["verdict"] == "established"


def test_a_picture_that_was_changed_is_not_made_good_by_an_edit(
    day: Path, wardmark: Wardmark, tmp_path: Path
) -> None:
    policy = tmp_path / "open.yaml"
    policy.write_text(
        "name: open\nversion: '1'\napplies: tests\ndescription: tests\n"
        "obligations: [watermark, credential, ledger]\n"
        "rules: [{id: a, stage: both, when: {field: score.sexual, op: '>', limit: 0.9},"
        " action: block, on_missing: skip, message: no}]\n"
    )
    first, changed = tmp_path / "first.jpg", tmp_path / "changed.jpg"
    assert wardmark("edit", day, "a meadow", "-o", first, "--steps", 2).code == 0
    data = bytearray(first.read_bytes())
    data[-200] ^= 0x11  # of the pixels
    changed.write_bytes(data)
    out = tmp_path / "out.png"
    ran = wardmark("edit", changed, "a meadow", "-o", out, "--policy", policy)
    assert ran.code == 0, ran.err
    ran = wardmark("verify", out, "--json")
    assert ran.code == 1
    assert ran.document["verdict"] == "contradicted"
    assert ran.document["credential"]["worst_ingredient"] == "invalid"


def test_a_picture_from_elsewhere_is_held_where_nobody_can_tell_what_it_shows(
    wardmark: Wardmark, tmp_path: Path
) -> None:
    photo = saved(tmp_path / "photo.png", textured_picture("a photograph", 640, 480, 1))
    out = tmp_path / "out.png"
    ran = wardmark("edit", photo, "a calm sea", "-o", out)
    assert ran.code == 3
    assert "the picture that was sent in is held for review" in ran.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--strength", "0"), 2, "strength of 0.0"),
        (("--strength", "nan"), 2, "strength of nan"),
        (("--strength", "2"), 2, "strength of 2.0"),
        (("--size", "512x384"), 2, "would be stretched"),
        (("--size", "500x500"), 2, "multiple of 64 from 384 to 768"),
        (("--mask", "missing.png"), 4, "missing.png cannot be read"),
        (("--mask", __file__), 4, "not a picture"),
        (("--steps", "101"), 2, "from 1 to 100"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(
    day: Path,
    wardmark: Wardmark,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    out = tmp_path / "out.png"
    ran = wardmark("edit", day, "a calm sea", "-o", out, *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.err
    assert not out.exists()
