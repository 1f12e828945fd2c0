"""Putting a server together: settings, database, application, and the process that serves them."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
import uvicorn
from sqlalchemy import Connection, Engine, make_url
from starlette.types import ASGIApp
from structlog.tracebacks import ExceptionDictTransformer
from uvicorn.supervisors import Multiprocess

from treaty import outgoing
from treaty.actions.accounts import credentials
from treaty.actions.maintenance import example_data, integrity
from treaty.actions.maintenance.integrity import IntegrityFinding
from treaty.actions.webhooks.deliveries import Send
from treaty.distribution import install_hint
from treaty.errors import DatabaseReplaced, InvalidSetting
from treaty.model.accounts import passwords
from treaty.model.audit import Actor
from treaty.model.maintenance.retention import (
    DEFAULT_BRANCH_SELECTORS,
    DEFAULT_VERSION_SELECTORS,
    CleanupPlan,
    Retention,
    add_in_use_selectors,
    parse_branch_selectors,
    parse_selector_json,
    parse_version_selectors,
)
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine import health
from treaty.store.engine.database import Database, open_database
from treaty.store.engine.database_files import MISSING_DATABASE_HINT, is_in_memory, sqlite_identity
from treaty.store.engine.vault import KeyFile, KeyStatus, Vault, get_vault, has_key, locate_key_file
from treaty.store.maintenance import encrypted_columns
from treaty.store.migrations import migrate, revision
from treaty.telemetry import metrics, tracing
from treaty.web import urls
from treaty.web.api.webhooks.webhooks import PARAMETER_URLS
from treaty.web.application import BackgroundWorker, build_application
from treaty.web.http.protocol import Connections, LimitedProtocol, Limits
from treaty.workers.cleanup import Cleaner, CleanupResult, ScheduledCleaner, check_schedule
from treaty.workers.deliveries import DeliveryWorker
from treaty.workers.key_rotation import KeyRotation, Report

if TYPE_CHECKING:
    from treaty.telemetry.spans import SpanRecorder

T = TypeVar("T")

_HANDED_ON: Final = "TREATY_HANDED_ON_SETTINGS"
"""The variable in which the first process hands its settings on to its workers."""
_DATABASE_FILE: Final = "TREATY_HANDED_ON_DATABASE_FILE"
"""The variable with the identity of the SQLite file that the first process has opened."""


def open_server_database(
    settings: Settings, watch: Callable[[Engine], None] = lambda _engine: None, *, may_create: bool = True
) -> Database:
    """Open the database of a server, its schema brought up to date. `watch` sees its engine before it is used."""
    database = _opened(settings, may_create=may_create)
    watch(database.engine)
    migrate(database)
    return database


def open_existing_database(settings: Settings) -> Database:
    """Open a database that a server has created, its schema brought up to date.

    Raises WrongSetting, and creates nothing, if there is none: only `serve` and `user add` create a database, so that a
    command which is given the wrong address does not report on an empty database.
    """
    database = _opened(settings, must_exist=True)
    try:
        _check_has_tables(settings, database)
        migrate(database)
    except health.DATABASE_ERRORS as error:
        database.close()
        reason = health.describe_error(error, database_url=settings.database_url)
        raise InvalidSetting(f"database_url: {_name(settings)} does not answer: {reason}") from error
    except BaseException:
        database.close()
        raise
    return database


def _check_has_tables(settings: Settings, database: Database) -> None:
    if not is_in_memory(settings.database_url) and database.read(revision) is None:
        raise InvalidSetting(f"database_url: {_name(settings)} has no tables of Treaty. {MISSING_DATABASE_HINT}")


def _opened(settings: Settings, *, must_exist: bool = False, may_create: bool = True) -> Database:
    return open_database(
        settings.database_url,
        connections=settings.database_max_connections,
        wait=settings.database_pool_timeout.total_seconds(),
        must_exist=must_exist,
        may_create=may_create,
    )


def _name(settings: Settings) -> str:
    return make_url(settings.database_url).render_as_string(hide_password=True)


def create_application(settings: Settings, *, may_create: bool = True) -> ASGIApp:
    """Make the application of a server."""
    _prepare_key(settings)
    spans = _spans()
    if spans is None:
        database = open_server_database(settings, may_create=may_create)
        return build_application(settings, database, worker=_Team(_background(settings, database)))
    database = open_server_database(settings, spans.trace_statements, may_create=may_create)
    team = _Team([*_background(settings, database, spans.wrap_send(outgoing.send)), spans])
    return spans.trace_requests(build_application(settings, database, worker=team))


def _spans() -> "SpanRecorder | None":
    """Make what traces, if the environment wants traces; OpenTelemetry is loaded only then. Raises WrongSetting."""
    if tracing.exporter_name(os.environ) is None:
        return None
    try:
        from treaty.telemetry.spans import create_span_recorder  # noqa: PLC0415 - see above
    except ImportError:
        reason = f"traces are enabled, but OpenTelemetry is not installed: {install_hint('server', 'otel')}"
        structlog.get_logger("treaty").warning("opentelemetry", reason=reason)
        return None
    return create_span_recorder(os.environ)


class _Team:
    """All that works beside the requests."""

    def __init__(self, members: Sequence[BackgroundWorker]) -> None:
        self._members = members

    def start(self) -> None:
        for member in self._members:
            member.start()

    def wake(self) -> None:
        for member in self._members:
            member.wake()

    def stop(self) -> None:
        for member in self._members:
            member.stop()


def _background(settings: Settings, database: Database, send: Send = outgoing.send) -> list[BackgroundWorker]:
    worker = DeliveryWorker(database, settings, PARAMETER_URLS, send=send)
    if not _cleans(settings):
        return [worker]
    cleaner = ScheduledCleaner(
        database,
        build_retention(settings),
        settings.database_clean_cron_schedule,
        is_dry=settings.database_clean_dry_run,
        audit_max_age=settings.audit_max_age,
        cleans_data=settings.database_clean_enabled,
    )
    return [cleaner, worker]


def _cleans(settings: Settings) -> bool:
    """Whether anything goes by itself when it is old."""
    return settings.database_clean_enabled or bool(settings.audit_max_age)


def build_retention(settings: Settings) -> Retention:
    """Say what a server keeps when old data goes. Raises WrongSetting."""
    versions, branches = settings.database_clean_keep_version_selectors, settings.database_clean_keep_branch_selectors
    name = "database_clean_keep_{}_selectors"
    return Retention(
        versions=add_in_use_selectors(
            DEFAULT_VERSION_SELECTORS
            if versions is None
            else parse_version_selectors(parse_selector_json(versions, name.format("version")))
        ),
        branches=(
            DEFAULT_BRANCH_SELECTORS
            if branches is None
            else parse_branch_selectors(parse_selector_json(branches, name.format("branch")))
        ),
        limit=settings.database_clean_deletion_limit,
        branch_limit=settings.database_clean_deletion_limit,
        overwritten_max_age=settings.database_clean_overwritten_data_max_age,
        success_max_age=settings.verified_by_other_branch_lookback_days,
    )


def plan_cleaning(settings: Settings, retention: Retention) -> CleanupPlan:
    """Describe what a clean-up would remove."""
    age = settings.audit_max_age
    return _with_database(settings, lambda database: Cleaner(database, retention, audit_max_age=age).plan())


def clean(settings: Settings, retention: Retention) -> CleanupResult:
    """Remove what nothing keeps. Raises AlreadyCleaning."""
    age = settings.audit_max_age
    return _with_database(
        settings, lambda database: Cleaner(database, retention, audit_max_age=age, name="treaty clean").clean()
    )


def rotate_key(settings: Settings, *, removes_old_keys: bool, report: Report) -> None:
    """Seal all secrets with another key, or take older keys away. Raises AlreadyRotating, Unreadable, WrongSetting."""

    def rotate(database: Database) -> None:
        rotation = KeyRotation(database, settings, report=report)
        if removes_old_keys:
            rotation.remove_old_keys()
        else:
            rotation.rotate()

    _with_database(settings, rotate, "treaty rotate-key")


def read_database(settings: Settings, work: Callable[[Connection], T]) -> T:
    """Ask a server's database something."""
    return _with_database(settings, lambda database: database.read(work))


