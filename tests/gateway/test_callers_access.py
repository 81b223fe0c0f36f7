"""Who gets in, with what, and as whom."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import httpx
import openai
import pytest
from fastapi import FastAPI

from guard.errors import CredentialInvalid, InvalidRequest
from guard.gateway import create_app
from guard.gateway.callers import (
    ApiKeys,
    Callers,
    Identity,
    KeyTerms,
    Role,
    Scope,
    check_exposure,
    may_see,
    sees_commitment,
)
from guard.gateway.callers.access import FRESH_SECONDS
from provenance.home import Home
from provenance.ledger.commitment import commitment
from tests.gateway.conftest import served
from tests.support.clock import InMemoryClock
from tests.support.deployment import pipeline_of

ELSEWHERE = "192.0.2.7"
UNKNOWN = f"wm_{'0' * 16}_{'a' * 52}"


@pytest.fixture
def keys(home: Home) -> Iterator[ApiKeys]:
    made = ApiKeys.of(home)
    yield made
    made.close()


@pytest.fixture
def app(home: Home) -> FastAPI:
    return create_app(home, pipeline_of(home))


def asked(
    app: FastAPI, token: str = "", *, of: str = "127.0.0.1", **headers: str
) -> httpx.Response:
    """The answer to a caller at the address ``of``."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(of, 4711))
        sent = {"authorization": f"Bearer {token}"} | headers if token else headers
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/v1/models", headers=sent)

    return asyncio.run(ask())


def require_credentials(home: Home) -> None:
    with (home.path / "wardmark.toml").open("a", encoding="utf-8") as settings:
        settings.write("\n[callers]\nrequired = true\n")


def test_on_this_machine_any_key_of_another_form_will_do(app: FastAPI) -> None:
    for token in ("", "sk-whatever", "not checked"):
        assert asked(app, token).status_code == 200


@pytest.mark.parametrize("token", [UNKNOWN, "wm_", "wm_short_secret", UNKNOWN + "a"])
def test_a_key_of_our_form_that_is_wrong_never_gets_in(app: FastAPI, token: str) -> None:
    answer = asked(app, token)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_whoever_comes_from_elsewhere_needs_a_key(app: FastAPI, keys: ApiKeys) -> None:
    assert asked(app, "sk-whatever", of=ELSEWHERE).status_code == 401
    assert asked(app, keys.create(KeyTerms()).token, of=ELSEWHERE).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"host": "rebound.test:80"},
        {"host": "127.0.0.1.rebound.test"},
        {"origin": "https://elsewhere.test"},
        {"origin": "null"},
    ],
)
def test_a_proxy_or_a_web_page_on_this_machine_lets_nobody_in_unseen(
    app: FastAPI, headers: dict[str, str]
) -> None:
    assert asked(app, **headers).status_code == 401


def test_this_machine_is_known_under_each_of_its_names(app: FastAPI) -> None:
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]", "[::1]:8000"):
        assert asked(app, host=host, origin=f"http://{host}").status_code == 200, host


def test_an_exposed_gateway_and_one_that_says_so_need_keys_of_everybody(home: Home) -> None:
    assert asked(create_app(home, pipeline_of(home), exposed=True)).status_code == 401
    require_credentials(home)
    again = Home.open(home.path)
    assert asked(create_app(again, pipeline_of(again))).status_code == 401
    again.ledger.close()


def test_two_credentials_in_one_request_are_refused(app: FastAPI, keys: ApiKeys) -> None:
    token = keys.create(KeyTerms()).token

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        both = [("authorization", f"Bearer {token}"), ("authorization", "Bearer other")]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/v1/models", headers=both)

    assert asyncio.run(ask()).status_code == 401


def test_the_official_client_works_with_a_key_and_names_the_fault_of_a_wrong_one(
    app: FastAPI, keys: ApiKeys
) -> None:
    with served(app) as url:
        with openai.OpenAI(base_url=f"{url}/v1", api_key=keys.create(KeyTerms()).token) as client:
            assert client.images.generate(prompt="a calm sea").data
        with (
            openai.OpenAI(base_url=f"{url}/v1", api_key=UNKNOWN) as client,
            pytest.raises(openai.AuthenticationError) as refused,
        ):
            client.images.generate(prompt="a calm sea")
    assert refused.value.code == "invalid_api_key"


