"""Appeals in a browser: read beside the decision, answered once, by whoever may."""

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By

from guard.appeals import Appeal, Statement
from guard.decisions import find_decision
from guard.gateway.callers import Role
from tests.console.conftest import (
    FIGHT,
    Console,
    complaints,
    hidden,
    sign_in,
    wait_for,
    wait_for_text,
)
from tests.support.accessibility import barriers


@pytest.fixture
def appeal(console: Console) -> Appeal:
    return opened(console, prompt=FIGHT)


def opened(console: Console, tenant: str | None = None, prompt: str | None = None) -> Appeal:
    found = find_decision(console.home.ledger, console.ask(FIGHT, tenant=tenant))
    said = Statement(statement="It was <b>for</b> a film.", prompt=prompt)
    made: Appeal = console.app.state.appeals.open(found, said)
    return made


def test_an_appeal_is_answered_with_keys_alone(
    console: Console, desktop: Chrome, appeal: Appeal
) -> None:
    token = console.key(Role.MODERATOR)
    sign_in(desktop, console, token)
    assert "Open appeals" in desktop.find_element(By.TAG_NAME, "main").text
    desktop.get(f"{console.url}/appeals")
    links = desktop.find_elements(By.CSS_SELECTOR, "[data-row]")
    next(link for link in links if appeal.id in link.text).click()
    wait_for_text(desktop, "It was <b>for</b> a film.")
    page = desktop.find_element(By.TAG_NAME, "main").text
    assert "Graphic violence is not drawn here." in page
    assert "This is the prompt that was decided on" in page
    assert barriers(desktop) == []
    ActionChains(desktop).send_keys("?").perform()
    assert desktop.find_element(By.ID, "keys").is_displayed()
    assert "overturn" in desktop.find_element(By.ID, "keys").text
    desktop.find_element(By.CSS_SELECTOR, "#keys button").click()
    ActionChains(desktop).send_keys("o").send_keys("w").send_keys("You were right.").perform()
    desktop.find_element(By.CSS_SELECTOR, "section form button").click()
    wait_for_text(desktop, "overturned")
    answer = console.app.state.appeals.read(appeal.id).answer
    assert (answer.outcome, answer.words) == ("overturned", "You were right.")
    assert answer.by == f"key_{token.split('_')[1]}"
    desktop.get(f"{console.url}/appeals/{appeal.id}")
    wait_for_text(desktop, "You were right.")
    assert not desktop.find_elements(By.ID, "words"), "it is answered once"
    assert complaints(desktop) == []


def test_a_ruling_without_words_or_outcome_is_not_taken(console: Console, appeal: Appeal) -> None:
    with console.client(console.key(Role.MODERATOR)) as client:
        page = client.get(f"/appeals/{appeal.id}")
        csrf = {"csrf": hidden(page.text, "csrf")}
        for wrong in ({"words": "no"}, {"outcome": "upheld", "words": " "}, {"outcome": "x"}):
            answer = client.post(f"/appeals/{appeal.id}", data=csrf | wrong)
            assert answer.status_code == 400
            assert 'role="alert"' in answer.text
        assert console.app.state.appeals.read(appeal.id).answer is None
        good = csrf | {"outcome": "upheld", "words": "It stays."}
        assert client.post(f"/appeals/{appeal.id}", data=good).status_code == 303
        assert client.post(f"/appeals/{appeal.id}", data=good).status_code == 409


def test_an_auditor_reads_and_does_not_answer(console: Console, appeal: Appeal) -> None:
    with console.client(console.key(Role.AUDITOR)) as client:
        page = client.get(f"/appeals/{appeal.id}")
        assert page.status_code == 200
        assert "Your answer" not in page.text
        sent = {"csrf": hidden(page.text, "csrf"), "outcome": "upheld", "words": "no"}
        assert client.post(f"/appeals/{appeal.id}", data=sent).status_code == 403
    assert console.app.state.appeals.read(appeal.id).answer is None


def test_a_tenant_sees_its_own_appeals_alone(console: Console, appeal: Appeal) -> None:
    own = opened(console, tenant="acme")
    with console.client(console.key(Role.MODERATOR, tenant="acme")) as client:
        page = client.get("/appeals").text
        assert own.id in page
        assert appeal.id not in page
        assert client.get(f"/appeals/{appeal.id}").status_code == 404
        sent = {"csrf": hidden(page, "csrf"), "outcome": "upheld", "words": "no"}
        assert client.post(f"/appeals/{appeal.id}", data=sent).status_code == 404


def test_words_that_were_erased_are_said_to_be(console: Console) -> None:
    erased = opened(console)
    console.home.subjects.withdraw(erased.id)
    with console.client(console.key(Role.MODERATOR)) as client:
        page = client.get(f"/appeals/{erased.id}").text
    assert "The words were erased" in page
    assert "film" not in page


def test_the_lists_are_for_everybody_on_a_phone(
    console: Console, phone: Chrome, appeal: Appeal
) -> None:
    sign_in(phone, console, console.key(Role.MODERATOR))
    for path in ("/appeals", f"/appeals/{appeal.id}"):
        phone.get(console.url + path)
        wait_for(phone, "main h1")
        assert barriers(phone) == []
