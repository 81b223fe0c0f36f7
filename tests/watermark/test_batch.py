"""Many pictures in one call."""

import numpy as np
import pytest

from provenance.errors import MarkInvalid
from provenance.watermark import detect_all, embed_all, load_scheme
from tests.watermark.pictures import textured

PAYLOADS = [bytes.fromhex(f"{number}badc0ffee15900d") for number in range(1, 5)]


@pytest.mark.parametrize("name", ["lattice", "dwtDctSvd"])
def test_a_batch_is_what_its_pictures_are_one_by_one(name: str) -> None:
    scheme = load_scheme(name)
    pictures = [textured(300 + 40 * number, 320, number) for number in range(4)]

    marked = embed_all(scheme, pictures, PAYLOADS)
    found = detect_all(scheme, [*marked, pictures[0]])

    for picture, payload, alone in zip(pictures, PAYLOADS, marked, strict=True):
        assert np.array_equal(scheme.embed(picture, payload), alone)
    assert [one and one.payload for one in found] == [*PAYLOADS, None]


def test_a_picture_that_cannot_be_marked_is_named_by_its_place() -> None:
    pictures = [textured(300, 300, 1), textured(40, 40, 1)]

    with pytest.raises(MarkInvalid, match="picture 2 of 2: The picture is 40x40"):
        embed_all(load_scheme("lattice"), pictures, PAYLOADS[:2])


def test_pictures_and_payloads_are_of_one_number() -> None:
    with pytest.raises(MarkInvalid, match="1 pictures and 4 payloads"):
        embed_all(load_scheme("lattice"), [textured(300, 300, 1)], PAYLOADS)


def test_an_empty_batch_is_empty() -> None:
    assert detect_all(load_scheme("lattice"), []) == []
