"""Watermarks: recovery under attacks, picture quality, time and false positives, beside
invisible-watermark itself in the same run.

    python benchmarks/watermark.py [--photos DIR] [--scenes N] [--unmarked N] [--seed N]

Photos are all pictures of DIR, by default those bundled with scikit-image and scikit-learn; to
them come N scenes of the kind that the embedded core learns from, which are smooth and hard.
Every picture is taken at 512x512 with a payload of its own. A mark counts as recovered if all of
its bits come back and, for our schemes, ``detect`` says so; the package's decoder always answers.
Times are CPU milliseconds of this process, median over the pictures.
"""

import argparse
import os
import random
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from guard.generation.scenes.render import render
from guard.generation.scenes.spec import draw_scene
from provenance.errors import WatermarkFailed
from provenance.picture import Pixels, decode, encode, read_file
from provenance.watermark import FALSE_POSITIVE_LIMIT, load_scheme
from provenance.watermark.dwt import DWT_DCT, DWT_DCT_SVD

SIDE = 512  # pixels
SCHEMES = ("dwtDctSvd", "dwtDct")
SIZES = ((512, 512), (256, 256), (1024, 512), (512, 384), (400, 300), (768, 768))  # of unmarked

T = TypeVar("T")
Attack = Callable[[Pixels, np.random.Generator], Pixels]


class Marked(NamedTuple):
    """A picture before and after marking, by one writer."""

    payload: bytes
    original: Pixels
    pixels: Pixels


def jpeg(quality: int) -> Attack:
    return lambda p, _: decode(encode(p, "jpeg", quality=quality)).pixels


def webp(quality: int) -> Attack:
    return lambda p, _: decode(encode(p, "webp", quality=quality)).pixels


def brightness(factor: float) -> Attack:
    return lambda p, _: np.clip(np.rint(p * factor), 0, 255).astype(np.uint8)


def noise(sigma: float) -> Attack:
    return lambda p, rng: np.clip(np.rint(p + rng.normal(0, sigma, p.shape)), 0, 255).astype(
        np.uint8
    )


def resize(scale: float, back: bool) -> Attack:
    def attack(pixels: Pixels, _: np.random.Generator) -> Pixels:
        height, width = pixels.shape[:2]
        small = cv2.resize(
            pixels, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA
        )
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) if back else small

    return attack


