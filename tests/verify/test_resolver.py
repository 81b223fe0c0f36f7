"""Recovery through somebody else's Soft Binding Resolution API, spoken to over real HTTP."""

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest

from provenance.credential.container import find_store
from provenance.errors import AddressRefused, FetchFailed
from provenance.fetch import Fetcher
from provenance.picture import Pixels, encode
from provenance.verify import Origin, Report, Sources, Verdict, verify
from provenance.verify.resolver import Resolver, SoftBindingValue, resolve
from tests.credential.authority import Authority
from tests.credential.forge import CREATED, Forgery, Picture, pen
from tests.credential.scenery import SCHEME, picture

PUBLISHER = Authority("A publisher elsewhere")
PAYLOAD = bytes.fromhex("d00dfeedc0ffee17")
NEARBY = Fetcher(allow_loopback=True, seconds=5)
GENERATED = {
    "actions": [
        {
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/"
            "trainedAlgorithmicMedia",
        }
    ]
}


class Kept(NamedTuple):
    """What a resolver answers. ``moved``: the manifests lie at this other address."""

    store: bytes
    algorithms: tuple[str, ...] = (SCHEME.alg,)
    moved: str | None = None


def store(
    pixels: Pixels | None, payload: bytes = PAYLOAD, authority: Authority = PUBLISHER
) -> bytes:
    """A credential that states ``payload`` and carries ``pixels`` as its thumbnail."""
    blocks = [{"scope": {}, "value": payload}]
    said: dict[str, object] = {
        "c2pa.actions.v2": GENERATED,
        "c2pa.soft-binding": {"alg": SCHEME.alg, "pad": b"", "blocks": blocks},
    }
    if pixels is not None:
        said["c2pa.thumbnail.claim"] = Picture("image/jpeg", encode(pixels, "jpeg", quality=80))
    data = Forgery(said).into(encode(picture(seed=90), "png"), pen(authority.signer()))
    found = find_store(data, "image/png")
    assert found is not None
    return found.store


