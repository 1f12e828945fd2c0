"""Assembly of a server: its settings, database, application, background workers and processes.

Commands that work on the database of a server also open it here, so that they check and migrate it as a server does.
"""

import logging
import multiprocessing
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
import uvicorn
from sqlalchemy import Connection, Engine
from starlette.types import ASGIApp
from structlog.tracebacks import ExceptionDictTransformer
from uvicorn import _subprocess as uvicorn_subprocess
from uvicorn.supervisors import Multiprocess

from treaty.actions.accounts import credentials
from treaty.distribution import install_hint
from treaty.errors import DatabaseReplaced, InvalidSetting, UnusableDatabase
from treaty.model.audit import Actor
from treaty.model.maintenance.retention import (
    DEFAULT_BRANCH_SELECTORS,
    DEFAULT_VERSION_SELECTORS,
    CleanupPlan,
    KeepBranches,
    KeepVersions,
    Retention,
    add_in_use_selectors,
    parse_branch_selectors,
    parse_selector_json,
    parse_version_selectors,
)
from treaty.settings import Settings, dump_settings, load_settings
from treaty.settings.originals import find_unused
from treaty.settings.webhook_proxies import read_proxies
from treaty.store import audit
from treaty.store.engine import health, startup
from treaty.store.engine.database import Database, open_database
from treaty.store.engine.database_faults import GIVE_DATABASE, explain_error, is_error_in_statement, name_database
from treaty.store.engine.database_files import is_in_memory, is_readable_by_all, list_files, sqlite_identity
from treaty.store.engine.vault import KEY_FILE, KeyFile, KeyStatus, Vault, get_vault, has_key, locate_key_file
from treaty.store.maintenance import encrypted_columns
from treaty.store.migrations import migrate, revision
from treaty.store.webhooks import plain_secrets
from treaty.telemetry import metrics, tracing
from treaty.web import urls
from treaty.web.application import BackgroundWorker, build_application
from treaty.web.http import listeners
from treaty.web.http.base_paths import find_base_paths, find_conflict
from treaty.web.http.protocol import Connections, LimitedProtocol, Limits
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.web.routers import build_route_table
from treaty.workers.comparisons import ComparisonWorker
from treaty.workers.deliveries import DeliveryWorker, send
from treaty.workers.events import EventLogWorker
from treaty.workers.notices import NoticeWorker
from treaty.workers.recomparisons import RecomparisonWorker
from treaty.workers.scheduled_cleanup import ScheduledCleaner, check_schedule
from treaty.workers.usage import IndexingWorker

if TYPE_CHECKING:
    from treaty.actions.maintenance.integrity import IntegrityFinding
    from treaty.actions.webhooks.deliveries import Send
    from treaty.model.maintenance.backups import BackupStatus
    from treaty.model.maintenance.metrics import IndexProgress
    from treaty.model.provider_contracts.recomparisons import EngineProgress
    from treaty.telemetry.spans import SpanRecorder
    from treaty.workers.backups import BackupOptions, BackupResult, Progress, RestoreOptions, RestoreResult
    from treaty.workers.cleanup import Cleaner, CleanupResult
    from treaty.workers.key_rotation import Report

T = TypeVar("T")

_SETTINGS_VARIABLE: Final = "TREATY_HANDED_ON_SETTINGS"
"""Variable in which the first process passes its settings to its worker processes."""
_DATABASE_FILE_VARIABLE: Final = "TREATY_HANDED_ON_DATABASE_FILE"
"""Variable with the identity of the SQLite file that the first process opened."""
_OTHER_OPEN_FILES: Final = 256
"""Open files besides the clients' connections: databases, logs, webhook deliveries, modules."""
_LOG_LEVELS: Final = {"warn": "warning", "fatal": "critical"}
"""Python's names of the original broker's log levels."""


def open_server_database(
    settings: Settings,
    watch: Callable[[Engine], None] = lambda _engine: None,
    *,
    may_create: bool = True,
    report: Callable[[str], None] | None = None,
) -> Database:
    """Open the database of a server, and migrate it. `watch` is called with its engine before the first statement.

    Waits for a database that is not up yet, and for another server that is creating or upgrading the tables, with a
    line for each attempt, which is logged unless there is `report`.
    Raises UnusableDatabase.
    """
    return _open(settings, watch=watch, may_create=may_create, report=report or _log_wait)


