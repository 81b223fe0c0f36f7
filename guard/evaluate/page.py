"""The evaluation as one HTML file without scripts, the reliability diagram drawn in it."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from guard.evaluate.figures import Calibration, Interval
from guard.evaluate.images import ImageEvaluation
from guard.evaluate.prompts import PromptEvaluation

_SIDE = 320.0  # user units of the diagram, within the margin
_MARGIN = 44.0


def evaluation_page(found: PromptEvaluation | ImageEvaluation) -> str:
    """A page that shows every figure of the JSON. Holds no prompt and no picture."""
    name = "prompts" if isinstance(found, PromptEvaluation) else "images"
    environment = Environment(
        loader=PackageLoader("guard", "evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["figure"] = figure
    diagram = reliability_diagram(found.calibration, name) if found.calibration else ""
    style = files("guard.evaluate").joinpath("page.css").read_text("utf-8")
    return environment.get_template(f"{name}.html").render(
        found=found, diagram=diagram, style=style
    )


def figure(interval: Interval | None) -> str:
    """A figure with its interval, such as "0.935 (0.921 to 0.948)"; a dash where there is none."""
    if interval is None:
        return "–"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def reliability_diagram(calibration: Calibration, cases: str) -> str:
    """An SVG: what was predicted against what was so; the area of a dot is its share of ``cases``
    ("prompts", "images")."""
    total = sum(each.prompts for each in calibration.bins) or 1
    size = _SIDE + 2 * _MARGIN

    def x(value: float) -> float:
        return _MARGIN + value * _SIDE

    def y(value: float) -> float:
        return _MARGIN + (1 - value) * _SIDE

    parts = [
        f'<svg viewBox="0 0 {size:g} {size:g}" role="img" aria-label="Reliability diagram">',
        f'<rect x="{x(0):g}" y="{y(1):g}" width="{_SIDE:g}" height="{_SIDE:g}" class="area"/>',
        f'<line x1="{x(0):g}" y1="{y(0):g}" x2="{x(1):g}" y2="{y(1):g}" class="ideal"/>',
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [
            f'<text x="{x(tick):g}" y="{y(0) + 18:g}" text-anchor="middle">{tick:g}</text>',
            f'<text x="{x(0) - 8:g}" y="{y(tick) + 4:g}" text-anchor="end">{tick:g}</text>',
        ]
    dots = [
        (x(each.predicted), y(each.observed), each)
        for each in calibration.bins
        if each.predicted is not None and each.observed is not None
    ]
    line = " ".join(f"{across:.1f},{up:.1f}" for across, up, _ in dots)
    parts.append(f'<polyline points="{line}" class="line"/>')
    for across, up, each in dots:
        radius = 3 + 14 * (each.prompts / total) ** 0.5
        parts.append(
            f'<circle cx="{across:.1f}" cy="{up:.1f}" r="{radius:.1f}" class="dot"><title>'
            f"{each.prompts:,} {cases}: predicted {each.predicted:.3f}, unsafe {each.observed:.3f}"
            "</title></circle>"
        )
    parts += [
        f'<text x="{x(0.5):g}" y="{size - 8:g}" text-anchor="middle">predicted probability</text>',
        f'<text x="12" y="{y(0.5):g}" text-anchor="middle" '
        f'transform="rotate(-90 12 {y(0.5):g})">share that is unsafe</text>',
        "</svg>",
    ]
    return "\n".join(parts)
