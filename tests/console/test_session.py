"""Sessions: they end, they cannot be made up, and they carry no right of their own."""

from collections.abc import Iterator

import httpx
import pytest

from guard.console.app import SIGN_INS_PER_MINUTE
from guard.console.page import inside
from guard.console.session import FORM_SECONDS, IDLE, LONGEST, Sessions
from guard.gateway.callers import Identity, Role, Scope
from guard.gateway.limits import RateLimiter
from tests.console.conftest import FIGHT, Console, exchanged, hidden

SECRET = bytes(32)


class Clock:
    now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(SECRET, clock)


def test_a_session_ends_after_half_an_hour_without_a_page(
    sessions: Sessions, clock: Clock
) -> None:
    sealed = sessions.seal(sessions.begin("key_1"))
    clock.now += IDLE
    opened = sessions.open(sealed)
    assert opened is not None
    assert opened.subject == "key_1"
    clock.now += 1
    assert sessions.open(sealed) is None


def test_a_session_that_is_used_all_day_ends_nevertheless(
    sessions: Sessions, clock: Clock
) -> None:
    session = sessions.begin("key_1")
    for _ in range(LONGEST // IDLE):
        clock.now += IDLE
        kept = sessions.open(sessions.seal(sessions.touched(session)))
        assert kept is not None
        session = kept
    clock.now += 1
    assert sessions.open(sessions.seal(sessions.touched(session))) is None


def test_no_changed_byte_of_a_cookie_is_believed(sessions: Sessions) -> None:
    sealed = sessions.seal(sessions.begin("key_1"))
    for place in range(len(sealed)):
        other = "A" if sealed[place] != "A" else "B"
        changed = sealed[:place] + other + sealed[place + 1 :]
        opened = sessions.open(changed)
        assert opened is None or opened == sessions.open(sealed)  # unused bits of base64
    assert Sessions(bytes([1] * 32)).open(sealed) is None


@pytest.mark.parametrize("cookie", ["", ".", "a", "é.é", "x" * 5_000, "e30.e30"])
def test_nonsense_in_a_cookie_is_nobody(sessions: Sessions, cookie: str) -> None:
    assert sessions.open(cookie) is None
    assert not sessions.is_form(cookie, cookie)


def test_a_sign_in_form_is_good_for_its_own_browser_and_an_hour(
    sessions: Sessions, clock: Clock
) -> None:
    mine, other = sessions.form(), sessions.form()
    assert sessions.is_form(mine, mine)
    assert not sessions.is_form(mine, other)
    clock.now += FORM_SECONDS + 1
    assert not sessions.is_form(mine, mine)


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/console/", "//evil.example/console/", "/\\evil.example", "/v1", "x", ""],
)
def test_nobody_is_sent_to_another_place_after_the_sign_in(path: str) -> None:
    assert inside(path) == "/console"
    assert inside("/console/decisions?rule=x") == "/console/decisions?rule=x"


@pytest.fixture
def admin(console: Console) -> Iterator[httpx.Client]:
    with console.client(console.key()) as client:
        yield client


def test_cookies_are_kept_from_scripts_and_other_sites(console: Console) -> None:
    with console.client() as client:
        form = client.get("/sign-in")
        answer = client.post(
            "/sign-in", data={"form": hidden(form.text, "form"), "key": console.key()}
        )
    cookie = next(c for c in answer.headers.get_list("set-cookie") if "wardmark_console=" in c)
    for flag in ("HttpOnly", "SameSite=strict", "Path=/console"):
        assert flag in cookie
    assert "Secure" not in cookie, "on this machine there is no TLS"
    with httpx.Client() as client:
        far = client.get(f"{console.url}/sign-in", headers={"host": "console.example"})
        assert "Secure" in far.headers["set-cookie"]


def test_every_page_forbids_frames_scripts_of_others_and_keeping(
    console: Console, admin: httpx.Client
) -> None:
    for path in ("", "/sign-in", "/decisions", "/decisions/dec_0000000000000000"):
        headers = admin.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def test_who_is_not_signed_in_is_sent_to_the_sign_in(console: Console) -> None:
    with console.client() as client:
        answer = client.get("/decisions")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/sign-in?next=%2Fconsole%2Fdecisions"
        polled = client.get("/decisions/rows", headers={"hx-request": "true"})
        assert (polled.status_code, polled.headers["hx-redirect"]) == (401, "/console/sign-in")


