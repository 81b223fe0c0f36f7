"""Our writers and readers of invisible-watermark's methods crossed with the package's own."""

from collections.abc import Sequence
from statistics import mean, median

import numpy as np

from marking.attacks import Attack, brightness, bytes_of, compressed, unchanged
from marking.contestants import PACKAGE, Ours, contestant
from marking.cost import cpu_ms
from marking.recovery import psnr
from provenance.errors import WatermarkFailed
from provenance.picture import Pixels, decode, encode

ATTACKS: dict[str, Attack] = {
    "clean": unchanged,
    "PNG again": lambda p, _: decode(encode(p, "png")).pixels,
    "JPEG 95": compressed("jpeg", 95),
    "JPEG 75": compressed("jpeg", 75),
    "WebP 80": compressed("webp", 80),
    "brightness x0.6-1.4": brightness,
    "noise, sigma 10": lambda p, rng: bytes_of(p + rng.normal(0.0, 10.0, p.shape)),
}


def compatibility(method: str, pictures: Sequence[Pixels], seed: int) -> None:
    """One table: attacks down, writers and readers across."""
    ours, package = contestant(method), contestant(PACKAGE + method)
    assert isinstance(ours, Ours)
    rng = np.random.default_rng(seed)
    made: dict[str, list[tuple[bytes, Pixels, Pixels]]] = {"ours": [], "package": []}
    spent: dict[str, list[float]] = {}
    refused = 0
    for picture in pictures:
        payload = rng.bytes(8)
        for name, writer in (("ours", ours), ("package", package)):
            kept: list[Pixels] = []
            try:
                ms = cpu_ms(lambda w=writer, p=picture, k=kept, v=payload: k.append(w.write(p, v)))
            except WatermarkFailed:
                refused += 1
                continue
            spent.setdefault(f"{name} writes", []).append(ms)
            spent.setdefault(f"{name} reads", []).append(
                cpu_ms(lambda w=writer, k=kept: w.read(k[0]))
            )
            made[name].append((payload, picture, kept[0]))
    print(f"\n{method}: {len(pictures)} pictures, of which our writer refused {refused}\n")
    print("| | ours | ours, read by the package | the package's own | the package's, read by us |")
    print("|---|---|---|---|---|")
    for attack, change in ATTACKS.items():
        cells = []
        for writer, readers in (("ours", (ours, package)), ("package", (package, ours))):
            changed = [(payload, change(marked, rng)) for payload, _, marked in made[writer]]
            cells += [mean(r.read(c) == payload for payload, c in changed) for r in readers]
        print(f"| {attack} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    quality = {n: [psnr(before, after) for _, before, after in group] for n, group in made.items()}
    print(
        "| PSNR, mean (least) | "
        + " | | ".join(f"{mean(values):.1f} ({min(values):.1f}) dB" for values in quality.values())
        + " | |"
    )
    for act in ("writes", "reads"):
        mine, theirs = median(spent[f"ours {act}"]), median(spent[f"package {act}"])
        print(f"| {act}, CPU ms | {mine:.1f} (ratio {mine / theirs:.2f}) | | {theirs:.1f} | |")
