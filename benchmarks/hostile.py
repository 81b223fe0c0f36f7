"""What files that were made to hold a verifier up cost: CPU seconds and peak memory of ``verify``.

    python benchmarks/hostile.py [--memory GB] [--patience SECONDS]

Each file is verified in a process of its own, whose memory and time are limited by the system. The
peers are in the same run: an honest picture of 1024x1024 (the floor of what any file costs), and
c2pa-python's Reader on the files whose store our own reader does not let it see.
"""

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cbor2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the forger's tools of the tests

from provenance.picture import Pixels, encode  # noqa: E402
from tests.credential.authority import Authority  # noqa: E402
from tests.credential.forge import CREATED, STORE_AT, Forgery, pen  # noqa: E402

AUTHORITY = Authority("A hostile publisher")
NOTE = "org.example.note"


class Cost(NamedTuple):
    """``end``: ok, or how the process ended otherwise. ``peak``: megabytes of resident memory."""

    end: str
    seconds: float
    peak: float
    said: str


def noise(side: int) -> Pixels:
    """Grain, so that a file is as large as a picture's."""
    tile = np.random.default_rng(0).integers(0, 255, (250, 250, 3), dtype=np.uint8)
    times = -(-side // 250)
    return np.ascontiguousarray(np.tile(tile, (times, times, 1))[:side, :side])


def png(side: int = 256, chunk: bytes = b"") -> bytes:
    """A picture, with further chunks right behind its header."""
    data = encode(noise(side), "png")
    return data[:STORE_AT] + chunk + data[STORE_AT:]


def signed(forgery: Forgery) -> bytes:
    """A small picture with a forged credential, signed as it should be."""
    return forgery.into(png(), pen(AUTHORITY.signer()))


def said(*notes: bytes) -> dict[str, object]:
    """The least that a claim must say, and notes of CBOR as it stands."""
    listed = {f"{NOTE}__{number}": note for number, note in enumerate(notes)}
    return {"c2pa.actions.v2": CREATED, **listed}


def naming(times: int) -> Forgery:
    """A claim that names a note of 16 MB so many times."""

    def repeat(claim: dict[str, object]) -> None:
        listed = claim["created_assertions"]
        assert isinstance(listed, list)
        listed.extend([listed[1]] * times)

    return Forgery(said(cbor2.dumps(bytes(16 * 2**20))), claim=repeat)


def files() -> dict[str, Callable[[], bytes]]:
    """What is measured, by name; the first is the floor."""
    lying = b"\x7a\x7f\xff\xff\xff" + bytes(40)  # text of 2 GB
    numbers = cbor2.dumps([0] * 400_000)
    empty = struct.pack(">I", 0) + b"teSt" + struct.pack(">I", zlib.crc32(b"teSt"))
    free = struct.pack(">I", 8) + b"free"
    wide = struct.pack(">I", 8 + 60_000 * len(free)) + b"jumb" + free * 60_000
    return {
        "an honest picture, 1 megapixel": lambda: png(1024),
        "a text that says it has 2 GB": lambda: signed(Forgery(said(lying))),
        "400,000 numbers in a list": lambda: signed(Forgery(said(numbers))),
        "30 MB of numbers": lambda: signed(Forgery(said(*[numbers] * 75))),
        "60,000 boxes": lambda: signed(Forgery(parents=[wide])),
        "16 MB named 200 times": lambda: signed(naming(200)),
        "a million chunks": lambda: png(chunk=empty * 1_000_000),
        "64 megapixels of JPEG": lambda: encode(noise(8000), "jpeg", quality=60),
        "64 megapixels of PNG": lambda: png(8000),
    }


CHILD = """
import json, sys, time
from pathlib import Path
data = Path(sys.argv[1]).read_bytes()
if sys.argv[2] == "c2pa":
    import io, c2pa
    from provenance.credential.engine import context
    from provenance.keys import TrustAnchors
    settled = context(TrustAnchors())
    def work():
        try:
            with c2pa.Reader("image/png", io.BytesIO(data), context=settled) as reader:
                return reader.detailed_json()[:20]
        except c2pa.C2paError as error:
            return str(error)[:40]
else:
    from provenance.errors import PictureInvalid, PictureTooLarge
    from provenance.verify import Sources, verify
    sources = Sources()
    verify(Path(sys.argv[3]).read_bytes(), sources=sources)  # libraries are loaded by now
    def work():
        try:
            return verify(data, sources=sources).verdict.value
        except (PictureInvalid, PictureTooLarge) as error:
            return type(error).__name__
start = time.process_time()
said = work()
took = time.process_time() - start
status = Path("/proc/self/status").read_text()
peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps([took, peak, said]))
"""


def cost(file: Path, who: str, honest: Path, memory: int, patience: int) -> Cost:
    """Of one file in a process of its own."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (patience, patience))

    command = [sys.executable, "-c", CHILD, str(file), who, str(honest)]
    ended = subprocess.run(command, capture_output=True, preexec_fn=limit, check=False, cwd=ROOT)
    if ended.returncode != 0:
        return Cost("over limits", float("nan"), float("nan"), "")
    took, peak, said = json.loads(ended.stdout.splitlines()[-1])
    return Cost("ok", took, peak, said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=int, default=6, help="GB of address space for each file")
    parser.add_argument("--patience", type=int, default=20, help="seconds of CPU for each file")
    limits = parser.parse_args()
    memory = limits.memory * 2**30
    print(f"{'file':32} {'MB':>6} | {'verify':>8} {'MB':>6} {'':14} | {'c2pa alone':>10} {'MB':>6}")
    with tempfile.TemporaryDirectory() as folder:
        file, honest = Path(folder) / "file", Path(folder) / "honest"
        honest.write_bytes(png(256))
        for name, make in files().items():
            data = make()
            file.write_bytes(data)
            ours = cost(file, "verify", honest, memory, limits.patience)
            theirs = (
                cost(file, "c2pa", honest, memory, limits.patience) if b"caBX" in data else None
            )
            print(
                f"{name:32} {len(data) / 2**20:6.1f} | {_seconds(ours)} {ours.peak:6.0f} "
                f"{ours.said or ours.end:14} | "
                + (f"{_seconds(theirs):>10} {theirs.peak:6.0f}" if theirs else f"{'':10} {'':6}"),
                flush=True,
            )


def _seconds(cost: Cost) -> str:
    return f"{cost.seconds:6.2f} s" if cost.end == "ok" else cost.end


if __name__ == "__main__":
    main()
