"""What holds for every test."""

import os
import signal

from hypothesis import HealthCheck, settings

# A property holds or does not; how long a busy machine takes to say so is no part of it. CI draws
# the same examples each time, so that a change is judged by itself; elsewhere they are drawn anew.
settings.register_profile(
    "house",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

# A shell that starts the tests behind & has interrupts ignored, and whoever is started inherits
# that: what tests interrupt would run for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