def open_existing_database(settings: Settings) -> Database:
    """Open a database that a server has created, and migrate it.

    Raises UnusableDatabase, and creates nothing, if there is none: only `serve` and `user add` create a database, so
    that a command with a wrong address does not report on an empty database.
    """
    return _open(settings, must_exist=True, report=_print_wait)


def _open(
    settings: Settings,
    *,
    report: Callable[[str], None],
    watch: Callable[[Engine], None] = lambda _engine: None,
    must_exist: bool = False,
    may_create: bool = True,
) -> Database:
    database = open_database(
        settings.database_url,
        connections=settings.database_max_connections,
        wait=settings.database_pool_timeout.total_seconds(),
        cache_bytes=settings.sqlite_cache_bytes,
        must_exist=must_exist,
        may_create=may_create,
    )
    watch(database.engine)

    def prepare() -> None:
        database.read_once(health.check)
        if must_exist:
            _check_has_tables(settings, database)
        migrate(database)

    timeout = settings.database_startup_timeout.total_seconds()
    pauses = startup.plan_pauses(timeout, settings.database_connect_max_retries)
    try:
        startup.wait_for(prepare, database, pauses, report=report)
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def _explained_faults(database: Database) -> Iterator[None]:
    """Raise UnusableDatabase, which has a sentence for the user, instead of errors of the database.

    Errors in statements are raised unchanged: they are Treaty's own, and need their traceback.
    """
    try:
        yield
    except health.DATABASE_ERRORS as error:
        if is_error_in_statement(error):
            raise
        raise explain_error(error, database.engine.url) from error


def _log_wait(reason: str) -> None:
    structlog.get_logger("treaty").warning("database", reason=reason)


def _print_wait(reason: str) -> None:
    sys.stderr.write(f"{reason}\n")


def _check_has_tables(settings: Settings, database: Database) -> None:
    if not is_in_memory(settings.database_url) and database.read(revision) is None:
        raise UnusableDatabase(f"{name_database(database.engine.url)} has no tables of Treaty.", GIVE_DATABASE)


def create_application(settings: Settings, *, may_create: bool = True) -> ASGIApp:
    """Build the application of a server process, with its background workers."""
    _ensure_key(settings)
    spans = _create_span_recorder()
    watch = (lambda _engine: None) if spans is None else spans.trace_statements
    database = open_server_database(settings, watch, may_create=may_create)
    server_metrics = metrics.ServerMetrics(database.engine)
    members = _background_workers(settings, database, send if spans is None else spans.wrap_send(send))
    members += _metrics_workers(database, server_metrics)
    if spans is not None:
        members.append(spans)
    application = build_application(
        settings,
        database,
        worker=_Workers(members),
        metrics=server_metrics,
    )
    return application if spans is None else spans.trace_requests(application)


def _create_span_recorder() -> "SpanRecorder | None":
    """Return a recorder if the environment enables traces. Raises InvalidSetting."""
    if tracing.exporter_name(os.environ) is None:
        return None
    try:
        # OpenTelemetry is an extra, and slow to load.
        from treaty.telemetry.spans import create_span_recorder  # noqa: PLC0415
    except ImportError:
        _warn_of_missing_extra(tracing.TRACES)
        return None
    return create_span_recorder(os.environ)


def _metrics_workers(database: Database, server_metrics: metrics.ServerMetrics) -> list[BackgroundWorker]:
    """Return the worker that sends metrics, if the environment enables it. Raises InvalidSetting."""
    if tracing.exporter_name(os.environ, tracing.METRICS) is None:
        return []
    try:
        from treaty.telemetry.metric_export import create_metrics_export  # noqa: PLC0415 - see above
        from treaty.workers.metrics import MetricsWorker  # noqa: PLC0415
    except ImportError:
        _warn_of_missing_extra(tracing.METRICS)
        return []
    return [MetricsWorker(database, server_metrics, create_metrics_export(os.environ))]


def _warn_of_missing_extra(signal: tracing.Signal) -> None:
    reason = f"{signal.name} are enabled, but OpenTelemetry is not installed: {install_hint('server', 'otel')}"
    structlog.get_logger("treaty").warning("opentelemetry", reason=reason)


