"""An explanation drawn over its picture, so that a person understands it at a glance.

Red boxes are what a category was found in, blue ones what was read and found harmless; the hatched
green ones are what would have to be covered. Boxes are numbered, and the lines below say what each
number is. Colours are told apart by their pattern and number too (Okabe and Ito 2008).
"""

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from guard.assessment import Region
from guard.explain.images import ImageExplanation
from guard.images.scale import scaled
from policies.decision import Action, Reason
from provenance.picture import Pixels

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

SHORTEST, LONGEST = 720, 1280  # pixels of the drawn picture's longer side
MAX_ROWS: Final = 12  # boxes told of below; all are drawn
_MAX_CHARACTERS: Final = 60  # of words read
_HATCH: Final = 14  # pixels between the lines
_SIZE: Final = 19  # pixels of a letter
_RED, _BLUE, _GREEN = (213, 43, 0), (0, 114, 178), (0, 140, 90)
_INK, _SOFT, _PAPER = (25, 28, 32), (95, 102, 110), (250, 250, 248)
_BANNERS: Final = {
    Action.ALLOW: ("ALLOWED", _GREEN),
    Action.LABEL: ("ALLOWED, LABELLED", _GREEN),
    Action.REDACT: ("REDACTED", (190, 110, 0)),
    Action.REVIEW: ("HELD FOR A PERSON", (190, 110, 0)),
    Action.BLOCK: ("BLOCKED", _RED),
}


class _Row(NamedTuple):
    """A line below the picture: ``mark`` in ``colour`` at its beginning, then ``text``."""

    mark: str
    colour: tuple[int, int, int]
    text: str


def draw_overlay(
    pixels: Pixels,
    explained: ImageExplanation,
    *,
    decision: Action,
    reasons: Sequence[Reason] = (),
) -> Pixels:
    """(H, W, 3) RGB: the picture with its boxes, the decision above and what was found below."""
    from PIL import Image, ImageDraw, ImageFont

    longer = max(pixels.shape[:2])
    view = scaled(pixels, min(max(longer, SHORTEST), LONGEST) / longer)
    height, width = view.pixels.shape[:2]
    wide = max(width, SHORTEST)
    font, bold = ImageFont.load_default(_SIZE), ImageFont.load_default(_SIZE * 1.6)
    word, colour = _BANNERS[decision]
    numbered = _numbered(explained.regions)
    rows = _rows(explained, numbered, decision, reasons)
    lines = [(row, line) for row in rows for line in _wrapped(row.text, font, wide - 72)]
    line_height = round(_SIZE * 1.5)
    banner = round(_SIZE * 2.8)
    sheet = Image.new("RGB", (wide, banner + height + line_height * len(lines) + 24), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 0, wide, banner), fill=colour)
    over_limit = _objected(explained)
    kinds = ", ".join(_said(c) for c in over_limit if c != "unsafe" or over_limit == ["unsafe"])
    draw.text((14, banner / 2), f"{word}: {kinds}" if kinds else word, "white", bold, anchor="lm")
    left = (wide - width) // 2
    drawn = Image.fromarray(view.pixels)
    over = ImageDraw.Draw(drawn)
    for box in explained.change.mask if explained.change else ():
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        _hatch(over, [side * view.scale for side in corners])
    for number, region in numbered:
        _frame(over, region, number, view.scale, font)
    sheet.paste(drawn, (left, banner))
    top = banner + height + 12
    told: _Row | None = None
    for row, line in lines:
        if row is not told:
            draw.rounded_rectangle((10, top + 2, 44, top + line_height - 4), 4, fill=row.colour)
            draw.text((27, top + line_height / 2 - 1), row.mark, "white", font, anchor="mm")
        draw.text((54, top + line_height / 2 - 1), line, _INK, font, anchor="lm")
        told = row
        top += line_height
    return np.asarray(sheet)


def _objected(explained: ImageExplanation) -> list[str]:
    """The categories over their thresholds; without scores, those that boxes are told of."""
    if not explained.scored:
        return sorted({region.category for region in explained.regions if region.category})
    return [c for c, s in explained.scores.items() if s >= explained.thresholds.get(c, 1.0)]