def crop(share: float) -> Attack:
    """Off centre, keeping ``share`` of the area."""

    def attack(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = (int(side * share**0.5) for side in pixels.shape[:2])
        top = int(rng.integers(0, pixels.shape[0] - height + 1))
        left = int(rng.integers(0, pixels.shape[1] - width + 1))
        return np.ascontiguousarray(pixels[top : top + height, left : left + width])

    return attack


ATTACKS: dict[str, Attack] = {
    "clean": lambda p, _: p,
    "PNG again": lambda p, _: decode(encode(p, "png")).pixels,
    "JPEG 95": jpeg(95),
    "JPEG 75": jpeg(75),
    "JPEG 50": jpeg(50),
    "WebP 80": webp(80),
    "brightness x1.2": brightness(1.2),
    "brightness x0.8": brightness(0.8),
    "noise sigma 5": noise(5.0),
    "noise sigma 10": noise(10.0),
    "resize .5 and back": resize(0.5, back=True),
    "resize .5": resize(0.5, back=False),
    "crop to 90 %": crop(0.9),
}


def photographs(folder: Path | None) -> list[Pixels]:
    """All pictures of a folder, or those that come with scikit-image and scikit-learn."""
    if folder is not None:
        files = sorted(f for f in folder.iterdir() if f.is_file())
        return [decode(read_file(f)).pixels for f in files]
    from skimage import data
    from sklearn.datasets import load_sample_image

    names = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina")
    found = [np.asarray(getattr(data, name)(), dtype=np.uint8) for name in names]
    return found + [np.asarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]


def square(pixels: Pixels) -> Pixels:
    """The middle, at SIDE x SIDE."""
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    middle = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    if side == SIDE:
        return middle
    method = cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC
    return cv2.resize(middle, (SIDE, SIDE), interpolation=method)


def scenes(count: int, seed: int) -> list[Pixels]:
    rng = random.Random(seed)
    return [render(draw_scene(rng), SIDE, SIDE).pixels for _ in range(count)]


def psnr(a: Pixels, b: Pixels) -> float:
    """Decibels, for 8 bits."""
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def timed(task: Callable[[], T]) -> tuple[T, float]:
    """The result and CPU milliseconds."""
    start = time.process_time()
    result = task()
    return result, (time.process_time() - start) * 1e3


def package_write(pixels: Pixels, payload: bytes, method: str) -> Pixels:
    from imwatermark import WatermarkEncoder

    encoder = WatermarkEncoder()
    encoder.set_watermark("bytes", payload)
    return np.ascontiguousarray(encoder.encode(pixels[..., ::-1], method)[..., ::-1])


def package_read(pixels: Pixels, method: str) -> bytes:
    from imwatermark import WatermarkDecoder

    if pixels.shape[0] * pixels.shape[1] < 256 * 256:
        return b""  # it refuses
    return bytes(WatermarkDecoder("bytes", 64).decode(pixels[..., ::-1], method))


def our_read(pixels: Pixels, method: str) -> bytes:
    found = load_scheme(method).detect(pixels)
    return b"" if found is None else found.payload


def recovery(name: str, pictures: Sequence[Pixels], rng: np.random.Generator) -> None:
    """One table: attacks down, writers and readers across."""
    scheme = load_scheme(name)
    payloads = [rng.bytes(8) for _ in pictures]
    ours, theirs, refused = [], [], 0
    write_ms: list[float] = []
    package_write_ms: list[float] = []
    for original, payload in zip(pictures, payloads, strict=True):
        made, spent = timed(lambda o=original, p=payload: package_write(o, p, name))  # type: ignore[misc]
        package_write_ms.append(spent)
        theirs.append(Marked(payload, original, made))
        try:
            made, spent = timed(lambda o=original, p=payload: scheme.embed(o, p))  # type: ignore[misc]
        except WatermarkFailed:
            refused += 1
            continue
        write_ms.append(spent)
        ours.append(Marked(payload, original, made))
    read_ms = [timed(lambda m=m: our_read(m.pixels, name))[1] for m in ours]  # type: ignore[misc]
    package_read_ms = [timed(lambda m=m: package_read(m.pixels, name))[1] for m in theirs]  # type: ignore[misc]

    print(f"\n{name}: {len(pictures)} pictures, of which our writer refused {refused}\n")
    print("| | ours | ours, read by the package | the package's own | the package's, read by us |")
    print("|---|---|---|---|---|")
    for attack, change in ATTACKS.items():
        shares = []
        for marked in (ours, theirs):
            changed = [change(m.pixels, rng) for m in marked]
            for read in (our_read, package_read):
                hits = [read(c, name) == m.payload for c, m in zip(changed, marked, strict=True)]
                shares.append(mean(hits))
        ours_ours, ours_package, package_ours, package_package = shares
        print(
            f"| {attack} | {ours_ours:.2f} | {ours_package:.2f} |"
            f" {package_package:.2f} | {package_ours:.2f} |"
        )
    quality = [[psnr(m.original, m.pixels) for m in marked] for marked in (ours, theirs)]
    print(
        f"| PSNR, mean (least) | {mean(quality[0]):.1f} ({min(quality[0]):.1f}) dB | |"
        f" {mean(quality[1]):.1f} ({min(quality[1]):.1f}) dB | |"
    )
    write, read = (
        median(write_ms) / median(package_write_ms),
        median(read_ms) / median(package_read_ms),
    )
    print(
        f"| write, CPU ms | {median(write_ms):.1f} (ratio {write:.2f}) | |"
        f" {median(package_write_ms):.1f} | |"
    )
    print(
        f"| read, CPU ms | {median(read_ms):.1f} (ratio {read:.2f}) | |"
        f" {median(package_read_ms):.1f} | |"
    )


def unmarked_crop(pictures: Sequence[Pixels], rng: np.random.Generator) -> tuple[str, Pixels]:
    """A random crop, scaled to a usual size, then changed in a way that may look like a mark."""
    whole = pictures[int(rng.integers(len(pictures)))]
    side = int(rng.uniform(0.3, 1.0) * min(whole.shape[:2]))
    top = int(rng.integers(0, whole.shape[0] - side + 1))
    left = int(rng.integers(0, whole.shape[1] - side + 1))
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    part = np.ascontiguousarray(whole[top : top + side, left : left + side])
    part = cv2.resize(part, (width, height), interpolation=int(rng.integers(0, 4)))
    kinds = ("as it is", "JPEG", "noise", "16 levels a channel", "one row repeated", "false colour")
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "JPEG":
        part = jpeg(int(rng.choice([30, 49, 50, 75, 90])))(part, rng)
    elif kind == "noise":
        part = noise(float(rng.uniform(1, 10)))(part, rng)
    elif kind == "16 levels a channel":
        part = (part // 16 * 16).astype(np.uint8)
    elif kind == "one row repeated":
        part = np.repeat(part[height // 2 : height // 2 + 1], height, axis=0)
    elif kind == "false colour":
        grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
        part = cv2.applyColorMap(grey, int(rng.integers(0, 12)))
    return kind, part


def false_positives(count: int, pictures: Sequence[Pixels], rng: np.random.Generator) -> None:
    """How often the claimed probability falls below a limit on pictures without a mark."""
    claimed: dict[str, list[float]] = {"dwtDctSvd": [], "dwtDct": []}
    for _ in range(count):
        _, pixels = unmarked_crop(pictures, rng)
        for scheme in (DWT_DCT_SVD, DWT_DCT):
            claimed[scheme.name].append(scheme.read(pixels, 64).false_positive_probability)
    print(f"\nUnmarked: {count} crops of {len(pictures)} pictures\n")
    print("| claimed at most | " + " | ".join(f"{n}: observed" for n in claimed) + " |")
    print("|---|---|---|")
    for limit in (0.5, 0.1, 0.01, 0.001, FALSE_POSITIVE_LIMIT):
        shares = [f"{np.mean(np.array(values) <= limit):.5f}" for values in claimed.values()]
        print(f"| {limit:g} | " + " | ".join(shares) + " |")
    print("| least claimed | " + " | ".join(f"{min(v):.2g}" for v in claimed.values()) + " |")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("WARDMARK_DATA")
    photos = Path(data) / "photos" / "dev" if data else None
    parser.add_argument("--photos", type=Path, default=photos, help="a folder of pictures")
    parser.add_argument("--scenes", type=int, default=8, help="rendered scenes besides")
    parser.add_argument("--unmarked", type=int, default=500, help="crops for false positives")
    parser.add_argument("--seed", type=int, default=20261120)
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # the package's
    rng = np.random.default_rng(options.seed)
    photos = photographs(options.photos)
    made = scenes(options.scenes, options.seed)
    pictures = [square(p) for p in photos] + made
    print(f"{len(photos)} photos, {len(made)} scenes, {SIDE}x{SIDE}, seed {options.seed}")
    for name in SCHEMES:
        recovery(name, pictures, rng)
    false_positives(options.unmarked, photos + made, rng)


if __name__ == "__main__":
    main()
