"""The demonstration detector: what it finds, how surely, under shifts, under attack, and why.

    python benchmarks/images_symbols.py [--photos DIR] [--parts P...] [--pictures N] [--attacked N]
        [--explained N] [--seed N]

Symbols are drawn into the photographs under DIR, which training must never have seen: the held-out
part of what benchmarks/photographs gathers. Without DIR they are every third by name of
$WARDMARK_DATA/photos/dev. The attack is white box and adaptive (tests/support/attacks.py); with the
extra ``attacks`` the Adversarial Robustness Toolbox attacks the same pictures in as many steps. The
floor beside the detector is a template matcher in the same run.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from scipy.stats import beta
from torch import Tensor

from guard.evaluate.calibrating import fitted
from guard.evaluate.detection import Scene, claim, localisation
from guard.evaluate.drift import drift_of
from guard.evaluate.figures import Split
from guard.evaluate.metrics import auroc
from guard.evaluate.shifts import SHIFTS, Shifted
from guard.explain.saliency import Method, deletion, heat_map, insertion
from guard.images.crops import photographs
from guard.images.second_view import second_views
from guard.images.symbols import SYMBOLS, load_symbols
from guard.images.symbols.detector import THRESHOLD, Symbols, load_network
from guard.images.symbols.drawing import Placed, drawn_into, sheet_of
from provenance.picture import Pixels

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.attacks import STEPS, Readings, as_tensor, hidden, hidden_by_art

SIDE = 256  # pixels of a crop
ATTACK_SIDE = 128
TIMED = 30  # pictures
PARTS = ("cost", "detection", "explanations", "robustness")

Case = tuple[Pixels, list[Placed]]


def cases(
    pictures: Sequence[Pixels], count: int, side: int, rng: np.random.Generator
) -> list[Case]:
    made = []
    for number in range(count):
        pixels = pictures[number % len(pictures)]
        top, left = (int(rng.integers(0, s - side + 1)) for s in pixels.shape[:2])
        made.append(drawn_into(pixels[top : top + side, left : left + side], rng))
    return made


def share(count: int, of: int) -> str:
    low = 0.0 if count == 0 else beta.ppf(0.025, count, of - count + 1)
    high = 1.0 if count == of else beta.ppf(0.975, count + 1, of - count)
    return f"{count}/{of} = {count / of:.3f} ({low:.3f} to {high:.3f})"


def moved(placed: Sequence[Placed], view: Shifted) -> list[Placed]:
    offset = np.array([view.left, view.top] * 2)
    return [Placed(s, tuple(np.array(box) * view.scale + offset)) for s, box in placed]


def scenes(found: Sequence[list], truth: Sequence[list[Placed]], symbol: int) -> list:
    claimed = []
    for boxes, placed in zip(found, truth, strict=True):
        own = [each for each in boxes if each.symbol == symbol]
        claimed.append(
            claim(
                Scene(
                    np.array([p.box for p in placed if p.symbol == symbol], float).reshape(-1, 4),
                    np.array([each.box for each in own], float).reshape(-1, 4),
                    np.array([each.score for each in own]),
                )
            )
        )
    return claimed


def mean_ap(found: Sequence[list], truth: Sequence[list[Placed]]) -> tuple[float, float, float]:
    per_symbol = [localisation(scenes(found, truth, s)) for s in range(len(SYMBOLS))]
    return tuple(float(np.nanmean(column)) for column in zip(*per_symbol, strict=True))


def matched(pixels: Pixels) -> list:
    """The floor: normalised correlation with each symbol's sheet at six sizes."""
    from guard.images.symbols.detector import Found

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    found = []
    for symbol in range(len(SYMBOLS)):
        for side in (20, 28, 38, 52, 70, 94):
            template = cv2.resize(sheet_of(symbol), (side, side), interpolation=cv2.INTER_AREA)
            near = np.abs(cv2.matchTemplate(grey, template, cv2.TM_CCOEFF_NORMED))
            y, x = np.unravel_index(int(near.argmax()), near.shape)
            found.append(Found(symbol, float(near[y, x]), (x, y, x + side, y + side)))
    return found


def detection(detector: Symbols, drawn: Sequence[Case]) -> None:
    truth = [placed for _, placed in drawn]
    print("\nwhat is found                     mAP@.5  mAP@.5:.95    IoU   AUROC   error")
    window = None
    for name, shift in {"as drawn": Shifted, **SHIFTS}.items():
        views = [shift(pixels) for pixels, _ in drawn]
        found = [detector.find(view.pixels) for view in views]
        there = [moved(placed, view) for placed, view in zip(truth, views, strict=True)]
        best = np.array([max((f.score for f in each), default=0.0) for each in found])
        some = np.array([bool(placed) for placed in truth])
        split = Split(best[~some], best[some])
        error = fitted(split, 0.05, 0)
        ap50, ap, iou = mean_ap(found, there)
        ranked = auroc(split.safe, split.unsafe)
        figures = f"{ap50:8.3f} {ap:10.3f} {iou:8.3f} {ranked:7.3f} {error.before.value:7.3f}"
        print(f"  {name:30} {figures}")
        if window is None:
            window, whole = best, error
        else:
            drift = drift_of({"symbol.score": window}, {"symbol.score": best})["symbol.score"]
            print(f"    drift: PSI {drift.psi:.2f}, KS {drift.ks:.2f}, {drift.state}")
    floor = mean_ap([matched(pixels) for pixels, _ in drawn], truth)
    print(f"  {'template matching (floor)':30} {floor[0]:8.3f} {floor[1]:10.3f} {floor[2]:8.3f}")
    after = "-" if whole.after is None else f"{whole.after.value:.3f}"
    print(f"  calibration: {whole.method}, error {whole.before.value:.3f}, cross-fitted {after}")
    told = window >= THRESHOLD
    print(f"  symbols told where there are some   {share((told & some).sum(), some.sum())}")
    print(f"  symbols told where there is none    {share((told & ~some).sum(), (~some).sum())}")


