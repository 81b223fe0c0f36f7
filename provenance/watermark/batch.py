"""Many pictures in one call, over the cores of this machine."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from provenance.errors import MarkInvalid, WatermarkFailed
from provenance.picture import Pixels
from provenance.watermark.scheme import Detection, Scheme

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")


def embed_all(
    scheme: Scheme,
    images: Sequence[Pixels],
    payloads: Sequence[bytes],
    *,
    threads: int | None = None,
) -> list[Pixels]:
    """``scheme.embed`` of each picture and its payload, in their order.

    ``threads``: how many work at once, by default one a core. Raises MarkInvalid or WatermarkFailed
    as ``embed`` does, with the picture's place in the batch; a batch is marked whole or not at all.
    """
    if len(images) != len(payloads):
        raise MarkInvalid(
            f"{len(images)} pictures and {len(payloads)} payloads; give each picture one payload"
        )

    def marked(place: int) -> Pixels:
        try:
            return scheme.embed(images[place], payloads[place])
        except (MarkInvalid, WatermarkFailed) as error:
            raise type(error)(f"picture {place + 1} of {len(images)}: {error}") from error

    return _each(marked, range(len(images)), threads)


def detect_all(
    scheme: Scheme, images: Iterable[Pixels], *, threads: int | None = None
) -> list[Detection | None]:
    """``scheme.detect`` of each picture, in their order. ``threads`` as in ``embed_all``."""
    return _each(scheme.detect, images, threads)




def _each(
    work: Callable[[_Given], _Found], given: Iterable[_Given], threads: int | None
) -> list[_Found]:
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        return list(pool.map(work, given))