def _numbered(regions: Sequence[Region]) -> list[tuple[int, Region]]:
    """Each box once, the objected ones first; its categories are told in the rows."""
    order = sorted(regions, key=lambda each: (each.category is None, -each.score))
    return list(enumerate(order, start=1))


def _rows(
    explained: ImageExplanation,
    numbered: Sequence[tuple[int, Region]],
    decision: Action,
    reasons: Sequence[Reason],
) -> list[_Row]:
    rows = [
        _Row("!", _INK, reason.message)
        for reason in reasons
        if reason.action is decision and decision > Action.LABEL
    ]
    rows += [
        _Row(str(number), _RED if region.category else _BLUE, _told(region, explained))
        for number, region in numbered[:MAX_ROWS]
    ]
    if len(numbered) > MAX_ROWS:
        rows.append(_Row("+", _BLUE, f"{len(numbered) - MAX_ROWS} more boxes"))
    if explained.fields.get("match.known_content") is True:
        bits = explained.fields.get("match.distance")
        apart = "" if bits is None else f" ({bits} of 256 bits differ)"
        rows.append(_Row("=", _RED, f"stands in the list {explained.fields['match.list']}{apart}"))
    if explained.fields.get("memorised.match") is True:
        name = explained.fields["memorised.dataset"]
        rows.append(_Row("=", _RED, f"repeats a picture of the data set {name}"))
    if explained.change is not None:
        one = len(explained.change.mask) == 1
        what = "the hatched region is masked" if one else "the hatched regions are masked"
        reached = explained.change.decision
        passes = "passes" if reached <= Action.LABEL else f"only {_BANNERS[reached][0].lower()}"
        rows.append(_Row("//", _GREEN, f"{passes} when {what}"))
    elif not explained.passes:
        rows.append(_Row("//", _SOFT, "no masking was found that would help"))
    if explained.not_assessed:
        unseen = ", ".join(_said(each) for each in explained.not_assessed)
        rows.append(_Row("?", _SOFT, f"nobody looked at the scene for: {unseen}"))
    return rows


def _told(region: Region, explained: ImageExplanation) -> str:
    kind = _said(region.kind)
    what = f'{kind} "{_drawable(region.text)}"' if region.text else kind
    if region.category is None and region.text is None:
        return f"{what} {region.score:.2f}" if explained.scored else what
    if region.category is None:
        return f"{what}: nothing found in it"
    if not explained.scored:
        return f"{what}: {_said(region.category)}"
    limit = explained.thresholds.get(region.category)
    against = "" if limit is None else f" (threshold {limit:.2f})"
    return f"{what}: {_said(region.category)} {region.score:.2f}{against}"


def _said(name: str) -> str:
    return name.replace("_", " ")


def _drawable(text: str) -> str:
    """In letters that the font has; of other scripts how much was read."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()
    if not plain:
        return f"{len(text)} characters of another script"
    return plain if len(plain) <= _MAX_CHARACTERS else plain[: _MAX_CHARACTERS - 3] + "..."


def _frame(
    draw: "ImageDraw", region: Region, number: int, scale: float, font: "ImageFont | FreeTypeFont"
) -> None:
    colour = _RED if region.category else _BLUE
    left, top = region.x * scale, region.y * scale
    right, bottom = left + region.width * scale, top + region.height * scale
    draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), outline="white", width=6)
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=colour, width=3)
    tag = 12 + 11 * len(str(number))
    above = top - 26 if top >= 26 else top
    draw.rectangle((left - 2, above, left + tag, above + 25), fill=colour)
    draw.text((left + tag / 2 - 1, above + 12), str(number), "white", font, anchor="mm")


def _hatch(draw: "ImageDraw", corners: Sequence[float]) -> None:
    """Green slanted lines within the box and a dashed frame."""
    left, top, right, bottom = corners
    for colour, width in (("white", 4), (_GREEN, 2)):
        at = left - (bottom - top) + _HATCH
        while at < right:
            low, high = max(at, left), min(at + (bottom - top), right)
            draw.line((low, top + low - at, high, top + high - at), fill=colour, width=width)
            at += _HATCH
        draw.rectangle((left, top, right, bottom), outline=colour, width=width)


def _wrapped(text: str, font: "ImageFont | FreeTypeFont", width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
