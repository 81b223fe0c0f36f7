"""Tiny checkpoints, trained once for all tests of this folder."""

from pathlib import Path

import pytest

from guard.prompts.adapters.checkpoint import digest_of
from guard.prompts.adapters.classifier import ClassifierAssessor
from guard.prompts.adapters.generative import GenerativeAssessor
from guard.prompts.adapters.verdict import Family
from tests.adapters import checkpoints

LABELS = {"SAFE": [], "DANGEROUS": ["violence", "illegal_dangerous"], "LEAK": ["privacy"]}


@pytest.fixture(scope="session")
def classifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.classifier(tmp_path_factory.mktemp("bert"), labels=list(LABELS))


@pytest.fixture(scope="session")
def classifier(classifier_folder: Path) -> ClassifierAssessor:
    digest = digest_of(classifier_folder)
    return ClassifierAssessor(classifier_folder, sha256=digest, labels=LABELS)


@pytest.fixture(scope="session", params=list(Family), ids=str)
def generative(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> GenerativeAssessor:
    folder = checkpoints.generative(tmp_path_factory.mktemp(request.param), request.param)
    return GenerativeAssessor(folder, request.param, sha256=digest_of(folder))