class _Workers:
    """The background workers of a server process, as a single one."""

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


def _background_workers(settings: Settings, database: Database, send: "Send" = send) -> list[BackgroundWorker]:
    workers: list[BackgroundWorker] = [
        ComparisonWorker(database),
        DeliveryWorker(database, settings, PARAMETER_URLS, send=send),
        EventLogWorker(database, settings.event_log_max_age),
        IndexingWorker(database),
        NoticeWorker(database, settings),
        RecomparisonWorker(database),
    ]
    if settings.audit_forward_url:
        from treaty.web.api.audit import render_event  # noqa: PLC0415 - few servers forward the audit trail
        from treaty.workers.audit_forwarding import AuditForwarder  # noqa: PLC0415 - likewise

        workers.append(AuditForwarder(database, settings, settings.audit_forward_url, render_event))
    if not _has_scheduled_cleanup(settings):
        return workers
    cleaner = ScheduledCleaner(
        database,
        build_retention(settings),
        settings.database_clean_cron_schedule,
        is_dry=settings.database_clean_dry_run,
        audit_max_age=settings.audit_max_age,
        decision_max_age=settings.decision_max_age,
        cleans_data=settings.database_clean_enabled,
    )
    return [cleaner, *workers]


def _has_scheduled_cleanup(settings: Settings) -> bool:
    """Whether the server removes old data, audit events or recorded decisions by itself."""
    return settings.database_clean_enabled or bool(settings.audit_max_age or settings.decision_max_age)


def build_retention(settings: Settings) -> Retention:
    """Build the retention rules of a server from its settings. Raises InvalidSetting for an invalid selector."""
    version_json = settings.database_clean_keep_version_selectors
    branch_json = settings.database_clean_keep_branch_selectors
    versions: tuple[KeepVersions, ...] = DEFAULT_VERSION_SELECTORS
    branches: tuple[KeepBranches, ...] = DEFAULT_BRANCH_SELECTORS
    if version_json is not None:
        versions = parse_version_selectors(parse_selector_json(version_json, "database_clean_keep_version_selectors"))
    if branch_json is not None:
        branches = parse_branch_selectors(parse_selector_json(branch_json, "database_clean_keep_branch_selectors"))
    return Retention(
        # No selector may remove a version that is deployed or supported: decisions about the environment need it.
        versions=add_in_use_selectors(versions),
        branches=branches,
        limit=settings.database_clean_deletion_limit,
        branch_limit=settings.database_clean_deletion_limit,
        overwritten_max_age=settings.database_clean_overwritten_data_max_age,
        success_max_age=settings.verified_by_other_branch_lookback_days,
    )


def plan_cleaning(settings: Settings, retention: Retention) -> CleanupPlan:
    """Describe what a clean-up would remove."""
    return _with_database(settings, lambda database: _build_cleaner(settings, database, retention).plan())


def _build_cleaner(settings: Settings, database: Database, retention: Retention) -> "Cleaner":
    from treaty.workers.cleanup import Cleaner  # noqa: PLC0415 - for `treaty clean`

    return Cleaner(
        database,
        retention,
        audit_max_age=settings.audit_max_age,
        decision_max_age=settings.decision_max_age,
        name="treaty clean",
    )


def clean(settings: Settings, retention: Retention) -> "CleanupResult":
    """Remove the data that the retention rules do not keep. Raises CleanupInProgress."""
    return _with_database(settings, lambda database: _build_cleaner(settings, database, retention).clean())


def rotate_key(settings: Settings, *, removes_old_keys: bool, report: "Report") -> None:
    """Re-encrypt all secrets with a new key, or remove former keys.

    Raises RotationInProgress, UndecryptableSecrets, and InvalidSetting for a database or key that cannot be used.
    """
    from treaty.workers.key_rotation import KeyRotation  # noqa: PLC0415 - servers never rotate keys

    def rotate(database: Database) -> None:
        rotation = KeyRotation(database, settings, report=report)
        if removes_old_keys:
            rotation.remove_old_keys()
        else:
            rotation.rotate()

    _with_database(settings, rotate, "treaty rotate-key")


