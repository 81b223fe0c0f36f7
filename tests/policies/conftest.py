"""The real command line and a real home, shared by a file of tests."""

from tests.cli.conftest import home, wardmark

__all__ = ["home", "wardmark"]
