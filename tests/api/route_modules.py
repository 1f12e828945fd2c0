"""The modules that have routes for each URL: `route_modules.json`, by which a server loads them on demand."""

import json
from typing import Final

from treaty.web.routers import ROUTE_MODULES, find_route_modules

DOCUMENT: Final = ROUTE_MODULES


def part() -> str:
    return json.dumps(find_route_modules(), indent=2) + "\n"
