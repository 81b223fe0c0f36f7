"""A gateway with a console, keys of each role, and a browser that is signed in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from starlette.datastructures import State

from guard.errors import DecisionRefused
from guard.gateway import create_app
from guard.gateway.callers import KeyTerms, Role
from guard.gateway.limits import RateLimiter
from guard.pipeline import ImageRequest, Pipeline
from guard.pipeline.request import Caller
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.browser import WAIT_SECONDS, chromium
from tests.support.deployment import PROVIDER, pipeline_of

DESKTOP, PHONE = (1280, 900), (390, 800)
CALM = "a calm sea"
FIGHT = "a bloody fight in a bar"
PROMPTS = ScriptedPromptAssessor({"fight": {"violence": 0.97}})


@dataclass(frozen=True)
class Console:
    """A running gateway. ``url``: of its console."""

    url: str
    home: Home
    app: FastAPI
    pipeline: Pipeline

    def key(self, role: Role = Role.ADMIN, tenant: str | None = None, **terms: object) -> str:
        """The token of a new key."""
        made = KeyTerms(role=role, tenant=tenant, **terms)  # type: ignore[arg-type]
        return str(self.app.state.callers.keys.create(made).token)

    def ask(self, prompt: str, seed: int = 1, tenant: str | None = None) -> str:
        """Send a request through the pipeline; the id of its decision."""
        request = ImageRequest(prompt=prompt, seed=seed, caller=Caller(tenant=tenant))
        try:
            return self.pipeline.run(request).decision_id
        except DecisionRefused as refused:
            return refused.decision_id

    @contextmanager
    def client(self, token: str | None = None) -> Iterator[httpx.Client]:
        """A client without a browser, signed in where a token is given."""
        with httpx.Client(base_url=self.url, timeout=WAIT_SECONDS) as client:
            if token is not None:
                form = hidden(client.get("/sign-in").text, "form")
                answer = client.post("/sign-in", data={"form": form, "key": token})
                assert answer.status_code == 303, answer.text
            yield client


@contextmanager
def exchanged(state: State, name: str, value: object) -> Iterator[None]:
    """Something else in the state of an application; pytest's own would take it away for good."""
    before = getattr(state, name)
    setattr(state, name, value)
    try:
        yield
    finally:
        setattr(state, name, before)


def hidden(html: str, name: str) -> str:
    """The value of a hidden field in a page."""
    return html.split(f'name="{name}" value="')[1].split('"')[0]


def sign_in(browser: Chrome, console: Console, token: str) -> None:
    browser.delete_all_cookies()
    browser.get(console.url)
    browser.delete_all_cookies()
    browser.get(console.url)
    browser.find_element(By.ID, "key").send_keys(token)
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    wait_for(browser, "nav")


def wait_for(browser: Chrome, css: str) -> None:
    until(browser, lambda b: b.find_elements(By.CSS_SELECTOR, css))


def wait_for_text(browser: Chrome, text: str, where: str = "body") -> None:
    until(browser, lambda b: text in b.find_element(By.CSS_SELECTOR, where).text)


def until(browser: Chrome, holds: Callable[[Chrome], object]) -> None:
    """Wait until this holds; a page that is just being exchanged is asked again."""
    passing = (NoSuchElementException, StaleElementReferenceException)
    WebDriverWait(browser, WAIT_SECONDS, ignored_exceptions=passing).until(holds)


def complaints(browser: Chrome) -> list[str]:
    """What the browser objected to, its security policy above all; advice is none."""
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in log if entry["level"] != "DEBUG"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home.create(tmp_path_factory.mktemp("console") / "home", provider=PROVIDER, version="0")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def console(home: Home) -> Iterator[Console]:
    pipeline = pipeline_of(home, prompts=PROMPTS)
    app = create_app(home, pipeline)
    app.state.sign_in_limit = RateLimiter(1_000)
    with served(app) as address:
        yield Console(f"{address}/console", home, app, pipeline)


@pytest.fixture(scope="session")
def desktop() -> Iterator[Chrome]:
    with chromium(*DESKTOP) as browser:
        yield browser


@pytest.fixture(scope="session")
def phone() -> Iterator[Chrome]:
    with chromium(*PHONE) as browser:
        yield browser


