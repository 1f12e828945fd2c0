"""How much tests try: little by default, and much with `--long` (or TREATY_TEST_LONG=1)."""

import os
from typing import Final

VARIABLE: Final = "TREATY_TEST_LONG"
IS_LONG: Final = os.environ.get(VARIABLE) == "1"
"""Whether the long form was asked for. Import this from test modules only: `--long` is read before they are loaded."""
