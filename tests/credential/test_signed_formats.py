"""Every kind of file is signed so that a reader that is not ours finds nothing to object to."""

from contextlib import suppress

import c2pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.credential import Attachments, sign, thumbnail
from provenance.credential.reader import open_store
from provenance.credential.sign import THUMBNAIL
from provenance.credential.writer.containers import container_of
from provenance.errors import PictureInvalid
from provenance.keys import KeySigner, TrustAnchors
from provenance.picture import decode
from tests.credential.authority import Authority
from tests.credential.formats import KINDS, codes, file_of, third_party
from tests.credential.scenery import claims, picture

SMALL = thumbnail(picture())


@pytest.mark.parametrize("kind", KINDS)
def test_a_third_party_reader_finds_nothing_wrong(
    signer: KeySigner, trust: TrustAnchors, kind: str
) -> None:
    before = file_of(kind)
    signed = sign(before, kind, claims(), signer, attached=Attachments(thumbnail=SMALL))
    state, report = third_party(signed.data, kind, trust)
    assert state == "Trusted"
    assert codes(report, "failure") == set()
    assert codes(report, "informational") == {"signingCredential.ocsp.skipped"}
    assert (decode(before).pixels == decode(signed.data).pixels).all()


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_development_authority_is_objected_to(signer: KeySigner, kind: str) -> None:
    signed = sign(file_of(kind), kind, claims(), signer)
    state, report = third_party(signed.data, kind, TrustAnchors())
    assert (state, codes(report, "failure")) == ("Valid", {"signingCredential.untrusted"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", [0.3, 0.6, 0.95])
def test_a_changed_byte_is_found_by_a_third_party(
    signer: KeySigner, trust: TrustAnchors, kind: str, where: float
) -> None:
    signed = sign(file_of(kind), kind, claims(), signer)
    start, taken = signed.data.index(signed.store), len(signed.store)
    at = int((len(signed.data) - taken) * where)
    at += taken if at >= start else 0  # the store itself is another test's subject
    changed = bytearray(signed.data)
    changed[at] ^= 0x40
    try:
        state, _ = third_party(bytes(changed), kind, trust)
    except c2pa.C2paError:
        state = "Invalid"  # c2pa gives up on some broken files
    assert state == "Invalid"


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_file_says_elsewhere_is_kept(signer: KeySigner, kind: str) -> None:
    theirs = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22'
    theirs += b'-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements'
    theirs += b'/1.1/" dc:rights="Example Pictures"/></rdf:RDF></x:xmpmeta>'
    container = container_of(kind)
    before = container.prepare(file_of(kind), theirs)
    assert container.xmp(before) == theirs
    found = container.xmp(sign(before, kind, claims(), signer).data)
    assert found is not None
    assert b'dc:rights="Example Pictures"' in found
    assert b"trainedAlgorithmicMedia" in found


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_do_not_move_the_pixels(kind: str) -> None:
    before = file_of(kind)
    after = container_of(kind).prepare(before, b"<x/>" * 300)
    assert (decode(before).pixels == decode(after).pixels).all()
    again = container_of(kind).prepare(after, b"<y/>" * 40)
    assert container_of(kind).xmp(again) == b"<y/>" * 40
    assert (decode(before).pixels == decode(again).pixels).all()


@pytest.mark.parametrize("kind", ["image/gif", "video/mp4", "text/plain"])
def test_other_kinds_are_refused_by_name(signer: KeySigner, kind: str) -> None:
    with pytest.raises(PictureInvalid, match="PNG, JPEG, WebP, TIFF and AVIF"):
        sign(b"GIF89a", kind, claims(), signer)


@pytest.mark.parametrize("kind", KINDS)
@given(cut=st.floats(0, 0.98), noise=st.binary(max_size=40))
@settings(max_examples=25)
def test_a_damaged_file_is_an_error_with_words_or_is_signed(
    kind: str, cut: float, noise: bytes
) -> None:
    whole = FILES[kind]
    damaged = whole[: int(len(whole) * cut)] + noise
    with suppress(PictureInvalid):
        assert sign(damaged, kind, CLAIMS, SIGNER).store


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=120))
@settings(max_examples=40)
def test_a_statement_of_any_length_is_signed(title: str) -> None:
    """The length of the store decides about paddings; each must come out right."""
    stated = CLAIMS.model_copy(update={"title": title})
    signed = sign(FILES["image/jpeg"], "image/jpeg", stated, SIGNER)
    assert len(signed.store) % 2 == 0
    reading = open_store(signed.store)
    assert (reading.failures, reading.binding(signed.data).value) == ((), "holds")


def test_the_thumbnail_is_small_and_signed(signer: KeySigner) -> None:
    signed = sign(
        file_of("image/png"), "image/png", claims(), signer, attached=Attachments(thumbnail=SMALL)
    )
    reading = open_store(signed.store)
    assert SMALL in signed.store
    assert reading.failures == ()
    assert max(decode(SMALL).pixels.shape) <= 192
    named = [uri["url"] for uri in reading.active.claim["created_assertions"]]  # type: ignore[attr-defined]
    assert any(url.endswith(THUMBNAIL) for url in named)


def test_a_credential_is_not_larger_than_what_it_says(signer: KeySigner) -> None:
    signed = sign(file_of("image/png"), "image/png", claims(), signer)
    assert len(signed.store) < 4096


FILES = {kind: file_of(kind, size=64) for kind in KINDS}
SIGNER = Authority().signer()
CLAIMS = claims()
