"""``wardmark serve``: the gateway."""

import ipaddress
from typing import Annotated

import typer
from rich.markup import escape

from guard.cli.options import HomeOption, PolicyOption, open_home
from guard.cli.output import say
from guard.deployment import build_pipeline
from guard.errors import InvalidRequest
from guard.generation.core import EMBEDDED


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    core: Annotated[
        str, typer.Option(help="'scenes', or a diffusers checkpoint directory.")
    ] = EMBEDDED,
    policy: PolicyOption = None,
    fetch_urls: Annotated[
        bool,
        typer.Option("--fetch-urls", help="Let verification fetch pictures at public addresses."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Serve the OpenAI-compatible API on this machine."""
    if not _is_loopback(host):
        raise InvalidRequest(
            f"{host} is not a loopback address; callers are not authenticated yet, so put a"
            " reverse proxy that does it in front of 127.0.0.1"
        )
    import uvicorn

    from guard.gateway import create_app
    from guard.gateway.policy_change import follow
    from guard.policy_watch import PolicyWatch
    from provenance.fetch import Fetcher

    opened = open_home(context, home)
    pipeline = build_pipeline(opened, core=core, policy=policy)
    app = create_app(opened, pipeline, fetcher=Fetcher() if fetch_urls else None)
    watch = PolicyWatch(pipeline, policy or opened.settings.policy, opened.settings.candidate)
    follow(app, watch, lambda said: say(escape(said)))
    say(f"serving on http://{host}:{port}  (API under /v1, description under /docs)")
    say(f"verification for people: http://{host}:{port}/verify")
    uvicorn.run(app, host=host, port=port, log_level="warning")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
