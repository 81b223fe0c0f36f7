"""A running gateway follows the file of its policy."""

import threading
from collections.abc import Callable
from dataclasses import replace

from fastapi import FastAPI

from guard.policy_watch import PolicyWatch

LOOK_EVERY = 1.0  # seconds


def follow(
    app: FastAPI, watch: PolicyWatch, say: Callable[[str], None], *, every: float = LOOK_EVERY
) -> threading.Event:
    """Look after the policy's files until the event that is returned is set.

    ``every``: seconds between two looks. ``say`` is told of each change, and of each that was
    refused, once.
    """
    stopped = threading.Event()
    app.state.policy_watch = watch

    def look() -> None:
        told = None
        while not stopped.wait(every):
            if watch.look():
                policy = watch.pipeline.policy
                # Requests take the one they need once, so each is decided by one policy throughout.
                app.state.checker = replace(app.state.checker, policy=policy)
                app.state.pipeline = watch.pipeline
                say(f"policy {policy.name} {policy.version} is in force now ({policy.digest})")
            if watch.fault is not None and watch.fault != told:
                kept = watch.pipeline.policy
                say(f"{kept.name} {kept.version} stays in force; the change is refused:")
                say(watch.fault)
            told = watch.fault

    threading.Thread(target=look, name="policy-watch", daemon=True).start()
    return stopped
