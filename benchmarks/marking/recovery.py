"""Whose payload comes back whole after which attack, and what the mark does to the picture."""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from marking.attacks import ROWS
from marking.contestants import contestant
from marking.pictures import SIZES, cut
from provenance.errors import WatermarkFailed
from provenance.picture import Pixels

Z = 1.959964  # 95 %, two-sided
SIZE_ATTACKS = (
    "clean",
    "JPEG 50",
    "flip",
    "resize .7, JPEG 70",
    "rotation, cut to the inside",
    "crop to 50-100 %",
    "aspect to 10 %",
)


class Share(NamedTuple):
    """``count`` of ``of``."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else math.nan

    def __str__(self) -> str:
        """With Wilson's 95 % interval (J. Am. Stat. Assoc. 22, 1927)."""
        if not self.of:
            return "-"
        middle = (self.value + Z * Z / (2 * self.of)) / (1 + Z * Z / self.of)
        half = Z / (1 + Z * Z / self.of)
        half *= math.sqrt(self.value * (1 - self.value) / self.of + (Z / (2 * self.of)) ** 2)
        low, high = max(0.0, middle - half), min(1.0, middle + half)
        return f"{self.value:.3f} ({self.count}/{self.of}; {low:.3f}-{high:.3f})"


class Trial(NamedTuple):
    """What one contestant is asked on one picture."""

    name: str
    number: int
    pixels: Pixels
    seed: int
    repeats: int
    attacks: tuple[str, ...] | None = None


class Outcome(NamedTuple):
    """``hits``: attack -> how often the payload came back; None of a picture that was refused."""

    hits: dict[str, int] | None
    psnr: float = math.nan
    ssim: float = math.nan


def psnr(a: Pixels, b: Pixels) -> float:
    """Decibels, for 8 bits."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(a: Pixels, b: Pixels) -> float:
    """Mean over windows and channels, -1..1 (scikit-image)."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(a, b, channel_axis=2, data_range=255))


def judge(trial: Trial) -> Outcome:
    """Mark once, attack and read. The same seed gives all contestants the same attacks."""
    taking_part = contestant(trial.name)
    payload = np.random.default_rng([trial.seed, trial.number]).bytes(taking_part.payload_bytes)
    try:
        marked = taking_part.write(trial.pixels, payload)
    except WatermarkFailed:
        return Outcome(None)
    hits: dict[str, int] = {}
    attacks = {name: attack for row in ROWS for name, attack in row.attacks.items()}
    for place, (name, attack) in enumerate(attacks.items()):
        if trial.attacks is not None and name not in trial.attacks:
            continue
        rng = np.random.default_rng([trial.seed, trial.number, place])
        times = 1 if name == "clean" else trial.repeats
        hits[name] = sum(taking_part.read(attack(marked, rng)) == payload for _ in range(times))
    return Outcome(hits, psnr(trial.pixels, marked), ssim(trial.pixels, marked))


def judged(trials: Sequence[Trial], jobs: int) -> Iterator[Outcome]:
    """In order, over ``jobs`` processes, counted on stderr."""
    with ProcessPoolExecutor(jobs) as pool:
        outcomes: Iterable[Outcome] = pool.map(judge, trials) if jobs > 1 else map(judge, trials)
        for done, outcome in enumerate(outcomes, 1):
            if sys.stderr.isatty():
                print(f"\r{trials[0].name}: {done}/{len(trials)}", end="", file=sys.stderr)
            yield outcome


def share(outcomes: Sequence[Outcome], attacks: Iterable[str], repeats: int) -> Share:
    """Of all trials of these attacks; a picture that was refused is lost in every one."""
    count = of = 0
    for name in attacks:
        of += len(outcomes) * (1 if name == "clean" else repeats)
        count += sum(o.hits[name] for o in outcomes if o.hits is not None)
    return Share(count, of)


