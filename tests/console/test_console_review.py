"""The review queue in a browser: veiled, ruled on with keys, each tenant's its own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By

from guard.assessment import Region
from guard.gateway import create_app
from guard.gateway.callers import Role
from guard.gateway.limits import RateLimiter
from guard.review import SealedShelf, Waiting
from policies.categories import CATEGORIES
from provenance.home import Home
from provenance.picture import decode
from tests.console.conftest import (
    Console,
    complaints,
    hidden,
    sign_in,
    until,
    wait_for_text,
)
from tests.gateway.conftest import served
from tests.support.accessibility import barriers
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.deployment import EVERYWHERE, pipeline_of, policy_from

SECRET = "Ann's own shock of hair"
BOX = Region(x=8, y=8, width=90, height=60, kind="face", category="shocking", score=0.9)


class ShockingPictures(ScriptedImageAssessor):
    """Finds every picture shocking, however often it is looked at."""

    def assess(self, images, *, files=None):  # type: ignore[no-untyped-def]
        said = {"shocking": 0.97}
        self._scripts = [(said, (BOX,)) for _ in images]
        return super().assess(images)


@pytest.fixture(scope="module")
def console(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A gateway that keeps what its policy holds."""
    settings = home.path / "wardmark.toml"
    kept = settings.read_text(encoding="utf-8") + "\n[review]\nkeep = true\n"
    settings.write_text(kept, encoding="utf-8")
    pipeline = pipeline_of(
        home,
        policy=policy_from(tmp_path_factory.mktemp("policy"), EVERYWHERE),
        prompts=ScriptedPromptAssessor({"shock": {"shocking": 0.97}}),
        images=ShockingPictures(covers=frozenset(CATEGORIES)),
    )
    pipeline = replace(pipeline, shelf=SealedShelf(home))
    app = create_app(home, pipeline)
    app.state.sign_in_limit = RateLimiter(1_000)
    with served(app) as address:
        yield Console(f"{address}/console", home, app, pipeline)


def queue(console: Console) -> dict[str, Waiting]:
    return {one.decision_id: one for one in console.app.state.review.queue()}


def test_a_picture_is_veiled_until_somebody_wants_to_see_it(
    console: Console, desktop: Chrome
) -> None:
    held = console.ask("a calm sea")
    sign_in(desktop, console, console.key(Role.MODERATOR))
    assert "Held for a person" in desktop.find_element(By.TAG_NAME, "main").text
    desktop.get(f"{console.url}/review/{held}/0")
    wait_for_text(desktop, "a person looks at this first")
    image = desktop.find_element(By.CSS_SELECTOR, ".veil img")
    until(desktop, lambda _: image.get_property("naturalWidth"))
    assert "blur" in image.value_of_css_property("filter")
    assert barriers(desktop) == []
    ActionChains(desktop).send_keys("v").perform()
    assert image.value_of_css_property("filter") == "none"
    ActionChains(desktop).send_keys("v").perform()
    assert "blur" in image.value_of_css_property("filter")
    desktop.find_element(By.TAG_NAME, "summary").click()
    overlay = desktop.find_element(By.CSS_SELECTOR, "details .veil img")
    until(desktop, lambda _: overlay.get_property("naturalWidth"))
    assert "blur" in overlay.value_of_css_property("filter")
    assert complaints(desktop) == []


def test_the_queue_is_worked_with_keys_alone(console: Console, desktop: Chrome) -> None:
    held = console.ask("a calm sea", seed=5)
    token = console.key(Role.MODERATOR)
    sign_in(desktop, console, token)
    desktop.get(f"{console.url}/review")
    wait_for_text(desktop, held)
    assert barriers(desktop) == []
    for _ in queue(console):
        ActionChains(desktop).send_keys("j").perform()
        if desktop.switch_to.active_element.text == held:
            break
    desktop.switch_to.active_element.send_keys("\n")
    wait_for_text(desktop, "What was drawn")
    ActionChains(desktop).send_keys("?").perform()
    assert "release, refuse" in desktop.find_element(By.ID, "keys").text
    desktop.find_element(By.CSS_SELECTOR, "#keys button").click()
    ActionChains(desktop).send_keys("r").send_keys("w").send_keys("A calm sea.").perform()
    desktop.find_element(By.XPATH, "//button[.='Rule']").click()
    wait_for_text(desktop, "Held for a person", "h1")
    assert held not in queue(console)
    (file,) = console.app.state.review.collected(held)
    assert decode(file.data).pixels.shape == (256, 256, 3)
    (ruling,) = console.home.ledger.find([f"{held}:ruling:0"])
    assert (ruling.body["ruling"], ruling.body["by"]) == ("release", f"key_{token.split('_')[1]}")
    assert complaints(desktop) == []


def test_what_is_refused_is_gone(console: Console) -> None:
    held = console.ask(SECRET)
    with console.client(console.key(Role.MODERATOR)) as client:
        path = f"/review/{held}/request"
        page = client.get(path).text
        assert "nothing is drawn yet" in page
        assert "Ann&#39;s own shock of hair" in page
        csrf = {"csrf": hidden(page, "csrf")}
        for wrong in ({"words": "no"}, {"verdict": "refuse", "words": ""}, {"verdict": "x"}):
            answer = client.post(path, data=csrf | wrong)
            assert answer.status_code == 400
            assert 'role="alert"' in answer.text
        good = csrf | {"verdict": "refuse", "words": "It names somebody."}
        assert client.post(path, data=good).status_code == 303
        assert client.get(path).status_code == 404
        assert "A person ruled: <b>refuse</b>" in client.get(f"/decisions/{held}").text
    assert held not in queue(console)


def test_an_auditor_looks_and_does_not_rule(console: Console) -> None:
    held = console.ask("a calm sea", seed=6)
    with console.client(console.key(Role.AUDITOR)) as client:
        page = client.get(f"/review/{held}/0").text
        assert "Your ruling" not in page
        sent = {"csrf": hidden(page, "csrf"), "verdict": "release", "words": "yes"}
        assert client.post(f"/review/{held}/0", data=sent).status_code == 403
    assert held in queue(console)


def test_a_tenant_sees_what_is_held_of_its_own(console: Console) -> None:
    own, other = console.ask(SECRET, tenant="acme"), console.ask(SECRET)
    with console.client(console.key(Role.MODERATOR, tenant="acme")) as client:
        page = client.get("/review").text
        assert own in page
        assert other not in page
        assert client.get(f"/review/{own}/request").status_code == 200
        sent = {"csrf": hidden(page, "csrf"), "verdict": "refuse", "words": "no"}
        assert client.post(f"/review/{other}/request", data=sent).status_code == 404
        for path in ("", "/picture.png", "/input.png", "/overlay.png"):
            assert client.get(f"/review/{other}/request{path}").status_code == 404
    assert other in queue(console)


def test_nonsense_in_the_address_is_no_picture(console: Console) -> None:
    with console.client(console.key(Role.MODERATOR)) as client:
        for path in ("/review/dec_0000000000000000/0", "/review/x/request"):
            assert client.get(path).status_code == 404
        for path in ("/review/x/11", "/review/x/-1", "/review/x/0/secret.png"):
            assert client.get(path).status_code == 400


def test_the_queue_fits_a_phone(console: Console, phone: Chrome, tmp_path: Path) -> None:
    held = console.ask("a calm sea", seed=8)
    sign_in(phone, console, console.key(Role.MODERATOR))
    for path in ("/review", f"/review/{held}/0"):
        phone.get(console.url + path)
        assert barriers(phone) == []
    phone.save_screenshot(str(tmp_path / "held.png"))