def write_database(
    settings: Settings, work: Callable[[Connection], T], *, name: str = "treaty", may_create: bool = False
) -> T:
    """Change something in a server's database, under a name."""
    return _with_database(settings, lambda database: database.write(work), name, may_create=may_create)


def write_encrypted(
    settings: Settings, work: Callable[[Connection, Vault], T], *, name: str, report: Callable[[str], None]
) -> T:
    """Change something for which there has to be a key. Raises WrongSetting before anything is written without it."""

    def write(database: Database) -> T:
        is_new = not has_key(settings)
        _check_key(settings, database, is_new=is_new)
        vault = get_vault(settings)
        try:
            return database.write(lambda db: work(db, vault))
        finally:
            if is_new and not database.is_local and has_key(settings):
                report(_new_key(settings))

    return _with_database(settings, write, name)


def _check_key(settings: Settings, database: Database, *, is_new: bool) -> None:
    """Refuse a key that the servers of a database have not, as they could not open what it seals."""
    if database.is_local:
        return  # its key is found beside it, by whoever finds it
    if is_new and database.read(encrypted_columns.has_any):
        raise InvalidSetting(
            f"secret_key: is not set, there is no {locate_key_file(settings)}, and this database holds secrets that "
            "were sealed with the key of its servers. Set it (TREATY_SECRET_KEY) to that key; nothing was written."
        )
    if not is_new and (lost := _lost(settings, database)):
        raise InvalidSetting(f"secret_key: {_misfit(settings, lost)} Nothing was written.")


