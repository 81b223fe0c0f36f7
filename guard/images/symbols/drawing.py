"""Symbols drawn into photographs, with their boxes: what the demonstration detector learns from."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.picture import Pixels, decode, encode

SYMBOLS: Final = ("no_entry", "bolt", "trefoil", "star", "cross")
_UNIT: Final = 192  # pixels of the sheet that a symbol is drawn on before it is brought to size
_SMALLEST, _LARGEST = 18, 96  # pixels of a symbol's side
Canvas = NDArray[np.uint8]


class Placed(NamedTuple):
    """A symbol in a picture: its number in SYMBOLS and its box, left, top, right, bottom."""

    symbol: int
    box: tuple[float, float, float, float]


def drawn_into(
    pixels: Pixels, rng: np.random.Generator, *, most: int = 2
) -> tuple[Pixels, list[Placed]]:
    """``pixels`` with up to ``most`` symbols, plain shapes that are none, and wear."""
    image = pixels.copy()
    placed: list[Placed] = []
    for _ in range(int(rng.integers(0, 3))):
        _paste(image, _shape(rng), rng)
    for _ in range(int(rng.integers(0, most + 1))):
        symbol = int(rng.integers(len(SYMBOLS)))
        box = _paste(image, _DRAW[symbol], rng)
        if all(_apart(box, other.box) for other in placed):
            placed.append(Placed(symbol, box))
        else:
            return drawn_into(pixels, rng, most=most)  # one over the other has no clear answer
    return _worn(image, rng), placed


def sheet_of(symbol: int) -> Canvas:
    """(192, 192) grey: a symbol upright, cut to its plate."""
    sheet = np.zeros((_UNIT, _UNIT), np.uint8)
    _DRAW[symbol](sheet, _UNIT // 2 - 12)
    rows, columns = np.nonzero(sheet)
    return sheet[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _apart(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _paste(
    image: Pixels, draw: Callable[[Canvas, int], None], rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """A shape in two colours, turned a little, somewhere on ``image``; its box."""
    import cv2

    height, width = image.shape[:2]
    largest = min(_LARGEST, height - 2, width - 2)
    side = float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(max(largest, _SMALLEST + 1)))))
    sheet = np.zeros((_UNIT, _UNIT), np.uint8)
    draw(sheet, _UNIT // 2 - 12)
    x, y = rng.uniform(0, max(1, width - side)), rng.uniform(0, max(1, height - side))
    turn = cv2.getRotationMatrix2D((_UNIT / 2, _UNIT / 2), rng.uniform(-20, 20), side / _UNIT)
    turn[:, 2] += (x + side / 2 - _UNIT / 2, y + side / 2 - _UNIT / 2)
    there = cv2.warpAffine(sheet, turn, (width, height), flags=cv2.INTER_AREA)
    ground = cv2.warpAffine(
        (sheet > 0).astype(np.uint8) * 255, turn, (width, height), flags=cv2.INTER_LINEAR
    )
    dark, light = rng.uniform(0, 110, 3), rng.uniform(150, 255, 3)
    colours = (dark, light) if rng.random() < 0.5 else (light, dark)
    ink = (there[..., None] > 128) * colours[0] + (there[..., None] <= 128) * colours[1]
    cover = ground[..., None] / 255 * rng.uniform(0.75, 1.0)
    image[:] = np.rint(image * (1 - cover) + ink * cover).astype(np.uint8)
    rows, columns = np.nonzero(ground > 128)
    if not len(rows):
        return (x, y, x + side, y + side)
    return (
        float(columns.min()),
        float(rows.min()),
        float(columns.max() + 1),
        float(rows.max() + 1),
    )


# On a sheet: 0 is not painted, _PLATE the ground of a symbol, _INK its drawing.
_PLATE, _INK = 64, 255


def _points(radius: float, angles: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int32]:
    middle = _UNIT / 2
    turned = np.deg2rad(np.asarray(angles) - 90)
    return np.stack(
        (middle + radius * np.cos(turned), middle + radius * np.sin(turned)), axis=1
    ).astype(np.int32)


def _no_entry(sheet: Canvas, radius: int) -> None:
    import cv2

    middle = _UNIT // 2
    cv2.circle(sheet, (middle, middle), radius, _PLATE, -1)
    half = (round(radius * 0.65), round(radius * 0.2))
    cv2.rectangle(
        sheet, (middle - half[0], middle - half[1]), (middle + half[0], middle + half[1]), _INK, -1
    )


def _bolt(sheet: Canvas, radius: int) -> None:
    import cv2

    cv2.fillPoly(sheet, [_points(radius, (0, 120, 240))], _PLATE)
    middle = _UNIT / 2
    zigzag = np.array([(4, -52), (-20, 8), (0, 8), (-6, 44), (22, -12), (4, -12)], float)
    cv2.fillPoly(sheet, [(zigzag * radius / 84 + middle).astype(np.int32)], _INK)


def _trefoil(sheet: Canvas, radius: int) -> None:
    import cv2

    middle = _UNIT // 2
    cv2.circle(sheet, (middle, middle), radius, _PLATE, -1)
    for start in (0, 120, 240):
        cv2.ellipse(
            sheet, (middle, middle), (radius * 4 // 5,) * 2, 0, start - 120, start - 60, _INK, -1
        )
    cv2.circle(sheet, (middle, middle), radius // 4, _PLATE, -1)
    cv2.circle(sheet, (middle, middle), radius // 6, _INK, -1)


def _star(sheet: Canvas, radius: int) -> None:
    import cv2

    cv2.circle(sheet, (_UNIT // 2, _UNIT // 2), radius, _PLATE, -1)
    spikes = [p for i in range(5) for p in (_points(radius * 0.9, (72 * i,)),
                                            _points(radius * 0.38, (72 * i + 36,)))]  # fmt: skip
    cv2.fillPoly(sheet, [np.concatenate(spikes)], _INK)


def _cross(sheet: Canvas, radius: int) -> None:
    import cv2

    middle, arm = _UNIT // 2, round(radius * 0.62)
    cv2.rectangle(sheet, (middle - radius, middle - radius), (middle + radius,) * 2, _PLATE, -1)
    for across, up in ((arm, arm // 3), (arm // 3, arm)):
        cv2.rectangle(
            sheet, (middle - across, middle - up), (middle + across, middle + up), _INK, -1
        )


_DRAW: Final = (_no_entry, _bolt, _trefoil, _star, _cross)


def _shape(rng: np.random.Generator) -> Callable[[Canvas, int], None]:
    """Plates without their drawing, or with another: what must not be taken for a symbol."""
    import cv2

    corners = int(rng.integers(3, 9))
    inner = rng.random() < 0.5

    def draw(sheet: Canvas, radius: int) -> None:
        cv2.fillPoly(sheet, [_points(radius, np.arange(corners) * 360 / corners)], _PLATE)
        if inner:
            cv2.circle(sheet, (_UNIT // 2, _UNIT // 2), radius // 2, _INK, -1)

    return draw


def _worn(image: Pixels, rng: np.random.Generator) -> Pixels:
    """As pictures come: a little blurred, noisy, darker or lighter, and through JPEG."""
    import cv2

    if rng.random() < 0.4:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)
    light = rng.uniform(0.6, 1.2) if rng.random() < 0.5 else 1.0
    noise = rng.normal(0, rng.uniform(0, 8), image.shape) if rng.random() < 0.4 else 0.0
    worn = np.clip(image * light + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        return decode(encode(worn, "jpeg", quality=int(rng.integers(30, 95)))).pixels
    return np.asarray(worn, np.uint8)
