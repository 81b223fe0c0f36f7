"""The front page says what needs somebody, and nothing that a tenant must not know."""

from datetime import UTC, datetime, timedelta

import pytest
from selenium.webdriver import Chrome

from guard.console.views import front
from guard.console.views.keys import signers
from guard.gateway.callers import Role
from policies.decision import PolicyRef
from provenance.errors import LedgerUnavailable
from provenance.home import Home
from tests.console.conftest import FIGHT, Console, complaints, sign_in
from tests.support.accessibility import barriers

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = PolicyRef(name="own", version="1", digest="0" * 64)


def test_a_person_who_waits_is_the_first_thing() -> None:
    assert front.of_appeals([], NOW).state == "holds"
    sign = front.of_appeals([NOW - timedelta(days=3), NOW], NOW)
    assert (sign.state, sign.figure) == ("against", "2")
    assert "3 days" in sign.said


def test_a_ledger_that_nobody_writes_to_is_said(home: Home) -> None:
    last = next(home.ledger.latest()).at
    assert front.of_ledger(home.ledger, last).state == "holds"
    late = front.of_ledger(home.ledger, last + front.OLD_CHECKPOINT + timedelta(hours=1))
    assert late.state == "unsure"
    assert late.figure == "25 hours ago"


def test_a_policy_whose_file_does_not_hold_is_said() -> None:
    assert front.of_policy(POLICY, None, ()).state == "holds"
    assert front.of_policy(POLICY, "line 3 ...", ()).state == "against"


def test_a_certificate_that_ends_is_said(home: Home) -> None:
    end = signers(home, NOW)[0].entry.valid_until
    states = [
        front.of_signers(signers(home, end - timedelta(days=days)))[0].state
        for days in (200, 5, -1)
    ]
    assert states == ["holds", "unsure", "against"]
    assert front.of_signers(()) == ()


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(seconds=3), "a moment"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(hours=30), "30 hours"),
        (timedelta(days=9), "9 days"),
    ],
)
def test_a_span_is_said_in_one_unit(age: timedelta, said: str) -> None:
    assert front.span(age) == said


def test_prompts_that_score_otherwise_are_said(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "RECENT", 60)
    ledger = console.home.ledger
    body = ledger.find([f"{console.ask(FIGHT)}:refusal:request"])[0].body

    def prompts(first: int, shift: float) -> list[dict[str, object]]:
        made = []
        for n in range(first, first + 60):
            scores = dict.fromkeys(body["prompt_stage"]["scores"], (n % 10) / 20 + shift)
            stage = body["prompt_stage"] | {"scores": scores}
            made.append(dict(body) | {"decision_id": f"dec_{n:016x}", "prompt_stage": stage})
        return made

    assert front.of_drift(front.recent(ledger, lambda _: True)).state == "missing"
    ledger.append_batch("before", "refusal", prompts(0, 0.0))
    ledger.append_batch("same", "refusal", prompts(60, 0.0))
    assert front.of_drift(front.recent(ledger, lambda _: True)).figure == "steady"
    ledger.append_batch("other", "refusal", prompts(120, 0.4))
    sign = front.of_drift(front.recent(ledger, lambda _: True))
    assert (sign.state, sign.figure) == ("against", "much")
    assert "violence" in sign.said


def test_pictures_that_score_otherwise_are_said(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "RECENT", 60)
    ledger = console.home.ledger
    body = dict(ledger.find([f"{console.ask(FIGHT)}:refusal:request"])[0].body)
    stage = body.pop("prompt_stage")

    def pictures(first: int, shift: float) -> list[dict[str, object]]:
        return [
            body
            | {"decision_id": f"dec_{n:016x}"}
            | {"image": stage | {"scores": {"violence": (n % 10) / 20 + shift}}}
            for n in range(first, first + 60)
        ]

    ledger.append_batch("drawn-before", "refusal", pictures(1000, 0.0))
    ledger.append_batch("drawn-since", "refusal", pictures(1060, 0.4))
    sign = front.of_drift(front.recent(ledger, lambda _: True))
    assert (sign.state, sign.figure) == ("against", "much")
    assert sign.said == "Scores are other than before: violence in pictures."


def test_each_version_of_an_assessor_has_its_refusals_and_appeals(console: Console) -> None:
    refused = console.ask(FIGHT)
    ledger = console.home.ledger
    body = dict(ledger.find([f"{refused}:refusal:request"])[0].body)
    stage = body["prompt_stage"]
    later = stage | {"assessor": stage["assessor"] | {"version": "next"}, "action": "allow"}
    ledger.append_batch("next", "refusal", [body | {"decision_id": "dec_1", "prompt_stage": later}])
    entries = front.recent(ledger, lambda _: True)
    signs = {sign.name.split("@")[1]: sign for sign in front.of_assessors(entries, {refused})}
    assert signs["next"].figure == "0%"
    assert "0 were appealed against" in signs["next"].said
    assert signs[stage["assessor"]["version"]].figure == "100%"
    assert "1 were appealed against" in signs[stage["assessor"]["version"]].said


def test_shares_are_of_what_somebody_may_see(console: Console) -> None:
    console.ask(FIGHT)
    console.ask(FIGHT, tenant="acme")
    everything = front.recent(console.home.ledger, lambda _: True)
    assert len(everything) >= 2
    assert front.recent(console.home.ledger, lambda _: False) == ()
    assert front.of_decisions(())[0].figure == "none"
    with console.client(console.key(Role.MODERATOR, tenant="acme")) as client:
        page = client.get("").text
    assert "1 of the last 1 decisions" in page
    for secret in ("Policy in force", "Last checkpoint", "certificate", "Drift"):
        assert secret not in page


def test_the_overview_is_for_everybody(console: Console, desktop: Chrome, phone: Chrome) -> None:
    for browser in (desktop, phone):
        sign_in(browser, console, console.key())
        assert barriers(browser) == []
        assert complaints(browser) == []


def test_a_page_that_is_not_there_is_said_on_a_page(console: Console) -> None:
    with console.client(console.key()) as client:
        answer = client.get("/no/such/page")
        assert answer.status_code == 404
        assert "There is no such page." in answer.text
    with console.client() as stranger:
        assert stranger.get("/no/such/page").status_code == 303


def test_a_ledger_that_is_down_is_said_and_nothing_is_made_up(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the database cannot be reached")

    with console.client(console.key()) as client:
        monkeypatch.setattr(console.home.ledger, "latest", down)
        for path in ("", "/decisions", "/ledger", "/data-sets"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "the database cannot be reached" in answer.text
            assert answer.headers["retry-after"]
        monkeypatch.undo()
        assert client.get("/decisions").status_code == 200
