from tests.support.deployment import home

__all__ = ["home"]
