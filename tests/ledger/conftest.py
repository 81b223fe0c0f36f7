"""A fresh ledger for each test, on each database that can be reached."""

from collections.abc import Iterator

import pytest

from provenance.ledger import Ledger, LedgerKey
from tests.support.databases import postgresql_server, postgresql_url, url

__all__ = ["postgresql_server", "postgresql_url", "url"]  # fixtures


@pytest.fixture(scope="session")
def key() -> LedgerKey:
    return LedgerKey.generate("ledger.test/one")


@pytest.fixture
def ledger(url: str, key: LedgerKey) -> Iterator[Ledger]:
    with Ledger(url, key) as opened:
        yield opened