def _lost(settings: Settings, database: Database) -> int:
    """Count what this key does not open."""
    return database.read(lambda db: encrypted_columns.count_by_key(db, get_vault(settings)))[KeyStatus.UNKNOWN]


def _misfit(settings: Settings, lost: int) -> str:
    name = "secret_key" if settings.secret_key is not None else str(locate_key_file(settings))
    count = "1 secret was" if lost == 1 else f"{lost} secrets were"
    return (
        f"{count} sealed with another key; give it in previous_secret_keys, or as secret_key "
        f"(TREATY_SECRET_KEY) if it is that of other servers of this database. Here the key is that of {name}."
    )


def _new_key(settings: Settings) -> str:
    return (
        f"There is a new key in {locate_key_file(settings)}. Every server of this database needs it: copy the file to "
        "where they run, or set secret_key (TREATY_SECRET_KEY) to what is in it."
    )


def _with_database(
    settings: Settings, work: Callable[[Database], T], name: str = "treaty", *, may_create: bool = False
) -> T:
    """Do something with a server's data. What it writes stands under a name in the audit trail.

    Raises WrongSetting if there is no such database, unless it may be created.
    """
    database = open_server_database(settings) if may_create else open_existing_database(settings)
    try:
        with audit.acting_as(Actor(credential_name=name)):
            return work(database)
    finally:
        database.close()


def _prepare_key(settings: Settings) -> None:
    """Have a key before there is a secret. A server without secrets does without a key."""
    if settings.secret_key is None:
        try:
            KeyFile(locate_key_file(settings)).keys()
        except InvalidSetting as error:
            structlog.get_logger("treaty").warning("secret_key", reason=str(error))


def check_integrity(settings: Settings, *, fixes: bool) -> list[IntegrityFinding]:
    """Look a server's data over, and mend it if asked to."""
    return _with_database(
        settings,
        lambda database: (
            database.write(integrity.repair_integrity) if fixes else database.read(integrity.check_integrity)
        ),
        "treaty doctor",
    )


def create_setup_link(settings: Settings, address: str) -> str | None:
    """Make a link by which the first administrator is made, where nobody can sign in yet."""
    is_lost = ":memory:" in settings.database_url
    if settings.basic_auth_username is not None or settings.open_access or is_lost:
        return None
    try:
        secret = write_database(
            settings, lambda db: credentials.create_setup_link(db, vault=get_vault(settings), now=datetime.now(UTC))
        )
    except InvalidSetting as error:
        structlog.get_logger("treaty").warning("setup_link", reason=str(error))
        return None
    return f"{address}{urls.SETUP.fill()}?link={secret}" if secret else None


def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until told to end, after announcing the address. SIGTERM and SIGINT let running requests end first.

    Raises WrongSetting for an address that cannot be listened on.
    """
    prepare_logging(settings)
    _check_cleaning(settings)
    _warn_of_passwords(settings)
    _prepare_database(settings)
    _allow_open_files(settings)
    listener = _listener(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    if settings.workers == 1:
        config = _config(settings, create_application(settings))
        _Server(config, lambda: announce(address)).run([listener])
        return
    os.environ[_HANDED_ON] = settings.model_dump_json()
    os.environ[_DATABASE_FILE] = sqlite_identity(settings.database_url)
    announce(address)
    with TemporaryDirectory(prefix="treaty-metrics-") as folder:
        os.environ[metrics.MULTIPROCESS_DIRECTORY] = folder
        Multiprocess(_config(settings, "treaty.app:worker_application"), sockets=[listener]).run()


class _Server(uvicorn.Server):
    """Announces itself when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _check_cleaning(settings: Settings) -> None:
    """Refuse now what would fail at night."""
    if _cleans(settings):
        check_schedule(settings.database_clean_cron_schedule)
        build_retention(settings)


