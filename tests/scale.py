"""Number of cases of tests: few by default, more with `--slow`, and many with `--long` (TREATY_TEST_SLOW=1, …_LONG=1).

Import this from test modules only: the options are read before they are loaded.
"""

import os
from typing import Final, TypeVar

VARIABLE: Final = "TREATY_TEST_LONG"
IS_LONG: Final = os.environ.get(VARIABLE) == "1"
"""Whether long tests were requested."""
IS_SLOW: Final = IS_LONG or os.environ.get("TREATY_TEST_SLOW") == "1"
"""Whether slow tests were requested, as in CI, or long ones."""

T = TypeVar("T")


def choose(quick: T, *, slow: T, long: T) -> T:
    """Return the value for the requested kind of run."""
    if IS_LONG:
        return long
    return slow if IS_SLOW else quick