def make_backup(settings: Settings, path: Path, options: "BackupOptions", *, progress: "Progress") -> "BackupResult":
    """Write a backup of a server's database to a file. The schema is not upgraded.

    Raises BackupError, and InvalidSetting for a database that cannot be used, or a missing key.
    """
    from treaty.workers import backups  # noqa: PLC0415 - servers make no backups themselves

    if options.passphrase is not None and not has_key(settings):
        raise InvalidSetting(
            f"secret_key: is not set, and there is no {locate_key_file(settings)}, so there is no key to add to the "
            "backup. Set TREATY_SECRET_KEY to the key of the servers, or make a backup without the key."
        )
    with _unchanged_database(settings, "treaty backup", must_exist=True) as database:
        return backups.make_backup(database, path, options, vault=get_vault(settings), progress=progress)


def restore_backup(
    settings: Settings,
    path: Path,
    options: "RestoreOptions",
    *,
    read_passphrase: Callable[[], str | None],
    progress: "Progress",
) -> "RestoreResult":
    """Restore a backup into the database of a server, which is created if it is missing.

    Raises BackupError, and InvalidSetting for a database that cannot be used.
    """
    from treaty.workers import backups  # noqa: PLC0415 - see make_backup

    server_keys = backups.ServerKeys(
        keys=get_vault(settings).list_keys() if has_key(settings) else (),
        vault=get_vault(settings),
        hint=f"set TREATY_SECRET_KEY to the key of the original server, or copy its {KEY_FILE} to "
        f"{locate_key_file(settings)}",
    )
    with _unchanged_database(settings, "treaty restore", must_exist=False) as database:
        if is_in_memory(settings.database_url):
            raise InvalidSetting("database_url: a database in memory ends with this command. Give the path of a file.")
        return backups.restore_backup(
            database, path, options, server_keys=server_keys, read_passphrase=read_passphrase, progress=progress
        )


@contextmanager
def _unchanged_database(settings: Settings, name: str, *, must_exist: bool) -> Iterator[Database]:
    """Open a database without creating or upgrading its tables. A new file is removed unless it gets tables.

    `name` is the actor of its writes in the audit trail.
    """
    database = open_database(
        settings.database_url,
        connections=settings.database_max_connections,
        wait=settings.database_pool_timeout.total_seconds(),
        cache_bytes=settings.sqlite_cache_bytes,
        must_exist=must_exist,
    )
    files = list_files(settings.database_url)
    is_new = bool(files) and not files[0].exists()  # the first connection creates it

    def prepare() -> None:
        database.read_once(health.check)
        if must_exist:
            _check_has_tables(settings, database)

    timeout = settings.database_startup_timeout.total_seconds()
    pauses = startup.plan_pauses(timeout, settings.database_connect_max_retries)
    try:
        startup.wait_for(prepare, database, pauses, report=_print_wait)
        with _explained_faults(database), audit.acting_as(Actor(credential_name=name)):
            yield database
    finally:
        is_unused = is_new and _has_no_tables(database)
        database.close()
        for path in files if is_unused else ():
            path.unlink(missing_ok=True)


def _has_no_tables(database: Database) -> bool:
    try:
        return database.read(revision) is None
    except (*health.DATABASE_ERRORS, UnusableDatabase):
        return False


def read_database(settings: Settings, work: Callable[[Connection], T]) -> T:
    """Run a read on a server's database."""
    return _with_database(settings, lambda database: database.read(work))


def write_database(
    settings: Settings, work: Callable[[Connection], T], *, name: str = "treaty", may_create: bool = False
) -> T:
    """Run a write on a server's database; `name` is its actor in the audit trail."""
    return _with_database(settings, lambda database: database.write(work), name, may_create=may_create)


def write_encrypted(
    settings: Settings, work: Callable[[Connection, Vault], T], *, name: str, report: Callable[[str], None]
) -> T:
    """Run a write that encrypts or hashes secrets. Raises InvalidSetting, and writes nothing, without the right key.

    `report` receives a text if the write created a key file that other servers of the database need.
    """

    def write(database: Database) -> T:
        is_new = not has_key(settings)
        _check_key(settings, database, is_new=is_new)
        vault = get_vault(settings)
        try:
            return database.write(lambda db: work(db, vault))
        finally:
            if is_new and not database.is_local and has_key(settings):
                report(_new_key_message(settings))

    return _with_database(settings, write, name)


