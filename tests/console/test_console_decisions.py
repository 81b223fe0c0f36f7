"""Decisions in a browser: found, understood, proved, explained, each tenant's its own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from guard.console.routes import decisions as routes
from guard.console.views import decisions as views
from guard.console.views import words
from guard.console.views.explanation import LEVELS, segments
from guard.decisions import Result
from guard.explain.prompts import WordShare
from guard.gateway.callers import Role
from guard.policy_replay import PARTS
from policies.decision import Because
from provenance.home import Home
from provenance.ledger import verify_file
from tests.console.conftest import (
    CALM,
    FIGHT,
    PHONE,
    Console,
    complaints,
    sign_in,
    wait_for,
    wait_for_text,
)
from tests.support.accessibility import barriers
from tests.support.browser import chromium


def everything(_: object) -> bool:
    return True


@pytest.fixture(scope="module")
def refused(console: Console) -> str:
    console.ask(CALM)
    return console.ask(FIGHT)


def test_the_list_is_newest_first_and_filtered(home: Home, refused: str) -> None:
    found = views.listing(home.ledger, views.Filter(), everything)
    assert [row.result for row in found.rows[:2]] == [Result.REFUSED, Result.DELIVERED]
    assert found.rows[0].decision == refused
    assert found.rows[0].rules == ("violence", "unsafe-in-sum")

    def only(**asked: object) -> list[str]:
        looked_for = views.Filter.model_validate(asked)
        return [row.result for row in views.listing(home.ledger, looked_for, everything).rows]

    assert set(only(result="delivered")) == {"delivered"}
    assert set(only(action="block")) == set(only(rule="violence")) == {"refused"}
    assert set(only(stage="image")) == {"delivered"}
    assert only(rule="no such rule") == []
    now = datetime.now(UTC)
    assert only(since=now) == only(until=now - timedelta(days=1)) == []
    assert len(only(since=now - timedelta(days=1), until=now)) == len(found.rows)


def test_a_long_list_goes_on_where_it_ended(
    home: Home, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SHOWN", 1)
    first = views.listing(home.ledger, views.Filter(), everything)
    second = views.listing(home.ledger, views.Filter(), everything, before=first.older)
    assert first.rows[0].index > second.rows[0].index
    assert second.older is None or second.older < second.rows[0].index + 1


def test_a_filter_that_matches_nothing_stops_looking_and_says_how_far(
    home: Home, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_LOOKED_AT", 1)
    found = views.listing(home.ledger, views.Filter(rule="none"), everything)
    assert (found.rows, found.looked_at) == ((), 1)
    assert found.older is not None, "the next page goes on"


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        (
            Because(field="score.violence", op=">=", limit=0.5, value=0.97),
            "The probability of violence is 0.970, which is 0.500 or more.",
        ),
        (
            Because(field="not_assessed", op="contains_any", limit=("privacy",), value="privacy"),
            "The categories that nobody assessed are privacy, among which is one of: privacy.",
        ),
        (
            Because(field="match.known_content", op="is_true", limit=None, value=True),
            "The picture stands in a list of known content: yes.",
        ),
        (
            Because(field="caller.tenant", op="==", limit="acme", value="ab" * 32),
            "Organisation that the caller belongs to is a text that stands here as a commitment"
            " only, as the rule names it.",
        ),
        (
            Because(field="language", op="in", limit=("de",), value=None),
            "Language of the prompt, ISO 639-1 code is not known, and the rule fires where it is"
            " not known.",
        ),
    ],
)
def test_a_clause_is_a_sentence(clause: Because, said: str) -> None:
    assert words.because(clause) == said


def test_every_stage_has_words() -> None:
    for part in PARTS:
        assert words.stage(part).startswith("The p"), part


def test_every_operator_has_words() -> None:
    from policies.language import Operator

    for op in Operator:
        limit = ("a", "b") if op in ("in", "not_in") else "a"
        assert words.because(Because(field="language", op=op.value, limit=limit, value="a"))


def test_marked_words_joined_are_the_prompt() -> None:
    shares = tuple(
        WordShare(text=FIGHT[a:b], start=a, end=b, weight={"violence": w}, without={})
        for a, b, w in ((2, 8, 0.5), (9, 14, 3.0))
    )
    found = segments(FIGHT, shares)
    assert "".join(one.text for one in found) == FIGHT
    assert {one.text: one.level for one in found if one.level} == {"bloody": 1, "fight": 3}


@given(
    text=st.text(min_size=1, max_size=60),
    cuts=st.lists(st.tuples(st.integers(0, 59), st.floats(-2, 9)), max_size=6),
)
def test_any_prompt_is_shown_whole(text: str, cuts: list[tuple[int, float]]) -> None:
    places = sorted({place % len(text): weight for place, weight in cuts}.items())
    ends = [*(place for place, _ in places[1:]), len(text)][: len(places)]
    shares = tuple(
        WordShare(text=text[a:b], start=a, end=b, weight={"violence": weight}, without={})
        for (a, weight), b in zip(places, ends, strict=True)
    )
    found = segments(text, shares)
    assert "".join(one.text for one in found) == text
    assert all(0 <= one.level <= LEVELS and (one.level > 0) == (one.weight > 0) for one in found)


def test_a_refusal_is_read_explained_and_proved(
    console: Console, desktop: Chrome, refused: str
) -> None:
    sign_in(desktop, console, console.key(Role.MODERATOR))
    desktop.find_element(By.LINK_TEXT, "Decisions").click()
    wait_for(desktop, "#rows")
    ActionChains(desktop).send_keys("j").perform()
    assert desktop.switch_to.active_element.text == refused
    ActionChains(desktop).send_keys(Keys.ENTER).perform()
    wait_for_text(desktop, "Graphic violence is not drawn here.")
    page = desktop.find_element(By.TAG_NAME, "main").text
    assert "The probability of violence is 0.970" in page
    assert "Verified just now" in page
    assert desktop.find_elements(By.CSS_SELECTOR, ".steps .not"), "what did not run is said"
    assert FIGHT not in desktop.page_source, "the prompt is nowhere"
    desktop.find_element(By.ID, "prompt").send_keys(FIGHT)
    desktop.find_element(By.CSS_SELECTOR, "#words button").click()
    wait_for_text(desktop, "fits the commitment in the ledger")
    assert desktop.find_element(By.CSS_SELECTOR, "mark.level-3").text.startswith("fight")
    assert "It would pass without “fight”" in desktop.find_element(By.ID, "words").text
    field = desktop.find_element(By.ID, "prompt")
    field.clear()
    field.send_keys("another fight")
    desktop.find_element(By.CSS_SELECTOR, "#words button").click()
    wait_for_text(desktop, "This is not the text that was decided on")
    assert barriers(desktop) == []
    assert complaints(desktop) == []


def test_a_proof_that_was_kept_verifies_without_us(
    console: Console, refused: str, tmp_path: Path
) -> None:
    with console.client(console.key(Role.MODERATOR)) as client:
        path = f"/decisions/{refused}/proof"
        kept = client.get(path, params={"entry": f"{refused}:refusal:request"})
        other = client.get(path, params={"entry": console.home.ledger.checkpoint().root})
    assert "attachment" in kept.headers["content-disposition"]
    file = tmp_path / "proof.json"
    file.write_bytes(kept.content)
    assert orjson.loads(kept.content)["leaf"]["body"]["decision_id"] == refused
    assert verify_file(file, console.home.ledger.keys()).kind == "inclusion"
    assert other.status_code == 404


def test_a_new_decision_appears_by_itself(
    console: Console, desktop: Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "POLL_SECONDS", 1)
    sign_in(desktop, console, console.key(Role.AUDITOR))
    desktop.get(f"{console.url}/decisions")
    wait_for(desktop, "#rows")
    fresh = console.ask(FIGHT, seed=9)
    wait_for_text(desktop, fresh, "#rows")
    assert "changed at" in desktop.find_element(By.ID, "live").text
    assert complaints(desktop) == []


def test_a_page_whose_session_ended_goes_to_the_sign_in(
    console: Console, desktop: Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "POLL_SECONDS", 1)
    token = console.key(Role.MODERATOR)
    sign_in(desktop, console, token)
    desktop.get(f"{console.url}/decisions")
    console.app.state.callers.keys.revoke(token.split("_")[1])
    wait_for_text(desktop, "Sign in", "h1")
    complaints(desktop)  # the browser notes the 401


def test_without_scripts_everything_but_keys_works(console: Console, refused: str) -> None:
    with chromium(*PHONE, scripts=False) as browser:
        sign_in(browser, console, console.key(Role.MODERATOR))
        browser.get(f"{console.url}/decisions?action=block")
        browser.find_element(By.LINK_TEXT, refused).click()
        wait_for_text(browser, "Graphic violence is not drawn here.")
        browser.find_element(By.ID, "prompt").send_keys(FIGHT)
        browser.find_element(By.CSS_SELECTOR, "#words button").click()
        wait_for_text(browser, "fits the commitment in the ledger")
        browser.find_element(By.XPATH, "//button[.='Sign out']").click()
        wait_for_text(browser, "Sign in", "h1")


def test_a_tenant_sees_its_own_decisions_alone(console: Console, refused: str) -> None:
    own = console.ask(FIGHT, tenant="acme")
    with console.client(console.key(Role.MODERATOR, tenant="acme")) as client:
        listed = client.get("/decisions").text
        assert own in listed
        assert refused not in listed
        assert client.get(f"/decisions/{own}").status_code == 200
        for path in (f"/decisions/{refused}", f"/decisions/{refused}/proof?entry=x"):
            assert client.get(path).status_code == 404
        assert "Last checkpoint" not in client.get("").text
    with console.client(console.key(Role.MODERATOR)) as client:
        assert own in client.get("/decisions").text


def test_a_wrong_time_in_the_address_is_said(console: Console) -> None:
    with console.client(console.key()) as client:
        answer = client.get("/decisions", params={"since": "yesterday"})
        assert answer.status_code == 400
        assert "is no time" in answer.text
        assert client.get("/decisions", params={"action": "burn"}).status_code == 400


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["", "/decisions", "/decisions/{refused}", "/sign-in"])
def test_the_pages_are_for_everybody(
    request: pytest.FixtureRequest,
    console: Console,
    refused: str,
    size: str,
    scheme: str,
    path: str,
) -> None:
    browser: Chrome = request.getfixturevalue(size)
    browser.get(console.url)
    if browser.find_elements(By.ID, "key"):  # nobody is signed in here
        sign_in(browser, console, console.key())
    emulated = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    browser.get(console.url + path.format(refused=refused))
    for closed in browser.find_elements(By.CSS_SELECTOR, "details:not([open]) > summary"):
        closed.click()
    assert barriers(browser) == []
