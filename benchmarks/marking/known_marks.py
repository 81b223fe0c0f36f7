"""How often the fixed marks of others are named, written as those programs write them."""

from collections.abc import Sequence

import cv2
import numpy as np

from marking.attacks import bytes_of, compressed
from marking.recovery import Share
from provenance.picture import Pixels
from provenance.watermark import FALSE_POSITIVE_LIMIT
from provenance.watermark.known import KNOWN_MARKS, KnownMark, recognise


def written(picture: Pixels, mark: KnownMark) -> Pixels:
    """By the package; pipelines that hand it floating point round afterwards."""
    from imwatermark import WatermarkEncoder

    encoder = WatermarkEncoder()
    bits = np.unpackbits(np.frombuffer(mark.payload, dtype=np.uint8))
    encoder.set_watermark("bits", bits.tolist())
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    made = encoder.encode(bgr.astype(np.float32) if mark.floats else bgr, "dwtDct")
    return np.ascontiguousarray(bytes_of(made)[..., ::-1])


def known_marks(pictures: Sequence[Pixels], seed: int) -> None:
    """One row a mark: named rightly as it was written, and after JPEG; and named wrongly."""
    rng = np.random.default_rng(seed)
    print(f"\nMarks of others, named with a probability of at most {FALSE_POSITIVE_LIMIT:g}\n")
    print("| written by | as it was | JPEG 95 | JPEG 90 | named as another |")
    print("|---|---|---|---|---|")
    for mark in KNOWN_MARKS:
        marked = [written(p, mark) for p in pictures]
        cells, wrong = [], 0
        for quality in (None, 95, 90):
            seen = marked
            if quality is not None:
                seen = [compressed("jpeg", quality)(m, rng) for m in marked]
            found = [recognise(m) for m in seen]
            sure = [f for f in found if f.false_positive_probability <= FALSE_POSITIVE_LIMIT]
            named = sum(f.mark == mark for f in sure)
            wrong += len(sure) - named
            cells.append(str(Share(named, len(pictures))))
        print(f"| {mark.written_by} | " + " | ".join(cells) + f" | {wrong} |")
