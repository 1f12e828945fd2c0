"""What the broker answered to its example data, by schema. Recorded by `tests/api/examples.py`, which see."""

from pathlib import Path
from typing import Any, Final

import orjson

FILE: Final = Path(__file__).with_name("examples.json")
ANSWERED: Final[dict[str, Any]] = orjson.loads(FILE.read_bytes())