def _check_key(settings: Settings, database: Database, *, is_new: bool) -> None:
    """Check that the servers of the database can decrypt what this key encrypts. Raises InvalidSetting."""
    if database.is_local:
        return  # the key file is beside the database file, so servers and commands use the same one
    if is_new and database.read(encrypted_columns.has_any):
        raise InvalidSetting(
            f"secret_key: is not set, there is no {locate_key_file(settings)}, and this database has secrets that "
            "are encrypted with the key of its servers. Set TREATY_SECRET_KEY to that key. Nothing was written."
        )
    if not is_new and (count := _count_undecryptable(settings, database)):
        raise InvalidSetting(f"secret_key: {_wrong_key_message(settings, count)} Nothing was written.")


def _count_undecryptable(settings: Settings, database: Database) -> int:
    return database.read(lambda db: encrypted_columns.count_by_key(db, get_vault(settings)))[KeyStatus.UNKNOWN]


def _wrong_key_message(settings: Settings, count: int) -> str:
    source = "secret_key" if settings.secret_key is not None else str(locate_key_file(settings))
    subject = "1 secret is" if count == 1 else f"{count} secrets are"
    return (
        f"{subject} encrypted with another key than that of {source}. Add the other key to previous_secret_keys, or "
        "set secret_key (TREATY_SECRET_KEY) to it if other servers of this database use it."
    )


def _new_key_message(settings: Settings) -> str:
    return (
        f"There is a new key in {locate_key_file(settings)}. Every server of this database needs it: copy the file to "
        "each of them, or set secret_key (TREATY_SECRET_KEY) to its content."
    )


def _with_database(
    settings: Settings, work: Callable[[Database], T], name: str = "treaty", *, may_create: bool = False
) -> T:
    """Call a function with a server's database; `name` is the actor of its writes in the audit trail.

    Raises InvalidSetting if there is no database, unless it may be created.
    """
    open_settings_database = partial(open_server_database, report=_print_wait) if may_create else open_existing_database
    database = open_settings_database(settings)
    try:
        with _explained_faults(database), audit.acting_as(Actor(credential_name=name)):
            return work(database)
    finally:
        database.close()


def _ensure_key(settings: Settings) -> None:
    """Create the key file if it is missing. A failure is only logged, because a server without secrets needs no key."""
    if settings.secret_key is None:
        try:
            KeyFile(locate_key_file(settings)).keys()
        except InvalidSetting as error:
            structlog.get_logger("treaty").warning("secret_key", reason=str(error))


def check_integrity(settings: Settings, *, fixes: bool) -> "list[IntegrityFinding]":
    """Check the integrity of a server's data, and repair it if `fixes` is set."""
    from treaty.actions.maintenance import integrity  # noqa: PLC0415 - for `treaty doctor`

    return _with_database(
        settings,
        lambda database: (
            database.write(integrity.repair_integrity) if fixes else database.read(integrity.check_integrity)
        ),
        "treaty doctor",
    )


def load_index_progress(settings: Settings) -> "IndexProgress":
    """Count the contents that a server's usage index covers."""
    from treaty.store.usage import contents  # noqa: PLC0415 - for `treaty doctor`

    return _with_database(settings, lambda database: database.read(contents.count_contents), "treaty doctor")


def load_backup_status(settings: Settings) -> "BackupStatus":
    """Find the latest backup of a server's database, and count the changes since."""
    from treaty.store.maintenance import backup_status  # noqa: PLC0415 - for `treaty doctor`

    return _with_database(settings, lambda database: database.read(backup_status.find_status), "treaty doctor")


def load_engine_progress(settings: Settings) -> "EngineProgress":
    """Count the comparisons that a newer engine has still to compute, or whose verdict it would change."""
    from treaty.store.provider_contracts import recomparisons  # noqa: PLC0415 - for `treaty doctor`

    return _with_database(settings, lambda database: database.read(recomparisons.load_progress), "treaty doctor")


