"""Settings of properties about random histories: they publish to a real database, and shrink what fails."""

from hypothesis import HealthCheck, Phase, settings


def history_settings(max_examples: int) -> settings:
    """Return the settings for a property whose database is emptied before each example."""
    return settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[Phase.generate, Phase.shrink],
    )
