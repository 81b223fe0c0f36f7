"""Reports as HTML: no script, nothing from the network, readable on a phone and on paper."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from guard.verification import words
from guard.verification.batch import Problem
from provenance.credential.credential import Step
from provenance.picture import Pixels, encode
from provenance.verify import LegalLine, Report

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN_SIDE = 480  # pixels, of the picture in a page
SHOWN_QUALITY = 80
TEMPLATES = "templates"

FACTS = {
    "provider": "Made by",
    "system": "With",
    "version": "Version",
    "created_at": "On",
    "content_id": "Number",
}


class View(NamedTuple):
    """One report, ready to be shown. ``picture``: a data URL, or None. ``facts``: name and value
    of what is disclosed. ``advice``: what would settle where it comes from."""

    report: Report
    answer: words.Answer
    layers: tuple[words.Layer, ...]
    picture: str | None
    facts: tuple[tuple[str, str], ...]
    history: Step | None
    advice: tuple[str, ...]
    legal: tuple[LegalLine, ...]


class Item(NamedTuple):
    """A file in a report for people: what was found of it, or why it could not be read."""

    file: str
    view: View | None
    problem: Problem | None


def view(
    report: Report,
    pixels: Pixels | None = None,
    *,
    ledger_asked: bool = True,
    legal: Sequence[LegalLine] = (),
) -> View:
    """What a page shows of ``report``. ``pixels``: (H, W, 3) uint8 RGB of the file, if it is to be
    shown; ``legal``: the lines of law to list."""
    stated = report.disclosures.model_dump()
    contents = report.credential.contents
    return View(
        report=report,
        answer=words.answer(report),
        layers=words.layers(report, ledger_asked=ledger_asked),
        picture=None if pixels is None else picture_url(pixels),
        facts=tuple(
            (title, words.moment(stated[name])) for name, title in FACTS.items() if stated[name]
        ),
        history=report.history or (contents.lineage if contents else None),
        advice=report.to_establish,
        legal=tuple(legal),
    )


def render(items: Sequence[Item], made_at: datetime) -> str:
    """One HTML file on all ``items``. ``made_at``: when they were examined."""
    from markupsafe import Markup

    template = environment().get_template("report.html")
    return template.render(
        items=items,
        made_at=made_at.astimezone(UTC),
        style=Markup(stylesheet()),  # noqa: S704  # our own file
    )


def picture_url(pixels: Pixels) -> str:
    """A small JPEG of a picture as a data URL: pixels (H, W, 3) uint8 RGB, no metadata."""
    import cv2

    height, width = pixels.shape[:2]
    scale = SHOWN_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(pixels.dtype)
    data = encode(pixels, "jpeg", quality=SHOWN_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"


@cache
def stylesheet() -> str:
    """The style of the report and of the page."""
    place = files("guard.verification") / TEMPLATES / "style.css"
    return place.read_text(encoding="utf-8")


@cache
def environment() -> "Environment":
    """The templates; everything that is put into them is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("guard.verification", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        sign_words=words.SIGN_WORDS, action=words.action, relationship=words.relationship
    )
    return made
