"""Every kind of file is signed so that a reader that is not ours finds nothing to object to."""

from contextlib import suppress
from pathlib import Path

import c2pa
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.credential import Attachments, sign, thumbnail
from provenance.credential.reader import open_store
from provenance.credential.sign import THUMBNAIL
from provenance.credential.writer.containers import container_of
from provenance.credential.writer.cose import _envelope, _padded
from provenance.credential.writer.place import top_boxes
from provenance.errors import PictureInvalid
from provenance.keys import KeySigner, TrustAnchors
from provenance.picture import Pixels, decode
from tests.credential.authority import Authority
from tests.credential.formats import KINDS, codes, file_of, film_of, third_party
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
    container = container_of(file_of(kind), kind)
    before = container.prepare(file_of(kind), theirs)
    assert container.xmp(before) == theirs
    found = container.xmp(sign(before, kind, claims(), signer).data)
    assert found is not None
    assert b'dc:rights="Example Pictures"' in found
    assert b"trainedAlgorithmicMedia" in found


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_do_not_move_the_pixels(kind: str) -> None:
    before = file_of(kind)
    container = container_of(before, kind)
    after = container.prepare(before, b"<x/>" * 300)
    assert (decode(before).pixels == decode(after).pixels).all()
    again = container.prepare(after, b"<y/>" * 40)
    assert container.xmp(again) == b"<y/>" * 40
    assert (decode(before).pixels == decode(again).pixels).all()


@pytest.mark.parametrize("kind", ["image/gif", "video/webm", "text/plain"])
def test_other_kinds_are_refused_by_name(signer: KeySigner, kind: str) -> None:
    with pytest.raises(PictureInvalid, match="PNG, JPEG, WebP, TIFF, AVIF and MP4"):
        sign(b"GIF89a", kind, claims(), signer)


def frames(file: Path) -> list[Pixels]:
    video, found = cv2.VideoCapture(str(file)), []
    while (read := video.read())[0]:
        found.append(np.asarray(read[1]))
    return found


@pytest.mark.parametrize("first", [b"mdat", b"moov"])
def test_a_video_is_signed_and_still_plays(
    signer: KeySigner, trust: TrustAnchors, tmp_path: Path, first: bytes
) -> None:
    """Its index points at places in the file, before or behind which it may stand."""
    plain, out = tmp_path / "plain.mp4", tmp_path / "signed.mp4"
    data = film_of() if first == b"mdat" else index_first(film_of())
    plain.write_bytes(data)
    signed = sign(data, "video/mp4", claims(), signer)
    out.write_bytes(signed.data)
    state, report = third_party(signed.data, "video/mp4", trust)
    assert (state, codes(report, "failure")) == ("Trusted", set())
    before, after = frames(plain), frames(out)
    assert len(before) == 3
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    with pytest.raises(PictureInvalid, match="already carries"):
        sign(signed.data, "video/mp4", claims(), signer)
    changed = bytearray(signed.data)
    changed[changed.index(b"mdat") + 300] ^= 1
    assert third_party(bytes(changed), "video/mp4", trust)[0] == "Invalid"


def index_first(data: bytes) -> bytes:
    """The video with its index before its frames, as for streaming."""
    boxes = {box[4:8]: box for _, box in top_boxes(data)}
    moved = bytearray(boxes[b"moov"])
    at = moved.index(b"stco") + 8
    for entry in range(int.from_bytes(moved[at : at + 4], "big")):
        place = slice(at + 4 + 4 * entry, at + 8 + 4 * entry)
        moved[place] = (int.from_bytes(moved[place], "big") + len(moved)).to_bytes(4, "big")
    others = (box for kind, box in boxes.items() if kind not in (b"ftyp", b"moov"))
    return b"".join((boxes[b"ftyp"], moved, *others))


@pytest.mark.parametrize("kind", KINDS)
@given(cut=st.floats(0, 0.98), noise=st.binary(max_size=40))
@settings(max_examples=40)
def test_a_damaged_file_is_an_error_with_words_or_is_signed(
    kind: str, cut: float, noise: bytes
) -> None:
    whole = FILES[kind]
    damaged = whole[: int(len(whole) * cut)] + noise
    with suppress(PictureInvalid):
        assert sign(damaged, kind, CLAIMS, SIGNER).store


@pytest.mark.parametrize("kind", KINDS)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 400), st.binary(max_size=4), st.integers(0, 8)), max_size=6
    )
)
@settings(max_examples=60)
def test_a_file_whose_lengths_lie_is_an_error_with_words_or_is_signed(
    kind: str, changes: list[tuple[int, bytes, int]]
) -> None:
    data = FILES[kind]
    for at, put, taken in changes:
        data = data[:at] + put + data[at + taken :]
    with suppress(PictureInvalid):
        signed = sign(data, kind, CLAIMS, SIGNER).data
        with suppress(c2pa.C2paError):  # it gives up on some files that we can still take apart
            assert third_party(signed, kind, TrustAnchors())[0] == "Valid"


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=120))
@settings(max_examples=40)
def test_a_statement_of_any_length_is_signed(title: str) -> None:
    """The length of the store decides about paddings; each must come out right."""
    stated = CLAIMS.model_copy(update={"title": title})
    signed = sign(FILES["image/jpeg"], "image/jpeg", stated, SIGNER)
    assert len(signed.store) % 2 == 0
    reading = open_store(signed.store)
    assert (reading.failures, reading.binding(signed.data).value) == ((), "holds")


@given(st.integers(0, 70_000), st.integers(0, 300))
@settings(max_examples=150)
def test_a_signature_has_every_length_that_is_asked_for(room: int, token: int) -> None:
    headers: dict[str, object] = {"sigTst2": bytes(token)}
    bare = len(_envelope(b"protected", bytes(64), headers | {"pad": b""}))
    assert len(_padded(b"protected", bytes(64), headers, bare + room)) == bare + room


@pytest.mark.parametrize("room", [*range(20, 30), *range(250, 270), *range(65_525, 65_550)])
def test_a_padding_whose_own_head_grows_still_fits(room: int) -> None:
    bare = len(_envelope(b"p", bytes(64), {"pad": b""}))
    assert len(_padded(b"p", bytes(64), {}, bare + room)) == bare + room


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
