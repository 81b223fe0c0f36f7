"""Reservations of rights: every signal is heard in any case, and which one decides is fixed."""

import json
from pathlib import Path

import pytest

from datasets_audit.errors import OptOutsInvalid
from datasets_audit.inspection import Inspection
from datasets_audit.reservation import Response, asked_of, reserved_by
from datasets_audit.rights import load_rights

URL = "https://pictures.example.org/a/cat.jpg?size=1"
SITE = "https://pictures.example.org"


def answers(*given: Response) -> dict[str, Response]:
    return {one.url: one for one in given}


def own(*headers: tuple[str, str], body: str = "", kind: str = "image/jpeg") -> Response:
    return Response(URL, 200, (*headers, ("Content-Type", kind)), body)


def site(file: str, body: str, status: int = 200) -> Response:
    return Response(f"{SITE}/{file}", status, (), body)


@pytest.mark.parametrize(
    ("response", "signal"),
    [
        (own(("X-Robots-Tag", "noai")), "x-robots-tag"),
        (own(("x-robots-tag", "NoAI")), "x-robots-tag"),
        (own(("X-ROBOTS-TAG", "noindex, NOIMAGEAI")), "x-robots-tag"),
        (own(("X-Robots-Tag", "index"), ("x-robots-tag", "gptbot: noimageai")), "x-robots-tag"),
        (own(("tdm-reservation", "1")), "tdm-header"),
        (own(("TDM-Reservation", " 1 ")), "tdm-header"),
        (own(body='<META NAME="TDM-Reservation" content="1">', kind="text/HTML"), "tdm-html"),
        (own(body='<meta name="Robots" content="NoAI, index">', kind="text/html"), "html-robots"),
        (site(".well-known/tdmrep.json", '[{"location": "/a/*", "TDM-Reservation": 1}]'),
         "tdmrep.json"),
        (site("ai.txt", "User-Agent: *\nDisallow: *.jpg"), "ai.txt"),
        (site("robots.txt", "USER-AGENT: GPTBot\nDISALLOW: /"), "robots.txt"),
        (site("robots.txt", "User-agent: a\nUser-agent: CCBot\nDisallow: /a/"), "robots.txt"),
        (site("robots.txt", "User-agent: *\nDisallow: /*.jpg"), "robots.txt"),
    ],
)  # fmt: skip
def test_a_reservation_is_heard_in_any_case(response: Response, signal: str) -> None:
    assert reserved_by(URL, answers(response)) == signal


@pytest.mark.parametrize(
    "response",
    [
        own(("X-Robots-Tag", "noindex")),
        own(("tdm-reservation", "0")),
        own(body='<meta name="robots" content="noai">', kind="image/jpeg"),
        site(".well-known/tdmrep.json", '[{"location": "/b/*", "tdm-reservation": 1}]'),
        site(".well-known/tdmrep.json", "<html>not found</html>"),
        site("robots.txt", "User-agent: *\nDisallow:"),
        site("robots.txt", "User-agent: somebody\nDisallow: /"),
        site("robots.txt", "User-agent: *\nDisallow: /a/\nAllow: /a/cat"),
        site("robots.txt", "User-agent: *\nDisallow: /", status=404),
        site("ai.txt", "User-Agent: *\nAllow: /\nDisallow: /b/"),
    ],
)
def test_what_reserves_nothing_reserves_nothing(response: Response) -> None:
    assert reserved_by(URL, answers(response)) is None


def test_the_most_specific_word_of_tdmrep_decides() -> None:
    file = site(".well-known/tdmrep.json", '[{"location": "/", "tdm-reservation": 1}]')
    assert reserved_by(URL, answers(file)) == "tdmrep.json"
    assert reserved_by(URL, answers(own(("TDM-Reservation", "0")), file)) is None
    nearer = json.dumps(
        [{"location": "/", "tdm-reservation": 1}, {"location": "/a/", "tdm-reservation": 0}]
    )
    assert reserved_by(URL, answers(site(".well-known/tdmrep.json", nearer))) is None


def test_what_one_protocol_allows_does_not_lift_what_another_reserves() -> None:
    given = answers(own(("TDM-Reservation", "0")), site("robots.txt", "User-agent: *\nDisallow: /"))
    assert reserved_by(URL, given) == "robots.txt"
    given = answers(own(("X-Robots-Tag", "noai"), ("TDM-Reservation", "1")))
    assert reserved_by(URL, given) == "x-robots-tag"


def test_a_site_that_nobody_asked_was_not_asked() -> None:
    given = answers(site("robots.txt", ""))
    assert asked_of(URL, given)
    assert not asked_of("https://elsewhere.example.org/cat.jpg", given)


def seen(**fields: str) -> Inspection:
    given = {"sha256": "a" * 64, "pdq": "0" * 64} | fields
    return Inspection(bytes=1, pdq_quality=100, **given)


def test_opt_out_lists_are_held_against_hash_look_address_and_domain(tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.csv"
    path.write_text(
        f"kind,value\nsha256,{'B' * 64}\npdq,{'f' * 56}{'0' * 8}\nurl,{URL}\nDomain,Example.NET\n"
    )
    rights = load_rights([path])
    assert rights.reserved(seen(sha256="b" * 64), None) == "opt-out:sha256"
    assert rights.reserved(seen(pdq="f" * 57 + "0" * 7), None) == "opt-out:pdq"
    assert rights.reserved(seen(), URL) == "opt-out:url"
    assert rights.reserved(seen(), "http://CDN.example.net:8080/x.png") == "opt-out:domain"
    assert rights.reserved(seen(), "https://notexample.net/x.png") is None
    assert rights.reserved(seen(no_training="plus:DataMining"), None) == "file:plus:DataMining"
    assert rights.asked(None)
    assert not load_rights().asked(URL)


def test_recorded_responses_are_read_with_repeated_headers(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    lines = [
        {"url": URL, "status": 200, "headers": {"X-Robots-Tag": ["index", "noai"]}},
        {"url": f"{SITE}/robots.txt", "status": 404, "headers": [["Server", "x"]], "body": "x"},
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    rights = load_rights(responses=path)
    assert rights.reserved(seen(), URL) == "x-robots-tag"
    assert rights.asked(URL)
    assert not rights.asked("https://elsewhere.example.org/")


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("a.csv", "kind,value\nsha256,xyz\n", "row 2: 'xyz' is no sha256"),
        ("a.csv", "kind,value\npdq,\nface,1\n", "row 3: 'face' is none of"),
        ("a.csv", "hash\nabc\n", "kind and value"),
        ("a.jsonl", '{"url": "x"}\n{"status": 200}\n', "row 2: KeyError"),
        ("a.jsonl", '{"url": "x", "headers": 3}\n', "row 1: TypeError"),
        ("a.jsonl", "[\n", "row 1"),
    ],
)
def test_a_list_that_is_none_names_its_rows(
    tmp_path: Path, name: str, text: str, named: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(OptOutsInvalid, match=named):
        load_rights([path] if name.endswith(".csv") else [], path)
