"""The real assessor with a prompt assessor of known words; its models are loaded once."""

import pytest

from guard.images import PictureAssessor, load_assessor
from tests.support.assessors import ScriptedPromptAssessor

WORDS = {"attack": {"violence": 0.9, "unsafe": 0.9}, "visa number": {"privacy": 0.8}}


@pytest.fixture(scope="session")
def assessor() -> PictureAssessor:
    return load_assessor(ScriptedPromptAssessor(WORDS))