def cost(detector: Symbols, pictures: Sequence[Pixels]) -> None:
    times = {"detector": detector.find, "both second readings made": second_views}
    print("\ncost of a picture of 512 pixels   CPU ms")
    for name, act in times.items():
        spent = []
        for pixels in pictures:
            start = time.process_time()
            act(pixels)
            spent.append((time.process_time() - start) * 1e3)
        print(f"  {name:30} {median(spent):8.1f}")


def robustness(detector: Symbols, drawn: Sequence[Case], seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)  # the library draws from the global one
    net = load_network()
    net.requires_grad_(False)

    def told(pixels: Pixels) -> bool:
        return any(f.score >= THRESHOLD for f in detector.find(pixels))

    seen = [pixels for pixels, placed in drawn if placed and told(pixels)]
    plain = [pixels for pixels, placed in drawn if not placed]
    wrong = sum(len({told(v) for v in (p, *second_views(p))}) > 1 for p in (*plain, *seen))
    print(f"\nunder attack, {STEPS} steps, {len(seen)} pictures whose symbols are found")
    clean = len(plain) + len(seen)
    print(f"  clean: readings disagree                       {share(wrong, clean)}")
    by = {"ours": hidden}
    if find_spec("art") is None:
        print("  by the library: not run; install it with: pip install 'wardmark[attacks]'")
    else:
        by["ART"] = hidden_by_art
    bare, all_three = (Readings(net, adaptive=adaptive) for adaptive in (False, True))
    for size in (2, 4, 8):
        print(f"  changes of at most {size}/255")
        for name, attack in by.items():
            plainly = [attack(bare, pixels, size) for pixels in seen]
            still = share(sum(map(told, plainly)), len(seen))
            print(f"    {name:4} one reading: still found                {still}")
            both = [attack(all_three, pixels, size) for pixels in seen]
            views = [[told(v) for v in (p, *second_views(p))] for p in both]
            one = share(sum(map(any, views)), len(seen))
            print(f"    {name:4} three readings, adaptive: found by one  {one}")
            flagged = share(sum(len(set(v)) > 1 for v in views), len(seen))
            print(f"    {name:4} three readings: disagreement told       {flagged}")
            left = np.mean([float(all_three(as_tensor(p))) for p in both])
            print(f"    {name:4} left to hide, in the mean, log odds      {left:.2f}")


def explanations(drawn: Sequence[Case], seed: int) -> None:
    net = load_network()
    net.requires_grad_(True)
    rng = np.random.default_rng(seed)
    some = [(pixels, placed[0]) for pixels, placed in drawn if len(placed) == 1]
    print(f"\nexplanations of {len(some)} pictures with one symbol")
    print("                             points at it   deletion  insertion   (maps mixed up)")
    for method in Method:
        hits, gone, put, chance = 0, [], [], []
        for pixels, (symbol, (left, top, right, bottom)) in some:

            def score(batch: Tensor, symbol: int = symbol) -> Tensor:
                return net(batch)[0][:, symbol].amax(dim=(1, 2)).sigmoid()

            heat = heat_map(score, pixels, method, layer=net.trunk[-1], seed=seed)
            y, x = np.unravel_index(int(heat.argmax()), heat.shape)
            hits += left <= x < right and top <= y < bottom
            gone.append(deletion(score, pixels, heat))
            put.append(insertion(score, pixels, heat))
            mixed = rng.permutation(heat.ravel()).reshape(heat.shape)
            chance.append((deletion(score, pixels, mixed), insertion(score, pixels, mixed)))
        random = np.mean(chance, axis=0)
        print(
            f"  {method:24} {hits}/{len(some)} = {hits / len(some):.3f} {np.mean(gone):9.3f}"
            f" {np.mean(put):10.3f}   ({random[0]:.3f}, {random[1]:.3f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="of the figures; else all")
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--attacked", type=int, default=60)
    parser.add_argument("--explained", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.photos is not None:
        pictures = photographs(options.photos, SIDE)
    else:
        pictures = photographs(Path(os.environ["WARDMARK_DATA"]) / "photos" / "dev", SIDE)[2::3]
    rng = np.random.default_rng(10_000 + options.seed)
    detector = load_symbols()
    print(f"{len(pictures)} photographs held out, seed {options.seed}")
    wanted = frozenset(options.parts or PARTS)
    sizes = (
        (options.pictures, SIDE),
        (options.explained, ATTACK_SIDE),
        (options.attacked, ATTACK_SIDE),
    )  # drawn whatever is wanted, so that each part has its own each time
    shown, told, hidden_in = (cases(pictures, count, side, rng) for count, side in sizes)
    if "cost" in wanted:
        cost(detector, pictures[:TIMED])
    if "detection" in wanted:
        detection(detector, shown)
    if "explanations" in wanted:
        explanations(told, options.seed)
    if "robustness" in wanted:
        robustness(detector, hidden_in, options.seed)


if __name__ == "__main__":
    main()
