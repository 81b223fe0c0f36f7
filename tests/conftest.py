"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A property holds or does not; how long a busy machine takes to say so is no part of it.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
