"""What the broker answered to its example data, by schema. Recorded by `tests/api/examples.py`, which see."""

from pathlib import Path
from typing import Any, Final

import orjson

EXAMPLES_FILE: Final = Path(__file__).with_name("examples.json")


def read_recorded_responses() -> dict[str, Any]:
    """Read the responses, which only the OpenAPI document has."""
    responses: dict[str, Any] = orjson.loads(EXAMPLES_FILE.read_bytes())
    return responses
