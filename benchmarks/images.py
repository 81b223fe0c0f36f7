"""The picture assessor: what it costs, what it finds and what it finds wrongly.

    python benchmarks/images.py [--photos DIR] [--parts P...] [--captions N] [--scenes N]
        [--hashes N] [--indexed N] [--crops N] [--seed N]

Photos are all pictures under DIR (default: $WARDMARK_DATA/photos/dev where that is; what
benchmarks/photographs gathers is told by its kinds) and those that come with scikit-image and
scikit-learn, reduced to at most 512 pixels; to them come N scenes of the kind that the embedded
core learns from. Every share is printed with its counts and its one-sided 95 % Clopper-Pearson
bound. Times are CPU milliseconds of this process, median over the pictures; the floor beside them
is one SHA-256 of the pixels. Parts: costs, gate, benign, pdq, index, pairs; all without --parts.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.stats import beta

from guard.generation.scenes.render import render
from guard.generation.scenes.spec import draw_scene
from guard.images.codes import Codes
from guard.images.finding import Part, Subject
from guard.images.known import KnownContent, pdq_queries, pixels_sha256
from guard.images.known_list import KnownContentList, pdq_words
from guard.images.pdq_index import PdqIndex
from guard.images.scale import reduced
from guard.images.text import MIN_LETTERS, TextReader, WrittenText, letters
from provenance.fingerprint import MATCH_DISTANCE, Fingerprint, fingerprint
from provenance.picture import Pixels, decode, encode, read_file

SIDE = 512  # pixels
KINDS = ("scene", "cut-out", "deep-sky")
PARTS = ("costs", "gate", "benign", "pdq", "index", "pairs")
TIMED = 30  # pictures
SENTENCES = (
    "free delivery on sunday",
    "meet at the old harbour",
    "BUY NOW",
    "call me tonight",
    "Happy birthday Anna",
    "no entry",
)
LETTER_HEIGHTS = (12, 14, 16, 20, 28, 40, 56)  # pixels of a 512-pixel picture


class Share(NamedTuple):
    """``of`` cases, in ``count`` of which it happened."""

    count: int
    of: int

    def at_most(self) -> str:
        upper = (
            1.0 if self.count == self.of else beta.ppf(0.95, self.count + 1, self.of - self.count)
        )
        return f"{self.count}/{self.of} = {self.count / self.of:.3f} (below {upper:.3f})"

    def at_least(self) -> str:
        lower = 0.0 if self.count == 0 else beta.ppf(0.05, self.count, self.of - self.count + 1)
        return f"{self.count}/{self.of} = {self.count / self.of:.3f} (above {lower:.3f})"


def photographs(folder: Path | None) -> dict[str, list[Pixels]]:
    """By the kind that they were gathered as; "photos" are those of no kind."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    kinds: dict[str, list[Pixels]] = {"photos": []}
    for file in sorted(folder.rglob("*.png")) if folder is not None else ():
        kind = file.parent.name if file.parent.name in KINDS else "photos"
        kinds.setdefault(kind, []).append(reduced(decode(read_file(file)).pixels, SIDE).pixels)
    found = []
    names = ["brick", "camera", "cell", "clock", "coins", "grass", "gravel", "horse"]
    names += ["hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "text"]
    if folder is None:  # such folders hold these; twice the same picture is no unrelated pair
        names += ["astronaut", "cat", "coffee", "rocket"]
        found += [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    for name in names:
        picture = np.asarray(getattr(data, name)())
        if picture.dtype == np.bool_:
            picture = picture.astype(np.uint8) * 255
        found.append(np.dstack([picture] * 3) if picture.ndim == 2 else picture[..., :3])
    kinds["photos"] += [reduced(np.ascontiguousarray(p), SIDE).pixels for p in found]
    return kinds


def captioned(pixels: Pixels, rng: np.random.Generator) -> tuple[Pixels, str]:
    """A sentence somewhere on the picture: seven sizes, any colour, sometimes see-through."""
    height, width = pixels.shape[:2]
    font = ImageFont.load_default(int(rng.choice(LETTER_HEIGHTS)))
    sentence = str(rng.choice(SENTENCES))
    while font.getlength(sentence) > width - 8 and " " in sentence:
        sentence = sentence.rsplit(" ", 1)[0]
    left = rng.uniform(4, max(5, width - 4 - font.getlength(sentence)))
    mask = Image.new("L", (width, height))
    place = (int(left), int(rng.uniform(4, height - 70)))
    ImageDraw.Draw(mask).text(place, sentence, font=font, fill=255)
    cover = np.asarray(mask, np.float64)[..., None] / 255 * rng.choice([1.0, 1.0, 0.6])
    under = pixels[cover[..., 0] > 0].mean()
    plain = np.full(3, 255.0 if under < 128 else 0.0)
    colour = plain if rng.random() < 0.7 else rng.uniform(0, 255, 3)
    return np.rint(pixels * (1 - cover) + colour * cover).astype(np.uint8), sentence


def cpu_ms(act: Callable[[Pixels], object], pictures: Sequence[Pixels]) -> float:
    times = []
    for pixels in pictures:
        start = time.process_time()
        act(pixels)
        times.append((time.process_time() - start) * 1e3)
    return median(times)


def finding(part: Part) -> Callable[[Pixels], object]:
    return lambda pixels: part.find(Subject(pixels))


def costs(pictures: Sequence[Pixels], reader: TextReader, hashes: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 2**64, (4, hashes), np.uint64).T
    known = KnownContent(
        [KnownContentList("random", "0" * 64, pdq=rows, pdq_labels=("",) * hashes)]
    )
    floor = cpu_ms(pixels_sha256, pictures)
    parts = {
        f"known content, {hashes:,} hashes": cpu_ms(finding(known), pictures),
        "codes": cpu_ms(finding(Codes()), pictures),
        "text gate": cpu_ms(reader.sees_text, pictures),
    }
    parts["together, where no text is seen"] = sum(parts.values())
    parts["reading, where text is seen"] = cpu_ms(reader.read, pictures)
    print(f"\ncost of a picture of {SIDE} pixels       CPU ms   x SHA-256 of its pixels")
    for name, ms in parts.items():
        print(f"  {name:36} {ms:8.1f} {ms / floor:8.0f}")


def plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def gate(groups: Mapping[str, Sequence[Pixels]], reader: TextReader, count: int, seed: int) -> None:
    """Captions are written on the photographs in turn."""
    rng = np.random.default_rng(seed)
    pictures = groups["scene"] if "scene" in groups else groups["photos"]
    seen = exact = readable = 0
    for number in range(count):
        pixels, sentence = captioned(pictures[number % len(pictures)], rng)
        lines = " ".join(writing.text for writing in reader.read(pixels))
        exact += plain(sentence) in plain(lines)
        if len(plain(lines)) >= MIN_LETTERS:
            readable += 1
            seen += reader.sees_text(pixels)
    print("\ntext")
    print(f"  captions read letter by letter       {Share(exact, count).at_least()}")
    print(f"  gate fires where reading finds text  {Share(seen, readable).at_least()}")
    for kind, group in groups.items():
        holds = [letters(reader.read(pixels)) >= MIN_LETTERS for pixels in group]
        fires = [reader.sees_text(pixels) for pixels in group]
        with_text, fired = sum(holds), sum(f for f, h in zip(fires, holds, strict=True) if not h)
        if with_text:
            both = sum(f and h for f, h in zip(fires, holds, strict=True))
            print(f"  gate fires on {kind} with text {Share(both, with_text).at_least()}")
        print(f"  gate fires on {kind} without {Share(fired, len(group) - with_text).at_most()}")


def benign(groups: Mapping[str, Sequence[Pixels]], reader: TextReader, hashes: int) -> None:
    """What each assessor finds in pictures in which there is nothing to find."""
    from datasets_audit.look import possible_faces
    from guard.images.symbols import load_symbols
    from guard.images.symbols.detector import THRESHOLD
    from guard.prompts import load_assessor

    rows = np.random.default_rng(1).integers(0, 2**64, (hashes, 4), np.uint64)
    known = KnownContent(
        [KnownContentList("random", "0" * 64, pdq=rows, pdq_labels=("",) * hashes)]
    )
    codes, symbols, judge = Codes(), load_symbols(), load_assessor()
    written = WrittenText(reader)
    for kind, group in groups.items():
        listed = coded = shown = flagged = faced = 0
        said = []
        for pixels in group:
            listed += known.find(Subject(pixels)).match is not None
            coded += bool(codes.find(Subject(pixels)).writings)
            shown += any(found.score >= THRESHOLD for found in symbols.find(pixels))
            faced += bool(possible_faces(pixels))
            lines = written.find(Subject(pixels)).writings
            if lines:
                said.append(" | ".join(line.text for line in lines))
                (found,) = judge.assess([" ".join(line.text for line in lines)])
                flagged += any(found.scores[c] >= found.thresholds[c] for c in found.scores)
        print(f"\nfalse alarms on {kind}")
        print(f"  in a list of {hashes:,} hashes          {Share(listed, len(group)).at_most()}")
        print(f"  codes read                           {Share(coded, len(group)).at_most()}")
        print(f"  text read (look whether it is there) {Share(len(said), len(group)).at_most()}")
        print(f"  a category flagged for what is read  {Share(flagged, len(group)).at_most()}")
        print(f"  symbols told                         {Share(shown, len(group)).at_most()}")
        print(f"  possible faces (some are there)      {Share(faced, len(group)).at_most()}")
        for each in said:
            print(f"    read: {each[:80]}")


ATTACKS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "JPEG 30": lambda p, _: decode(encode(p, "jpeg", quality=30)).pixels,
    "half size": lambda p, _: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "noise of 8 levels": lambda p, rng: np.clip(p + rng.normal(0, 8, p.shape), 0, 255).astype("u1"),
    "mirrored": lambda p, _: np.ascontiguousarray(p[:, ::-1]),
    "a quarter turn": lambda p, _: np.ascontiguousarray(np.rot90(p)),
}


def known_content(groups: Mapping[str, Sequence[Pixels]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for kind, group in groups.items():
        prints = [fingerprint(pixels) for pixels in group]
        usable = [(p, f) for p, f in zip(group, prints, strict=True) if f.usable]
        print(f"\nPDQ on {kind}: {len(usable)} of {len(group)} usable, others by SHA-256 only")
        for name, attack in ATTACKS.items():
            found = sum(near(attack(pixels, rng), print_) for pixels, print_ in usable)
            print(f"  found again after {name:18} {Share(found, len(usable)).at_least()}")
        entries = pdq_words([print_.pdq for _, print_ in usable])
        apart = np.concatenate(
            [
                np.bitwise_count(entries[:i, None] ^ queries[None]).sum(axis=2).min(axis=1)
                for i, (pixels, _) in enumerate(usable)
                if (queries := pdq_queries(pixels)) is not None
            ]
        )
        wrong = int((apart <= MATCH_DISTANCE).sum())
        print(f"  unrelated pairs taken for the same   {Share(wrong, len(apart)).at_most()}")
        print(f"  nearest unrelated pair, any turn     {apart.min()} bits (limit {MATCH_DISTANCE})")


def near(pixels: Pixels, entry: Fingerprint) -> bool:
    known = KnownContentList("one", "0" * 64, pdq=pdq_words([entry.pdq]), pdq_labels=("",))
    return KnownContent([known]).find(Subject(pixels)).match is not None


def index(hashes: int, seed: int) -> None:
    """Random hashes: one query, and the nine of a picture, against reading them all once."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 2**64, (hashes, 4), np.uint64)
    began = time.process_time()
    built = PdqIndex(rows)
    took = time.process_time() - began
    queries = [rng.integers(0, 2**64, (9, 4), np.uint64) for _ in range(200)]

    def ms(act: Callable[[np.ndarray], object], asked: Sequence[np.ndarray]) -> float:
        times = []
        for query in asked:
            start = time.process_time()
            act(query)
            times.append((time.process_time() - start) * 1e3)
        return median(times)

    floor = ms(lambda query: np.bitwise_count(rows[:, 0] ^ query[0, 0]), queries[:3])
    found = 0
    for number in range(200):
        near = rows[int(rng.integers(hashes))].copy()
        for bit in rng.choice(256, number % (MATCH_DISTANCE + 1), replace=False):
            near[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        match = built.nearest(near[None])
        found += match is not None and match.distance <= number % (MATCH_DISTANCE + 1)
    print(f"\nindex of {hashes:,} hashes, built in {took:.1f} CPU s")
    one, nine = (ms(built.nearest, [q[:n] for q in queries]) for n in (1, 9))
    for name, took in (("one hash", one), ("the nine of a picture", nine)):
        print(f"  {name:36} {took:8.2f} CPU ms, 1/{floor / took:.0f} of reading one word of each")
    print(f"  found at 0 to {MATCH_DISTANCE} bits                  {Share(found, 200).at_least()}")


def pairs(pictures: Sequence[Pixels], crops: int, seed: int) -> None:
    """Crops of different photographs, of which none may be taken for another."""
    rng = np.random.default_rng(seed)
    words, owners = [], []
    for owner, pixels in enumerate(pictures):
        height, width = pixels.shape[:2]
        for _ in range(crops):
            side = int(rng.uniform(0.4, 0.9) * min(height, width))
            top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            print_ = fingerprint(np.ascontiguousarray(pixels[top : top + side, left : left + side]))
            if print_.usable:
                words.append(pdq_words([print_.pdq])[0])
                owners.append(owner)
    hashes, whose = np.array(words), np.array(owners)
    wrong = compared = 0
    nearest = 256
    for row, own in zip(hashes, whose, strict=True):
        apart = np.bitwise_count(hashes[whose > own] ^ row).sum(axis=1)
        compared += len(apart)
        wrong += int((apart <= MATCH_DISTANCE).sum())
        nearest = min(nearest, int(apart.min(initial=256)))
    print(f"\nunrelated pairs, crops of different photographs: nearest {nearest} bits")
    upper = beta.ppf(0.95, wrong + 1, compared - wrong) * 1e6
    told = f"{wrong}/{compared:,} (below {upper:.1f} in 10^6)"
    print(f"  taken for the same                   {told}")


def main() -> None:
    data = os.environ.get("WARDMARK_DATA")
    folder = Path(data) / "photos" / "dev" if data else None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, default=folder, help="a folder of photographs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="of the figures; else all")
    parser.add_argument("--captions", type=int, default=120, help="captions written on photos")
    parser.add_argument("--scenes", type=int, default=40, help="rendered scenes besides")
    parser.add_argument("--hashes", type=int, default=100_000, help="hashes in the timed list")
    parser.add_argument("--indexed", type=int, default=10_000_000, help="hashes in the index")
    parser.add_argument("--crops", type=int, default=50, help="crops of each photo, as pairs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wanted = frozenset(options.parts or PARTS)
    groups = photographs(options.photos)
    rng = random.Random(options.seed)
    drawn = [render(draw_scene(rng), SIDE, SIDE).pixels for _ in range(options.scenes)]
    groups = {kind: group for kind, group in groups.items() if group} | {"drawn scenes": drawn}
    told = ", ".join(f"{len(group)} {kind}" for kind, group in groups.items())
    print(f"{told}; seed {options.seed}")
    pictures = groups["scene"] if "scene" in groups else groups["photos"]
    reader = TextReader()
    reader.read(pictures[0])  # loads the models, which the figures below leave out
    if "costs" in wanted:
        costs(pictures[:TIMED], reader, options.hashes, options.seed)
    if "gate" in wanted:
        gate(groups, reader, options.captions, options.seed)
    if "benign" in wanted:
        benign(groups, reader, options.hashes)
    if "pdq" in wanted:
        known_content(groups, options.seed)
    if "index" in wanted:
        index(options.indexed, options.seed)
    if "pairs" in wanted:
        pairs(pictures, options.crops, options.seed)


if __name__ == "__main__":
    main()
