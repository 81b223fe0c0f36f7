"""A whole deployment for tests: a real home and real provenance around parts a test can script."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guard.assessment import ImageAssessor, PromptAssessor
from guard.generation import Core
from guard.pipeline import Pipeline, Provenance
from policies.load import load_policy
from policies.policy import Policy
from provenance.home import Home
from provenance.keys import load_trust
from provenance.watermark import load_scheme
from tests.support.assessors import ScriptedImageAssessor, ScriptedPromptAssessor
from tests.support.core import InMemoryCore

PROVIDER = "Test provider"
GUARDED = """
name: test
version: "1"
applies: tests
description: tests
obligations: [watermark, credential, ledger]
rules:
  - id: no-violence
    stage: both
    when: {field: score.violence, op: ">=", limit: calibrated}
    action: block
    message: violence is not drawn here
  - id: look-at-shocking
    stage: image
    when: {field: score.shocking, op: ">=", limit: calibrated}
    action: review
    message: a person looks at this first
  - id: hide-privacy
    stage: image
    when: {field: score.privacy, op: ">=", limit: calibrated}
    action: redact
    message: personal data is hidden
  - id: say-so
    stage: both
    when: {field: score.likeness_deception, op: ">=", limit: calibrated}
    action: label
    message: the picture is labelled
"""
"""A policy with a rule for every action: violence, shocking, privacy, likeness."""
EVERYWHERE = GUARDED.replace("stage: image", "stage: both")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home.create(tmp_path / "home", provider=PROVIDER, version="0.0")
    yield made
    made.ledger.close()


def policy_from(tmp_path: Path, text: str) -> Policy:
    """A policy out of YAML ``text``."""
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return load_policy(file)


def pipeline_of(
    home: Home,
    *,
    policy: Policy | None = None,
    core: Core | None = None,
    prompts: PromptAssessor | None = None,
    images: ImageAssessor | None = None,
) -> Pipeline:
    """A pipeline over ``home``; what is not given is a simulator that objects to nothing."""
    return Pipeline(
        core=core or InMemoryCore(),
        prompt_assessor=prompts or ScriptedPromptAssessor(),
        image_assessor=images or ScriptedImageAssessor(),
        policy=policy or load_policy("default"),
        provenance=Provenance(
            scheme=load_scheme("dwtDctSvd"),
            signer=home.signer,
            ledger=home.ledger,
            settings=home.settings,
            trust=load_trust(home.keys_folder),
        ),
        commitment_key=home.commitment_key,
    )


def with_provenance(pipeline: Pipeline, **parts: object) -> Pipeline:
    """``pipeline`` with some parts of its provenance exchanged."""
    return replace(pipeline, provenance=replace(pipeline.provenance, **parts))  # type: ignore[arg-type]
