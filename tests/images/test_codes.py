"""Codes are writing too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.images import PictureAssessor
from guard.images.codes import Codes, host_of
from guard.images.finding import Subject
from tests.support.core import textured_picture
from tests.support.lettering import plain, with_code


def test_a_code_is_read_judged_and_shown_where_it_stands(assessor: PictureAssessor) -> None:
    picture = with_code(plain(), "https://Shop.Example/attack?id=7", left=150, top=90)
    (seen,) = assessor.assess([picture])
    assert seen.fields["qr.present"] is True
    assert seen.fields["qr.host"] == "shop.example"
    assert seen.scores["violence"] == 0.9
    (region,) = (r for r in seen.regions if r.kind == "code")
    assert region.category == "violence"
    assert region.text == "https://Shop.Example/attack?id=7"
    assert 150 <= region.x <= 175
    assert 90 <= region.y <= 115


def test_two_codes_give_both_hosts(assessor: PictureAssessor) -> None:
    one = with_code(plain(), "https://b.example/x", left=20, top=60)
    (seen,) = assessor.assess([with_code(one, "HTTP://A.EXAMPLE", left=280, top=60)])
    assert seen.fields["qr.host"] == "a.example b.example"


def test_a_code_without_an_address_names_no_host(assessor: PictureAssessor) -> None:
    (seen,) = assessor.assess([with_code(plain(), "table 12", left=100, top=80)])
    assert seen.fields["qr.present"] is True
    assert "qr.host" not in seen.fields


def test_a_code_in_a_large_picture_is_boxed_in_its_own_pixels() -> None:
    picture = with_code(plain(4000, 3000), "harbour", left=2000, top=1500, scale=16)
    (writing,) = Codes().find(Subject(picture)).writings
    assert writing.text == "harbour"
    assert abs(writing.box.x - (2000 + 4 * 16)) <= 16
    assert abs(writing.box.y - (1500 + 4 * 16)) <= 16


def test_pictures_without_codes_have_none() -> None:
    for seed in range(8):
        pixels = textured_picture("waves", 320, 240, seed)
        assert Codes().find(Subject(pixels)).fields == {"qr.present": False}


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://user:secret@Host.example:8443/a?b", "host.example"),
        ("www.example.org/x", "www.example.org"),
        ("https://[::1]/", "::1"),
        ("http://[broken", None),
        ("WIFI:S:net;P:word;;", None),
        ("mailto:someone@host", None),
        ("tea at four", None),
        ("", None),
    ],
)
def test_the_host_is_all_that_a_url_tells(text: str, host: str | None) -> None:
    assert host_of(text) == host


@given(st.text())
def test_any_text_has_a_host_or_none(text: str) -> None:
    host = host_of(text)
    assert host is None or host == host.lower()


def test_grey_noise_never_breaks_the_reader() -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        Codes().find(Subject(rng.integers(0, 255, (200, 300, 3), np.uint8)))
