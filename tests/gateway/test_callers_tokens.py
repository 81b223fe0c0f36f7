"""Tokens of an issuer: believed where all holds; where nobody can tell, nobody passes."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from guard.errors import CredentialInvalid, IssuerUnavailable
from guard.gateway import create_app
from guard.gateway.callers import Identity, Role
from guard.gateway.callers.tokens import ASK_AGAIN_SECONDS, Issuers
from provenance.callers import IssuerSettings
from provenance.home import Home
from tests.gateway.conftest import served
from tests.support.clock import InMemoryClock
from tests.support.deployment import pipeline_of
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, new_private, running_issuer

KEY = bytes(range(32))
CLOCK = InMemoryClock()
NOW = CLOCK().timestamp()


class Passing:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as made:
        yield made


@pytest.fixture
def passing() -> Passing:
    return Passing()


@pytest.fixture
def issuers(issuer: Issuer, passing: Passing) -> Issuers:
    return Issuers([issuer.settings()], KEY, CLOCK, passing)


def identity_of(issuer: Issuer, settings: dict[str, Any], **claims: Any) -> Identity:
    issuers = Issuers([issuer.settings(**settings)], KEY, CLOCK)
    return issuers.check(issuer.token(NOW, **claims)).identity


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_good_token_gives_an_identity_that_names_nobody(
    issuer: Issuer, issuers: Issuers, algorithm: str
) -> None:
    issuer.rotate("its key", algorithm)
    checked = issuers.check(issuer.token(NOW))
    again = issuers.check(issuer.token(NOW, jti="another"))
    other = issuers.check(issuer.token(NOW, sub="bob"))
    assert checked.identity.subject.startswith("oidc:")
    assert "ada" not in checked.identity.subject
    assert checked.identity == again.identity != other.identity
    assert checked.until == NOW + 600
    assert issuer.asked == 1, "keys are fetched once"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.test"},
        {"aud": "another.test"},
        {"aud": None},
        {"sub": None},
        {"exp": None},
        {"exp": NOW - 31},
        {"exp": "soon"},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"nbf": NOW + 31},
        {"iat": NOW + 31},
        {"iss": ["https://issuer.test"]},
    ],
    ids=str,
)
def test_a_token_of_which_one_thing_does_not_hold_is_refused(
    issuer: Issuer, issuers: Issuers, claims: dict[str, Any]
) -> None:
    with pytest.raises(CredentialInvalid):
        issuers.check(issuer.token(NOW, **claims))


def test_clocks_may_differ_by_the_leeway(issuer: Issuer, issuers: Issuers) -> None:
    issuers.check(issuer.token(NOW, exp=NOW - 29, iat=NOW + 29, nbf=NOW + 29))


def test_the_public_key_is_no_secret_to_sign_with(issuer: Issuer, issuers: Issuers) -> None:
    issuer.rotate("public", "RS256")
    public = jwt.PyJWK(issuer.keys["keys"][0]).key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm in ("HS256", "none"):
        head = {"alg": algorithm, "kid": "public", "typ": "JWT"}
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": NOW + 600}
        parts = [_encoded(head), _encoded(claims)]
        signature = b""
        if algorithm == "HS256":
            signature = jwt.get_algorithm_by_name("HS256").sign(".".join(parts).encode(), pem)
        forged = ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])
        with pytest.raises(CredentialInvalid):
            issuers.check(forged)


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def test_somebody_elses_signature_under_the_issuers_key_id_is_refused(
    issuer: Issuer, issuers: Issuers
) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": NOW + 600}
    forged = jwt.encode(claims, new_private("ES256"), algorithm="ES256", headers={"kid": "first"})
    with pytest.raises(CredentialInvalid):
        issuers.check(forged)


def test_a_changed_token_is_refused(issuer: Issuer, issuers: Issuers) -> None:
    head, body, signature = issuer.token(NOW).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    for changed in (
        ".".join([head, _encoded(claims | {"sub": "bob"}), signature]),
        ".".join([head, body, signature[:-4] + "AAAA"]),
        ".".join([head, body, ""]),
        f"{head}.{body}",
        "eyJ..",
        "eyJhbGciOiJFUzI1NiJ9." + "A" * 9000 + ".x",
    ):
        with pytest.raises(CredentialInvalid):
            issuers.check(changed)


def test_a_new_key_of_the_issuer_is_found_and_an_old_one_forgotten(
    issuer: Issuer, issuers: Issuers, passing: Passing
) -> None:
    old = issuer.token(NOW)
    issuers.check(old)
    issuer.rotate("second")
    passing.now += ASK_AGAIN_SECONDS
    issuers.check(issuer.token(NOW))
    with pytest.raises(CredentialInvalid, match="disowns"):
        issuers.check(old)


def test_made_up_key_ids_do_not_make_the_issuer_busy(issuer: Issuer, issuers: Issuers) -> None:
    issuers.check(issuer.token(NOW))
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": NOW + 600}
    for number in range(20):
        made_up = jwt.encode(
            claims, new_private("ES256"), algorithm="ES256", headers={"kid": str(number)}
        )
        with pytest.raises(CredentialInvalid):
            issuers.check(made_up)
    assert issuer.asked == 1


def test_an_issuer_that_is_down_is_an_outage_and_recovers(
    issuer: Issuer, issuers: Issuers, passing: Passing
) -> None:
    token = issuer.token(NOW)
    issuer.up = False
    for _ in range(3):
        with pytest.raises(IssuerUnavailable):
            issuers.check(token)
    assert issuer.asked == 1, "it is not asked again at once"
    issuer.up = True
    passing.now += ASK_AGAIN_SECONDS
    issuers.check(token)
    issuer.up = False
    passing.now += issuer.settings().keys_fresh - 1
    issuers.check(token)
    passing.now += 1
    with pytest.raises(IssuerUnavailable):
        issuers.check(token)


@pytest.mark.parametrize("body", [b"[]", b"not json", b'{"keys": 1}', b"[" * 300_000])
def test_an_issuer_that_answers_nonsense_is_an_outage(
    issuer: Issuer, issuers: Issuers, body: bytes
) -> None:
    issuer.body = body
    with pytest.raises(IssuerUnavailable):
        issuers.check(issuer.token(NOW))


def test_keys_that_are_not_for_signatures_here_are_passed_over(
    issuer: Issuer, issuers: Issuers
) -> None:
    token = issuer.token(NOW)
    (good,) = issuer.keys["keys"]
    unfit = [
        good | {"use": "enc"},
        good | {"alg": "ES384"},
        {"kty": "oct", "k": "AAAA", "kid": "first", "alg": "HS256"},
        {"kty": "EC", "crv": "P-256", "x": "!", "y": "!", "kid": "first"},
        "nonsense",
    ]
    issuer.body = json.dumps({"keys": unfit}).encode()
    with pytest.raises(CredentialInvalid):
        issuers.check(token)


def test_claims_become_role_tenant_region_and_age(issuer: Issuer) -> None:
    settings = {
        "role_claim": "realm.groups",
        "roles": {"chiefs": "admin", "safety team": "moderator"},
        "tenant_claim": "https://issuer.test/org",
        "region_claim": "address.country",
        "age_claim": "over_18",
        "scope_claim": "scope",
    }
    claims = {
        "realm": {"groups": ["staff", "safety team", 7]},
        "https://issuer.test/org": "newsroom",
        "address": {"country": "de"},
        "over_18": True,
        "scope": "openid read console",
    }
    found = identity_of(issuer, settings, **claims)
    assert found.role is Role.MODERATOR
    assert (found.tenant, found.region, found.age_verified) == ("newsroom", "DE", True)
    assert found.scopes == {"read", "console"}
    assert identity_of(issuer, settings, **claims | {"realm": {"groups": "chiefs"}}).role == "admin"
    plain = identity_of(issuer, settings, **{"https://issuer.test/org": "a", "realm": "chiefs"})
    assert (plain.role, plain.region, plain.age_verified) == (Role.USER, None, None)
    assert plain.scopes == frozenset()
    with pytest.raises(CredentialInvalid, match="organisation"):
        identity_of(issuer, settings)
    assert identity_of(issuer, {"tenant": "all of them"}).tenant == "all of them"
    assert identity_of(issuer, {"age_claim": "age"}, age=17).age_verified is False
    assert identity_of(issuer, {"age_claim": "age"}, age=18).age_verified is True


def test_settings_name_no_way_to_sign_that_verifiers_share(issuer: Issuer) -> None:
    for wrong in (
        {"algorithms": ["HS256"]},
        {"algorithms": []},
        {"keys_url": "file:///etc/x"},
        {"keys_url": "http://login.example.com/"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            issuer.settings(**wrong)
    assert isinstance(issuer.settings(), IssuerSettings)


def test_over_http_a_good_token_enters_a_bad_one_is_401_and_an_outage_503(
    home: Home, issuer: Issuer
) -> None:
    import time

    settings = issuer.settings(tenant="newsroom")
    told = "\n".join(
        f"{name} = {json.dumps(value)}"
        for name, value in settings.model_dump(include={"issuer", "audience", "keys_url"}).items()
    )
    with (home.path / "wardmark.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[[callers.issuers]]\n{told}\n")
    opened = Home.open(home.path)
    with served(create_app(opened, pipeline_of(opened))) as url:
        issuer.up = False
        token = issuer.token(time.time())
        answers = []
        for sent in (token, token[:-4] + "AAAA", "sk-other"):
            headers = {"authorization": f"Bearer {sent}"}
            answers.append(httpx.get(f"{url}/v1/models", headers=headers))
    assert [a.status_code for a in answers] == [503, 503, 200]
    assert answers[0].json()["error"]["code"] == "identity_unavailable"
    assert answers[0].headers["retry-after"]
    issuer.up = True
    with served(create_app(opened, pipeline_of(opened))) as url:
        headers = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/v1/models", headers=headers).status_code == 200
        headers = {"authorization": f"Bearer {token[:-4]}AAAA"}
        assert httpx.get(f"{url}/v1/models", headers=headers).status_code == 401
    opened.ledger.close()
