"""How work is taken on: the table ``[work]`` of the settings. The gateway acts on it."""

from pydantic import Field

from policies.decision import Frozen


class WorkSettings(Frozen):
    """What one process of the gateway does at once, and what waits. Times in seconds.

    ``running``: requests that are on their way at once, of which a core batches what fits together;
    twice a batch, so that the core draws the next while guards look at the one before.
    ``waiting``: requests in the queue; more are told to come back. ``patience``: the longest wait
    for a place. ``batch_wait``: how long a core waits for others to draw with; 0 draws each alone.
    ``jobs``: of them at once; 0 leaves them to other processes. ``queued_jobs``: of all processes
    together, before more are told to come back. ``keep``: how long the answer to a
    job or to an idempotency key can be had. ``grace``: how long a stop waits for what runs.
    ``load_core``: the core's weights are loaded when a process starts, not with its first picture.
    ``core_process``: a core that draws on this machine does it in a process of its own.
    """

    running: int = Field(default=16, gt=0, le=256)
    waiting: int = Field(default=256, ge=0, le=100_000)
    patience: float = Field(default=120.0, gt=0)
    batch_wait: float = Field(default=0.005, ge=0, le=10)
    jobs: int = Field(default=2, ge=0, le=256)
    queued_jobs: int = Field(default=10_000, ge=0)
    keep: float = Field(default=86_400.0, gt=0)
    grace: float = Field(default=10.0, ge=0)
    load_core: bool = True
    core_process: bool = True
