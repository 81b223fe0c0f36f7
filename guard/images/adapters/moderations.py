"""An HTTP endpoint that speaks OpenAI's ``POST /v1/moderations`` with pictures."""

import base64
import time
from collections.abc import Callable, Sequence
from typing import Final

from guard.images.adapters.sight import Sight
from guard.images.scale import reduced
from guard.prompts.adapters.endpoint import Endpoint
from provenance.picture import Pixels, encode

MAX_SIDE: Final = 1024  # pixels of what is sent
JPEG_QUALITY: Final = 90

READS_PICTURES: Final = ("sexual", "violence", "self_harm", "shocking")
"""What omni-moderation reads pictures for; its other categories are of text alone."""


class Moderations:
    """Sends pictures to ``url`` as JPEG; an outage is SafetyUnavailable, never a pass.

    ``categories``: of ours, those whose pictures it reads. One that says, in
    ``category_applied_input_types``, that it did not read the picture is not assessed. One that
    the endpoint flags scores at least ``threshold``.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None,
        key: str | None,
        categories: Sequence[str],
        threshold: float,
        timeout: float,
        retries: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ValueError for a URL that is not https, or http on this machine."""
        self._endpoint = Endpoint(
            url, model=model, key=key, timeout=timeout, retries=retries, sleep=sleep
        )
        self._categories, self._threshold = frozenset(categories), threshold

    @property
    def covers(self) -> frozenset[str]:
        return self._categories

    def look(self, pixels: Pixels) -> Sight:
        data = encode(reduced(pixels, MAX_SIDE).pixels, "jpeg", quality=JPEG_QUALITY)
        url = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        (result,) = self._endpoint.ask([{"type": "image_url", "image_url": {"url": url}}], 1)
        scores = result.scores(self._threshold, read="image")
        kept = self._categories | {"unsafe"}
        return Sight({name: score for name, score in scores.items() if name in kept})
