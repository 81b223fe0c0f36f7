import pytest
from hypothesis import HealthCheck, settings

from provenance.keys import KeySigner, TrustAnchors, create_development_signer, load_trust

# A property holds or does not; how long a busy machine takes to say so is no part of it.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> "tuple[KeySigner, TrustAnchors]":
    directory = tmp_path_factory.mktemp("keys")
    return create_development_signer(directory), load_trust(directory)


@pytest.fixture(scope="module")
def signer(keys: tuple[KeySigner, TrustAnchors]) -> KeySigner:
    return keys[0]


@pytest.fixture(scope="module")
def trust(keys: tuple[KeySigner, TrustAnchors]) -> TrustAnchors:
    return keys[1]
