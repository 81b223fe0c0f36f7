"""Lines of text drawn on photographs, with where they stand: what the gate for text learns from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance.picture import Pixels, decode, encode

SMALLEST, LARGEST = 7, 72  # pixels, the size of the letters
LEAST_CONTRAST: Final = 22.0  # grey levels between letters and what is behind them, in the mean
_COMMON: Final = "etaoinshrdlucmfwypvbgkjqxz"
_OTHER: Final = "ETAOINSHRDLUCMFWYPVBGKJQXZ0123456789"
_CHINESE: Final = (
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主"
    "行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走"
    "电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提"
    "感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青"
    "管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持"
)


class Lettered(NamedTuple):
    """A picture, and for each of its pixels whether a line of text covers it."""

    pixels: Pixels
    covered: NDArray[np.bool_]


def lettered(pixels: Pixels, fonts: Sequence[Path], rng: np.random.Generator) -> Lettered:
    """``pixels`` with a line or two of text somewhere, any size, colour and slant, and wear."""
    image = pixels.copy()
    covered = np.zeros(pixels.shape[:2], bool)
    for _ in range(int(rng.integers(1, 3))):
        _write(image, covered, fonts[int(rng.integers(len(fonts)))], rng)
    return Lettered(worn(image, rng), covered)


def worn(image: Pixels, rng: np.random.Generator) -> Pixels:
    """As pictures come: a little blurred, noisy, and through JPEG."""
    import cv2

    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9)), np.uint8)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(0, 8), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        return decode(encode(image, "jpeg", quality=int(rng.integers(40, 95)))).pixels
    return image


def _write(
    image: Pixels, covered: NDArray[np.bool_], font: Path, rng: np.random.Generator
) -> None:
    from PIL import Image, ImageDraw, ImageFont

    height, width = image.shape[:2]
    size = round(float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))))
    written = ImageFont.truetype(str(font), size)
    line = _line(rng, chinese=_has_chinese(written))
    while written.getlength(line) > width - 4 and len(line) > 2:
        line = line[:-1]
    left, top, right, bottom = (round(side) for side in written.getbbox(line))
    sheet = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(sheet).text((2 - left, 2 - top), line, font=written, fill=255)
    ground = Image.new("L", sheet.size, 255)
    turn = float(rng.normal(0, 8)) if rng.random() < 0.4 else float(rng.choice([0, 0, 0, 90, 270]))
    letters, box = (each.rotate(turn, Image.Resampling.BILINEAR, expand=True)
                    for each in (sheet, ground))  # fmt: skip
    if letters.width >= width or letters.height >= height:
        return
    x, y = (int(rng.integers(0, room)) for room in (width - letters.width, height - letters.height))
    place = np.s_[y : y + letters.height, x : x + letters.width]
    cover = np.asarray(letters, np.float64) / 255
    under = image[place].astype(np.float64)
    colour = _colour(under[cover > 0.5], rng)
    opacity = rng.uniform(0.4, 1.0) if rng.random() < 0.4 else 1.0
    if rng.random() < 0.15:  # a plate behind
        plate = np.where(np.asarray(box)[..., None] > 0, 255 - colour, under)
        under = under * 0.4 + plate * 0.6
    mixed = under * (1 - cover[..., None] * opacity) + colour * cover[..., None] * opacity
    inked = cover > 0.5
    if not inked.any() or np.abs(mixed - under)[inked].mean() < LEAST_CONTRAST:
        return
    image[place] = np.rint(mixed).astype(np.uint8)
    covered[place] |= np.asarray(box) > 0


def _has_chinese(font: Any) -> bool:
    return bool(font.getmask("的").getbbox() != font.getmask("\ufffe").getbbox())


def _line(rng: np.random.Generator, *, chinese: bool) -> str:
    if chinese and rng.random() < 0.6:
        return "".join(rng.choice(list(_CHINESE), int(rng.integers(2, 9))))
    words = []
    for _ in range(int(rng.integers(1, 5))):
        alphabet = _OTHER if rng.random() < 0.3 else _COMMON
        word = "".join(rng.choice(list(alphabet), int(rng.integers(2, 9))))
        words.append(word.capitalize() if rng.random() < 0.2 else word)
    return " ".join(words)


def _colour(under: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    if rng.random() < 0.6 and len(under):
        return np.full(3, 255.0 if under.mean() < 128 else 0.0)
    return rng.uniform(0, 255, 3)
