"""How callers are recognised and what they may have: the table ``[callers]`` of the settings.

[callers]
required = true
redis = "redis://127.0.0.1:6379/0"
limits = { requests_per_minute = 60, pictures_per_day = 500 }
tenant_limits = { pictures_per_day = 5000 }

[callers.tenants.newsroom]
pictures_per_day = 20000

[[callers.issuers]]
issuer = "https://login.example.com"
audience = "wardmark"
keys_url = "https://login.example.com/.well-known/jwks.json"
tenant_claim = "org"
role_claim = "groups"
roles = { "safety-team" = "moderator" }
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from policies.decision import Frozen

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""Those of RFC 7518 and RFC 8037 in which a verifier holds no secret."""


class IssuerSettings(Frozen):
    """An issuer of OpenID Connect whose tokens (JWT) are believed here.

    ``issuer`` and ``audience`` must stand in a token exactly so. ``keys_url``: its JSON Web Key
    Set, by https unless it is on this machine. ``leeway``: seconds by which clocks may differ.
    ``keys_fresh``: seconds for which fetched keys are believed; after that they are fetched
    again or nobody gets in. ``*_claim``: the claim, with dots into nested ones, that holds the
    role, tenant, region (ISO 3166-1) or age; an empty one is not read. ``roles``: what a value
    of the role's claim means here; without one of them somebody is a user. ``scope_claim``:
    holds scopes of ours, separated by spaces or as a list; empty means all but bulk.
    ``tenant``: of everybody whom this issuer sends, in place of a claim.
    """

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    keys_url: str = Field(pattern=r"^https://|^http://(localhost|127\.0\.0\.1|\[::1\])[:/]")
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256", "EdDSA"), min_length=1)
    leeway: float = Field(default=30.0, ge=0, le=300)
    keys_fresh: float = Field(default=600.0, gt=0, le=86_400)
    role_claim: str = ""
    roles: Mapping[str, Literal["user", "moderator", "auditor", "admin"]] = {}
    scope_claim: str = ""
    tenant_claim: str = ""
    tenant: str | None = None
    region_claim: str = ""
    age_claim: str = ""


class Limits(Frozen):
    """How much somebody may have; ``None`` sets no limit, or leaves it to the next wider setting.

    Requests come back evenly over the minute; pictures at midnight UTC.
    """

    requests_per_minute: int | None = Field(default=None, ge=1)
    pictures_per_day: int | None = Field(default=None, ge=0)

    def over(self, wider: "Limits") -> "Limits":
        """These, and where they say nothing, what ``wider`` says."""
        said = self.model_dump(exclude_none=True)
        return wider.model_copy(update=said)


class FrictionSettings(Frozen):
    """What becomes of near-duplicates of refused prompts; attempts are those refused again.

    ``alike``: the share of their words, 0 to 1, from which two prompts are near-duplicates. After
    ``slow_after`` attempts ``per_minute`` are tried, after ``stop_after`` none, for as long as
    they are remembered: ``memory`` seconds.
    """

    on: bool = True
    alike: float = Field(default=0.7, gt=0, le=1)
    slow_after: int = Field(default=3, ge=2, le=20)
    per_minute: int = Field(default=2, ge=1, le=1000)
    stop_after: int = Field(default=6, ge=2, le=20)
    memory: float = Field(default=3600.0, gt=0, le=86_400)

    @model_validator(mode="after")
    def _in_order(self) -> "FrictionSettings":
        if self.slow_after > self.stop_after:
            raise ValueError("attempts are stopped before they are slowed; raise stop_after")
        return self


class PatienceSettings(Frozen):
    """How long a client may take, in seconds.

    Its headers are to come within ``head_seconds``. After ``body_grace`` its body is to come at
    ``body_rate`` (bytes a second) on average, and whole within ``body_seconds``. After
    ``answer_seconds`` in which it reads nothing of an answer that waits for it, it is given up.
    """

    head_seconds: float = Field(default=10.0, gt=0, le=600)
    body_grace: float = Field(default=20.0, gt=0, le=600)
    body_rate: float = Field(default=16_384.0, gt=0)
    body_seconds: float = Field(default=600.0, gt=0, le=3600)
    answer_seconds: float = Field(default=60.0, gt=0, le=3600)


class CallerSettings(Frozen):
    """``required``: callers on this machine need a credential too. ``issuers``: whose tokens are
    taken beside API keys. ``limits``: of each caller, unless its key says otherwise.
    ``tenant_limits``: of all callers of a tenant together; ``tenants``: of those named.
    ``friction``: for those who probe. ``patience``: with slow ones. ``redis``: where all of this
    is counted for all processes; empty counts in each process by itself."""

    required: bool = False
    limits: Limits = Limits()
    tenant_limits: Limits = Limits()
    tenants: Mapping[str, Limits] = {}
    friction: FrictionSettings = FrictionSettings()
    patience: PatienceSettings = PatienceSettings()
    redis: str = Field(default="", pattern="^$|^(redis|rediss|unix)://")
    issuers: tuple[IssuerSettings, ...] = ()

    @field_validator("issuers")
    @classmethod
    def _each_once(cls, issuers: tuple[IssuerSettings, ...]) -> tuple[IssuerSettings, ...]:
        names = [issuer.issuer for issuer in issuers]
        if len(names) != len(set(names)):
            raise ValueError("an issuer is named twice; name each once")
        return issuers
