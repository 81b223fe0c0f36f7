"""Signs of poisoning: planted ones are found, and pictures that are merely alike are not."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from datasets_audit import AuditReport, audit

PATCH = np.kron(np.indices((4, 4)).sum(axis=0) % 2 * 255, np.ones((12, 12))).astype(np.uint8)


def pictures(count: int, patched: int, seed: int = 3) -> list[bytes]:
    """Smooth pictures, all different; the first ``patched`` have a chequered corner."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(coarse).resize((480, 480), Image.Resampling.BICUBIC))
        pixels = pixels.copy()
        if number < patched:
            pixels[-48:, -48:] = PATCH[..., None]
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=75 + number % 20)
        made.append(file.getvalue())
    return made


def audit_of(folder: Path, files: Sequence[bytes], captions: Sequence[str]) -> AuditReport:
    images = folder / "images"
    images.mkdir()
    rows = ["file,caption"]
    for number, data in enumerate(files):
        (images / f"{number:03d}.jpg").write_bytes(data)
        rows.append(f"{number:03d}.jpg,{captions[number % len(captions)]}")
    (folder / "a.csv").write_text("\n".join(rows) + "\n")
    return audit(images, name="x", annotations=folder / "a.csv")


def codes(report: AuditReport) -> dict[str, str | None]:
    return {group.code: group.examples[0].detail for group in report.findings}


def test_a_patch_that_pictures_share_is_found_where_it_stands(tmp_path: Path) -> None:
    found = codes(audit_of(tmp_path, pictures(40, patched=6), ["a"]))
    assert "in 6 distinct pictures, bottom right" in (found["trigger_patch"] or "")


def test_pictures_without_a_common_patch_have_none(tmp_path: Path) -> None:
    assert "trigger_patch" not in codes(audit_of(tmp_path, pictures(60, patched=3), ["a"]))


def test_copies_of_one_picture_share_no_patch_and_no_caption(tmp_path: Path) -> None:
    (one,) = pictures(1, patched=1)
    found = codes(audit_of(tmp_path, [one] * 12, ["a long caption of copies"]))
    assert not {"trigger_patch", "caption_repeated"} & found.keys()
    assert "duplicate_exact" in found


def test_a_caption_of_many_pictures_is_found(tmp_path: Path) -> None:
    said = [f"a caption of its own {number}" for number in range(20)]
    said[::2] = ["best product of the year"] * 10
    found = codes(audit_of(tmp_path, pictures(20, patched=0), said))
    assert found["caption_repeated"] == "the caption of 10 distinct pictures"
