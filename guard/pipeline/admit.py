"""The first arrow: is this a request at all? Pure."""

import secrets

from guard.errors import InvalidRequest
from guard.generation import CoreInfo, GenerationRequest
from guard.pipeline.request import MAX_IMAGES, MAX_PROMPT_CHARACTERS, ImageRequest
from guard.pipeline.sent_in import SentIn, fitted, nearest_size, open_sent

SEED_LIMIT = 2**31  # exclusive; short enough to type again


def admit(request: ImageRequest, core: CoreInfo, sent: SentIn | None = None) -> GenerationRequest:
    """Fill in the core's defaults and check every limit. ``sent``: the picture of its edit, where
    it was opened already.

    Raises InvalidRequest that names the limit which was passed. A missing seed is drawn here, so
    that it stands in the record.
    """
    check_text(request.prompt)
    if request.negative_prompt:
        check_text(request.negative_prompt)
    if not 1 <= request.count <= MAX_IMAGES:
        raise InvalidRequest(f"{request.count} pictures asked for; 1 to {MAX_IMAGES} can be")
    seed = secrets.randbelow(SEED_LIMIT) if request.seed is None else request.seed
    width = core.default_width if request.width is None else request.width
    height = core.default_height if request.height is None else request.height
    original = None
    if request.edit is not None:
        sent = sent or open_sent(request.edit)
        if request.width is None and request.height is None:
            width, height = nearest_size(sent, core)
        strength = request.edit.strength
        if strength is None:  # of what a mask covers nothing is to be seen again
            strength = core.default_strength if sent.mask is None else 1.0
        original = fitted(sent, width, height, strength)
    asked = GenerationRequest(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=width,
        height=height,
        steps=core.default_steps if request.steps is None else request.steps,
        guidance=core.default_guidance,
        seed=seed,
        count=request.count,
        original=original,
    )
    core.check(asked.model_copy(update={"count": 1}))  # drawn in batches that the core can hold
    return asked


def check_text(text: str) -> None:
    """Raise InvalidRequest for a text that cannot be assessed as a prompt."""
    if not text.strip():
        raise InvalidRequest("the prompt is empty; say in words what to draw")
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequest(
            f"the prompt has {len(text):,} characters; at most {MAX_PROMPT_CHARACTERS:,} are read"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"the prompt is not valid Unicode at character {error.start}; send it as UTF-8"
        ) from error