def create_setup_link(settings: Settings, address: str) -> str | None:
    """Create a link for the first administrator. Return None if the server has a user, or needs none.

    Its secret is in the fragment, which browsers do not send: so it is in no log, also not in that of a proxy.
    """
    # The in-memory database of this process is not the server's.
    is_in_memory_database = ":memory:" in settings.database_url
    if settings.basic_auth_username is not None or settings.open_access or is_in_memory_database:
        return None
    try:
        secret = write_database(
            settings, lambda db: credentials.create_setup_link(db, vault=get_vault(settings), now=datetime.now(UTC))
        )
    except InvalidSetting as error:
        structlog.get_logger("treaty").warning("setup_link", reason=str(error))
        return None
    return f"{address}{urls.SETUP.fill()}#{secret}" if secret else None


def serve(settings: Settings, *, announce: Callable[[Sequence[str]], None]) -> None:
    """Announce the addresses and serve until SIGTERM or SIGINT, which let running requests finish first.

    Raises InvalidSetting for a setting that cannot be used, such as a port that is taken.
    """
    prepare_logging(settings)
    _log_unused_variables()
    _check_cleanup_settings(settings)
    warn_of_proxies(settings)
    _warn_of_weak_passwords(settings)
    _warn_of_outdated_contacts(settings)
    with listeners.bind(settings.host, settings.port) as sockets:
        _prepare_database(settings)
        _warn_of_readable_files(settings)
        _raise_file_limit(settings)
        _run(settings, sockets, announce)


def _run(settings: Settings, sockets: list[socket.socket], announce: Callable[[Sequence[str]], None]) -> None:
    addresses = [listeners.format_url(host, sockets[0].getsockname()[1]) for host in settings.host]
    if settings.workers == 1:
        config = server_config(settings, create_application(settings))
        listeners.listen(sockets)
        _AnnouncingServer(config, lambda: announce(addresses)).run(sockets)
        return
    listeners.listen(sockets)
    # uvicorn starts workers as new processes, which inherit the environment only.
    os.environ[_SETTINGS_VARIABLE] = dump_settings(settings)
    os.environ[_DATABASE_FILE_VARIABLE] = sqlite_identity(settings.database_url)
    announce(addresses)
    with TemporaryDirectory(prefix="treaty-metrics-") as folder:
        os.environ[metrics.MULTIPROCESS_DIRECTORY] = folder
        _fork_workers()
        _Supervisor(server_config(settings, "treaty.app:worker_application"), sockets=sockets).run()


class _Supervisor(Multiprocess):
    """Starts worker processes, and ends them."""

    def terminate_all(self) -> None:
        # Only the workers accept connections. As long as this process has the sockets open, the system would queue
        # connections that arrive after the workers have closed theirs, and reset them in the end. When they are
        # refused instead, a proxy sends the requests to another server.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _fork_workers() -> None:
    """Have worker processes forked from a process that has loaded all modules, where the system can do that.

    uvicorn starts each worker as a new interpreter, which would load them again, and share no memory with the others.
    The first process itself is not forked: it has handlers of signals, and had connections to the database.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return
    from treaty import worker_processes  # noqa: PLC0415 - needs the fork server, which not all systems have

    worker_processes.CONTEXT.set_forkserver_preload(["treaty.fork_server"])
    uvicorn_subprocess.spawn = worker_processes.CONTEXT  # type: ignore[assignment]  # uvicorn has no setting for it


class _AnnouncingServer(uvicorn.Server):
    """Server that announces its address before the log lines of its workers. Its sockets accept connections already."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._announce()
        await super().startup(sockets)


def _log_unused_variables() -> None:
    """Log a line for each variable of the original broker that has no effect."""
    for variable, reason in find_unused(os.environ).items():
        structlog.get_logger("treaty").info("unused_variable", variable=variable, reason=reason)


def _check_cleanup_settings(settings: Settings) -> None:
    """Raise InvalidSetting at the start for a setting that would only fail at the first scheduled clean-up."""
    if _has_scheduled_cleanup(settings):
        check_schedule(settings.database_clean_cron_schedule)
        build_retention(settings)


def _warn_of_weak_passwords(settings: Settings) -> None:
    """Log a warning for each user of the settings whose password is easily guessed."""
    from treaty.model.accounts import passwords  # noqa: PLC0415 - few servers have users in their settings

    for name in ("basic_auth", "basic_auth_read_only"):
        user, secret = getattr(settings, f"{name}_username"), getattr(settings, f"{name}_password")
        if user and secret and (weakness := passwords.find_setting_weakness(secret.get_secret_value(), user)):
            reason = f"The password of {user} may be guessed: it {weakness.rstrip('.')}. Choose another one."
            structlog.get_logger("treaty").warning(f"{name}_password", reason=reason)


