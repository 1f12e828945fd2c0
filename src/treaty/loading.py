"""Loading of modules without garbage collections, and fewer of them in servers."""

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

COLLECTION_THRESHOLDS: Final = (5_000, 10, 50)
"""New objects after which a server collects garbage, and collections of an age after which it collects the next one.

The defaults are 700, 10 and 10. 700 objects are less than the rows of one large response, and a full collection of the
statements and templates that are loaded after the start takes some 60 ms, in which no request is handled.
"""


@contextmanager
def permanent_objects() -> Iterator[None]:
    """Exempt all objects that exist at the end from garbage collection, and collect none meanwhile.

    Modules create hundreds of thousands of objects that live as long as the process. Collections traverse them
    repeatedly while they are loaded, which takes a fifth of the time that a server needs to start.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def prepare_collections() -> None:
    """Exempt all objects so far from garbage collection, and let it run less often, as a server that starts needs it.

    A full collection of all modules would take as long as many requests. With the default threshold, a response with
    thousands of rows causes a dozen collections, which take a tenth of its time, and every tenth one a full collection.
    """
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)


@contextmanager
def hidden_package(name: str) -> Iterator[None]:
    """Have modules that use a package only if it is installed load without it, unless it is loaded already."""
    is_loaded = name in sys.modules
    if not is_loaded:
        sys.modules[name] = None  # type: ignore[assignment]  # how importlib marks what cannot be imported
    try:
        yield
    finally:
        if not is_loaded:
            del sys.modules[name]


def load_module(name: str) -> ModuleType:
    """Import a module; the objects that this creates are permanent."""
    if name in sys.modules:
        return importlib.import_module(name)
    with permanent_objects():
        return importlib.import_module(name)
