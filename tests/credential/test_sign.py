"""What signing promises."""

from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from provenance.credential import Claims, Integrity, SoftBinding, State, check_store, read, sign
from provenance.credential.container import find_store
from provenance.credential.contents import contents_of
from provenance.credential.manifest import statements
from provenance.errors import PictureInvalid, SignerUnavailable
from provenance.keys import Algorithm, KeySigner, TrustAnchors
from provenance.picture import MEDIA_TYPES, Format, decode
from tests.credential.authority import DAY, Authority
from tests.credential.scenery import claims, encoded

FORMATS: tuple[Format, ...] = ("png", "jpeg", "webp")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_signed_picture_is_trusted_intact_and_wholly_covered(
    signer: KeySigner, trust: TrustAnchors, kind: Format
) -> None:
    signed = sign(encoded(kind=kind), MEDIA_TYPES[kind], claims(), signer)
    found = read(signed.data, trust)
    assert (found.state, found.integrity) == (State.TRUSTED, Integrity.INTACT)
    assert found.coverage is not None
    assert found.coverage.share == 1.0
    assert found.codes.failure == ()


@pytest.mark.parametrize("kind", FORMATS)
def test_signing_leaves_the_pixels_alone(signer: KeySigner, kind: Format) -> None:
    before = encoded(kind=kind)
    after = sign(before, MEDIA_TYPES[kind], claims(), signer).data
    assert (decode(before).pixels == decode(after).pixels).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_the_store_is_what_stands_in_the_file_and_can_be_read_alone(
    signer: KeySigner, trust: TrustAnchors, kind: Format
) -> None:
    signed = sign(encoded(kind=kind), MEDIA_TYPES[kind], claims(), signer)
    found = find_store(signed.data, MEDIA_TYPES[kind])
    assert found is not None
    assert found.store == signed.store
    alone = check_store(signed.store, trust)
    assert (alone.state, alone.integrity) == (State.TRUSTED, Integrity.NOT_CHECKED)
    assert alone.content_id == claims().content_id


def test_everything_that_was_claimed_can_be_read(signer: KeySigner, trust: TrustAnchors) -> None:
    stated = claims()
    contents = read(sign(encoded(), "image/png", stated, signer).data, trust).contents
    assert contents is not None
    assert contents.disclosures.content_id == stated.content_id
    assert contents.disclosures.provider == stated.provider
    assert contents.disclosures.system == stated.system
    assert contents.disclosures.version == stated.system_version
    assert contents.disclosures.created_at == stated.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    created, watermarked = contents.actions
    assert (created.action, created.agent) == ("c2pa.created", "embedded 1")
    assert watermarked.action == "c2pa.watermarked.bound"
    assert contents.source_types == (stated.digital_source_type.value,)
    (binding,) = contents.soft_bindings
    assert stated.soft_binding is not None
    assert (binding.alg, binding.value) == (stated.soft_binding.alg, stated.content_id)


def test_a_signer_that_is_trusted_nowhere_is_only_valid(
    signer: KeySigner, trust: TrustAnchors
) -> None:
    stranger = Authority()
    signed = sign(encoded(), "image/png", claims(), stranger.signer())
    assert read(signed.data, trust).state is State.VALID
    assert read(signed.data, TrustAnchors()).state is State.VALID
    assert read(signed.data, stranger.trust).state is State.TRUSTED


def test_the_development_signer_is_named_as_one(signer: KeySigner, trust: TrustAnchors) -> None:
    found = read(sign(encoded(), "image/png", claims(), signer).data, trust).signer
    assert found is not None
    assert found.development
    assert "not for production" in (found.note or "")


def test_a_second_signature_does_not_erase_the_first(signer: KeySigner) -> None:
    signed = sign(encoded(), "image/png", claims(), signer)
    with pytest.raises(PictureInvalid, match="already carries a credential"):
        sign(signed.data, "image/png", claims(), signer)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/avif", "text/plain"])
def test_bytes_of_another_kind_are_not_signed(signer: KeySigner, media_type: str) -> None:
    with pytest.raises(PictureInvalid):
        sign(encoded(), media_type, claims(), signer)


def test_a_truncated_picture_is_an_error_of_ours(signer: KeySigner) -> None:
    with pytest.raises((PictureInvalid, SignerUnavailable)):
        sign(encoded()[:1000], "image/png", claims(), signer)


class Disconnected:
    """A key service that is down."""

    alg = Algorithm.ES256

    def __init__(self, certificate_chain: bytes) -> None:
        self.certificate_chain = certificate_chain

    def sign(self, data: bytes) -> bytes:
        raise SignerUnavailable("the key service does not answer")


def test_the_cause_of_a_failing_signer_is_told(signer: KeySigner) -> None:
    with pytest.raises(SignerUnavailable, match="does not answer"):
        sign(encoded(), "image/png", claims(), Disconnected(signer.certificate_chain))


def test_a_key_that_is_not_the_certificates_makes_no_credential(signer: KeySigner) -> None:
    other = KeySigner(Authority().key, signer.certificate_chain)
    with pytest.raises(SignerUnavailable, match="does not belong"):
        sign(encoded(), "image/png", claims(), other)


def test_an_expired_certificate_makes_no_credential() -> None:
    expired = Authority().signer(starts=-20 * DAY, ends=-10 * DAY)
    with pytest.raises(SignerUnavailable):
        sign(encoded(), "image/png", claims(), expired)


def test_ed25519_signs_too() -> None:
    authority = Authority()
    signer = authority.signer(key=ed25519.Ed25519PrivateKey.generate())
    assert signer.alg is Algorithm.ED25519
    assert read(sign(encoded(), "image/png", claims(), signer).data, authority.trust).proves


def test_a_key_is_not_shown(signer: KeySigner) -> None:
    assert "PRIVATE" not in repr(signer)
    assert "EllipticCurve" not in repr(signer)


def test_nothing_is_fetched_and_no_thumbnail_is_made(
    signer: KeySigner, trust: TrustAnchors
) -> None:
    data = sign(encoded(), "image/png", claims(), signer).data
    assert b"c2pa.thumbnail" not in data
    assert "signingCredential.ocsp.skipped" in read(data, trust).codes.informational


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        Claims.model_validate(claims().model_dump() | {"created_at": datetime(2026, 1, 1)})


@given(st.binary(min_size=1, max_size=64))
def test_any_soft_binding_value_comes_back(value: bytes) -> None:
    stated = claims().model_copy(update={"soft_binding": SoftBinding(alg="a.b", value=value)})
    report = {
        "active_manifest": "m",
        "manifests": {"m": {"assertion_store": statements(stated).assertions}},
    }
    contents = contents_of(report)
    assert contents is not None
    assert [binding.value for binding in contents.soft_bindings] == [value.hex()]