def _warn_of_outdated_contacts(settings: Settings) -> None:
    expires = settings.security_txt_expires
    if settings.security_contacts and expires is not None and expires < datetime.now(UTC):
        reason = f"The contacts in {urls.SECURITY_TXT.fill()} expired. Check them, and set a later date."
        structlog.get_logger("treaty").warning("security_txt_expires", reason=reason)


def warn_of_proxies(settings: Settings) -> None:
    """Log a warning for each path of a base URL that a proxy has to remove, and each proxy that webhooks cannot use."""
    logger = structlog.get_logger("treaty")
    for base_path in sorted(find_base_paths(settings.base_urls)):
        if conflict := find_conflict(base_path, build_route_table(settings).templates):
            reason = (
                f"The path {base_path} of the base URL is also a path of Treaty itself ({conflict}). Have the proxy "
                "remove it without decoding the rest, or choose another path, such as /pacts."
            )
            logger.warning("base_urls", reason=reason)
    for scheme in ("http", "https"):
        try:
            read_proxies(settings).choose(scheme, "", 0)
        except ValueError as error:
            reason = (
                f"{error}. Until then webhooks with {scheme} URLs fail; webhook_no_proxy lists hosts without a proxy."
            )
            logger.warning("webhook_proxy", setting=f"webhook_{scheme}_proxy", reason=reason)


def _warn_of_readable_files(settings: Settings) -> None:
    """Log a warning if other users of the machine can read the database or the key.

    New files are private. Older ones may be public, because they got the mode of the umask.
    """
    files = [*list_files(settings.database_url), locate_key_file(settings)]
    if readable := [str(path) for path in files if is_readable_by_all(path)]:
        reason = f"All users of this machine can read these files. To change that, run: chmod o= {shlex.join(readable)}"
        structlog.get_logger("treaty").warning("file_permissions", reason=reason)


def _prepare_database(settings: Settings) -> None:
    """Migrate the database and add example data, once for all worker processes."""
    with closing(open_server_database(settings)) as database, _explained_faults(database):
        if settings.example_data:
            from treaty import example_data  # noqa: PLC0415 - most servers never have example data

            database.write(lambda db: example_data.add_example_data(db, now=datetime.now(UTC), settings=settings))
        _report_key(settings, database)
        encrypt_plain_secrets(settings, database)


def _report_key(settings: Settings, database: Database) -> None:
    """Log at the start that the key is wrong or new, rather than at the first delivery or sign-in that fails."""
    is_new = not has_key(settings)
    try:
        if is_new:
            KeyFile(locate_key_file(settings)).keys()
        undecryptable_count = _count_undecryptable(settings, database)
    except InvalidSetting:
        return  # _ensure_key logs that the key file cannot be read
    if undecryptable_count:
        message = _wrong_key_message(settings, undecryptable_count)
        reason = f"{message} Until then their webhooks fail, and tokens and sessions cannot be checked."
        structlog.get_logger("treaty").warning("secret_key", reason=reason)
    elif is_new and not database.is_local:
        structlog.get_logger("treaty").info("secret_key", reason=_new_key_message(settings))


def encrypt_plain_secrets(settings: Settings, database: Database) -> None:
    """Encrypt the secrets that earlier versions stored in plain text, and erase these from logs and files.

    If the key is missing or wrong, nothing is changed, and the next start tries it again. Every process may do this at
    any time: a server of the earlier version that still runs may have added a webhook since.
    """
    if not database.read(plain_secrets.may_have_any):
        return
    # Takes 1 MiB, and servers without webhooks have no such secrets.
    from treaty.actions.webhooks import plain_secrets as plain_secret_actions  # noqa: PLC0415

    values = database.read(plain_secret_actions.list_plain_values)
    if not values and not database.read(plain_secrets.is_marked):
        return
    try:
        if values:
            _check_right_key(settings, database)
        with audit.acting_as(Actor(credential_name="treaty serve")):
            _mask_logs(database, values)
            database.write(lambda db: plain_secret_actions.encrypt_webhooks(db, get_vault(settings)))
        problem = None if database.erase_deleted_data() else "another process uses the database"
    except (InvalidSetting, *health.DATABASE_ERRORS) as error:
        problem = str(error)
    if problem is None:
        database.write(plain_secrets.remove_mark)
        return
    reason = f"Secrets of webhooks remain in the database in plain text until the next start: {problem}"
    structlog.get_logger("treaty").warning("plain_secrets", reason=reason)


