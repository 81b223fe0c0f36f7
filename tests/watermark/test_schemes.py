"""Every scheme obeys the Protocol, and rivaGan says what it cannot do."""

import numpy as np
import pytest

from provenance.errors import MarkInvalid
from provenance.watermark import DEFAULT_SCHEME, SCHEMES, Detection, Scheme, load_scheme
from provenance.watermark.rivagan import PROVEN_RATE
from tests.watermark.pictures import photographs, textured


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_is_loaded_by_its_name(name: str) -> None:
    scheme: Scheme = load_scheme(name)
    assert scheme.name == name
    assert scheme.alg.startswith("org.wardmark.")
    assert scheme.payload_bits % 8 == 0


def test_the_default_is_one_of_them() -> None:
    assert load_scheme().name == DEFAULT_SCHEME


def test_an_unknown_scheme_is_refused_with_the_list() -> None:
    with pytest.raises(MarkInvalid, match="dwtDctSvd, dwtDct, rivaGan"):
        load_scheme("dwtdct")


def test_a_detection_goes_through_json_with_its_payload_in_hex() -> None:
    found = Detection(scheme="dwtDct", payload=b"\xff\x00\x80", false_positive_probability=1e-9)
    assert '"ff0080"' in found.model_dump_json()
    assert Detection.model_validate_json(found.model_dump_json()) == found


def test_riva_gan_carries_four_bytes_and_claims_no_more_than_was_measured() -> None:
    from imwatermark import WatermarkDecoder

    scheme = load_scheme("rivaGan")
    picture = np.ascontiguousarray(photographs()["astronaut"][:256, :256])
    payload = bytes.fromhex("1234abcd")
    marked = scheme.embed(picture, payload)
    found = scheme.detect(marked)
    assert scheme.payload_bits == 32
    assert marked.shape == picture.shape
    assert found is not None
    assert found.payload == payload
    assert found.false_positive_probability == PROVEN_RATE
    assert scheme.detect(picture) is None
    WatermarkDecoder.loadModel()
    assert bytes(WatermarkDecoder("bytes", 32).decode(marked[..., ::-1], "rivaGan")) == payload


def test_riva_gan_refuses_what_does_not_fit() -> None:
    scheme = load_scheme("rivaGan")
    with pytest.raises(MarkInvalid, match="4 bytes"):
        scheme.embed(textured(300, 300, 1), bytes(8))
    with pytest.raises(MarkInvalid, match="Scale it up"):
        scheme.embed(textured(200, 200, 1), b"abcd")
    assert scheme.detect(textured(200, 200, 1)) is None
