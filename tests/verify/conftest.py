from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.credential.scenery import picture
from tests.verify.studio import Delivered, Studio

# A property holds or does not; how long a busy machine takes to say so is no part of it.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("studio"))
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def delivered(studio: Studio) -> Delivered:
    return studio.deliver(picture(seed=0))


@pytest.fixture(scope="module")
def another(studio: Studio) -> Delivered:
    return studio.deliver(picture(seed=1))
