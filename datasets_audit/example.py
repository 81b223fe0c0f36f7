"""A small data set with known faults, to try the audit on and to test it with.

Drawings of circles and blocks by imaginary contributors, with annotations that leave gaps on
purpose. The same seed gives the same files. No picture shows a person.
"""

import csv
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.picture import Pixels, encode

WIDTH, HEIGHT = 256, 192  # pixels
DRAWINGS: Final = 132

_AGES = (("18-29", 0.45), ("30-44", 0.3), ("45-59", 0.15), ("60+", 0.1))
_GENDERS = (("woman", 0.36), ("man", 0.6), ("non-binary", 0.04))
_LICENCES = (
    ("CC-BY-4.0", 0.4),
    ("https://creativecommons.org/licenses/by-sa/4.0/", 0.15),
    ("CC0-1.0", 0.2),
    ("CC BY-NC 4.0", 0.15),
    ("ask the photographer", 0.05),
    ("", 0.05),
)
_COLUMNS = (
    "file", "consent_state", "consent_evidence", "consent_expires", "licence", "subject_id",
    "creator", "split", "source_url", "attr.age_band", "attr_origin.age_band", "attr.gender",
    "attr_origin.gender",
)  # fmt: skip
_REFERENCE = """\
# Invented for the example; a real one names its census and year.
name: Contributors of an imaginary town
version: "2026"
source: made up for the example
shares:
  age_band: {18-29: 0.22, 30-44: 0.26, 45-59: 0.25, "60+": 0.27}
  gender: {woman: 0.50, man: 0.48, non-binary: 0.02}
"""


@dataclass(frozen=True, slots=True)
class Example:
    """Where the example lies, and how often each fault was planted, by the code of its finding."""

    images: Path
    annotations: Path
    reference: Path
    planted: dict[str, int] = field(default_factory=dict)


def make_example(folder: Path, seed: int = 2026) -> Example:
    """Write the example below ``folder``, which need not exist."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    names = [f"drawing-{number:03d}.{'png' if number % 9 == 8 else 'jpg'}"
             for number in range(DRAWINGS)]  # fmt: skip
    drawings = [_draw(rng) for _ in names]
    for name, pixels in zip(names, drawings, strict=True):
        (images / name).write_bytes(_file(name, pixels))
    rows = [_row(rng, name) for name in names]
    _spoil_rows(rows)
    _mark_privacy(images)
    rows += _plant_files(images, drawings, rows)
    annotations = folder / "annotations.csv"
    with annotations.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    reference = folder / "reference.yaml"
    reference.write_text(_REFERENCE, encoding="utf-8")
    return Example(images, annotations, reference, dict(_PLANTED))


_PLANTED = {
    "consent_withdrawn": 2,
    "consent_expired": 5,
    "consent_contradicted": 1,
    "consent_without_evidence": 4,
    "picture_without_annotation": 3,
    "annotation_without_picture": 2,
    "duplicate_exact": 3,
    "duplicate_near": 2,
    "split_leak": 1,
    "picture_damaged": 1,
    "picture_not_a_picture": 1,
    "picture_empty": 1,
    "picture_dark": 1,
    "picture_light": 1,
    "picture_blurred": 1,
    "exif_gps": 2,
    "exif_serial": 1,
    "file_not_taken": 1,
}


def _draw(rng: np.random.Generator) -> Pixels:
    """A sky of two colours with blocks and discs, some fine texture, unlike any other."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    across = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / WIDTH
    first, second = rng.uniform(40, 230, (2, 3))
    pixels = first + (second - first) * (0.5 + 0.5 * np.sin(across * rng.uniform(2, 9)))[..., None]
    for _ in range(int(rng.integers(6, 14))):
        colour = rng.uniform(0, 255, 3)
        cx, cy = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        a, b = rng.uniform(12, 80, 2)
        if rng.random() < 0.5:
            inside = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1
        else:
            inside = (np.abs(x - cx) < a) & (np.abs(y - cy) < b)
        pixels[inside] = colour
    grain = rng.normal(0, 6, (HEIGHT, WIDTH, 1))
    return np.asarray(np.clip(pixels + grain, 0, 255), dtype=np.uint8)


def _file(name: str, pixels: Pixels, quality: int = 88) -> bytes:
    return (
        encode(pixels, "png") if name.endswith(".png") else encode(pixels, "jpeg", quality=quality)
    )


def _pick(rng: np.random.Generator, shares: tuple[tuple[str, float], ...]) -> str:
    return str(rng.choice([value for value, _ in shares], p=[share for _, share in shares]))


