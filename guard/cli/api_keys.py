"""``wardmark api-keys``: the credentials of those who call the gateway."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guard.cli.options import HomeOption, JsonOption, open_home
from guard.cli.output import print_json, results, say
from guard.errors import InvalidRequest

if TYPE_CHECKING:
    from guard.gateway.callers import ApiKey, ApiKeys, Issued, Role, Scope

app = typer.Typer(help="API keys of those who call the gateway.", no_args_is_help=True)
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its id, key_...")]


@app.command("create")
def create(
    context: typer.Context,
    label: Annotated[str, typer.Option(help="What people call it; stands in no ledger.")] = "",
    role: Annotated[str, typer.Option(help="user, moderator, auditor or admin.")] = "user",
    tenant: Annotated[
        str | None, typer.Option(help="The organisation; tenants cannot see each other.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="generate, edit, moderate, read, appeal, console or bulk; by default all"
            " but bulk. Again for another one."
        ),
    ] = None,
    region: Annotated[str | None, typer.Option(help="ISO 3166-1, such as DE.")] = None,
    age_verified: Annotated[
        bool | None, typer.Option("--age-verified/--age-not-verified", help="Of those behind it.")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option("--requests-per-minute", min=1, help="Else as the settings say.")
    ] = None,
    per_day: Annotated[
        int | None, typer.Option("--pictures-per-day", min=0, help="Else as the settings say.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, once."""
    from guard.gateway.callers import KeyTerms, Limits

    given: dict[str, Any] = {
        "label": label,
        "role": _role(role),
        "tenant": tenant,
        "region": region,
        "age_verified": age_verified,
        "limits": Limits(requests_per_minute=per_minute, pictures_per_day=per_day),
        "expires_at": datetime.now(UTC) + timedelta(days=days) if days else None,
    }
    if scope:
        given["scopes"] = frozenset(map(_scope, scope))
    try:
        terms = KeyTerms(**given)
    except ValueError as error:
        raise InvalidRequest(f"this key cannot be made: {error}") from error
    _show(_keys(context, home).create(terms), as_json)


@app.command("list")
def list_keys(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Every key that was ever made, the newest first, without secrets."""
    found = _keys(context, home).all()
    if as_json:
        print_json([_document(key) for key in found])
        return
    for key in found:
        terms = key.terms
        until = f"{terms.expires_at:%Y-%m-%d}" if terms.expires_at else "-"
        results.print(
            f"{key.state(datetime.now(UTC)).value:8} {key.subject}  {terms.role.value:9}"
            f" {terms.tenant or '-':16} until {until:10}  used {key.last_used or '-':10}"
            f"  {' '.join(sorted(terms.scopes))}  {terms.label}",
            markup=False,
        )
    if not found:
        say("there is no API key yet; make one with: wardmark api-keys create")


@app.command("rotate")
def rotate(
    context: typer.Context,
    key: KeyArgument,
    overlap: Annotated[
        float, typer.Option(metavar="HOURS", min=0, help="How long the old secret stays good.")
    ] = 24.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A new secret for a key, whose id and terms stay."""
    _show(_keys(context, home).rotate(key, timedelta(hours=overlap)), as_json)


@app.command("revoke")
def revoke(
    context: typer.Context, key: KeyArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """End a key for good; running gateways turn it away within seconds."""
    revoked = _keys(context, home).revoke(key)
    if as_json:
        print_json(_document(revoked))
    else:
        say(f"{revoked.subject} is revoked; running gateways turn it away within seconds")


def _keys(context: typer.Context, home: Any) -> "ApiKeys":
    from guard.gateway.callers import ApiKeys

    return ApiKeys.of(open_home(context, home))


def _role(named: str) -> "Role":
    from guard.gateway.callers import Role

    try:
        return Role(named)
    except ValueError:
        raise InvalidRequest(f"no role {named!r}; roles are {', '.join(Role)}") from None


def _scope(named: str) -> "Scope":
    from guard.gateway.callers import Scope

    try:
        return Scope(named)
    except ValueError:
        raise InvalidRequest(f"no scope {named!r}; scopes are {', '.join(Scope)}") from None


def _document(key: "ApiKey") -> dict[str, Any]:
    document = key.model_dump(mode="json") | {"id": key.subject}
    document["terms"]["scopes"] = sorted(key.terms.scopes)
    return document | {"state": key.state(datetime.now(UTC)).value}


def _show(issued: "Issued", as_json: bool) -> None:
    if as_json:
        print_json(_document(issued.key) | {"token": issued.token})
        return
    results.print(issued.token, markup=False)
    say(f"{issued.key.subject}: keep the token now, it cannot be shown again")
    if issued.key.previous_until:
        say(f"  the token before stays good until {issued.key.previous_until:%Y-%m-%d %H:%M} UTC")
