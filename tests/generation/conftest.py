from pathlib import Path

import pytest

from guard.generation.diffusers_core import DiffusersCore


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a tiny Stable Diffusion. Tests that change files copy it first."""
    from tests.generation.tiny import stable_diffusion

    return stable_diffusion(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_core(tiny_sd: Path) -> DiffusersCore:
    return DiffusersCore(tiny_sd, device="cpu")
