"""Whatever our OpenAPI description allows, and what it forbids: an answer that it describes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from guard.gateway import create_app
from provenance.home import Home
from tests.support.assessors import ScriptedPromptAssessor
from tests.support.core import InMemoryCore, textured_picture
from tests.support.deployment import PROVIDER, pipeline_of

EXAMPLES = 8  # of each operation
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def described() -> Iterator[Any]:
    """The description of a gateway, and the gateway behind it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home.create(Path(folder) / "home", provider=PROVIDER, version="0.0")
        core = InMemoryCore(draw=lambda prompt, *_: textured_picture(prompt, 64, 64, 1))
        prompts = ScriptedPromptAssessor({"0": {"violence": 0.97}})
        app = create_app(home, pipeline_of(home, core=core, prompts=prompts))
        yield schemathesis.openapi.from_asgi("/openapi.json", app)
        home.ledger.close()


QUIET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_as_described(described: Any, mode: GenerationMode) -> None:
    asked = 0
    for operation in (found.ok() for found in described.get_all_operations()):
        if mode is GenerationMode.NEGATIVE and not operation.body and not operation.query:
            continue  # nothing of it can be wrong

        @QUIET
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: schemathesis.Case) -> None:
            answer = case.call_and_validate(checks=CHECKS)
            assert answer.headers["x-request-id"][0].startswith("req_")

        holds()
        asked += 1
    assert asked >= 4
