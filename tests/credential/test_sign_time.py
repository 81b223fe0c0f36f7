"""Signatures that say when they were made, and what happens when nobody will say it."""

from datetime import timedelta

import pytest

from provenance.credential import read, sign
from provenance.credential.stamping import StampPolicy, TimeAuthorities
from provenance.errors import SignerUnavailable
from provenance.keys import KeySigner, TrustAnchors
from provenance.verify import Sources, verify
from provenance.verify.report import LineStatus
from tests.credential.authority import Authority
from tests.credential.formats import KINDS, codes, file_of, third_party
from tests.credential.scenery import claims, encoded
from tests.support.tsa import Answer, LoopbackAuthority, serving

NOBODY = "http://127.0.0.1:9/"  # the discard port, at which nothing listens


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_stamp_is_trusted_by_us_and_by_a_third_party(
    signer: KeySigner, trust: TrustAnchors, kind: str
) -> None:
    tsa = LoopbackAuthority()
    with serving(tsa.granted) as url:
        stamper = TimeAuthorities((url,), StampPolicy.REQUIRED, anchors=tsa.trust)
        signed = sign(file_of(kind), kind, claims(), signer, stamper=stamper)
    assert signed.time_stamped
    both = trust | tsa.trust
    state, report = third_party(signed.data, kind, both)
    assert state == "Trusted"
    assert {"timeStamp.trusted", "timeStamp.validated"} <= codes(report, "success")
    if kind in ("image/png", "image/jpeg", "image/webp"):
        found = read(signed.data, both)
        assert (found.proves, found.time.trusted) == (True, True)


def test_a_signature_outlives_its_certificate_where_it_is_time_stamped() -> None:
    authority, tsa = Authority(), LoopbackAuthority()
    soon = authority.signer(ends=timedelta(days=30))
    with serving(tsa.granted) as url:
        asked = TimeAuthorities((url,))
        stamped = sign(encoded(), "image/png", claims(), soon, stamper=asked)
    bare = sign(encoded(), "image/png", claims(), soon)
    anchors = authority.trust | tsa.trust
    stamp = read(stamped.data, anchors).time.value
    assert stamp is not None
    later = read(stamped.data, anchors).signer.valid_until + timedelta(days=1)  # type: ignore[union-attr,operator]
    assert read(stamped.data, anchors, at=later).proves
    assert not read(bare.data, anchors, at=later).proves


def test_a_time_stamp_answers_the_code_of_practice(signer: KeySigner, trust: TrustAnchors) -> None:
    """EU-E2: the signature covers everything and is time-stamped."""

    def status(data: bytes) -> LineStatus:
        report = verify(data, sources=Sources(trust=trust | TSA.trust))
        return next(line.status for line in report.legal if line.line == "EU-E2")

    bare = sign(encoded(), "image/png", claims(), signer)
    with serving(TSA.granted) as url:
        asked = TimeAuthorities((url,))
        stamped = sign(encoded(), "image/png", claims(), signer, stamper=asked)
    assert (status(bare.data), status(stamped.data)) == (LineStatus.FAIL, LineStatus.PASS)


def junk(_: bytes) -> tuple[int, bytes]:
    return 200, b"<html>It works!</html>"


def down(_: bytes) -> tuple[int, bytes]:
    return 503, b""


def endless(_: bytes) -> tuple[int, bytes]:
    return 200, bytes(70_000)


TSA = LoopbackAuthority()
TOO_LATE = LoopbackAuthority(timedelta(hours=3))
STRANGER = LoopbackAuthority()
WRONG: dict[str, tuple[Answer, str]] = {
    "junk": (junk, "http"),
    "status": (down, "status 503"),
    "endless": (endless, "too long"),
    "refused": (TSA.refused, "refused, status 2"),
    "another": (TSA.of_another, "another signature"),
    "clock": (TOO_LATE.granted, "not now"),
    "stranger": (STRANGER.granted, "not trusted"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_no_time_stamp(signer: KeySigner, name: str) -> None:
    answer, cause = WRONG[name]
    anchors = TSA.trust if name != "clock" else TrustAnchors()
    with serving(answer) as url:
        required = TimeAuthorities((url,), StampPolicy.REQUIRED, anchors=anchors)
        with pytest.raises(SignerUnavailable, match=cause):
            sign(encoded(), "image/png", claims(), signer, stamper=required)


def test_the_next_authority_is_asked_where_one_is_down(signer: KeySigner) -> None:
    with serving(TSA.granted) as url, serving(down) as broken:
        several = TimeAuthorities((NOBODY, broken, url), StampPolicy.REQUIRED)
        assert sign(encoded(), "image/png", claims(), signer, stamper=several).time_stamped


def test_policy_decides_what_happens_without_an_authority(
    signer: KeySigner, trust: TrustAnchors
) -> None:
    def signed(policy: StampPolicy) -> bool:
        stamper = TimeAuthorities((NOBODY,), policy)
        made = sign(encoded(), "image/png", claims(), signer, stamper=stamper)
        assert read(made.data, trust).proves
        return made.time_stamped

    assert not signed(StampPolicy.TRY)
    assert not signed(StampPolicy.OFF)
    with pytest.raises(SignerUnavailable, match="policy requires one"):
        signed(StampPolicy.REQUIRED)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://tsa.test/", "tsa.test", "http://"])
def test_only_the_web_is_asked(signer: KeySigner, url: str) -> None:
    required = TimeAuthorities((url,), StampPolicy.REQUIRED)
    with pytest.raises(SignerUnavailable, match="not an http or https address"):
        sign(encoded(), "image/png", claims(), signer, stamper=required)
