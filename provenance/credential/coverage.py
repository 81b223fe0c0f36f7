"""Which bytes of a file a data hash protects. Pure interval arithmetic."""

from collections.abc import Iterable, Sequence

from provenance.credential.container import Span
from provenance.credential.credential import Coverage
from provenance.credential.reader import HashedRange


def coverage(
    size: int,
    exclusions: Sequence[HashedRange],
    spans: Sequence[Span],
    pixels: Sequence[Span] | None = None,
) -> Coverage:
    """``size``: bytes of the file. ``spans``: where the credential lies, which no hash can cover.
    ``pixels``: where the encoded pixels lie, None where that is not known.

    Bytes are counted once, and only where they are in the file.
    """
    excluded = _merged(Span(start, start + length) for start, length in exclusions)
    own = _merged(spans)
    own_bytes = _total(own, size)
    excess = _total(excluded, size) - sum(_overlap(a, b, size) for a in excluded for b in own)
    content = size - own_bytes
    return Coverage(
        bytes_total=size,
        bytes_excluded=excess,
        share=(content - excess) / content if content else 0.0,
        pixel_share=None if pixels is None else _kept(_merged(pixels), excluded, size),
    )


def _kept(pixels: Sequence[Span], excluded: Sequence[Span], size: int) -> float | None:
    """The share of the bytes in ``pixels`` that is not excluded; None where there are none."""
    total = _total(pixels, size)
    lost = sum(_overlap(a, b, size) for a in excluded for b in pixels)
    return (total - lost) / total if total else None


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(span for span in spans if span.end > span.start):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _total(spans: Sequence[Span], size: int) -> int:
    return sum(_overlap(span, Span(0, size), size) for span in spans)


def _overlap(a: Span, b: Span, size: int) -> int:
    return max(0, min(a.end, b.end, size) - max(a.start, b.start, 0))
