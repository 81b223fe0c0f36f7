"""The map of a data set: alike pictures lie together, and nobody is shown who should not be."""

import re
from datetime import date
from pathlib import Path

import numpy as np

from datasets_audit import audit
from datasets_audit.example import make_example
from datasets_audit.page.map import principal_plane, regions_of


def test_what_is_alike_lies_together() -> None:
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 2, (3, 256), dtype=np.uint8)
    which = rng.integers(0, 3, 300)
    bits = kinds[which] ^ (rng.random((300, 256)) < 0.05)
    points = principal_plane(bits.astype(np.uint8))
    assert points.min() >= 0
    assert points.max() <= 1
    middles = np.array([points[which == kind].mean(axis=0) for kind in range(3)])
    nearest = np.linalg.norm(points[:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearest == which).all()
    assert (principal_plane(bits.astype(np.uint8)) == points).all()


def test_every_picture_is_counted_and_only_some_are_shown() -> None:
    points = np.random.default_rng(2).random((200, 2))
    keys = [None if number % 2 else f"{number}.jpg" for number in range(200)]
    regions = regions_of(points, keys)
    assert sum(region.pictures for region in regions) == 200
    shown = {region.key for region in regions}
    assert shown <= set(keys)
    assert len(shown) == len(regions)
    assert regions_of(points[:1], [None])[0].key is None


def test_identical_pictures_have_a_map_all_the_same() -> None:
    assert np.isfinite(principal_plane(np.ones((20, 256), np.uint8))).all()


def test_the_report_has_a_map_without_pictures_that_nobody_may_show(tmp_path: Path) -> None:
    example = make_example(tmp_path / "example")
    audit(
        example.images, name="x", annotations=example.annotations, out=tmp_path / "out",
        as_of=date(2026, 6, 30), secret=bytes(32),
    )  # fmt: skip
    page = (tmp_path / "out" / "report.html").read_text()
    drawn = re.search(r'<svg class="map".*?</svg>', page, re.DOTALL)
    assert drawn
    assert drawn[0].count("<circle") > 100
    assert 0 < drawn[0].count("<image") <= 24
    bare = audit(example.images, name="x", out=tmp_path / "bare", as_of=date(2026, 6, 30))
    assert bare.figure("consent.unknown") == bare.source.pictures
    drawn = re.search(r'<svg class="map".*?</svg>', (tmp_path / "bare" / "report.html").read_text(),
                      re.DOTALL)  # fmt: skip
    assert drawn
    assert "<image" not in drawn[0]  # consent of all is unknown
