"""A manifest's name leads to the record of its picture, and is never given twice."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.credential import read, sign
from provenance.credential.naming import PREFIX, content_id_in, manifest_name
from provenance.keys import KeySigner, TrustAnchors
from tests.credential.scenery import claims, encoded

CONTENT_IDS = st.binary(min_size=8, max_size=8).map(bytes.hex)


@given(content_id=CONTENT_IDS)
def test_a_name_is_a_random_uuid_and_holds_the_content_id(content_id: str) -> None:
    name = manifest_name(content_id)
    uuid = UUID(name.removeprefix(PREFIX))
    assert (uuid.version, uuid.variant) == (4, "specified in RFC 4122")
    assert content_id_in(name) == content_id
    assert manifest_name(content_id) != name


@pytest.mark.parametrize(
    "name",
    ["", "urn:c2pa:", "urn:uuid:01234567-89ab-4def-8123-456789abcdef", "0123456789abcdef", "ü\0"],
)
def test_what_is_no_such_name_holds_nothing(name: str) -> None:
    assert content_id_in(name) is None


def test_a_signed_picture_bears_such_a_name(signer: KeySigner, trust: TrustAnchors) -> None:
    signed = sign(encoded(), "image/png", claims("00ff00ff12345678"), signer)
    contents = read(signed.data, trust).contents
    assert contents is not None
    assert content_id_in(contents.manifest) == "00ff00ff12345678"
