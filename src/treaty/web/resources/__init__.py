"""Resources: parse, call, say where the result is. Each module has a `router`; a new one needs no further mention.

That goes for pages, too.
"""

import importlib
import pkgutil
from collections.abc import Iterable

from treaty.settings import Settings
from treaty.web import pages
from treaty.web.routing import Router


def every_router(settings: Settings) -> Iterable[Router]:
    """List the tables of routes that a server with these settings has."""
    for package, path in ((__name__, __path__), (pages.__name__, pages.__path__)):
        for module in pkgutil.iter_modules(path):
            if module.name == "diagnostics" and not settings.enable_diagnostic_endpoints:
                continue
            router: Router = importlib.import_module(f"{package}.{module.name}").router
            yield router
