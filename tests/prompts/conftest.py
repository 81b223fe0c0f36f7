"""One assessor for all tests of this folder: loading is not what they are about."""

import pytest

from guard.prompts import TrainedPromptAssessor, load_assessor


@pytest.fixture(scope="session")
def assessor() -> TrainedPromptAssessor:
    return load_assessor()
