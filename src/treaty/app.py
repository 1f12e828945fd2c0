"""Putting a server together: settings, database, application, and the process that serves them."""

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import structlog
import uvicorn
from starlette.applications import Starlette

from treaty.settings import Settings
from treaty.store.database import Database, open_database
from treaty.store.migrations import migrate
from treaty.web.application import application

LEVELS: Final = {"warn": "WARNING", "fatal": "CRITICAL"}
_HANDED_ON: Final = "TREATY_HANDED_ON_SETTINGS"


def database_of(settings: Settings) -> Database:
    """Open the database of a server, its schema brought up to date."""
    database = open_database(
        settings.database_url,
        connections=settings.database_max_connections,
        wait=settings.database_pool_timeout,
    )
    migrate(database)
    return database


def application_of(settings: Settings) -> Starlette:
    """Make the application of a server."""
    return application(settings, database_of(settings))


def serve(settings: Settings) -> None:
    """Serve until told to end. SIGTERM and SIGINT let running requests end first."""
    prepare_logging(settings)
    database_of(settings).close()
    if settings.workers > 1:
        _serve_with_workers(settings)
    else:
        uvicorn.Server(_config(settings, application_of(settings))).run()


def _serve_with_workers(settings: Settings) -> None:
    import orjson  # noqa: PLC0415 - only several workers need their settings handed on

    os.environ[_HANDED_ON] = orjson.dumps(asdict(settings)).decode()
    config = _config(settings, "treaty.app:worker_application")
    config.workers = settings.workers
    config.factory = True
    socket = config.bind_socket()
    uvicorn.supervisors.Multiprocess(config, target=uvicorn.Server(config).run, sockets=[socket]).run()


def worker_application() -> Starlette:
    """Make the application of one of several workers, from the settings that the first process handed on."""
    import orjson  # noqa: PLC0415 - as above

    handed: Mapping[str, Any] = orjson.loads(os.environ[_HANDED_ON])
    settings = Settings(**{name: tuple(value) if isinstance(value, list) else value for name, value in handed.items()})
    prepare_logging(settings)
    return application_of(settings)


def _config(settings: Settings, app: Starlette | str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        headers=[("server", "treaty")],
        timeout_graceful_shutdown=30,
        lifespan="on",
    )


def prepare_logging(settings: Settings) -> None:
    """Write the log to standard error: lines for people, or JSON."""
    level = getattr(logging, LEVELS.get(settings.log_level, settings.log_level.upper()))
    is_json = settings.log_format == "json"
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if is_json:
        shared += [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        colors = settings.log_format == "color" or (sys.stderr.isatty() and "NO_COLOR" not in os.environ)
        shared.append(structlog.dev.ConsoleRenderer(colors=colors))
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
