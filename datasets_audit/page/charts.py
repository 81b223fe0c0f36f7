"""Charts as inline SVG. Plain functions from values to markup; text in them is escaped.

Colours come from the classes of ``report.css``, so that print and dark screens can restyle them.
"""

# ruff: noqa: S704 - every text in the markup went through escape

from collections.abc import Sequence
from math import cos, pi, sin
from textwrap import wrap
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from datasets_audit.report import Balance, BalanceCell

WIDTH: Final = 640  # units of the viewBox, scaled to the column
LABEL_WIDTH: Final = 150
VALUE_WIDTH: Final = 150
ROW_HEIGHT: Final = 26
CELL_WIDTH: Final = 92
CELL_HEIGHT: Final = 30
HEAD_HEIGHT: Final = 38
HEAD_LINE: Final = 14
HEAD_LENGTH: Final = 13  # characters of a line above a cell; there are two
LABEL_LENGTH: Final = 22  # characters


class Slice(NamedTuple):
    """A part of a whole: its name, how much it is, and the CSS class that colours it."""

    name: str
    amount: int
    css: str


def ring(share: float, caption: str) -> Markup:
    """A ring filled to ``share`` (0..1), clockwise from the top, with the per cent in it."""
    radius, middle = 52, 64
    angle = 2 * pi * min(max(share, 0.0), 0.9999)  # a full arc would end where it starts
    x, y = middle + radius * sin(angle), middle - radius * cos(angle)
    arc = (
        f'<path class="ring-part" d="M{middle} {middle - radius} A{radius} {radius} 0 '
        f'{int(angle > pi)} 1 {x:.2f} {y:.2f}"/>'
        if share > 0
        else ""
    )
    return Markup(
        f'<svg class="ring" viewBox="0 0 128 128" role="img" aria-label="{escape(caption)}">'
        f'<circle class="ring-whole" cx="{middle}" cy="{middle}" r="{radius}"/>{arc}'
        f'<text x="{middle}" y="{middle + 9}" class="ring-number">{percent(share)}</text></svg>'
    )


def stacked(slices: Sequence[Slice]) -> Markup:
    """One bar cut into parts, with a legend; parts of nothing are left out."""
    total = sum(part.amount for part in slices) or 1
    bar: list[str] = []
    legend: list[str] = []
    x = 0.0
    for part in slices:
        if not part.amount:
            continue
        width = WIDTH * part.amount / total
        name, label = escape(part.name), f"{part.amount:,}"
        bar.append(
            f'<rect class="{part.css}" x="{x:.2f}" y="0" width="{max(width - 1.5, 1):.2f}" '
            f'height="26" rx="3"><title>{name}: {label}</title></rect>'
        )
        legend.append(
            f'<li><span class="swatch {part.css}"></span>{name} <b>{label}</b> '
            f"<small>{percent(part.amount / total)}</small></li>"
        )
        x += width
    return Markup(
        f'<svg class="stacked" viewBox="0 0 {WIDTH} 26" role="img" preserveAspectRatio="none">'
        f'{"".join(bar)}</svg><ul class="legend">{"".join(legend)}</ul>'
    )


def share_bars(balance: Balance) -> Markup:
    """Shares of one attribute with their intervals, and the reference's share as a mark."""
    cells = sorted(balance.cells, key=lambda cell: (cell.hidden, -(cell.count or 0), cell.values))
    tops = [value for cell in cells for value in (cell.high, cell.reference) if value]
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / max(tops, default=1.0)
    rows = []
    for number, cell in enumerate(cells):
        y = number * ROW_HEIGHT
        rows.append(
            f'<text class="label" x="{LABEL_WIDTH - 10}" y="{y + 17}">{_label(cell)}</text>'
            + (_hidden_bar(y) if cell.hidden else _bar(cell, y, scale))
        )
        if cell.reference is not None:
            x = LABEL_WIDTH + cell.reference * scale
            rows.append(
                f'<path class="reference" d="M{x:.1f} {y + 3} V{y + 23}">'
                f"<title>{percent(cell.reference)} in the reference</title></path>"
            )
    return Markup(
        f'<svg class="bars" viewBox="0 0 {WIDTH} {len(cells) * ROW_HEIGHT}" role="img">'
        f"{''.join(rows)}</svg>"
    )