@contextlib.contextmanager
def resolver(
    kept: Kept, change: Callable[[str, bytes], bytes] = lambda path, body: body
) -> Iterator[tuple[str, list[str]]]:
    """The address of a running resolver, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            parts = urlsplit(self.path)
            if parts.path == "/v1/services/supportedAlgorithms":
                listed = {"watermarks": [{"alg": alg} for alg in kept.algorithms]}
                self.answer(json.dumps(listed).encode(), "application/json")
            elif parts.path == "/v1/matches/byBinding":
                value = base64.b64decode(parse_qs(parts.query)["value"][0])
                match = {"manifestId": "urn:c2pa:kept/1", "similarityScore": 97}
                if kept.moved:
                    match["endpoint"] = kept.moved
                found = [match] if value == PAYLOAD else []
                self.answer(json.dumps({"matches": found}).encode(), "application/json")
            elif unquote(parts.path) == "/v1/manifests/urn:c2pa:kept/1":
                self.answer(kept.store, "application/c2pa")
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            match = {"manifestId": "urn:c2pa:kept/1"}
            self.answer(json.dumps({"matches": [match]}).encode(), "application/json")

        def answer(self, body: bytes, kind: str) -> None:
            body = change(self.path, body)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture(scope="module")
def marked() -> Pixels:
    return SCHEME.embed(picture(seed=88), PAYLOAD)


def verified(pixels: Pixels, url: str, *, send_picture: bool = False) -> Report:
    asking = Resolver(url, NEARBY, send_picture=send_picture)
    sources = Sources(trust=PUBLISHER.trust, resolvers=(asking,))
    return verify(encode(pixels, "png"), sources=sources)


def names(report: Report) -> set[str | None]:
    return {agreement.name for agreement in report.agreement if not agreement.holds}


def test_a_stripped_copy_is_recovered_by_the_mark_and_the_picture_in_the_kept_credential(
    marked: Pixels,
) -> None:
    with resolver(Kept(store(marked))) as (url, asked):
        report = verified(marked, url)
    assert report.verdict is Verdict.RECOVERED, report.summary
    assert report.origin is Origin.AI_GENERATED
    (kept,) = report.resolution
    assert (kept.state.value, kept.similarity) == ("trusted", 97)
    assert 0 < kept.false_positive_probability < 0.1
    assert f"{kept.false_positive_probability:.0e}" in report.summary
    assert not any(path.startswith("/v1/matches/byContent") for path in asked)


def test_a_mark_that_leads_to_another_picture_was_transplanted(marked: Pixels) -> None:
    with resolver(Kept(store(picture(seed=92)))) as (url, _):
        report = verified(marked, url)
    assert report.verdict is Verdict.CONTRADICTED
    assert "transplanted-mark" in names(report)


def test_a_resolver_that_answers_with_something_else_smears_nobody(marked: Pixels) -> None:
    """The credential that it keeps does not even state the mark."""
    with resolver(Kept(store(picture(seed=92), payload=b"\0" * 8))) as (url, _):
        report = verified(marked, url)
    assert report.verdict is Verdict.UNCONFIRMED
    assert "resolved-unlike" in names(report)


@pytest.mark.parametrize(
    ("keeps", "name"),
    [
        (lambda seen: store(None), "resolved-without-likeness"),
        (lambda seen: store(seen, authority=Authority("Nobody")), "stored-credential-untrusted"),
        (lambda seen: store(seen, payload=b"\0" * 8), "look-alike"),
        (lambda seen: b"not a credential", "stored-credential-untrusted"),
        (lambda seen: store(seen).replace(b"forger", b"honest"), "stored-credential-untrusted"),
    ],
    ids=["no picture", "unknown signer", "states another mark", "garbage", "altered"],
)
def test_what_a_resolver_keeps_recovers_nothing_unless_everything_fits(
    marked: Pixels, keeps: Callable[[Pixels], bytes], name: str
) -> None:
    with resolver(Kept(keeps(marked))) as (url, _):
        report = verified(marked, url)
    assert report.verdict is Verdict.UNCONFIRMED, report.summary
    assert name in names(report)
    assert report.origin is Origin.UNKNOWN


def test_the_picture_is_sent_only_where_that_was_asked_for(marked: Pixels) -> None:
    """And by its looks alone, among nobody knows how many, nothing is recovered."""
    plain = picture(seed=88)
    with resolver(Kept(store(marked))) as (url, asked):
        silent = verified(plain, url)
        told = verified(plain, url, send_picture=True)
    assert silent.verdict is Verdict.NONE
    assert [path for path in asked if "byContent" in path] == ["/v1/matches/byContent?maxResults=3"]
    assert "look-alike" in names(told)
    assert told.verdict is not Verdict.RECOVERED


def test_an_algorithm_that_the_resolver_does_not_know_is_not_asked_for(marked: Pixels) -> None:
    with resolver(Kept(store(marked), algorithms=("com.adobe.trustmark.P",))) as (url, asked):
        report = verified(marked, url)
    assert asked == ["/v1/services/supportedAlgorithms"]
    assert report.verdict is Verdict.UNCONFIRMED


@pytest.mark.parametrize(
    "broken",
    [
        lambda path, body: b"<html>",
        lambda path, body: b"[]",
        lambda path, body: b'{"matches": "many"}',
        lambda path, body: b'{"watermarks": [1, null], "matches": [{"manifestId": 5}, null]}',
        lambda path, body: body.replace(b"kept/1", b"../../x"),
        lambda path, body: body * 2,
        lambda path, body: b"",
    ],
)
def test_nonsense_from_a_resolver_is_told_or_passed_over(
    marked: Pixels, broken: Callable[[str, bytes], bytes]
) -> None:
    with resolver(Kept(store(marked)), broken) as (url, _):
        report = verified(marked, url)
    assert report.verdict is Verdict.UNCONFIRMED
    assert not report.resolution or report.resolution[0].state.value != "trusted"


def test_a_resolver_that_is_down_is_told_and_takes_nothing_away(marked: Pixels) -> None:
    down = Resolver("http://127.0.0.1:9/v1", replace(NEARBY, seconds=0.5))
    report = verify(encode(marked, "png"), sources=Sources(resolvers=(down,)))
    assert report.verdict is Verdict.UNCONFIRMED
    assert "resolver-unavailable" in names(report)
    with pytest.raises((FetchFailed, AddressRefused)):
        resolve(down, [SoftBindingValue(SCHEME.alg, PAYLOAD)])


def test_a_match_in_a_private_network_is_not_fetched(marked: Pixels) -> None:
    with resolver(Kept(store(marked), moved="http://169.254.169.254/v1")) as (url, _):
        report = verified(marked, url)
    assert "resolver-unavailable" in names(report)
    assert report.verdict is Verdict.UNCONFIRMED


def test_without_a_word_of_it_no_service_on_this_machine_is_asked(marked: Pixels) -> None:
    with resolver(Kept(store(marked))) as (url, asked):
        report = verify(encode(marked, "png"), sources=Sources(resolvers=(Resolver(url),)))
    assert asked == []
    assert "resolver-unavailable" in names(report)


def test_a_file_that_proves_its_origin_is_not_told_to_anybody(marked: Pixels) -> None:
    said = {"c2pa.actions.v2": CREATED}
    signed = Forgery(said).into(encode(marked, "png"), pen(PUBLISHER.signer()))
    with resolver(Kept(store(marked))) as (url, asked):
        sources = Sources(trust=PUBLISHER.trust, resolvers=(Resolver(url, NEARBY),))
        assert verify(signed, sources=sources).verdict is Verdict.ESTABLISHED
    assert asked == []


def test_a_picture_with_too_little_detail_is_not_recovered_by_its_looks() -> None:
    flat = np.full((320, 320, 3), 128, np.uint8)
    flat[::2, ::2] = 131
    with resolver(Kept(store(flat))) as (url, _):
        report = verified(flat, url, send_picture=True)
    assert "resolved-without-likeness" in names(report)