def test_a_key_opens_what_its_scopes_name_and_nothing_else(app: FastAPI, keys: ApiKeys) -> None:
    only = keys.create(KeyTerms(scopes=frozenset({Scope.GENERATE}))).token
    answer = asked(app, only)
    assert answer.status_code == 403
    assert answer.json()["error"]["type"] == "permission_error"
    assert "read" in answer.json()["error"]["message"]


def test_a_revoked_key_is_out_within_seconds_in_a_process_that_has_just_seen_it(
    home: Home, keys: ApiKeys
) -> None:
    now = 0.0
    callers = Callers(home, monotonic=lambda: now)
    issued = keys.create(KeyTerms())
    assert callers.of_token(issued.token).subject == issued.key.subject
    keys.revoke(issued.key.id)
    assert callers._remembered(issued.token) is not None
    now += FRESH_SECONDS
    assert callers._remembered(issued.token) is None
    with pytest.raises(CredentialInvalid):
        callers.of_token(issued.token)
    callers.keys.close()


def test_a_key_that_is_made_works_where_it_was_asked_for_before(home: Home, keys: ApiKeys) -> None:
    now = 0.0
    callers = Callers(home, monotonic=lambda: now)
    with pytest.raises(CredentialInvalid):
        callers.of_token(UNKNOWN)
    assert callers.of_token(keys.create(KeyTerms()).token).role is Role.USER
    callers.keys.close()


def test_an_expired_key_is_out_at_once(home: Home) -> None:
    clock = InMemoryClock()
    keys = ApiKeys(ApiKeys.of(home)._database, home.ledger, home.commitment_key, clock)
    now = 0.0
    callers = Callers(home, keys=keys, monotonic=lambda: now)
    token = keys.create(KeyTerms(expires_at=clock() + timedelta(seconds=1))).token
    callers.of_token(token)
    clock.advance(timedelta(seconds=1))
    now += 1
    assert callers._remembered(token) is None
    with pytest.raises(CredentialInvalid):
        callers.of_token(token)
    keys.close()


def test_a_gateway_is_not_exposed_before_anybody_could_be_recognised(
    home: Home, keys: ApiKeys
) -> None:
    assert check_exposure("127.0.0.1", home) is False
    assert check_exposure("::1", home) is False
    with pytest.raises(InvalidRequest, match="api-keys create"):
        check_exposure("0.0.0.0", home)  # noqa: S104
    revoked = keys.create(KeyTerms()).key
    keys.revoke(revoked.id)
    with pytest.raises(InvalidRequest):
        check_exposure("0.0.0.0", home)  # noqa: S104
    keys.create(KeyTerms())
    assert check_exposure("0.0.0.0", home) is True  # noqa: S104


def test_tenants_cannot_see_each_other_and_the_operator_sees_all() -> None:
    for role in Role:
        assert may_see(Identity(role=role, tenant="a"), "a")
        assert not may_see(Identity(role=role, tenant="a"), "b")
        assert not may_see(Identity(role=role, tenant="a"), None)
        assert may_see(Identity(role=role), "a") is (role is not Role.USER)
    assert may_see(Identity(), None)


def test_tenants_are_told_apart_by_what_stands_in_the_ledger(home: Home) -> None:
    key = home.commitment_key
    of_a = commitment(key, "caller.tenant=a")
    assert sees_commitment(Identity(tenant="a"), of_a, key)
    assert not sees_commitment(Identity(tenant="b"), of_a, key)
    assert not sees_commitment(Identity(tenant="b"), None, key)
    assert not sees_commitment(Identity(), of_a, key)
    assert sees_commitment(Identity(role=Role.MODERATOR), of_a, key)
    assert sees_commitment(Identity(), None, key)
