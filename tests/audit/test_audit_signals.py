"""Asking sites what they reserve: on request, politely, nowhere private, and on the record."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from paint import jpeg

from datasets_audit import audit
from datasets_audit.errors import OptOutsInvalid
from datasets_audit.rights import load_rights
from datasets_audit.signals import (
    MAX_BODY,
    Asked,
    Manners,
    record_signals,
    stated_addresses,
)
from guard.cli import run
from provenance.fetch import Fetcher

HERE = Fetcher(allow_loopback=True, seconds=5, max_bytes=MAX_BODY)
QUICK = Manners("audit@example.org", delay=0.0, fetcher=HERE)


class Heard(NamedTuple):
    method: str
    path: str
    agent: str
    at_once: int


class Page(NamedTuple):
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Site(ThreadingHTTPServer):
    """Pages by path on loopback; remembers who asked, when, and how many at once."""

    daemon_threads = True

    def __init__(self, pages: dict[str, Page]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages
        self.heard: list[Heard] = []
        self.now = 0
        self.turn = threading.Lock()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}{path}"

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.heard]


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        with self.server.turn:
            self.server.now += 1
            heard = Heard(self.command, self.path, self.headers["User-Agent"], self.server.now)
            self.server.heard.append(heard)
        page = self.server.pages.get(self.path, Page(404))
        self.send_response(page.status)
        for name, value in page.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(page.body)
        with self.server.turn:
            self.server.now -= 1

    do_HEAD = do_GET  # noqa: N815 - as http.server names it

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(**pages: Page) -> Iterator[Site]:
    named = {"/" + name.replace("_dot_", ".").replace("__", "/"): p for name, p in pages.items()}
    with Site(named) as site:
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join(10)


def rows(record: Path) -> dict[str, dict[str, object]]:
    return {row["url"]: row for row in map(json.loads, record.read_text().splitlines())}


def test_what_a_site_says_is_recorded_with_day_and_hash_and_then_holds(tmp_path: Path) -> None:
    robots = b"User-agent: GPTBot\nDisallow: /closed/\n"
    with serving(
        robots_dot_txt=Page(body=robots),
        open_dot_jpg=Page(headers=(("Content-Type", "image/jpeg"),), body=b"a picture"),
        said_dot_jpg=Page(headers=(("X-Robots-Tag", "NoAI"),)),
        closed__a_dot_jpg=Page(),
    ) as site:
        urls = [site.url(path) for path in ("/open.jpg", "/said.jpg", "/closed/a.jpg")]
        asked = record_signals(urls, tmp_path / "said.jsonl", QUICK)
    assert asked == Asked(answered=3, kept_out=0, failed=0, left=0)
    assert site.paths() == [
        "GET /robots.txt", "GET /ai.txt", "GET /.well-known/tdmrep.json",
        "HEAD /closed/a.jpg", "HEAD /open.jpg", "HEAD /said.jpg",
    ]  # fmt: skip
    said = rows(tmp_path / "said.jsonl")
    assert said[site.url("/robots.txt")]["sha256"] == sha256(robots).hexdigest()
    assert said[urls[0]]["body"] == "", "no picture is kept"
    at = datetime.fromisoformat(str(said[urls[0]]["asked_at"]))
    assert abs((datetime.now(UTC) - at).total_seconds()) < 600

    folder = tmp_path / "set"
    folder.mkdir()
    lines = ["file,source_url"]
    for number, url in enumerate(urls):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
        lines.append(f"{number}.jpg,{url}")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert sorted(stated_addresses(folder, tmp_path / "a.csv")) == sorted(urls)
    rights = load_rights(responses=tmp_path / "said.jsonl")
    report = audit(folder, name="x", annotations=tmp_path / "a.csv", rights=rights,
                   as_of=date(2026, 6, 30), out=tmp_path / "out", secret=bytes(32))  # fmt: skip
    found = pq.read_table(tmp_path / "out" / report.shards[0].file)["reserved"].to_pylist()
    assert found == [None, "x-robots-tag", "robots.txt"]
    (file,) = report.rights
    assert file.sha256 == sha256((tmp_path / "said.jsonl").read_bytes()).hexdigest()
    assert file.first == file.last == at.date().isoformat()
    shown = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "2 pictures are reserved, of 3 that" in shown
    assert f"said.jsonl <code>{file.sha256[:12]}</code> (answers of {file.first})" in shown


def test_robots_txt_holds_for_us_and_who_we_are_is_said(tmp_path: Path) -> None:
    robots = b"User-agent: *\nDisallow: /\n\nUser-agent: Wardmark\nDisallow: /private/\n"
    with serving(robots_dot_txt=Page(body=robots), a_dot_jpg=Page(),
                 private__b_dot_jpg=Page()) as site:  # fmt: skip
        urls = [site.url("/a.jpg"), site.url("/private/b.jpg")]
        asked = record_signals(urls, tmp_path / "said", QUICK)
    assert (asked.answered, asked.kept_out) == (1, 1)
    assert "HEAD /private/b.jpg" not in site.paths()
    assert {one.agent for one in site.heard} == {"wardmark (data set audit; +audit@example.org)"}
    assert "keeps our agent out" in str(rows(tmp_path / "said")[urls[1]]["problem"])
    kept_out = load_rights(responses=tmp_path / "said")
    assert urls[1] not in kept_out.responses, "what was not asked is not taken for an answer"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_site_whose_robots_txt_fails_is_left_alone(tmp_path: Path, status: int) -> None:
    with serving(robots_dot_txt=Page(status), a_dot_jpg=Page()) as site:
        asked = record_signals([site.url("/a.jpg")], tmp_path / "said", QUICK)
    assert site.paths() == ["GET /robots.txt"]
    assert asked == Asked(0, 0, 1, 0)


def test_a_site_that_has_had_enough_is_asked_no_more(tmp_path: Path) -> None:
    with serving(b_dot_jpg=Page(429), c_dot_jpg=Page()) as site:
        urls = [site.url(f"/{name}.jpg") for name in "abc"]
        record_signals(urls, tmp_path / "said", QUICK)
    assert "HEAD /c.jpg" not in site.paths()
    assert "left alone" in str(rows(tmp_path / "said")[urls[2]]["problem"])


def test_one_host_is_asked_one_thing_at_a_time_with_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class Unhurried(threading.Event):
        """Time that passes at once."""

        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return self.is_set()

    monkeypatch.setattr("datasets_audit.signals.Event", Unhurried)
    manners = Manners("x@example.org", delay=20.0, fetcher=HERE)
    with serving(robots_dot_txt=Page(body=b"User-agent: *\nCrawl-delay: 50\n")) as site:
        record_signals([site.url(f"/{n}.jpg") for n in range(3)], tmp_path / "said", manners)
    ours, *theirs = [pause for pause in pauses if pause > 10]
    assert 10 < ours <= 20, "before its robots.txt was read, the pause is ours"
    assert len(theirs) == len(site.heard) - 2
    assert all(40 < pause <= 50 for pause in theirs), "a longer pause that the site asks for holds"
    assert {one.at_once for one in site.heard} == {1}


def test_a_site_that_asks_for_endless_pauses_is_not_asked(tmp_path: Path) -> None:
    with serving(robots_dot_txt=Page(body=b"User-agent: *\nCrawl-delay: 3600\n")) as site:
        assert record_signals([site.url("/a")], tmp_path / "said", QUICK).failed == 1


def test_redirects_are_followed_on_the_same_host_alone(tmp_path: Path) -> None:
    with serving(b_dot_jpg=Page(headers=(("X-Robots-Tag", "noimageai"),))) as site:
        site.pages["/a.jpg"] = Page(301, (("Location", "/b.jpg"),))
        site.pages["/out.jpg"] = Page(302, (("Location", site.url("/b.jpg", "localhost")),))
        site.pages["/loop.jpg"] = Page(302, (("Location", "/loop.jpg"),))
        urls = [site.url(path) for path in ("/a.jpg", "/out.jpg", "/loop.jpg")]
        asked = record_signals(urls, tmp_path / "said", QUICK)
    assert (asked.answered, asked.kept_out, asked.failed) == (1, 1, 1)
    said = rows(tmp_path / "said")
    assert said[urls[0]]["from"] == site.url("/b.jpg")
    assert load_rights(responses=tmp_path / "said").responses[urls[0]].header("x-robots-tag")
    assert "another host" in str(said[urls[1]]["problem"])


def test_of_a_page_the_beginning_is_read_and_no_more(tmp_path: Path) -> None:
    page = b'<meta name="tdm-reservation" content="1">' + b" " * (2 * MAX_BODY)
    with serving(a_dot_html=Page(headers=(("Content-Type", "text/html"),), body=page)) as site:
        record_signals([site.url("/a.html")], tmp_path / "said", QUICK)
    assert site.paths()[-2:] == ["HEAD /a.html", "GET /a.html"]
    assert len(str(rows(tmp_path / "said")[site.url("/a.html")]["body"])) == MAX_BODY


def test_nothing_private_is_asked(tmp_path: Path) -> None:
    manners = Manners("x@example.org", delay=0.0)
    with serving(a_dot_jpg=Page()) as site:
        urls = [site.url("/a.jpg"), site.url("/a.jpg", "localhost"), "http://169.254.169.254/x",
                "http://[::1]/a", "file:///etc/hostname", "http://10.0.0.1:22/x"]  # fmt: skip
        asked = record_signals(urls, tmp_path / "said", manners)
    assert site.heard == []
    assert asked.answered == 0
    assert asked.failed == 5
    assert not load_rights(responses=tmp_path / "said").responses


def test_what_is_on_record_is_not_asked_again(tmp_path: Path) -> None:
    with serving(a_dot_jpg=Page(), b_dot_jpg=Page()) as site:
        record_signals([site.url("/a.jpg")], tmp_path / "said", QUICK)
        before = len(site.heard)
        asked = record_signals([site.url("/a.jpg"), site.url("/b.jpg")], tmp_path / "said", QUICK)
    assert asked.answered == 1
    assert "HEAD /a.jpg" not in site.paths()[before:]


def test_a_host_is_not_asked_beyond_measure(tmp_path: Path) -> None:
    manners = Manners("x@example.org", delay=0.0, per_host=2, fetcher=HERE)
    with serving() as site:
        asked = record_signals([site.url(f"/{n}") for n in range(5)], tmp_path / "said", manners)
    assert asked == Asked(answered=2, kept_out=0, failed=0, left=3)


def test_a_record_that_was_changed_is_refused_by_its_row(tmp_path: Path) -> None:
    with serving(robots_dot_txt=Page(body=b"User-agent: CCBot\nDisallow: /\n")) as site:
        record_signals([site.url("/a.jpg")], tmp_path / "said", QUICK)
    text = (tmp_path / "said").read_text().replace("Disallow: /", "Disallow: /x")
    (tmp_path / "said").write_text(text)
    with pytest.raises(OptOutsInvalid, match=r"row 1: .*not the one that was recorded"):
        load_rights(responses=tmp_path / "said")


def test_nobody_is_asked_without_a_contact(tmp_path: Path) -> None:
    with pytest.raises(OptOutsInvalid, match="--contact"):
        record_signals(["https://example.org/a.jpg"], tmp_path / "said", Manners(" "))
    assert not (tmp_path / "said").exists()


def test_the_command_asks_only_when_told_to_and_names_what_is_missing(tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").write_bytes(jpeg(1))
    (tmp_path / "a.csv").write_text("file,source_url\na.jpg,http://10.1.2.3/a.jpg\n")
    common = [*home, "audit", str(tmp_path / "set"), "--name", "x", "--fetch-signals",
              "--annotations", str(tmp_path / "a.csv"), "--out", str(tmp_path / "out")]  # fmt: skip
    assert run([*home, "init"]) == 0
    assert run(common) == 2
    assert run([*common, "--responses", str(tmp_path / "said"), "--contact", "x@example.org"]) == 0
    assert "not a public address" in (tmp_path / "said").read_text()
