"""A person disagrees, somebody answers, and what both said can be erased."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from openai import BadRequestError, OpenAI

from guard.appeals import MAX_APPEALS, Appeals, Outcome, Statement
from guard.decisions import find_decision
from guard.errors import AlreadyRuled, AppealNotFound, AppealRefused, InvalidRequest
from guard.evaluate.labelled import read_labelled
from guard.gateway import appeals as routes
from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, KeyTerms
from guard.pipeline import Caller, ImageRequest
from policies.errors import Refused
from provenance.errors import LedgerUnavailable
from provenance.home import SETTINGS_FILE, Home
from provenance.ledger.retention import RetentionClass, RetentionPlan
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.deployment import pipeline_of

FIGHT = ScriptedPromptAssessor({"fight": {"violence": 0.97}, "Ann": {"privacy": 0.97}})
THEIRS = "I am Ann and this is my own painting of a pillow fight"


@pytest.fixture
def address(home: Home) -> Iterator[str]:
    with served(create_app(home, pipeline_of(home, prompts=FIGHT))) as url:
        yield url


def refused(home: Home, prompt: str = "a fight", tenant: str | None = None) -> str:
    with pytest.raises(Refused) as error:
        pipeline_of(home, prompts=FIGHT).run(
            ImageRequest(prompt=prompt, caller=Caller(tenant=tenant))
        )
    return str(error.value.decision_id)  # type: ignore[attr-defined]


def appealed(home: Home, asked: str = "a fight", **said: object) -> str:
    found = find_decision(home.ledger, refused(home, asked))
    statement = Statement.model_validate({"statement": THEIRS} | said)
    return Appeals(home).open(found, statement).id


def test_an_appeal_is_opened_answered_and_read_over_http(address: str, home: Home) -> None:
    with (
        OpenAI(base_url=f"{address}/v1", api_key="any") as client,
        pytest.raises(BadRequestError) as error,
    ):
        client.images.generate(prompt="a fight")
    body = error.value.body
    assert isinstance(body, dict)
    sent = {"decision_id": body["gateway"]["decision_id"], "statement": THEIRS}
    opened = httpx.post(f"{address}/v1/appeals", json=sent)
    assert (opened.status_code, opened.json()["state"]) == (201, "open")
    url = f"{address}/v1/appeals/{opened.json()['id']}"
    assert httpx.get(url).json()["answer"] is None

    Appeals(home).answer(opened.json()["id"], Outcome.OVERTURNED, "you are right", by="key_17")
    answered = httpx.get(url)
    assert answered.json()["state"] == "overturned"
    assert answered.json()["answer"]["words"] == "you are right"
    assert "key_17" not in answered.text
    assert "0.97" not in answered.text


def test_what_they_say_stands_nowhere_in_clear(home: Home) -> None:
    named = appealed(home)
    Appeals(home).answer(named, Outcome.UPHELD, "dear Ann, it stays", by="key_17")
    assert Appeals(home).read(named).statement == THEIRS
    home.ledger.close()
    for file in home.path.rglob("*"):
        if file.is_file():
            assert b"Ann" not in file.read_bytes(), file


def test_erasing_an_appeal_leaves_that_there_was_one(home: Home) -> None:
    named = appealed(home)
    Appeals(home).answer(named, Outcome.UPHELD, "dear Ann, it stays", by="key_17")
    assert home.subjects.withdraw(named).complete
    appeal = Appeals(home).read(named)
    assert (appeal.erased, appeal.statement, appeal.state) == (True, None, "upheld")
    assert appeal.answer is not None
    assert appeal.answer.words is None
    assert home.ledger.verify().ok


def test_an_erased_appeal_can_still_be_closed(home: Home) -> None:
    named = appealed(home)
    home.subjects.withdraw(named)
    closed = Appeals(home).answer(named, Outcome.UPHELD, "it stays", by="key_17")
    assert (closed.state, Appeals(home).waiting()) == ("upheld", ())


def test_one_appeal_is_open_at_a_time_and_three_are_all(home: Home) -> None:
    appeals = Appeals(home)
    found = find_decision(home.ledger, refused(home))
    for number in range(MAX_APPEALS):
        opened = appeals.open(found, Statement(statement=f"no {number}"))
        with pytest.raises(AppealRefused, match="open"):
            appeals.open(found, Statement(statement="and again"))
        appeals.answer(opened.id, Outcome.UPHELD, "it stays", by="key_17")
    with pytest.raises(AppealRefused, match="no further"):
        appeals.open(found, Statement(statement="and again"))


def test_of_appeals_at_the_same_moment_one_is_opened(home: Home) -> None:
    found = find_decision(home.ledger, refused(home))
    outcomes: list[str] = []
    together = threading.Barrier(4)

    def appeal(number: int) -> None:
        together.wait()
        try:
            outcomes.append(Appeals(home).open(found, Statement(statement=f"no {number}")).state)
        except AppealRefused:
            outcomes.append("refused")

    threads = [threading.Thread(target=appeal, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["open", "refused", "refused", "refused"]
    assert len(Appeals(home).waiting()) == 1


def test_an_appeal_is_answered_once(home: Home) -> None:
    named = appealed(home)
    Appeals(home).answer(named, Outcome.UPHELD, "it stays", by="key_17")
    with pytest.raises(AlreadyRuled):
        Appeals(home).answer(named, Outcome.OVERTURNED, "or not", by="key_18")
    assert Appeals(home).read(named).state == "upheld"


def test_the_queue_follows_the_ledger_and_other_processes(home: Home) -> None:
    mine, theirs = Appeals(home), Appeals(Home.open(home.path))
    first, second = appealed(home), appealed(home)
    assert [appeal.id for appeal in mine.waiting()] == [first, second]
    theirs.answer(first, Outcome.UPHELD, "it stays", by="key_17")
    assert [appeal.id for appeal in mine.waiting()] == [second]
    assert mine.waiting()[0].statement is None
    assert [(appeal.id, appeal.state) for appeal in mine.answered()] == [(first, "upheld")]


def test_the_id_of_an_appeal_cannot_be_made_up(home: Home, address: str) -> None:
    named = appealed(home)
    for forged in (f"{named[:-16]}{'0' * 16}", named[:-1], "apl_x", f"{named}0"):
        with pytest.raises(AppealNotFound):
            Appeals(home).read(forged)
        answer = httpx.get(f"{address}/v1/appeals/{forged}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "appeal_not_found")


def test_an_appeal_of_another_tenant_does_not_exist(home: Home, address: str) -> None:
    decision = refused(home, tenant="acme")
    keys = ApiKeys.of(home)
    acme, other = (
        {"authorization": f"Bearer {keys.create(KeyTerms(tenant=tenant)).token}"}
        for tenant in ("acme", "umbrella")
    )
    sent = {"decision_id": decision, "statement": "no"}
    assert httpx.post(f"{address}/v1/appeals", json=sent, headers=other).status_code == 404
    opened = httpx.post(f"{address}/v1/appeals", json=sent, headers=acme)
    assert opened.status_code == 201
    url = f"{address}/v1/appeals/{opened.json()['id']}"
    assert httpx.get(url, headers=acme).status_code == 200
    assert httpx.get(url, headers=other).status_code == 404


def test_what_was_delivered_cannot_be_appealed_against(home: Home) -> None:
    made = pipeline_of(home).run(ImageRequest(prompt="a calm sea"))
    with pytest.raises(AppealRefused, match="nothing to appeal"):
        Appeals(home).open(find_decision(home.ledger, made.decision_id), Statement(statement="no"))


@pytest.mark.parametrize("statement", ["", "x" * 4001, None, 7])
def test_a_statement_has_limits(address: str, home: Home, statement: object) -> None:
    sent = {"decision_id": refused(home), "statement": statement}
    answer = httpx.post(f"{address}/v1/appeals", json=sent)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "statement")


@pytest.mark.parametrize("words", ["", "   ", "x" * 4001])
def test_an_answer_has_limits(home: Home, words: str) -> None:
    with pytest.raises(InvalidRequest):
        Appeals(home).answer(appealed(home), Outcome.UPHELD, words, by="key_17")


def test_the_longest_statement_and_prompt_fit_into_an_entry(home: Home) -> None:
    named = appealed(home, statement="\U0001f600" * 4000, prompt="\U0001f600" * 4000)
    assert Appeals(home).read(named).prompt == "\U0001f600" * 4000


def test_an_address_that_appeals_too_often_has_to_wait(address: str) -> None:
    sent = {"decision_id": "dec_0000000000000000", "statement": "no"}
    with httpx.Client() as client:
        codes = [
            client.post(f"{address}/v1/appeals", json=sent).status_code
            for _ in range(routes.PER_MINUTE + 1)
        ]
    assert set(codes[: routes.PER_MINUTE]) == {404}
    assert codes[-1] == 429


def test_an_appeal_that_cannot_be_sealed_is_not_taken(home: Home) -> None:
    plan = RetentionPlan(classes={"short": RetentionClass(keep_days=1, because="x")}, kinds={})
    home.subjects._plan = plan
    with pytest.raises(LedgerUnavailable, match="cannot be sealed"):
        appealed(home)
    assert Appeals(home).waiting() == ()


def test_a_gateway_may_take_no_appeals(home: Home) -> None:
    file = home.path / SETTINGS_FILE
    file.write_text(file.read_text() + "\n[appeals]\naccept = false\n")
    opened = Home.open(home.path)
    sent = {"decision_id": refused(opened), "statement": "no"}
    with served(create_app(opened, pipeline_of(opened))) as url:
        answer = httpx.post(f"{url}/v1/appeals", json=sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "appeal_refused")


def test_rulings_leave_as_labelled_prompts_only_where_all_agreed(
    home: Home, tmp_path: Path
) -> None:
    file = home.path / SETTINGS_FILE
    answers = {
        appealed(home, "a fight", prompt="a fight", reuse=True): Outcome.UPHELD,
        appealed(home, "a pillow fight", prompt="a pillow fight", reuse=True): Outcome.OVERTURNED,
        appealed(home, "a snow fight", prompt="a snow fight"): Outcome.UPHELD,
        appealed(home, "a food fight", prompt="a bun fight", reuse=True): Outcome.UPHELD,
        appealed(home, "a fist fight"): Outcome.UPHELD,
    }
    for named, outcome in answers.items():
        Appeals(home).answer(named, outcome, "so it is", by="key_17")
    with pytest.raises(AppealRefused, match="export = true"):
        list(Appeals(home).labelled())
    file.write_text(file.read_text() + "\n[appeals]\nexport = true\n")
    lines = list(Appeals(Home.open(home.path)).labelled())
    written = tmp_path / "labelled.jsonl"
    written.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    assert [(p.text, p.unsafe, p.categories) for p in read_labelled(written)] == [
        ("a fight", True, {"violence"}),
        ("a pillow fight", False, frozenset()),
    ]
