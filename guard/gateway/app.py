"""The application: routes, request ids, and one shape for every error."""

from fastapi import FastAPI

from guard import console
from guard.appeals import Appeals
from guard.check import Checker
from guard.deployment import score_windows
from guard.gateway import (
    appeals,
    decisions,
    edits,
    guardrail,
    health,
    images,
    metrics,
    models,
    moderations,
    page,
    resolution,
    tracing,
    verification,
)
from guard.gateway.callers import Callers
from guard.gateway.drawing import Drawing
from guard.gateway.entrance import Entrance
from guard.gateway.errors import ERRORS, install_error_shape
from guard.gateway.jobs import routes as jobs
from guard.gateway.jobs.runner import working
from guard.gateway.limits import RateLimiter
from guard.gateway.loading import Loading
from guard.gateway.seeing import Seeing
from guard.gateway.verification import Detector
from guard.pipeline import Pipeline
from guard.review import Review
from provenance.fetch import Fetcher
from provenance.home import Home


def create_app(
    home: Home, pipeline: Pipeline, *, fetcher: Fetcher | None = None, exposed: bool = False
) -> FastAPI:
    """The gateway of ``home``. Parts are loaded already; a broken one has stopped the start.

    ``fetcher``: lets verification fetch addresses that strangers name; without it none is.
    ``exposed``: it listens on more than loopback, see ``callers.check_exposure``.
    """
    app = FastAPI(
        title="Wardmark",
        summary="Stands between people and an image generator.",
        redirect_slashes=False,
        responses=ERRORS,
        lifespan=working,
        telemetry=tracing.config(),
    )
    app.state.home = home
    app.state.pipeline = pipeline
    app.state.callers = Callers(home, exposed=exposed)
    app.state.drawing = Drawing.of(home, lambda: app.state.pipeline)
    app.include_router(jobs.router)
    app.state.detector = Detector(home, fetcher)
    app.state.feedback_limit = RateLimiter(page.FEEDBACK_PER_MINUTE)
    app.state.appeals = Appeals(home)
    app.state.readiness = health.Readiness()
    app.state.loading = Loading(lambda: app.state.pipeline.core)
    app.state.metrics = metrics.Metrics()
    places = app.state.drawing.places
    app.state.metrics.watch(lambda: home.ledger, lambda: (places.waiting, places.running))
    app.state.metrics.watch_scores(score_windows(home))
    app.state.review = Review(home, lambda: app.state.pipeline)
    app.state.appeal_limit = RateLimiter(appeals.PER_MINUTE)
    app.state.checker = Checker(pipeline.prompt_assessor, pipeline.image_assessor, pipeline.policy)
    install_error_shape(app)
    for part in (
        images,
        edits,
        moderations,
        models,
        decisions,
        appeals,
        verification,
        page,
        health,
        metrics,
    ):
        app.include_router(part.router)
    app.include_router(guardrail.router)
    app.include_router(resolution.router)
    app.include_router(resolution.router, prefix="/v1", include_in_schema=False)
    console.install(app)

    app.add_middleware(Entrance, patience=home.settings.callers.patience)
    app.add_middleware(Seeing, metrics=app.state.metrics)
    return app
