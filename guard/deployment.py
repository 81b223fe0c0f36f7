"""Puts a pipeline together from a home."""

from collections.abc import Callable, Mapping

from guard.assessment import ImageAssessor, PromptAssessor
from guard.check import Checker
from guard.errors import InvalidRequest
from guard.generation.core import EMBEDDED, CoreInfo
from guard.generation.declared import declared_cores, load_named_core
from guard.generation.noise_mark import NoiseMark
from guard.pipeline import Pipeline, Provenance
from guard.pipeline.held import Shelf
from policies.candidate import Candidate
from policies.decision import Scalar
from policies.load import load_policy
from provenance.errors import HomeInvalid
from provenance.home import Home, Settings
from provenance.keys import load_trust
from provenance.watermark import Scheme

DEFAULT_POLICY = "default"


def build_pipeline(home: Home, *, core: str = EMBEDDED, policy: str | None = None) -> Pipeline:
    """The pipeline of this home. ``core`` and ``policy`` are names, or a directory and a file.

    Raises SafetyUnavailable where the policy cannot be kept with these parts, and the errors of
    the parts themselves: what is wrong with a deployment shows here, before any request.
    """
    prompt_assessor, image_assessor = _assessors(home)
    loaded = load_named_core(core, home.settings.cores, home.path)
    return Pipeline(
        core=loaded,
        prompt_assessor=prompt_assessor,
        image_assessor=image_assessor,
        policy=load_policy(policy or home.settings.policy),
        provenance=Provenance(
            scheme=home.scheme(),
            signer=home.signer,
            ledger=home.ledger,
            settings=home.settings,
            stamper=home.stamper,
            trust=load_trust(home.keys_folder),
        ),
        commitment_key=home.commitment_key,
        candidate=load_candidate(home.settings),
        shelf=load_shelf(home),
        training=load_training(home, loaded.info.name),
        noise_mark=load_noise_mark(home, loaded.info),
    )


def load_noise_mark(home: Home, core: CoreInfo) -> NoiseMark | None:
    """Marks the noise that ``core`` begins with, if the settings want that of it. Raises
    HomeInvalid where it cannot be, or where they name a core that nobody knows: a misspelt name
    would leave pictures unmarked."""
    known = {EMBEDDED, core.name, *(each.name for each in declared_cores(home.settings.cores))}
    if unknown := set(home.settings.noise_marks) - known:
        raise HomeInvalid(
            f"noise_marks: there is no core {', '.join(sorted(unknown))}; there are"
            f" {', '.join(sorted(known))}. Correct the name, or declare the core in [[cores]]"
        )
    if core.name not in home.settings.noise_marks:
        return None
    if not core.marks_noise:
        raise HomeInvalid(
            f"noise_marks: {core.name} does not mark the noise that it begins with; only 'scenes'"
            " and Stable Diffusion 1 and 2 on this machine do. Take its name out"
        )
    from guard.generation.noise_scheme import noise_mark

    return noise_mark(home.mark_keys[0].key)


def load_noise_scheme(home: Home, core: str) -> Scheme:
    """Reads the mark in the noise that ``core`` began with. Raises InvalidRequest, CoreUnavailable,
    MarkKeyInvalid."""
    from guard.generation.noise_scheme import NoiseScheme

    keys = [key.key for key in home.mark_keys]
    return NoiseScheme(load_named_core(core, home.settings.cores, home.path), keys)


def load_training(home: Home, core: str) -> Callable[[], Mapping[str, Scalar]] | None:
    """What is known of what ``core`` learnt from, if the settings say anything of it."""
    if not any(one.core == core for one in home.settings.data_sets):
        return None
    from datasets_audit.training import TrainingData

    return TrainingData(home, core).facts


def load_shelf(home: Home) -> Shelf | None:
    """Where what is held for review is kept, if the settings say that it is."""
    if not home.settings.review.keep:
        return None
    from guard.review import SealedShelf

    return SealedShelf(home)


def score_windows(home: Home) -> dict[str, tuple[float, ...]]:
    """The scores that calibrated guards of pictures were measured on, by category; of a category
    that two of them score, none. Raises WeightsInvalid."""
    from guard.images.calibration import load_calibration

    windows: dict[str, tuple[float, ...]] = {}
    twice = set()
    for guard in home.settings.image_guards:
        if "calibration" not in guard:
            continue
        calibration = load_calibration(home.path / str(guard["calibration"]))
        for category, measured in calibration.categories.items():
            if category in windows:
                twice.add(category)
            elif measured.window:
                windows[category] = measured.window
    return {category: window for category, window in windows.items() if category not in twice}


def load_candidate(settings: Settings) -> Candidate | None:
    """The policy on trial, if the settings name one. Raises as ``load_policy``."""
    if not settings.candidate:
        return None
    return Candidate(load_policy(settings.candidate), settings.candidate_share)


def build_checker(home: Home | None, *, policy: str | None = None) -> Checker:
    """Assessors and policy alone, which need no home."""
    prompt_assessor, image_assessor = _assessors(home)
    name = policy or (home.settings.policy if home else DEFAULT_POLICY)
    return Checker(prompt_assessor, image_assessor, load_policy(name))


def load_prompt_assessor(home: Home | None) -> PromptAssessor:
    """The guards of prompts that the settings of this home name, by default the embedded one.

    Raises HomeInvalid where they are declared wrongly, SafetyUnavailable where one cannot be used.
    """
    from guard.prompts import load_assessor

    if home is None or not home.settings.prompt_guards:
        return load_assessor()
    from guard.prompts.adapters import guards_of

    return guards_of(home.settings.prompt_guards, home.path, load_assessor)


def _assessors(home: Home | None) -> tuple[PromptAssessor, ImageAssessor]:
    from guard import images

    prompt_assessor = load_prompt_assessor(home)
    lists = [images.load_list(path) for path in (home.known_content if home else ())]
    audited = images.training_data_of(home.settings.training_data, home.path) if home else []
    withdrawn = images.Withdrawals(home.ledger) if home and audited else ()
    signals = images.load_assessor(
        prompt_assessor, lists=lists, audited=audited, withdrawn=withdrawn
    )
    guards = load_image_guards(home)
    if home is None or not guards:
        return prompt_assessor, signals
    panel = images.Panel(signals, guards, second_view=home.settings.second_view)
    return prompt_assessor, panel


def load_image_guards(home: Home | None) -> list[ImageAssessor]:
    """The guards of pictures that the settings declare, each alone. Raises as loading one does."""
    if home is None or not home.settings.image_guards:
        return []
    from guard.images.adapters import image_guards_of

    return image_guards_of(home.settings.image_guards, home.path)


def load_image_assessor(home: Home | None, guard: str | None = None) -> ImageAssessor:
    """All that looks at pictures in this home, or the one ``guard`` that is named so.

    Raises as ``build_checker``, and InvalidRequest where there is no such guard.
    """
    if guard is None:
        return _assessors(home)[1]
    found = {each.ref.name: each for each in load_image_guards(home)}
    if guard not in found:
        there = ", ".join(found) or "none"
        raise InvalidRequest(f"no guard {guard} in [[image_guards]]; there are: {there}")
    return found[guard]
