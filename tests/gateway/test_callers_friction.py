"""Rewording is free, probing is not."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import ProbingSuspected
from guard.gateway import create_app
from guard.gateway.callers import ApiKeys, Identity, KeyTerms, Limits, Scope
from guard.gateway.callers import friction as module
from guard.gateway.callers.friction import NOTES, Friction, MemoryNotes, Note, Notes
from guard.gateway.callers.redis import RedisNotes
from guard.gateway.callers.sketch import WORDS, overlap, packed, sketch, unpacked
from guard.gateway.limits import MemoryCounters
from provenance.callers import FrictionSettings
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.deployment import pipeline_of
from tests.support.redis import MISSING, running_redis

KEY = bytes(range(32))
REFUSED = "a bloody fight between two soldiers in a burning village at night"
OTHERS = (
    "a calm sea under a pale morning sky with a single white sail",
    "portrait of an old fisherman mending nets beside his wooden boat",
    "three cats asleep on a red sofa in front of a fireplace",
)
PERSON = "key_a"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    if shutil.which("redis-server") is None or find_spec("redis") is None:
        pytest.skip(MISSING)
    with running_redis() as server:
        yield server.url


@pytest.fixture(params=["memory", "redis"])
def notes(request: pytest.FixtureRequest) -> Iterator[Notes]:
    if request.param == "memory":
        yield MemoryNotes()
        return
    made = RedisNotes(request.getfixturevalue("redis_url"))
    made._client.flushall()
    yield made
    made.close()


class Trying:
    """One person, and a clock that a test moves."""

    def __init__(self, notes: Notes, **settings: object) -> None:
        self.now = 1_000_000.0
        told = FrictionSettings.model_validate(settings)
        self.friction = Friction(told, notes, MemoryCounters(), KEY, lambda: self.now)

    def __call__(self, prompt: str, *, refused: bool = True) -> int:
        """Ask; returns how many attempts were known. Raises ProbingSuspected."""
        tried = asyncio.run(self.friction.weigh(PERSON, prompt))
        if refused:
            asyncio.run(self.friction.refused(tried))
        return tried.attempts


def reworded(number: int) -> str:
    return f"{REFUSED}, version {'abcdefghijklmnopqrstuvwxyz'[number] * 4}"


def test_somebody_who_rewords_a_few_times_is_not_held_up(notes: Notes) -> None:
    trying = Trying(notes)
    assert [trying(REFUSED), trying(reworded(0)), trying(reworded(1)), trying(reworded(2))] == [
        *(0, 0, 1, 2)
    ]


def test_more_attempts_are_slowed_then_stopped_and_still_counted(notes: Notes) -> None:
    trying = Trying(notes)
    for number in range(4):
        trying(reworded(number))
    for number in (4, 5):  # two a minute
        trying(reworded(number))
    with pytest.raises(ProbingSuspected, match="2 a minute") as slowed:
        trying(reworded(6))
    assert slowed.value.retry_after == 30
    trying.now += 30
    trying(reworded(6))
    for number in range(7, 11):
        with pytest.raises(ProbingSuspected, match="no more is tried") as stopped:
            trying(reworded(number))
        assert 3000 < stopped.value.retry_after <= 3600
    assert trying(OTHERS[0], refused=False) == 10, "what policy is told"


def test_what_was_stopped_is_stopped_again_and_counted_once(notes: Notes) -> None:
    trying = Trying(notes, slow_after=2, stop_after=2)
    for number in range(3):
        trying(reworded(number))
    for _ in range(5):
        with pytest.raises(ProbingSuspected):
            trying(reworded(3))
    assert trying(OTHERS[0], refused=False) == 3


def test_other_prompts_go_on_as_ever(notes: Notes) -> None:
    trying = Trying(notes)
    for number in range(4):
        trying(reworded(number))
    trying(reworded(4))
    trying(reworded(5))
    for other in OTHERS:
        trying(other, refused=False)
        trying(other)
    assert trying("one more calm sea", refused=False) == 5


def test_the_same_prompt_again_is_no_attempt(notes: Notes) -> None:
    trying = Trying(notes)
    assert [trying(REFUSED) for _ in range(20)] == [0] * 20


def test_versions_of_what_was_accepted_are_no_attempts(notes: Notes) -> None:
    trying = Trying(notes)
    trying(REFUSED)
    for number in range(20):
        assert trying(reworded(number), refused=False) == 0


def test_all_is_forgotten_after_its_time(notes: Notes) -> None:
    trying = Trying(notes, slow_after=2, stop_after=2, memory=60)
    for number in range(3):
        trying(reworded(number))
    with pytest.raises(ProbingSuspected):
        trying(reworded(3))
    trying.now += 60
    assert trying(reworded(4)) == 0


@pytest.mark.parametrize(
    "disguised",
    [
        "A BLOODY fight, between two soldiers; in a burning village (at night)",
        "ａ ｂｌｏｏｄｙ ｆｉｇｈｔ between two soldiers in a burning village at night",
        "in a burning village at night: two soldiers, between them a bloody fight",
        f"please draw, in the style of an old master, highly detailed, 8k: {REFUSED}, by sunset",
        "a bloody brawl between two soldiers in a burning hamlet at night",
    ],
)
def test_what_is_around_a_prompt_does_not_hide_it(disguised: str) -> None:
    assert overlap(sketch(REFUSED, KEY), sketch(disguised, KEY)) >= FrictionSettings().alike


def test_prompts_without_spaces_are_compared_too() -> None:
    first = sketch("两个士兵在夜晚燃烧的村庄里血腥战斗", KEY)
    again = sketch("两个士兵在白天燃烧的村庄里血腥战斗", KEY)
    other = sketch("一只猫在红色沙发上睡觉", KEY)
    assert overlap(first, again) >= 0.7 > 0.3 > overlap(first, other)


WORD = st.text("abcdefghij", min_size=3, max_size=6)


@given(st.lists(WORD, max_size=200), st.lists(WORD, max_size=200), st.lists(WORD, max_size=100))
def test_an_overlap_is_a_share_whichever_comes_first(
    one: list[str], other: list[str], shared: list[str]
) -> None:
    a, b = sketch(" ".join(one + shared), KEY), sketch(" ".join(other + shared), KEY)
    assert 0.0 <= overlap(a, b) == overlap(b, a) <= 1.0
    assert len(a) <= WORDS
    assert unpacked(packed(a)) == a
    if a:
        assert overlap(a, a) == 1.0


def test_the_overlap_of_long_prompts_is_estimated_without_bias() -> None:
    rng = random.Random(5)
    estimates = []
    for _ in range(60):
        words = [f"w{rng.getrandbits(40):x}" for _ in range(400)]
        half = [*words[:200], *(f"w{rng.getrandbits(40):x}" for _ in range(200))]
        estimates.append(overlap(sketch(" ".join(words), KEY), sketch(" ".join(half), KEY)))
    assert sum(estimates) / len(estimates) == pytest.approx(0.5, abs=0.06)


def test_no_prompt_is_kept_and_little_of_anything(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    trying = Trying(notes)
    for number in range(40):
        trying(f"word{number} " * 3)
    kept = notes.read(PERSON)
    assert len(kept) == NOTES
    long = " ".join(f"word{number}" for number in range(500))
    trying(long)
    assert max(map(len, notes.read(PERSON))) <= 209
    assert b"word" not in b"".join(notes.read(PERSON))
    assert Note.unpacked(kept[0]).packed() == kept[0]
    assert sketch(REFUSED, KEY) != sketch(REFUSED, bytes(32)), "another home sees other words"
    monkeypatch.setattr(module, "PEOPLE", 3)
    memory = MemoryNotes()
    for person in "abcde":
        memory.add(person, b"note", 60)
    assert [len(memory.read(person)) for person in "abcde"] == [0, 0, 1, 1, 1]


def test_people_behind_one_key_are_told_apart_only_for_keys_that_may_say_so() -> None:
    friction = Friction(FrictionSettings(), MemoryNotes(), MemoryCounters(), KEY)
    own = Identity(subject="key_a")
    assert friction.person(own, "ada") == friction.person(own, "bob") == "key_a"
    bulk = Identity(subject="key_b", scopes=frozenset({Scope.BULK, Scope.GENERATE}))
    ada, bob = friction.person(bulk, "ada"), friction.person(bulk, "bob")
    assert ada != bob
    assert "ada" not in str(ada)
    assert friction.person(bulk) is None
    assert friction.person(Identity()) is None, "nobody is held to account on this machine"
    off = Friction(FrictionSettings(on=False), MemoryNotes(), MemoryCounters(), KEY)
    assert off.person(own) is None


@pytest.fixture
def keys(home: Home) -> Iterator[ApiKeys]:
    made = ApiKeys.of(home)
    yield made
    made.close()


def test_over_http_probing_is_429_with_a_reason_and_the_ledger_is_told_once(
    home: Home, keys: ApiKeys
) -> None:
    issued = keys.create(KeyTerms())
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.97}})
    app = create_app(home, pipeline_of(home, prompts=prompts))
    # Two a minute would take a test minutes.
    app.state.callers.friction._settings = FrictionSettings(per_minute=1000)
    statuses = []
    with (
        served(app) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=issued.token, max_retries=0) as client,
    ):
        for number in range(9):
            if number % 2 == 0 and number < 7:
                (result,) = client.moderations.create(input=reworded(number)).results
                assert result.flagged
                continue
            with pytest.raises(openai.APIStatusError) as refused:
                client.images.generate(prompt=reworded(number))
            statuses.append((refused.value.status_code, refused.value.code))
        assert client.images.generate(prompt=OTHERS[0]).data
        last = refused.value
    assert statuses == [(400, "moderation_blocked")] * 3 + [(429, "probing_suspected")] * 2
    assert "appeal" in str(last)
    assert int(last.response.headers["retry-after"]) > 3000
    told = [entry.body for entry in home.ledger.entries(kind="caller.probing")]
    assert told == [{"caller": issued.key.subject, "attempts": 6}]


def test_after_many_attempts_policy_holds_all_that_is_asked_for_a_person(
    home: Home, keys: ApiKeys
) -> None:
    issued = keys.create(KeyTerms())
    app = create_app(home, pipeline_of(home))
    admission, identity = app.state.callers.admission, Identity(subject=issued.key.subject)

    async def probe() -> None:
        for number in range(20):
            await admission.learn(identity.subject, reworded(number))

    app.state.callers.friction._settings = FrictionSettings(per_minute=1000)
    asyncio.run(probe())
    headers = {"authorization": f"Bearer {issued.token}"}
    with served(app) as url:
        body = {"prompt": OTHERS[0]}
        answer = httpx.post(f"{url}/v1/images/generations", json=body, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "review_required")
    (reason,) = error["gateway"]["reasons"]
    assert reason["rule"] == "probing"


def test_pictures_that_were_not_delivered_cost_nothing(home: Home, keys: ApiKeys) -> None:
    issued = keys.create(KeyTerms(limits=Limits(pictures_per_day=3)))
    prompts = ScriptedPromptAssessor({"fight": {"violence": 0.97}})
    with (
        served(create_app(home, pipeline_of(home, prompts=prompts))) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=issued.token, max_retries=0) as client,
    ):
        with pytest.raises(openai.BadRequestError):
            client.images.generate(prompt="a fight", n=3)
        assert len(client.images.generate(prompt=OTHERS[0], n=2).data or []) == 2
        with pytest.raises(openai.RateLimitError) as refused:
            client.images.generate(prompt=OTHERS[1], n=2)
        assert refused.value.code == "insufficient_quota"
        assert len(client.images.generate(prompt=OTHERS[1], n=1).data or []) == 1
    fields = [
        entry.body["prompt_stage"]["fields"]  # type: ignore[index, call-overload]
        for entry in home.ledger.entries(kind="delivery")
    ]
    assert [(one["quota.left"], round(one["quota.share"], 3)) for one in fields] == [
        (3, 0.0),
        (3, 0.0),
        (1, 0.667),
    ]
