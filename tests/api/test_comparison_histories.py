"""Whatever happened, a version with a provider contract is never called deployable unless all conditions hold."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.api.comparison_histories import ComparisonBroker, steps
from tests.scale import IS_LONG

EXAMPLES = 400 if IS_LONG else 25


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
@given(story=st.lists(steps, min_size=4, max_size=16))
def test_a_pair_is_deployable_only_if_all_conditions_hold(
    comparison_broker: ComparisonBroker, story: list[tuple[Any, ...]]
) -> None:
    comparison_broker.forget()
    for step in story:
        note(repr(step))
        comparison_broker.act(step)
    comparison_broker.check()
