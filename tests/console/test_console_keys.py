"""Keys in a browser: made and shown once, exchanged, revoked; signers that end soon are said."""

from datetime import UTC, datetime, timedelta

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from guard.console.views import keys as views
from guard.gateway.callers import Role
from provenance.home import Home
from tests.console.conftest import Console, complaints, hidden, sign_in, wait_for_text
from tests.support.accessibility import barriers


def test_a_key_is_made_shown_once_and_revoked(console: Console, desktop: Chrome) -> None:
    sign_in(desktop, console, console.key())
    desktop.find_element(By.LINK_TEXT, "Keys").click()
    wait_for_text(desktop, "Make an API key")
    desktop.find_element(By.ID, "label").send_keys("the night shift")
    desktop.find_element(By.CSS_SELECTOR, "#role option[value=moderator]").click()
    desktop.find_element(By.XPATH, "//button[.='Make it']").click()
    wait_for_text(desktop, "It is shown this once")
    token = desktop.find_element(By.CSS_SELECTOR, ".secret").text
    assert barriers(desktop) == []
    with console.client(token) as moderator:
        assert moderator.get("/decisions").status_code == 200
        desktop.find_element(By.LINK_TEXT, "I have copied it").click()
        wait_for_text(desktop, "the night shift")
        assert token not in desktop.page_source
        subject = f"key_{token.split('_')[1]}"
        desktop.find_element(By.CSS_SELECTOR, f"[aria-label='Revoke {subject}']").click()
        wait_for_text(desktop, "revoked")
        assert moderator.get("/decisions").status_code == 303
    assert complaints(desktop) == []


def test_a_new_secret_opens_what_the_old_one_did(console: Console) -> None:
    token = console.key(Role.AUDITOR)
    subject = f"key_{token.split('_')[1]}"
    with console.client(console.key()) as admin:
        csrf = {"csrf": hidden(admin.get("/keys").text, "csrf")}
        page = admin.post(f"/keys/{subject}/rotate", data=csrf).text
        fresh = page.split('aria-label="API key">')[1].split("<")[0]
    assert fresh != token
    for one in (token, fresh):
        with console.client(one) as auditor:
            assert auditor.get("/decisions").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"days": "0"}, {"days": "x"}, {"days": ""}, {"role": "king"}, {"label": "x" * 129}]
)
def test_a_key_that_cannot_be_is_refused_in_words(
    console: Console, wrong: dict[str, str]
) -> None:
    with console.client(console.key()) as admin:
        csrf = {"csrf": hidden(admin.get("/keys").text, "csrf")}
        good = {"role": "user", "days": "9", "label": "", "tenant": ""}
        answer = admin.post("/keys", data=csrf | good | wrong)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.AUDITOR])
def test_keys_are_for_admins(console: Console, role: Role) -> None:
    with console.client(console.key(role)) as client:
        assert client.get("/keys").status_code == 403
        csrf = hidden(client.get("/decisions").text, "csrf")
        sent = {"csrf": csrf, "role": "admin", "days": "9"}
        assert client.post("/keys", data=sent).status_code == 403


def test_a_signer_that_ends_soon_is_said(home: Home) -> None:
    now = datetime.now(UTC)
    (signer,) = views.signers(home, now)
    assert not signer.warns
    end = signer.entry.valid_until
    (late,) = views.signers(home, end - timedelta(days=views.SOON - 1))
    assert late.warns
    assert views.signers(home, end + timedelta(days=1))[0].days < 0


def test_the_key_page_fits_a_phone(console: Console, phone: Chrome) -> None:
    sign_in(phone, console, console.key())
    phone.get(f"{console.url}/keys")
    assert barriers(phone) == []
