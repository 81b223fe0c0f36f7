"""Watermarks: recovery under attacks, picture quality, false positives, cost, and what somebody
without the key can do, beside invisible-watermark itself in the same run.

    python benchmarks/watermark.py [--scheme NAME] [--quick] [--part PART]... [--unmarked N]

Pictures are those of scikit-image and scikit-learn, of $WARDMARK_DATA/photos/dev, of Debian's
wallpaper packages where they are installed, and the embedded core's own. Each is cut to 512x512 and
marked with a payload of its own; an attack draws its parameters from its range. A mark counts as
recovered if all of its bits come back and, for our schemes, ``detect`` says so; the package's
decoder always answers. Intervals are Wilson's, 95 %. Times are CPU time of one thread.
"""

import argparse
import os
from pathlib import Path

import cv2
from marking.compatibility import compatibility
from marking.contestants import PACKAGE
from marking.cost import cost, memory
from marking.forging import forging
from marking.known_marks import known_marks
from marking.nulls import fingerprints, riva_gan
from marking.pictures import cut, everything
from marking.recovery import recovery, sizes
from marking.unmarked import claims, false_positives
from threadpoolctl import threadpool_limits

from provenance.watermark import DEFAULT_SCHEME, SCHEMES

PEERS = tuple(PACKAGE + method for method in ("dwtDctSvd", "dwtDct", "rivaGan"))
PARTS = (
    "recovery",
    "sizes",
    "cost",
    "memory",
    "unmarked",
    "claims",
    "known",
    "forging",
    "nulls",
    "compatibility",
)
QUICK = 6  # every so many pictures
TIMED = 8  # every so many pictures are timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scheme", default=DEFAULT_SCHEME, choices=SCHEMES)
    parser.add_argument("--quick", action="store_true", help=f"every {QUICK}th picture, no rivaGan")
    parser.add_argument("--part", action="append", choices=PARTS, help="not all, but this one")
    parser.add_argument("--photos", type=Path, help="a folder of further pictures")
    parser.add_argument("--repeats", type=int, default=1, help="draws of each attack a picture")
    parser.add_argument("--unmarked", type=int, default=400, help="pictures for false positives")
    parser.add_argument("--state", type=Path, help="a file from which --unmarked goes on")
    parser.add_argument("--no-peers", action="store_true", help="leave the package's columns out")
    parser.add_argument("--trials", type=int, default=20, help="of each attack without the key")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=20261121)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    threadpool_limits(1)
    parts = options.part or [p for p in PARTS if not (options.quick and p == "nulls")]
    pictures = everything(options.photos)
    if options.quick:
        pictures = {kind: group[::QUICK] for kind, group in pictures.items()}
    flat = [p for group in pictures.values() for p in group]
    counts = ", ".join(f"{len(group)} {kind}" for kind, group in pictures.items())
    print(f"{options.scheme}; {counts}; 512x512, seed {options.seed}, {options.repeats} draw(s)")
    name, seed, jobs = options.scheme, options.seed, options.jobs
    if "recovery" in parts:
        peers = () if options.no_peers else PEERS[:2] if options.quick else PEERS
        recovery(
            pictures,
            (name, *peers),
            {PEERS[2]: 20},
            seed=seed,
            repeats=options.repeats,
            jobs=jobs,
        )
    if "sizes" in parts:
        sizes(pictures, name, seed=seed, jobs=jobs)
    if "cost" in parts:
        cost(flat[::TIMED] if len(flat) > 2 * TIMED else flat, name, seed)
    if "memory" in parts:
        memory(name)
    if "unmarked" in parts:
        false_positives(name, flat, options.unmarked, seed=seed, jobs=jobs, state=options.state)
    if "claims" in parts:
        claims(flat, options.unmarked, seed)
    if "known" in parts:
        known_marks([cut(p) for p in flat[::2]], seed)
    if "forging" in parts:
        forging(flat, seed, options.trials)
    if "nulls" in parts:
        fingerprints(pictures["photographs"], seed)
        riva_gan(flat, min(options.unmarked, 250), seed)
    if "compatibility" in parts:
        for method in ("dwtDctSvd", "dwtDct"):
            compatibility(method, [cut(p) for p in flat[::4]], seed)


if __name__ == "__main__":
    main()
