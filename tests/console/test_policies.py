"""Policies in a browser: read, drafted, replayed, published with four eyes, then in force."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from guard.console.views.policies import difference
from guard.gateway import create_app
from guard.gateway.callers import Role
from guard.gateway.limits import RateLimiter
from guard.gateway.policy_change import follow
from guard.policy_draft import KIND
from guard.policy_watch import PolicyWatch
from policies.candidate import Candidate
from policies.load import load_policy, packs_folder
from provenance.home import Home
from tests.console.conftest import (
    CALM,
    FIGHT,
    PROMPTS,
    Console,
    complaints,
    exchanged,
    hidden,
    sign_in,
    until,
    wait_for_text,
)
from tests.gateway.conftest import served
from tests.support.accessibility import barriers
from tests.support.deployment import PROVIDER, pipeline_of

MILD = "  - id: violence\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "cases").mkdir()
    shutil.copy(packs_folder() / "default.yaml", folder / "own.yaml")
    shutil.copy(packs_folder() / "cases" / "default.yaml", folder / "cases" / "own.yaml")
    return folder / "own.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home.create(tmp_path_factory.mktemp("console") / "home", provider=PROVIDER, version="0")
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def console(home: Home, file: Path) -> Iterator[Console]:
    """A gateway that follows a policy in a file."""
    pipeline = pipeline_of(home, prompts=PROMPTS, policy=load_policy(file))
    app = create_app(home, pipeline)
    app.state.sign_in_limit = RateLimiter(1_000)
    stopped = follow(app, PolicyWatch(pipeline, str(file)), print, every=0.05)
    with served(app) as address:
        made = Console(f"{address}/console", home, app, pipeline)
        made.ask(CALM)
        made.ask(FIGHT)
        yield made
    stopped.set()


def write(browser: Chrome, name: str, text: str) -> None:
    """Put a text into an area at once; typing a whole policy takes a minute."""
    browser.execute_script(f"document.getElementById('{name}').value = arguments[0]", text)


def test_a_policy_is_drafted_replayed_and_published_by_two(
    console: Console, desktop: Chrome, file: Path, home: Home
) -> None:
    author, approver = console.key(), console.key()
    sign_in(desktop, console, author)
    desktop.find_element(By.LINK_TEXT, "Policies").click()
    wait_for_text(desktop, "cases hold")
    assert barriers(desktop) == []
    desktop.find_element(By.ID, "title").send_keys("Fights in films are fine")
    desktop.find_element(By.XPATH, "//button[.='Begin a draft']").click()
    wait_for_text(desktop, "It says what is in force.")

    text = file.read_text(encoding="utf-8")
    version = load_policy(file).version
    write(desktop, "policy", text.replace("rules:", "rulez:", 1))
    desktop.find_element(By.XPATH, "//button[.='Save the draft']").click()
    wait_for_text(desktop, "It does not load.")
    assert "unknown key 'rulez'" in desktop.find_element(By.TAG_NAME, "main").text

    write(desktop, "policy", text.replace(f'"{version}"', f'"9-{version}"'))
    desktop.find_element(By.XPATH, "//button[.='Save the draft']").click()
    wait_for_text(desktop, "You wrote in this draft, so another admin has to publish it.")
    assert f"9-{version}" in desktop.find_element(By.CSS_SELECTOR, ".diff .added").text
    assert barriers(desktop) == []
    draft = desktop.current_url
    desktop.find_element(By.XPATH, "//button[.='Replay']").click()
    wait_for_text(desktop, "Not one decision would differ.")
    assert barriers(desktop) == []

    sign_in(desktop, console, approver)
    desktop.get(draft)
    desktop.find_element(By.XPATH, "//button[.='Publish']").click()
    wait_for_text(desktop, "both stand in the ledger")
    until(desktop, lambda _: console.app.state.pipeline.policy.version == f"9-{version}")
    assert load_policy(file).version == f"9-{version}"
    (entry,) = home.ledger.entries(kind=KIND)
    names = [f"key_{token.split('_')[1]}" for token in (author, approver)]
    assert [*entry.body["authors"], entry.body["approver"]] == names
    assert complaints(desktop) == []


def test_an_author_who_forges_the_form_does_not_publish(console: Console, file: Path) -> None:
    before = file.read_bytes()
    with console.client(console.key()) as author:
        csrf = {"csrf": hidden(author.get("/policies").text, "csrf")}
        begun = author.post("/policies/drafts", data=csrf | {"title": "Mine"})
        path = begun.headers["location"].removeprefix("/console")
        seen = hidden(author.get(path).text, "seen")
        answer = author.post(f"{path}/publish", data=csrf | {"seen": seen})
    assert answer.status_code == 403
    assert "somebody else has to publish it" in answer.text
    assert file.read_bytes() == before


def test_words_are_not_lost_where_another_saved_first(console: Console) -> None:
    with console.client(console.key()) as one, console.client(console.key()) as other:
        csrf = {"csrf": hidden(one.get("/policies").text, "csrf")}
        begun = one.post("/policies/drafts", data=csrf | {"title": "Both"})
        path = begun.headers["location"].removeprefix("/console")
        seen = {"seen": hidden(one.get(path).text, "seen")}
        theirs = {"csrf": hidden(other.get(path).text, "csrf")} | seen
        assert other.post(path, data=theirs | {"policy": "a: 1", "cases": ""}).status_code == 303
        late = one.post(path, data=csrf | seen | {"policy": "mine: 1", "cases": ""})
        assert late.status_code == 409
        assert "mine: 1" in late.text
        assert one.post(f"{path}/discard", data=csrf).status_code == 303
        assert one.get(path).status_code == 404


def test_a_replay_tells_what_would_come_out_otherwise(console: Console) -> None:
    with console.client(console.key()) as client:
        csrf = {"csrf": hidden(client.get("/policies").text, "csrf")}
        begun = client.post("/policies/drafts", data=csrf | {"title": "Without violence"})
        path = begun.headers["location"].removeprefix("/console")
        page = client.get(path).text
        text = load_text(console)
        start = text.index(MILD)
        end = text.index("  - id: ", start + len(MILD))
        milder = (text[:start] + text[end:]).replace("unsafe-in-sum", "unsafe-in-all")
        changes = {"policy": drop_services(milder), "cases": "", "seen": hidden(page, "seen")}
        assert client.post(path, data=csrf | changes).status_code == 303
        report = client.post(f"{path}/replay", data=csrf | {"days": "7"}).text
        assert "<code>-violence</code>" in report
        assert "<code>+unsafe-in-all</code>" in report
        assert client.post(f"{path}/replay", data=csrf | {"days": "999"}).status_code == 400


def load_text(console: Console) -> str:
    return Path(console.app.state.policy_watch.name).read_text(encoding="utf-8")


def drop_services(text: str) -> str:
    """Without its lines of law, which name the rules."""
    if "\nserves:" not in text:
        return text
    start = text.index("\nserves:")
    return text[:start] + text[text.index("\nrules:", start) :]


def test_what_a_policy_on_trial_said_is_told(console: Console) -> None:
    sent = {"days": "7"}
    with console.client(console.key(Role.AUDITOR)) as client:
        sent["csrf"] = hidden(client.get("/policies").text, "csrf")
        assert client.post("/policies/candidate", data=sent).status_code == 400
        trial = replace(console.pipeline, candidate=Candidate(load_policy("kids")))
        replace(console, pipeline=trial).ask(FIGHT)
        with exchanged(console.app.state, "pipeline", trial):
            assert "on 100% of requests" in client.get("/policies").text
            report = client.post("/policies/candidate", data=sent).text
    assert "What kids" in report
    assert "of 1 judgements" in report


def test_packs_are_read_and_replayed_by_name_alone(console: Console) -> None:
    with console.client(console.key(Role.AUDITOR)) as client:
        assert "Pack kids" in client.get("/policies/packs/kids").text
        csrf = {"csrf": hidden(client.get("/policies").text, "csrf"), "days": "1"}
        assert client.post("/policies/replay", data=csrf | {"policy": "kids"}).status_code == 200
        assert client.get("/policies/packs/own.yaml").status_code == 404
        elsewhere = csrf | {"policy": "a/b.yaml"}
        assert client.post("/policies/replay", data=elsewhere).status_code == 404


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.AUDITOR])
def test_only_admins_write_policies(console: Console, role: Role) -> None:
    with console.client(console.key(role)) as client:
        page = client.get("/policies").text
        assert "Begin a draft" not in page
        sent = {"csrf": hidden(page, "csrf"), "title": "Mine"}
        assert client.post("/policies/drafts", data=sent).status_code == 403


def test_policies_are_for_those_who_see_all_tenants(console: Console) -> None:
    with console.client(console.key(Role.ADMIN, tenant="acme")) as client:
        assert client.get("/policies").status_code == 403
        assert "/console/policies" not in client.get("/decisions").text


def test_a_file_that_is_broken_is_said_and_the_old_policy_stays(
    console: Console, file: Path
) -> None:
    good = file.read_text(encoding="utf-8")
    name = console.app.state.pipeline.policy.name
    try:
        file.write_text("rules: 7\n", encoding="utf-8")
        with console.client(console.key()) as client:
            page = client.get("/policies")
        assert page.status_code == 200
        assert "The file does not hold." in page.text
        assert f"Policy in force: {name}" in page.text
    finally:
        file.write_text(good, encoding="utf-8")


def test_a_file_that_is_gone_is_said_and_the_old_policy_stays(console: Console, file: Path) -> None:
    good = file.read_text(encoding="utf-8")
    try:
        file.unlink()
        with console.client(console.key()) as client:
            assert client.get("").status_code == 200
            page = client.get("/policies")
        assert page.status_code == 200
        assert "The file does not hold." in page.text
    finally:
        file.write_text(good, encoding="utf-8")


def test_a_difference_names_what_went_and_what_came() -> None:
    lines = difference("a\nb\nc\n", "a\nx\nc\n")
    assert [(one.kind, one.text) for one in lines if one.kind in ("added", "removed")] == [
        ("removed", "b"),
        ("added", "x"),
    ]
    assert difference("a\n", "a\n") == ()


def test_the_policy_pages_fit_a_phone(console: Console, phone: Chrome) -> None:
    sign_in(phone, console, console.key())
    for path in ("/policies", "/policies/packs/newsroom"):
        phone.get(console.url + path)
        assert barriers(phone) == []
