"""API keys from the first day to the last."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from guard.errors import ApiKeyNotFound, CredentialInvalid, InvalidRequest
from guard.gateway.callers import ApiKeys, Identity, KeyState, KeyTerms, Limits, Role, Scope
from provenance.home import Home
from provenance.ledger import Ledger, LedgerKey
from provenance.ledger.database import Database
from tests.support.clock import InMemoryClock
from tests.support.databases import postgresql_server, postgresql_url, url

__all__ = ["postgresql_server", "postgresql_url", "url"]

COMMITMENT_KEY = bytes(range(32))


@pytest.fixture
def clock() -> InMemoryClock:
    return InMemoryClock()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url, LedgerKey.generate("callers.test/one")) as opened:
        yield opened


@pytest.fixture
def keys(url: str, ledger: Ledger, clock: InMemoryClock) -> Iterator[ApiKeys]:
    made = ApiKeys(Database(url), ledger, COMMITMENT_KEY, clock)
    yield made
    made.close()


def whose(keys: ApiKeys, token: str) -> Identity:
    return keys.check(token).identity


def test_a_key_says_who_it_is_and_all_that_it_was_made_with(keys: ApiKeys) -> None:
    terms = KeyTerms(
        label="the newsroom",
        role=Role.MODERATOR,
        tenant="newsroom",
        scopes=frozenset({Scope.READ, Scope.CONSOLE}),
        region="DE",
        age_verified=True,
        limits=Limits(requests_per_minute=7, pictures_per_day=0),
    )
    issued = keys.create(terms)
    assert keys.all() == (issued.key,)
    assert issued.key.terms == terms
    assert whose(keys, issued.token) == Identity(
        subject=f"key_{issued.key.id}",
        role=Role.MODERATOR,
        tenant="newsroom",
        scopes=frozenset({"read", "console"}),
        region="DE",
        age_verified=True,
        limits=terms.limits,
    )


def test_no_file_of_a_home_holds_the_secret(home: Home) -> None:
    keys = ApiKeys.of(home)
    issued = keys.create(KeyTerms())
    keys.close()
    secret = issued.token.rpartition("_")[2].encode()
    files = [path for path in home.path.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if secret in path.read_bytes()] == []


def test_a_copy_of_the_database_opens_nothing_under_another_homes_key(
    url: str, ledger: Ledger, keys: ApiKeys
) -> None:
    token = keys.create(KeyTerms()).token
    elsewhere = ApiKeys(Database(url), ledger, bytes(32))
    with pytest.raises(CredentialInvalid):
        whose(elsewhere, token)
    elsewhere.close()


@pytest.mark.parametrize("at", [3, 20, 70])
def test_a_key_with_one_character_changed_is_unknown(keys: ApiKeys, at: int) -> None:
    token = keys.create(KeyTerms()).token
    other = "b" if token[at] != "b" else "c"
    with pytest.raises(CredentialInvalid):
        whose(keys, token[:at] + other + token[at + 1 :])


def test_a_rotated_key_keeps_its_name_and_both_secrets_for_the_overlap(
    keys: ApiKeys, clock: InMemoryClock
) -> None:
    first = keys.create(KeyTerms(tenant="a"))
    second = keys.rotate(first.key.id, timedelta(hours=2))
    assert second.token != first.token
    assert whose(keys, first.token) == whose(keys, second.token)
    clock.advance(timedelta(hours=2))
    with pytest.raises(CredentialInvalid):
        whose(keys, first.token)
    assert whose(keys, second.token).subject == first.key.subject


def test_without_an_overlap_the_old_secret_is_out_at_once(keys: ApiKeys) -> None:
    first = keys.create(KeyTerms())
    keys.rotate(first.key.subject)
    with pytest.raises(CredentialInvalid):
        whose(keys, first.token)


def test_a_key_that_has_ended_stays_ended(keys: ApiKeys, clock: InMemoryClock) -> None:
    key = keys.create(KeyTerms(expires_at=clock() + timedelta(days=1))).key
    revoked = keys.create(KeyTerms()).key
    assert keys.revoke(revoked.id).state(clock()) is KeyState.REVOKED
    clock.advance(timedelta(days=1))
    assert key.state(clock()) is KeyState.EXPIRED
    for ended in (key, revoked):
        with pytest.raises(InvalidRequest):
            keys.rotate(ended.id)
        with pytest.raises(InvalidRequest):
            keys.revoke(ended.id)
    with pytest.raises(ApiKeyNotFound):
        keys.revoke("0000000000000000")


def test_the_ledger_is_told_of_each_change_without_secret_label_or_tenant(
    ledger: Ledger, keys: ApiKeys
) -> None:
    issued = keys.create(KeyTerms(label="Ada", tenant="newsroom"))
    keys.rotate(issued.key.id)
    keys.revoke(issued.key.id)
    entries = [entry for entry in ledger.entries() if entry.kind.startswith("api_key.")]
    assert [entry.kind for entry in entries] == [
        "api_key.created",
        "api_key.rotated",
        "api_key.revoked",
    ]
    for entry in entries:
        assert entry.body["key"] == issued.key.subject
        assert len(str(entry.body["tenant"])) == 64
        assert "Ada" not in str(entry.body)
        assert "newsroom" not in str(entry.body)
        assert issued.token.rpartition("_")[2] not in str(entry.body)


def test_what_makes_no_sense_is_refused(keys: ApiKeys, clock: InMemoryClock) -> None:
    with pytest.raises(InvalidRequest):
        keys.create(KeyTerms(expires_at=clock()))
    issued = keys.create(KeyTerms())
    with pytest.raises(InvalidRequest):
        keys.rotate(issued.key.id, timedelta(days=31))
    with pytest.raises(ValueError, match="opens nothing"):
        KeyTerms(scopes=frozenset())


def test_a_use_is_noted_by_the_day(keys: ApiKeys, clock: InMemoryClock) -> None:
    issued = keys.create(KeyTerms())
    assert keys.find(issued.key.id).last_used is None
    for day in ("2026-06-01", "2026-06-02"):
        whose(keys, issued.token)
        assert keys.find(issued.key.subject).last_used == day
        clock.advance(timedelta(days=1))
