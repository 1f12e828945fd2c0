"""Discovers the routers of the API and of the pages, so that a new module with a `router` needs no registration."""

import importlib
import pkgutil
from collections.abc import Iterable

from treaty.settings import Settings
from treaty.web import api, pages
from treaty.web.routing import Router


def every_router(settings: Settings) -> Iterable[Router]:
    """List the routers that a server with these settings has."""
    for package in (api, pages):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith(".diagnostics") and not settings.enable_diagnostic_endpoints:
                continue
            module = importlib.import_module(found.name)
            if isinstance(router := getattr(module, "router", None), Router):
                yield router
