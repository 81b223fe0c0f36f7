"""The verification page without a browser: what it answers, keeps and refuses."""

import http.server
import io
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from guard.gateway import create_app
from guard.gateway.limits import RateLimiter
from guard.gateway.uploads import MAX_UPLOAD_BYTES
from guard.pipeline import ImageRequest, deliver
from provenance.fetch import Fetcher
from provenance.home import Home
from provenance.picture import decode, encode
from tests.gateway.conftest import served
from tests.support.core import textured_picture
from tests.support.deployment import pipeline_of

# A busy machine may take its time.
http_post = partial(httpx.post, timeout=60)
http_get = partial(httpx.get, timeout=60)

STRANGER = encode(textured_picture("somebody else's", 128, 128, 9), "png")


@pytest.fixture
def delivered(home: Home) -> bytes:
    (released,) = pipeline_of(home).run(ImageRequest(prompt="a calm sea", seed=3)).released
    return deliver(released)


def post(address: str, data: bytes, name: str = "x.png") -> httpx.Response:
    return http_post(f"{address}/verify", files={"file": (name, io.BytesIO(data))})


def files_of(home: Home) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in home.path.rglob("*") if path.is_file()}


def test_the_page_answers_in_words_on_each_layer(address: str, delivered: bytes) -> None:
    page = post(address, delivered).text
    assert "We know where this picture comes from: it was made by AI" in page
    for layer in (
        "Signed statement in the file",
        "Hidden mark in the picture",
        "What the picture looks like",
        "Record of when it was made",
    ):
        assert layer in page
    assert page.count("How sure is that?") == 4


def test_a_copy_and_a_stranger_get_their_own_words(address: str, delivered: bytes) -> None:
    copy = encode(decode(delivered).pixels, "jpeg", quality=80)
    assert "This is a copy of a picture that is on record" in post(address, copy).text
    nothing = post(address, STRANGER).text
    assert "This does not tell you whether it was made by AI" in nothing
    assert "not made by AI" not in nothing


def test_many_who_ask_at_once_get_their_own_answers(address: str, delivered: bytes) -> None:
    copy = encode(decode(delivered).pixels, "jpeg", quality=80)
    sent = {"ours": delivered, "copy": copy, "strange": STRANGER, "text": b"no picture"}

    def ask(name: str) -> str:
        files = {"file": (name, sent[name])}
        answer = http_post(f"{address}/v1/verify", files=files).json()
        return str(answer.get("verdict", answer.get("error", {}).get("code")))

    asked = list(sent) * 6
    with ThreadPoolExecutor(len(asked)) as people:
        answers = list(zip(asked, people.map(ask, asked), strict=True))
    assert set(answers) == {
        ("ours", "established"),
        ("copy", "recovered"),
        ("strange", "none"),
        ("text", "invalid_image"),
    }