def _check_right_key(settings: Settings, database: Database) -> None:
    """Raise InvalidSetting if other servers of the database could not decrypt what this one encrypts."""
    if count := _count_undecryptable(settings, database):
        raise InvalidSetting(f"secret_key: {_wrong_key_message(settings, count)}")


def _mask_logs(database: Database, values: list[str]) -> None:
    from treaty.actions.webhooks import plain_secrets as plain_secret_actions  # noqa: PLC0415 - see the caller

    mask = plain_secret_actions.build_log_mask(values)
    last_id: int | None = 0
    while last_id is not None:
        last_id = database.write(partial(plain_secret_actions.mask_logs, mask=mask, after=last_id))


def _raise_file_limit(settings: Settings) -> None:
    """Raise the limit on open files, which is 1024 on many systems, so that it suffices for all connections."""
    try:
        import resource  # noqa: PLC0415 - Windows has no such limit, and no such module
    except ImportError:
        return
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    required = settings.max_connections + _OTHER_OPEN_FILES
    if soft_limit == resource.RLIM_INFINITY or soft_limit >= required:
        return
    new_limit = required if hard_limit == resource.RLIM_INFINITY else min(required, hard_limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (new_limit, hard_limit))
    if new_limit < required:
        reason = (
            f"{settings.max_connections} connections need {required} open files, but the system allows {hard_limit}. "
            "Raise its limit (ulimit -n), or lower max_connections."
        )
        structlog.get_logger("treaty").warning("max_connections", reason=reason)


def worker_application() -> ASGIApp:
    """Build the application of a worker process. If its database cannot be used, log the reason and exit."""
    Thread(target=_stop_with_parent, name="treaty-parent", daemon=True).start()
    settings = load_settings(os.environ[_SETTINGS_VARIABLE])
    prepare_logging(settings)
    try:
        _check_same_file(settings)
        return create_application(settings, may_create=False)
    except (InvalidSetting, DatabaseReplaced) as error:
        structlog.get_logger("treaty").error("worker", reason=str(error))
        sys.exit(1)


def _stop_with_parent() -> None:
    """Stop this worker process when the first process ends in any way, such as by SIGKILL, which it cannot pass on.

    Otherwise the workers would keep the port, and one that crashes would not be replaced.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _check_same_file(settings: Settings) -> None:
    """Raise DatabaseReplaced if the SQLite file is not the one that the first process opened.

    A worker that replaces a crashed one must not create the file again, or write to another file than the others.
    """
    if sqlite_identity(settings.database_url) != os.environ[_DATABASE_FILE_VARIABLE]:
        raise DatabaseReplaced(settings.database_url)


def server_config(settings: Settings, app: ASGIApp | str) -> uvicorn.Config:
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


def prepare_logging(settings: Settings) -> None:
    """Log to standard error, as plain lines or JSON."""
    level = getattr(logging, _LOG_LEVELS.get(settings.log_level, settings.log_level).upper())
    structlog.configure(
        processors=[structlog.processors.add_log_level, _ADD_TIME, *_renderers(settings.log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(build_library_formatter(settings.log_format))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler])


_ADD_TIME: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)


def build_library_formatter(log_format: str) -> logging.Formatter:
    """Build the formatter for libraries, which log with the standard module: their lines look like Treaty's own."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _ADD_TIME],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
    )


def _renderers(log_format: str) -> list[Any]:
    """Return the processors that format a line. Tracebacks have no values of variables, which may be secrets."""
    if log_format == "json":
        exception_renderer = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        return [exception_renderer, structlog.processors.JSONRenderer()]
    colors = log_format == "color" or (sys.stderr.isatty() and "NO_COLOR" not in os.environ)
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]
