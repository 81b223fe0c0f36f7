"""Simulators that obey the real ports, so that tests need no mocks."""
