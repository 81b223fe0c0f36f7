"""What assesses, draws and decides."""

from contextlib import closing

from guard.deployment import DEFAULT_POLICY, build_checker, build_pipeline, load_candidate
from guard.doctor.subject import Remarks, Subject, fail, not_checked, ok, warn
from guard.generation import GenerationRequest
from guard.generation.declared import load_named_core
from policies.lint import lint_policy

PLAIN = "a photograph of a lake with a mountain behind it"


def assessors(subject: Subject) -> Remarks:
    """The guards' weights are those on record, and each guard answers."""
    import numpy as np

    checker = build_checker(subject.home, policy=DEFAULT_POLICY)
    checker.prompt_assessor.assess([PLAIN])
    checker.image_assessor.assess([np.full((64, 64, 3), 127, dtype=np.uint8)])
    for guard in (checker.prompt_assessor, checker.image_assessor):
        yield ok(f"{guard.ref} answers; digest {guard.ref.digest[:16]}")


def core(subject: Subject) -> Remarks:
    """The core's files are those on record; with ``draw`` it draws a picture of one step."""
    loaded = load_named_core(subject.core, subject.home.settings.cores, subject.home.path)
    info = loaded.info
    said = f"{info.name} ({info.domain}), digest {info.digest[:16]}"
    if not subject.draw:
        yield ok(said)
        yield not_checked("the core drew nothing", "Have it draw one picture with --draw.")
        return
    loaded.generate(
        GenerationRequest(
            prompt=PLAIN,
            width=info.min_side,
            height=info.min_side,
            steps=1,
            guidance=info.default_guidance,
            seed=0,
        )
    )
    yield ok(f"{said}; it draws")


def policy(subject: Subject) -> Remarks:
    """The policy loads, can be kept with these parts, and nothing in it is likely a mistake."""
    name = subject.policy or subject.home.settings.policy
    home = subject.home
    with closing(home.ledger):  # which the pipeline opens
        held = build_pipeline(home, core=subject.core, policy=subject.policy).policy
    yield from _remarks(name, f"{held.name} {held.version} can be kept; {held.digest[:16]}")


def candidate(subject: Subject) -> Remarks:
    """The policy on trial loads, and nothing in it is likely a mistake."""
    settings = subject.home.settings
    trial = load_candidate(settings)
    if trial is None:
        yield ok("no policy is on trial")
        return
    said = f"{trial.policy.name} {trial.policy.version} is asked about {trial.share:.0%}"
    yield from _remarks(settings.candidate, said)


def _remarks(name: str, otherwise: str) -> Remarks:
    faults = [finding for finding in lint_policy(name) if not finding.is_note]
    for fault in faults:
        said = f"{name}:{fault.line}:{fault.column}: {fault.code}: {fault.message}"
        remark = fail if fault.code == "invalid" else warn
        yield remark(said, f"Mend it, and ask again: wardmark policy lint {name}")
    if not faults:
        yield ok(otherwise)
