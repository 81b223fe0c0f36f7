"""Policies: what is in force, drafts of another, what that would have decided, publishing it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from guard.console.access import ADMINS, OPERATORS, Admin, Operator, SignedIn, sent_form
from guard.console.page import ROOT, Page, attached, drawn, go, show
from guard.console.views import policies as views
from guard.console.views.replaying import Replaying
from guard.errors import InvalidRequest
from guard.pipeline import Pipeline
from guard.policy_draft import Draft, Drafts
from guard.policy_replay import Progress, ReplayReport, candidate_report, replay
from guard.policy_watch import PolicyWatch
from policies.errors import PolicyNotFound, WardmarkError
from policies.load import load_policy, pack_names
from policies.policy import Policy
from policies.source import MAX_BYTES
from provenance.home import Home

MAX_FORM_BYTES: Final = 6 * MAX_BYTES + 4_096  # two texts, of which percent signs triple a letter
SPANS: Final = {"1": "the last day", "7": "the last week", "30": "the last month"}
"""Days of the past that a policy is put to, and their names."""

router = APIRouter(prefix=f"{ROOT}/policies", route_class=Page, include_in_schema=False)


@router.get("")
async def in_force(request: Request, who: Operator) -> Response:
    """The policy in force, drafts, packs."""
    return await run_in_threadpool(_overview, request, who)


@router.get("/packs/{name}", dependencies=[OPERATORS])
async def pack(request: Request, name: str) -> Response:
    """One of the packs."""
    found = await run_in_threadpool(views.shown, _pack(name))
    return show(request, "policy.html", policy=found, spans=SPANS)


@router.post("/replay")
async def replay_pack(request: Request, who: Operator) -> Response:
    """What a pack would have decided."""
    fields = await sent_form(request, who)
    policy = await run_in_threadpool(load_policy, _pack(fields.get("policy", "")))
    return _replay(request, fields, policy)


@router.post("/candidate")
async def on_trial(request: Request, who: Operator) -> Response:
    """What the policy on trial said while it was on trial."""
    fields = await sent_form(request, who)
    home: Home = request.app.state.home
    pipeline: Pipeline = request.app.state.pipeline
    if pipeline.candidate is None:
        raise InvalidRequest("no policy is on trial; name one in wardmark.toml (candidate)")
    policy = pipeline.candidate.policy
    since = _since(fields)
    return _replayed(request, policy, lambda _: candidate_report(home.ledger, policy, since))


@router.post("/drafts")
async def begin(request: Request, who: Admin) -> Response:
    """Begin a draft of what is in force."""
    fields = await sent_form(request, who)
    drafts = drafts_of(request)
    draft = await run_in_threadpool(
        lambda: drafts.begin(fields.get("title", ""), by=who.identity.subject)
    )
    return go(f"{ROOT}/policies/drafts/{draft.id}")


@router.get("/drafts/{draft_id}")
async def read(request: Request, who: Operator, draft_id: str) -> Response:
    """A draft, and all that there is to say of it."""
    draft = await run_in_threadpool(drafts_of(request).read, draft_id)
    return await run_in_threadpool(_draft, request, who, draft)


@router.get("/drafts/{draft_id}/file", dependencies=[OPERATORS])
async def kept(request: Request, draft_id: str) -> Response:
    """The text of a draft, as a file."""
    draft = await run_in_threadpool(drafts_of(request).read, draft_id)
    return attached(draft.policy, "policy.yaml", "application/yaml")


@router.post("/drafts/{draft_id}")
async def save(request: Request, who: Admin, draft_id: str) -> Response:
    """Keep what somebody wrote. Where that cannot be, the page still holds their words."""
    fields = await sent_form(request, who, MAX_FORM_BYTES)
    drafts = drafts_of(request)
    texts = [fields.get(name, "").replace("\r\n", "\n") for name in ("policy", "cases")]
    seen, by = fields.get("seen", ""), who.identity.subject
    try:
        await run_in_threadpool(lambda: drafts.save(draft_id, *texts, seen=seen, by=by))
    except WardmarkError as error:
        draft = await run_in_threadpool(drafts.read, draft_id)
        theirs = draft.model_copy(update={"policy": texts[0], "cases": texts[1]})
        page = await run_in_threadpool(_draft, request, who, theirs, str(error))
        page.status_code = error.http_status
        return page
    return go(f"{ROOT}/policies/drafts/{draft_id}")


@router.post("/drafts/{draft_id}/replay")
async def replay_draft(request: Request, who: Operator, draft_id: str) -> Response:
    """What a draft would have decided on what was asked before."""
    fields = await sent_form(request, who)
    drafts = drafts_of(request)
    policy = await run_in_threadpool(lambda: drafts.policy_of(drafts.read(draft_id)))
    return _replay(request, fields, policy, f"{ROOT}/policies/drafts/{draft_id}")


@router.post("/drafts/{draft_id}/publish")
async def publish(request: Request, who: Admin, draft_id: str) -> Response:
    """Publish a draft that somebody else wrote."""
    fields = await sent_form(request, who)
    drafts = drafts_of(request)
    pipeline: Pipeline = request.app.state.pipeline
    seen, by = fields.get("seen", ""), who.identity.subject

    def fits(policy: Policy) -> None:
        replace(pipeline, policy=policy)  # checks that the parts here can keep it

    await run_in_threadpool(lambda: drafts.publish(draft_id, seen=seen, by=by, fits=fits))
    return go(f"{ROOT}/policies/drafts/{draft_id}")


@router.post("/drafts/{draft_id}/discard")
async def discard(request: Request, who: Admin, draft_id: str) -> Response:
    """Forget a draft."""
    await sent_form(request, who)
    await run_in_threadpool(drafts_of(request).discard, draft_id)
    return go(f"{ROOT}/policies")


def _pack(name: str) -> str:
    """A pack's name; a file's would be read too. Raises PolicyNotFound."""
    if name not in pack_names():
        raise PolicyNotFound(f"no pack {name!r}; packs are {', '.join(pack_names())}")
    return name


def _named(request: Request) -> str:
    """The pack or file that is in force."""
    watch: PolicyWatch | None = getattr(request.app.state, "policy_watch", None)
    home: Home = request.app.state.home
    return watch.name if watch else home.settings.policy


def drafts_of(request: Request) -> Drafts:
    """The drafts of the policy in force."""
    return Drafts(request.app.state.home, _named(request))


def _overview(request: Request, who: SignedIn) -> Response:
    watch: PolicyWatch | None = getattr(request.app.state, "policy_watch", None)
    pipeline: Pipeline = request.app.state.pipeline
    drafts = drafts_of(request)
    try:
        found, broken = views.shown(_named(request)), ""
    except WardmarkError as error:
        found, broken = None, str(error)
    return show(
        request,
        "policies.html",
        in_force=pipeline.policy.ref,
        candidate=pipeline.candidate,
        policy=found,
        fault=broken or (watch.fault if watch else None) or "",
        drafts=drafts.all(),
        is_pack=drafts.is_pack,
        packs=pack_names(),
        spans=SPANS,
        may_edit=who.may(*ADMINS),
    )


def _draft(request: Request, who: SignedIn, draft: Draft, said: str = "") -> Response:
    drafts = drafts_of(request)
    return show(
        request,
        "draft.html",
        draft=draft,
        examined=drafts.examine(draft),
        difference=views.difference(drafts.file.read_text(encoding="utf-8"), draft.policy),
        is_pack=drafts.is_pack,
        may_edit=who.may(*ADMINS) and not draft.published,
        wrote=who.identity.subject in draft.authors,
        spans=SPANS,
        said=said,
    )


def _replay(
    request: Request, fields: dict[str, str], policy: Policy, back: str = f"{ROOT}/policies"
) -> Response:
    home: Home = request.app.state.home
    since, key = _since(fields), home.commitment_key
    return _replayed(
        request, policy, lambda note: replay(home.ledger, policy, since, key, note), back
    )


def _replayed(
    request: Request,
    policy: Policy,
    work: Callable[[Progress], ReplayReport],
    back: str = f"{ROOT}/policies",
) -> Response:
    pieces = drawn(request, "replay.html", policy=policy, replaying=Replaying(work), back=back)
    return StreamingResponse(pieces, media_type="text/html")


def _since(fields: dict[str, str]) -> datetime:
    days = fields.get("days", "")
    if days not in SPANS:
        raise InvalidRequest(f"choose one of {', '.join(SPANS.values())}")
    return datetime.now(UTC) - timedelta(days=int(days))