def test_a_wrong_key_is_told_nothing_else(console: Console) -> None:
    with console.client() as client:
        form = hidden(client.get("/sign-in").text, "form")
        for key in ("", "wm_x", "wm_0123456789abcdef_" + "a" * 52):
            answer = client.post("/sign-in", data={"form": form, "key": key})
            assert answer.status_code == 401
            assert "unknown, revoked or expired" in answer.text
            form = hidden(answer.text, "form")


def test_a_sign_in_from_another_site_is_refused(console: Console) -> None:
    key = console.key()
    with console.client() as client, console.client() as other:
        client.get("/sign-in")
        foreign = hidden(other.get("/sign-in").text, "form")
        assert client.post("/sign-in", data={"form": foreign, "key": key}).status_code == 403


@pytest.mark.parametrize(
    ("role", "scopes"), [(Role.USER, set(Scope)), (Role.ADMIN, {Scope.GENERATE})]
)
def test_a_key_that_is_not_for_the_console_does_not_open_it(
    console: Console, role: Role, scopes: set[Scope]
) -> None:
    key = console.key(role, scopes=frozenset(scopes))
    with console.client() as client:
        form = hidden(client.get("/sign-in").text, "form")
        answer = client.post("/sign-in", data={"form": form, "key": key})
    assert answer.status_code == 403
    assert "not for the console" in answer.text or "is for the roles" in answer.text


def test_a_revoked_key_ends_its_sessions_at_once(console: Console) -> None:
    token = console.key()
    with console.client(token) as client:
        assert client.get("/decisions").status_code == 200
        console.app.state.callers.keys.revoke(token.split("_")[1])
        assert client.get("/decisions").status_code == 303


def test_a_form_without_the_sessions_token_changes_nothing(
    console: Console, admin: httpx.Client
) -> None:
    decision = console.ask(FIGHT)
    csrf = hidden(admin.get("/decisions").text, "csrf")
    path = f"/decisions/{decision}/explain"
    for wrong in ({}, {"csrf": ""}, {"csrf": csrf[:-1]}):
        assert admin.post(path, data={"prompt": FIGHT, **wrong}).status_code == 403
        assert admin.post("/sign-out", data=wrong).status_code == 403
    assert admin.post(path, data={"prompt": FIGHT, "csrf": csrf}).status_code == 200


def test_signing_out_ends_it(console: Console, admin: httpx.Client) -> None:
    csrf = hidden(admin.get("/decisions").text, "csrf")
    assert admin.post("/sign-out", data={"csrf": csrf}).status_code == 303
    assert admin.get("/decisions").status_code == 303


def test_a_page_that_asks_by_itself_does_not_keep_a_session_alive(admin: httpx.Client) -> None:
    assert "set-cookie" in admin.get("/decisions").headers
    polled = admin.get("/decisions/rows", headers={"hx-request": "true"})
    assert polled.status_code in (200, 204)
    assert "set-cookie" not in polled.headers


def test_a_token_that_cannot_be_revoked_begins_no_session(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Identity(subject="oidc:" + "0" * 64, role=Role.ADMIN)
    monkeypatch.setattr(console.app.state.callers, "of_token", lambda _: person)
    with console.client() as client:
        form = hidden(client.get("/sign-in").text, "form")
        answer = client.post("/sign-in", data={"form": form, "key": "a.b.c"})
    assert answer.status_code == 403
    assert "sign in with an API key" in answer.text


def test_a_program_reads_with_its_key_and_gets_no_cookie(console: Console) -> None:
    decision = console.ask(FIGHT)
    bearer = {"authorization": f"Bearer {console.key(Role.MODERATOR)}"}
    with console.client() as client:
        page = client.get("/decisions", headers=bearer)
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
        path, csrf = f"/decisions/{decision}/explain", hidden(page.text, "csrf")
        assert client.post(path, data={"prompt": FIGHT}, headers=bearer).status_code == 403
        sent = {"prompt": FIGHT, "csrf": csrf}
        assert client.post(path, data=sent, headers=bearer).status_code == 200
        user = {"authorization": f"Bearer {console.key(Role.USER)}"}
        assert client.get("/decisions", headers=user).status_code == 403


def test_guessing_keys_is_slowed(console: Console) -> None:
    limit = RateLimiter(SIGN_INS_PER_MINUTE, clock=lambda: 0.0)
    with exchanged(console.app.state, "sign_in_limit", limit), console.client() as client:
        form = hidden(client.get("/sign-in").text, "form")
        fields = {"form": form, "key": "wm_x"}
        codes = [client.post("/sign-in", data=fields).status_code for _ in range(12)]
    assert codes == [401] * SIGN_INS_PER_MINUTE + [429] * 2
