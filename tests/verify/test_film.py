"""Of a film the credential is looked at, and nothing is said of the rest."""

import pytest

from provenance.credential import State, sign
from provenance.verify import Verdict, verify
from provenance.verify.summary import NONE_IN_FILM
from tests.credential.formats import film_of
from tests.credential.scenery import claims
from tests.verify.studio import Studio

FILM = film_of()


@pytest.fixture(scope="module")
def signed(studio: Studio) -> bytes:
    return sign(FILM, "video/mp4", claims(), studio.signer).data


def test_a_signed_film_is_established(studio: Studio, signed: bytes) -> None:
    report = verify(signed, sources=studio.sources)
    assert (report.verdict, report.media_type) == (Verdict.ESTABLISHED, "video/mp4")
    assert "an AI-generated film" in report.summary
    assert (report.watermark.found, report.fingerprint.pdq) == (False, None)


def test_a_changed_frame_is_found(studio: Studio, signed: bytes) -> None:
    changed = bytearray(signed)
    changed[changed.index(b"mdat") + 300] ^= 1
    report = verify(bytes(changed), sources=studio.sources)
    assert report.verdict is Verdict.CONTRADICTED
    assert "altered-after-signing" in report.summary


def test_of_a_film_without_credential_it_is_said_what_was_not_looked_for(studio: Studio) -> None:
    report = verify(FILM, sources=studio.sources)
    assert (report.verdict, report.summary) == (Verdict.NONE, NONE_IN_FILM)


def test_a_film_of_endless_boxes_is_not_handed_on(studio: Studio, signed: bytes) -> None:
    crumbs = (8).to_bytes(4, "big") + b"free"
    inside = crumbs * 20_000
    moov = (8 + len(inside)).to_bytes(4, "big") + b"moov" + inside
    report = verify(signed + moov, sources=studio.sources)
    assert report.credential.state is State.UNREADABLE
    assert "boxes" in str(report.credential.reason)
