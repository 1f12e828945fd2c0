"""How much tests try: little by default, more with `--slow`, and much with `--long` (TREATY_TEST_SLOW=1 or …_LONG=1).

Import this from test modules only: the options are read before they are loaded.
"""

import os
from typing import Final, TypeVar

VARIABLE: Final = "TREATY_TEST_LONG"
IS_LONG: Final = os.environ.get(VARIABLE) == "1"
"""Whether the long form was asked for."""
IS_SLOW: Final = IS_LONG or os.environ.get("TREATY_TEST_SLOW") == "1"
"""Whether slow tests were asked for, as CI does, or the long form."""

T = TypeVar("T")


def choose(quick: T, *, slow: T, long: T) -> T:
    """Choose how much a test tries."""
    if IS_LONG:
        return long
    return slow if IS_SLOW else quick