def _row(rng: np.random.Generator, name: str) -> dict[str, str]:
    number = int(rng.integers(1, 40))
    return {
        "file": name,
        "consent_state": "declared",
        "consent_evidence": f"form-{number:03d}.pdf",
        "consent_expires": "2031-12-31",
        "licence": _pick(rng, _LICENCES),
        "subject_id": f"contributor-{number:03d}",
        "creator": f"Contributor {number}",
        "split": "test" if rng.random() < 0.2 else "train",
        "source_url": f"https://example.org/drawings/{name}",
        "attr.age_band": _pick(rng, _AGES),
        "attr_origin.age_band": "self-declared",
        "attr.gender": _pick(rng, _GENDERS),
        "attr_origin.gender": "self-declared",
    }


def _spoil_rows(rows: list[dict[str, str]]) -> None:
    """Plant faults in the annotations; which rows does not matter, only that they differ."""
    for row in rows[0:2]:
        row["consent_state"] = "withdrawn"
    for row in rows[2:7]:
        row["consent_expires"] = "2025-12-31"
    for row in rows[7:11]:
        row["consent_evidence"] = ""
    for row in rows[11:17]:
        row["consent_state"] = row["consent_evidence"] = row["consent_expires"] = ""
    for row in rows[17:20]:
        row["consent_state"] = "claimed"
    for row in rows[20:30]:
        row["consent_state"] = "licensed"
    rows.append(rows[30] | {"consent_state": "claimed"})
    for number in range(2):
        rows.append(rows[31] | {"file": f"removed-{number}.jpg"})


def _plant_files(
    images: Path, drawings: list[Pixels], rows: list[dict[str, str]]
) -> Iterator[dict[str, str]]:
    """Copies, broken files and poor pictures, with the rows that speak of them."""
    blank = rows[40]
    for number in range(3):
        (images / f"copy-{number}.jpg").write_bytes(
            (images / rows[40 + number]["file"]).read_bytes()
        )
        yield rows[40 + number] | {"file": f"copy-{number}.jpg"}
    for number in range(2):
        name = f"smaller-{number}.jpg"
        (images / name).write_bytes(_file(name, _halve(drawings[50 + number]), quality=70))
        row = rows[50 + number]
        other = "test" if row["split"] == "train" else "train"
        yield row | {"file": name, "split": other if number == 0 else row["split"]}
    whole = (images / rows[45]["file"]).read_bytes()
    (images / "cut-short.jpg").write_bytes(whole[: len(whole) // 2])
    (images / "web-page.png").write_bytes(b"<!doctype html><title>404 Not Found</title>")
    (images / "empty.jpg").write_bytes(b"")
    (images / "notes.txt").write_text("Drawings for the example.\n", encoding="utf-8")
    dark = (drawings[55] // 12).astype(np.uint8)
    light = (255 - drawings[56] // 14).astype(np.uint8)
    blurred = _smooth(drawings[57])
    poor = {"night.jpg": dark, "overexposed.jpg": light, "out-of-focus.jpg": blurred}
    for name, pixels in poor.items():
        (images / name).write_bytes(_file(name, pixels))
        yield blank | {"file": name}


def _mark_privacy(images: Path) -> None:
    """EXIF that says where (somewhere in the North Sea) and with which camera."""
    for name, serial in (("drawing-060.jpg", False), ("drawing-061.jpg", True)):
        path = images / name
        jpeg = path.read_bytes()
        exif = b"Exif\x00\x00" + _exif(serial)
        segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
        path.write_bytes(jpeg[:2] + segment + jpeg[2:])


def _exif(serial: bool) -> bytes:
    """A TIFF header, a main directory, and the directories of camera and position."""
    ascii_, long, rational = 2, 4, 5  # TIFF 6.0 field types
    pointers = [(0x8769, long, 1, 38), (0x8825, long, 1, 56)]
    camera = [(0xA431, ascii_, 4, int.from_bytes(b"777\x00", "little"))] if serial else []
    place = [(0x0002, rational, 3, 86), (0x0004, rational, 3, 110)]
    block = struct.pack("<2sHI", b"II", 42, 8) + _directory(pointers)
    block = block.ljust(38, b"\x00") + _directory(camera)
    block = block.ljust(56, b"\x00") + _directory(place)
    return block.ljust(86, b"\x00") + struct.pack("<12I", 54, 1, 30, 1, 0, 1, 4, 1, 15, 1, 0, 1)


def _directory(entries: list[tuple[int, int, int, int]]) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", 0)


def _halve(pixels: Pixels) -> Pixels:
    quarters = pixels.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).astype(np.uint16)
    return np.asarray(quarters.sum(axis=(1, 3)) // 4, dtype=np.uint8)


def _smooth(pixels: Pixels) -> Pixels:
    """A box of 25 pixels, twice each way: out of focus beyond doubt."""
    blurred: NDArray[np.float64] = pixels.astype(np.float64)
    box = np.ones(25) / 25
    for axis in (0, 0, 1, 1):
        padded = np.pad(blurred, [(12, 12) if a == axis else (0, 0) for a in range(3)], mode="edge")
        blurred = np.apply_along_axis(np.convolve, axis, padded, box, mode="valid")
    return blurred.round().astype(np.uint8)
