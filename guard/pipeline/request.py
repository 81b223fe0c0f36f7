"""What a caller asks for, and the limits it is held to."""

from pydantic import Field

from policies.decision import Frozen
from provenance.picture import Format

MAX_PROMPT_CHARACTERS = 32_000  # the OpenAI images API's own limit
MAX_IMAGES = 10  # pictures of one request, as in the OpenAI images API


class Quota(Frozen):
    """What a caller may still have in the running period. ``share`` of it that is used, 0 to 1."""

    left: int = Field(ge=0)
    share: float = Field(ge=0.0, le=1.0)


class Caller(Frozen):
    """Who asks, as far as policies care. ``None`` means not known.

    ``probing``: near-duplicates of refused prompts that they tried of late.
    """

    role: str = "user"
    tenant: str | None = None
    region: str | None = None
    age_verified: bool | None = None
    quota: Quota | None = None
    probing: int | None = None


class Edit(Frozen):
    """A picture to change, as files. ``strength``: 0 to 1, how much; ``None`` leaves it to the
    core. ``mask``: what may change of the picture, which has its size: where it is transparent, or
    light in one without transparency. Without a mask, the transparent part of ``image`` may change,
    else the whole."""

    image: bytes = Field(repr=False)
    mask: bytes | None = Field(default=None, repr=False)
    strength: float | None = None


class ImageRequest(Frozen):
    """A request as it came in; ``None`` leaves a setting to the core.

    ``width`` and ``height`` in pixels. ``negative_prompt`` says what must not be drawn; it is
    passed on and not assessed, the picture that comes of it is. ``visible_label``: the caller asks
    that the picture show what it is. ``edit``: change a picture instead of drawing a new one.
    """

    prompt: str
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    seed: int | None = None
    count: int = 1
    format: Format = "png"
    visible_label: bool = False
    caller: Caller = Caller()
    edit: Edit | None = None