def heat_map(balance: Balance) -> Markup:
    """Counts of an intersection of two attributes; empty and hidden cells stand out."""
    rows = list(dict.fromkeys(sorted(cell.values[0] for cell in balance.cells)))
    columns = list(dict.fromkeys(sorted(cell.values[1] for cell in balance.cells)))
    most = max((cell.count or 0 for cell in balance.cells), default=0) or 1
    parts = [
        f'<text class="head" x="{LABEL_WIDTH + at * CELL_WIDTH + CELL_WIDTH / 2}" '
        f'y="{HEAD_HEIGHT - 8 - HEAD_LINE * (len(lines) - 1 - number)}">{escape(line)}</text>'
        for at, name in enumerate(columns)
        for lines in [_lines(name)]
        for number, line in enumerate(lines)
    ]
    parts += [
        f'<text class="label" x="{LABEL_WIDTH - 10}" y="{HEAD_HEIGHT + at * CELL_HEIGHT + 20}">'
        f"{_short(name)}</text>"
        for at, name in enumerate(rows)
    ]
    for cell in balance.cells:
        x = LABEL_WIDTH + columns.index(cell.values[1]) * CELL_WIDTH
        y = HEAD_HEIGHT + rows.index(cell.values[0]) * CELL_HEIGHT
        depth = (cell.count or 0) / most
        css = "hidden" if cell.hidden else "filled" if cell.count else "empty"
        text = "hidden" if cell.hidden else f"{cell.count:,}" if cell.count else "none"
        strong = " on-dark" if css == "filled" and depth > 0.55 else ""
        parts.append(
            f'<rect class="cell {css}" x="{x + 1}" y="{y + 1}" width="{CELL_WIDTH - 2}" '
            f'height="{CELL_HEIGHT - 2}" rx="3" fill-opacity="{0.12 + 0.88 * depth:.2f}"/>'
            f'<text class="count {css}{strong}" x="{x + CELL_WIDTH / 2}" y="{y + 20}">{text}</text>'
        )
    width = LABEL_WIDTH + len(columns) * CELL_WIDTH
    height = HEAD_HEIGHT + 2 + len(rows) * CELL_HEIGHT
    return Markup(
        f'<svg class="heat" viewBox="0 0 {width} {height}" role="img" '
        f'style="max-width:{width}px">{"".join(parts)}</svg>'
    )


def _lines(name: str) -> list[str]:
    """A heading in two lines at most, broken where words end."""
    lines = wrap(name.replace("_", " "), HEAD_LENGTH)
    if len(lines) <= 2:
        return lines or [name]
    return [lines[0], lines[1][: HEAD_LENGTH - 1] + "…"]


def percent(share: float) -> str:
    """A share for people: no decimals where they say nothing."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{share:.1%}" if share < 0.1 or share > 0.99 else f"{share:.0%}"


def _bar(cell: BalanceCell, y: int, scale: float) -> str:
    share, low, high = cell.share or 0.0, cell.low or 0.0, cell.high or 0.0
    x = LABEL_WIDTH
    ratio = "" if cell.ratio is None else f" · {cell.ratio:.2f}×"
    return (
        f'<rect class="bar" x="{x}" y="{y + 5}" width="{share * scale:.2f}" height="16" rx="2"/>'
        f'<path class="whisker" d="M{x + low * scale:.1f} {y + 13} H{x + high * scale:.1f}"/>'
        f'<text class="value" x="{WIDTH - VALUE_WIDTH + 12}" y="{y + 17}">'
        f"{cell.count:,} · {percent(share)}{ratio}</text>"
    )


def _hidden_bar(y: int) -> str:
    return f'<text class="value" x="{WIDTH - VALUE_WIDTH + 12}" y="{y + 17}">hidden</text>'


def _label(cell: BalanceCell) -> Markup:
    return _short(" × ".join(cell.values))


def _short(text: str) -> Markup:
    return escape(text if len(text) <= LABEL_LENGTH else f"{text[: LABEL_LENGTH - 1]}…")
