"""The pictures that are marked: photographs that come with packages, wallpapers where Debian has
them, and what the embedded core draws, which is smooth and hard.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from provenance.picture import Pixels, decode, encode, read_file, write_atomically

SIDE: Final = 512  # pixels
SIZES: Final = ((256, 256), (512, 384), (640, 360), (400, 1000), (1024, 1024), (1200, 400))
"""(width, height) besides SIDE x SIDE, to aspect ratios of 1:3."""

WALLPAPERS: Final = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
"""Where Debian's gnome-backgrounds, mate-backgrounds, plasma-workspace-wallpapers and
lomiri-wallpapers-20.04 put their pictures."""

_LONGEST: Final = 2048  # pixels that are kept of a wallpaper: enough for a cut of any size here
_PROMPTS: Final = (
    "a red sailboat on the sea at sunset",
    "a white house in a meadow with hills and clouds",
    "a blue balloon over the desert at dawn",
    "a lighthouse on the sea at night with the moon",
    "a pine in the snow with mountains",
    "an orange tree in a meadow by day",
    "a yellow circle on a blue background",
    "a white square beside a black ring",
    "a green star above a red triangle on pink",
    "a clear sky over the sea at day",
    "snow at night with mountains",
    "two purple rings in a row on white",
)


def bundled() -> Iterator[Pixels]:
    """What comes with scikit-image and scikit-learn in colour, and two in grey."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    for name in ("astronaut", "cat", "coffee", "rocket", "hubble_deep_field", "retina"):
        yield np.ascontiguousarray(getattr(data, name)()[..., :3])
    for name in ("immunohistochemistry", "camera", "moon"):
        picture = np.asarray(getattr(data, name)())
        yield picture if picture.ndim == 3 else np.dstack([picture] * 3)
    for name in ("china.jpg", "flower.jpg"):
        yield np.asarray(load_sample_image(name))


def photographs(folder: Path | None = None) -> Iterator[Pixels]:
    """Of ``folder``, by default $WARDMARK_DATA/photos/dev; none without either."""
    data = os.environ.get("WARDMARK_DATA")
    named = folder or (Path(data) / "photos" / "dev" if data else None)
    if named is None:
        return
    bundled_too = ("astronaut", "coffee", "chelsea", "rocket", "china", "flower")
    for file in sorted(named.iterdir()):
        if file.suffix.lower() in (".png", ".jpg", ".webp") and not file.stem.endswith(bundled_too):
            yield decode(read_file(file)).pixels


def wallpapers() -> Iterator[Pixels]:
    """Each once, of the sizes that a package brings the one nearest to 2048 pixels."""
    chosen: dict[str, tuple[float, Path]] = {}
    for folder in WALLPAPERS:
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp") or file.is_symlink():
                continue
            known = _size_in_name(file)
            name = str(file.parent if known else file.with_suffix(""))
            far = abs((known or _LONGEST) - _LONGEST)
            if name not in chosen or far < chosen[name][0]:
                chosen[name] = (far, file)
    for _, (_, file) in sorted(chosen.items()):
        picture = decode(read_file(file))
        pixels = picture.pixels
        if picture.alpha is None and min(pixels.shape[:2]) >= SIDE:  # an overlay is no picture
            factor = min(1.0, _LONGEST / max(pixels.shape[:2]))
            yield cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _size_in_name(file: Path) -> int | None:
    """The longer side, if the name is like 1920x1080: so are a wallpaper's sizes named."""
    sides = file.stem.split("x")
    return max(map(int, sides)) if len(sides) == 2 and all(s.isdigit() for s in sides) else None


def generated() -> Iterator[Pixels]:
    """A dozen of the embedded core's own at SIDE x SIDE, drawn once and kept as temporary files."""
    from guard.generation import load_core
    from guard.generation.embedded import CHECKPOINTS, DIGEST_SUFFIX

    digest = (CHECKPOINTS / ("scenes" + DIGEST_SUFFIX)).read_text().strip()
    folder = Path(tempfile.gettempdir()) / f"wardmark-benchmark-{os.getuid()}-{digest[:16]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    core = None
    for seed, prompt in enumerate(_PROMPTS):
        file = folder / f"{seed}.png"
        if not file.exists():
            core = core or load_core("scenes")
            size = {"width": SIDE, "height": SIDE}
            request = core.info.request(prompt, seed=seed).model_copy(update=size)
            write_atomically(file, encode(core.generate(request)[0]))
        yield decode(read_file(file)).pixels


def everything(folder: Path | None = None) -> dict[str, list[Pixels]]:
    """All pictures by where they come from, at their own sizes; those of one colour left out."""
    found = {
        "photographs": [*bundled(), *photographs(folder)],
        "wallpapers": list(wallpapers()),
        "embedded core": list(generated()),
    }
    return {kind: [p for p in group if cut(p).std() > 2.0] for kind, group in found.items()}


def cut(picture: Pixels, width: int = SIDE, height: int = SIDE) -> Pixels:
    """The largest middle part of that aspect, scaled to width x height."""
    factor = max(width / picture.shape[1], height / picture.shape[0])
    part_w, part_h = (min(s, round(o / factor)) for s, o in _pairs(picture, width, height))
    left, top = (picture.shape[1] - part_w) // 2, (picture.shape[0] - part_h) // 2
    part = np.ascontiguousarray(picture[top : top + part_h, left : left + part_w])
    if part.shape[:2] == (height, width):
        return part
    method = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_CUBIC
    return cv2.resize(part, (width, height), interpolation=method)


def _pairs(picture: Pixels, width: int, height: int) -> Iterable[tuple[int, int]]:
    return (picture.shape[1], width), (picture.shape[0], height)