def recovery(
    pictures: dict[str, list[Pixels]],
    names: Sequence[str],
    fewer: dict[str, int],
    *,
    seed: int,
    repeats: int,
    jobs: int,
) -> None:
    """The table of recovery: rows and their attacks down, contestants across.

    ``fewer``: contestants that are shown only every so many pictures, being slow.
    """
    kinds = [kind for kind, group in pictures.items() for _ in group]
    cuts = [cut(p) for group in pictures.values() for p in group]
    results: dict[str, list[Outcome]] = {}
    for name in names:
        step = fewer.get(name, 1)
        trials = [
            Trial(name, number, pixels, seed, repeats)
            for number, pixels in enumerate(cuts)
            if number % step == 0
        ]
        results[name] = list(judged(trials, jobs))
    print("\n| | target | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    for row in ROWS:
        goal = f">= {row.target}" if row.target else ""
        cells = [f"**{share(results[n], row.attacks, repeats)}**" for n in names]
        print(f"| **{row.name}** | {goal} | " + " | ".join(cells) + " |")
        for attack in row.attacks:
            cells = [f"{share(results[n], [attack], repeats).value:.3f}" for n in names]
            print(f"| {attack} | | " + " | ".join(cells) + " |")
    for title, figure in (("PSNR", "psnr"), ("SSIM", "ssim")):
        cells = []
        for name in names:
            values = [getattr(o, figure) for o in results[name] if o.hits is not None]
            unit, digits = (" dB", 2) if figure == "psnr" else ("", 4)
            cells.append(f"{np.mean(values):.{digits}f} ({min(values):.{digits}f}){unit}")
        goal = "mean >= 43, least >= 40" if figure == "psnr" else "mean >= .985"
        print(f"| {title}, mean (least) | {goal} | " + " | ".join(cells) + " |")
    refused = [sum(o.hits is None for o in results[n]) for n in names]
    print("| refused to mark | | " + " | ".join(f"{r}" for r in refused) + " |")
    print("| pictures | | " + " | ".join(f"{len(results[n])}" for n in names) + " |")
    by_kind(results[names[0]], kinds, names[0], repeats)


def by_kind(outcomes: Sequence[Outcome], kinds: Sequence[str], name: str, repeats: int) -> None:
    """The same of one contestant, by where the pictures come from."""
    groups = {
        kind: [o for o, k in zip(outcomes, kinds, strict=True) if k == kind] for kind in kinds
    }
    print(f"\n{name}, by kind of picture\n\n| | " + " | ".join(groups) + " |")
    print("|---|" + "---|" * len(groups))
    for row in ROWS:
        cells = [f"{share(group, row.attacks, repeats)}" for group in groups.values()]
        print(f"| {row.name} | " + " | ".join(cells) + " |")
    cells = []
    for group in groups.values():
        values = [o.psnr for o in group if o.hits is not None]
        cells.append(f"{np.mean(values):.2f} ({min(values):.2f}) dB")
    print("| PSNR, mean (least) | " + " | ".join(cells) + " |")


def sizes(pictures: dict[str, list[Pixels]], name: str, *, seed: int, jobs: int) -> None:
    """Other sizes and aspects, on a quarter of the pictures, one draw of each attack."""
    some = [p for group in pictures.values() for p in group][::4]
    print(f"\n{name}, other sizes (width x height), {len(some)} pictures\n")
    print("| | " + " | ".join(f"{w}x{h}" for w, h in SIZES) + " |\n|---|" + "---|" * len(SIZES))
    columns = []
    for width, height in SIZES:
        trials = [
            Trial(name, number, cut(p, width, height), seed, 1, SIZE_ATTACKS)
            for number, p in enumerate(some)
        ]
        columns.append(list(judged(trials, jobs)))
    for attack in SIZE_ATTACKS:
        cells = [f"{share(column, [attack], 1).value:.3f}" for column in columns]
        print(f"| {attack} | " + " | ".join(cells) + " |")
    cells = []
    for column in columns:
        values = [o.psnr for o in column if o.hits is not None]
        cells.append(f"{np.mean(values):.2f} ({min(values):.2f})")
    print("| PSNR, mean (least), dB | " + " | ".join(cells) + " |")
    refused = [str(sum(o.hits is None for o in column)) for column in columns]
    print("| refused to mark | " + " | ".join(refused) + " |")