def test_nothing_of_a_picture_is_kept(
    address: str, home: Home, delivered: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was made")

    size, before = home.ledger.size, files_of(home)
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", refuse)
    noise = delivered + b"\0" * 3_000_000  # large enough for other form parsers to use the disk
    assert post(address, noise, "holiday-of-anna.png").status_code == 200
    assert (home.ledger.size, files_of(home)) == (size, before)


def test_what_a_sender_wrote_is_shown_as_text(address: str) -> None:
    page = post(address, STRANGER, "<img src=x onerror=alert(1)>.png").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


@pytest.mark.parametrize(
    ("files", "status", "says"),
    [
        ({"file": ("x.png", b"no picture")}, 400, "not a picture that can be read"),
        ({"file": ("x.png", b"")}, 400, "empty"),
        ({"file": ("", b"")}, 400, "choose a file"),
        ({"file": ("x.png", b"\0" * (MAX_UPLOAD_BYTES + 1))}, 413, "send a smaller"),
        ({"file": ("x.png", b"\0" * (MAX_UPLOAD_BYTES + 200_000))}, 413, "send a smaller"),
        ({"url": (None, "https://example.com/x.png")}, 400, "addresses are not fetched here"),
    ],
)
def test_what_cannot_be_examined_is_told_on_the_page(
    address: str, files: dict[str, tuple[str | None, bytes]], status: int, says: str
) -> None:
    answer = http_post(f"{address}/verify", files=files)
    assert answer.status_code == status
    assert says in answer.text
    assert 'role="alert"' in answer.text
    assert 'type="file"' in answer.text, "the form is there to try again"


def test_a_body_of_undeclared_length_is_counted(address: str) -> None:
    def drip() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(40):
            yield b"\0" * 2**20

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = http_post(f"{address}/v1/verify", content=drip(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "image_too_large"


@pytest.mark.parametrize("path", ["/verify", "/verify/nothing"])
def test_the_page_allows_no_inline_script_and_nothing_from_elsewhere(
    address: str, path: str
) -> None:
    answer = http_get(address + path)
    if answer.status_code == 200:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<style|style=|onclick=|<script>", answer.text)
        assert not re.search(r'(src|href)="(?!/verify/|#|data:)', answer.text)
        for asset in re.findall(r'(?:src|href)="(/verify/[^"]+)"', answer.text):
            assert http_get(address + asset).status_code == 200
    else:
        assert answer.json()["error"]["code"] == "not_found"


@pytest.fixture
def standstill(home: Home) -> Iterator[str]:
    """A gateway for which no time passes, so that no limit is ever refilled."""
    app = create_app(home, pipeline_of(home))
    app.state.detector.limiter = RateLimiter(3, clock=lambda: 0.0)
    app.state.feedback_limit = RateLimiter(2, clock=lambda: 0.0)
    with served(app) as address:
        yield address


def test_who_asks_too_often_is_told_when_to_come_back(standstill: str) -> None:
    with httpx.Client(base_url=standstill, timeout=60) as client:
        answers = [client.post("/v1/verify", json={}) for _ in range(4)]
        page = client.post("/verify", files={"file": ("x.png", STRANGER)})
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    late = answers[-1]
    assert late.json()["error"]["code"] == "rate_limit_exceeded"
    assert late.json()["error"]["type"] == "rate_limit_error"
    assert int(late.headers["retry-after"]) > 0
    assert page.status_code == 429
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"url": 1}', b'{"url": "https://a.example/", "more": 1}', b'{"file": "x"}'],
)
def test_json_that_names_no_address_is_refused_in_the_one_shape(address: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = http_post(f"{address}/v1/verify", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_value"


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "image/png", ""])
def test_a_body_of_another_kind_is_refused_in_the_one_shape(address: str, kind: str) -> None:
    answer = http_post(f"{address}/v1/verify", content=b"xx", headers={"content-type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_value"


class _Pictures(http.server.BaseHTTPRequestHandler):
    """One picture, one text, and a way to an address inside."""

    def do_GET(self) -> None:
        if self.path == "/inside":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "image/png" if self.path == "/x.png" else "text/html")
        self.end_headers()
        self.wfile.write(STRANGER)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pictures) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_address_is_fetched_where_the_operator_allows_it(home: Home, elsewhere: str) -> None:
    app = create_app(home, pipeline_of(home), fetcher=Fetcher(allow_loopback=True))
    with served(app) as address:
        found = http_post(f"{address}/v1/verify", json={"url": f"{elsewhere}/x.png"}).json()
        assert (found["verdict"], found["file"]) == ("none", f"{elsewhere}/x.png")
        page = http_post(f"{address}/verify", files={"url": (None, f"{elsewhere}/x.png")}).text
        assert "We found nothing that says where this picture comes from" in page
        for path, code in (("/inside", "address_refused"), ("/page.html", "fetch_failed")):
            refused = http_post(f"{address}/v1/verify", json={"url": elsewhere + path}).json()
            assert refused["error"]["code"] == code


def test_an_address_inside_is_not_fetched(home: Home, elsewhere: str) -> None:
    app = create_app(home, pipeline_of(home), fetcher=Fetcher())
    with served(app) as address:
        refused = http_post(f"{address}/v1/verify", json={"url": f"{elsewhere}/x.png"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "address_refused")


GOOD = {"verdict": "none", "opinion": "wrong"}


def test_feedback_is_recorded_without_a_person(address: str, home: Home) -> None:
    words = {"words": "I took this myself; write to anna@example.com"}
    for fields in (GOOD, GOOD | words):
        answer = http_post(f"{address}/verify/feedback", data=fields)
        assert answer.status_code == 200
        assert "Thank you" in answer.text
    plain, sealed = home.ledger.entries(kind="feedback.verification")
    assert plain.body == {"verdict": "none", "opinion": "wrong"}
    assert (sealed.body["verdict"], sealed.body["opinion"]) == ("none", "wrong")
    assert "anna" not in str(sealed.body)
    assert home.subjects.open(sealed).plain == words


@pytest.mark.parametrize(
    "fields",
    [{}, {"opinion": "right"}, GOOD | {"verdict": "real"}, GOOD | {"words": "x" * 1001}],
)
def test_feedback_on_nothing_is_refused(address: str, home: Home, fields: dict[str, str]) -> None:
    answer = http_post(f"{address}/verify/feedback", data=fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert list(home.ledger.entries(kind="feedback.verification")) == []


def test_feedback_cannot_fill_the_ledger(standstill: str, home: Home) -> None:
    codes = [http_post(f"{standstill}/verify/feedback", data=GOOD).status_code for _ in range(4)]
    assert codes == [200, 200, 429, 429]
    assert len(list(home.ledger.entries(kind="feedback.verification"))) == 2