def _warn_of_passwords(settings: Settings) -> None:
    """Log a warning for each user of the settings whose password is easily guessed."""
    for name in ("basic_auth", "basic_auth_read_only"):
        user, secret = getattr(settings, f"{name}_username"), getattr(settings, f"{name}_password")
        if user and secret and (weakness := passwords.find_setting_weakness(secret.get_secret_value(), user)):
            reason = f"The password of {user} may be guessed: it {weakness.rstrip('.')}. Choose another one."
            structlog.get_logger("treaty").warning(f"{name}_password", reason=reason)


def _prepare_database(settings: Settings) -> None:
    """Do once what workers need not do each: bring the schema up to date, and add example data if it is wanted."""
    database = open_server_database(settings)
    if settings.example_data:
        with audit.acting_as(Actor(credential_name="example data")):
            database.write(lambda db: example_data.add_example_data(db, now=datetime.now(UTC), settings=settings))
    _warn_of_key(settings, database)
    database.close()


def _warn_of_key(settings: Settings, database: Database) -> None:
    """Say at once what would otherwise be said when something is sent, or somebody signs in."""
    is_new = not has_key(settings)
    try:
        if is_new:
            KeyFile(locate_key_file(settings)).keys()
        lost = _lost(settings, database)
    except InvalidSetting:
        return  # the key file cannot be read, which is said when it is prepared
    if lost:
        what = f"{_misfit(settings, lost)} Until then their webhooks fail, and tokens and sessions cannot be checked."
        structlog.get_logger("treaty").warning("secret_key", reason=what)
    elif is_new and not database.is_local:
        structlog.get_logger("treaty").info("secret_key", reason=_new_key(settings))


_OTHER_FILES: Final = 256
"""Open files beside the clients' connections: databases, logs, webhook deliveries, modules."""


def _allow_open_files(settings: Settings) -> None:
    """Raise the limit on open files, which is 1024 on many systems, so that it suffices for all connections."""
    try:
        import resource  # noqa: PLC0415 - Windows has no such limit, and no such module
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        reason = f"{settings.max_connections} connections need {needed} open files, but the system allows {hard}"
        structlog.get_logger("treaty").warning("max_connections", reason=reason)


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise InvalidSetting(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}"
        ) from error
    listener.set_inheritable(True)
    return listener


def worker_application() -> ASGIApp:
    """Make the application of one of several workers."""
    settings = Settings.model_validate_json(os.environ[_HANDED_ON])
    prepare_logging(settings)
    if sqlite_identity(settings.database_url) != os.environ[_DATABASE_FILE]:
        # This worker takes the place of another one, and must not create the file anew or work beside the others' file.
        raise DatabaseReplaced(settings.database_url)
    return create_application(settings, may_create=False)


def _config(settings: Settings, app: ASGIApp | str) -> uvicorn.Config:
    limits = Limits(
        max_connections=settings.max_connections,
        header_timeout=settings.header_timeout.total_seconds(),
        min_body_rate=settings.min_body_rate,
    )
    return uvicorn.Config(
        app,
        http=partial(LimitedProtocol, open_connections=Connections(limits)),  # type: ignore[arg-type]  # called as a class is
        ws="none",
        timeout_keep_alive=int(settings.keep_alive_timeout.total_seconds()),
        factory=isinstance(app, str),
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        headers=[("server", "treaty")],
        timeout_graceful_shutdown=30,
        timeout_worker_healthcheck=60,
        lifespan="on",
    )


_LEVELS: Final = {"warn": "warning", "fatal": "critical"}


def prepare_logging(settings: Settings) -> None:
    """Write the log to standard error: lines for people, or JSON."""
    level = getattr(logging, _LEVELS.get(settings.log_level, settings.log_level).upper())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(settings.log_format),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )


def _renderers(log_format: str) -> list[Any]:
    """Choose how lines look. Failures are shown without the values of variables, which may hold secrets."""
    if log_format == "json":
        failures = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        return [failures, structlog.processors.JSONRenderer()]
    colors = log_format == "color" or (sys.stderr.isatty() and "NO_COLOR" not in os.environ)
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]
