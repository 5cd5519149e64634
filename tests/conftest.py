"""What every test shares: how hard hypothesis looks for a counter-example."""

import os

from hypothesis import HealthCheck, settings

# `ci` gives the same verdict on every run; `nightly` looks further and remembers what it finds.
# Neither asks how fast the machine is.
settings.register_profile(
    "ci", deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
