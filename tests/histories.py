"""Settings of Hypothesis for random histories, which are written to a real database and shrunk if they fail."""

from hypothesis import HealthCheck, Phase, settings

from tests.scale import choose

SHARDS = range(choose(1, slow=1, long=8))
"""Parts of a long run. Workers run them in parallel, so that it takes as long as its slowest part."""


def share(histories: int) -> int:
    """Return the number of histories of each part, rounded up."""
    return -(-histories // len(SHARDS))


def history_settings(max_examples: int) -> settings:
    """Return the settings for a property whose database is emptied before each example."""
    return settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[Phase.generate, Phase.shrink],
    )
