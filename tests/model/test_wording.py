"""Words of sentences that depend on numbers."""

import pytest

from treaty.model.wording import choose_form


@pytest.mark.parametrize(("number", "form"), [(0, "events"), (1, "event"), (2, "events"), (1000, "events")])
def test_only_one_has_the_singular(number: int, form: str) -> None:
    assert choose_form(number, "event", "events") == form
