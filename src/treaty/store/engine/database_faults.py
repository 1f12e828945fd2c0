"""Explains why a database cannot be used: what is wrong, at which file or address, and what to do.

PostgreSQL's client library reports failed connections by texts only, without codes. An unknown text, as of a server in
another language, is passed on, and counts as temporary.
"""

import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from treaty.errors import DatabaseReplaced, UnusableDatabase
from treaty.store.engine.database_files import find_path

GIVE_DATABASE: Final = (
    "Give the database of your server as --database-url or TREATY_DATABASE_URL; `treaty serve` creates a new one."
)
CORRECT_PATH: Final = "Correct the path in database_url if it is wrong."
GRANT_ACCESS: Final = "Let the user that runs Treaty write to the file and its folder, or give another path."
RESTORE: Final = "Restore it from a backup, or give another database."
_PREFIX: Final = re.compile(r"(connection (failed|is bad): )?(connection to server .*? failed: )?((FATAL|ERROR): +)?")
"""What psycopg and PostgreSQL's client library put before the reason."""


def name_database(url: URL) -> str:
    """Name a database in a sentence: by its path, or by its address without any password."""
    if url.get_backend_name() == "sqlite":
        return str(find_path(url) or "the database in memory")
    place = {name: value for name, value in url.query.items() if name in {"host", "port", "service"}}
    hosts = place.get("host", "")
    if isinstance(hosts, tuple):  # in the notation of PostgreSQL's client library, which users write
        text = url.set(drivername="postgresql", host="several", query={}).render_as_string(hide_password=True)
        return text.replace("several", ",".join(hosts), 1) if url.username != "several" else text
    return url.set(drivername="postgresql", query=place).render_as_string(hide_password=True)


def explain_error(error: Exception, url: URL) -> UnusableDatabase:
    """Explain one of health.DATABASE_ERRORS."""
    cause = _find_cause(error)
    if isinstance(error, DatabaseReplaced):
        reason, _, remedy = str(error).partition(". ")
        return UnusableDatabase(f"{reason}.", remedy)
    path = find_path(url) if url.get_backend_name() == "sqlite" else None
    if path is not None and isinstance(cause, sqlite3.Error):
        return explain_sqlite_error(cause, path)
    if url.get_backend_name() == "postgresql":
        return _explain_postgresql_error(cause, url)
    return UnusableDatabase(f"{name_database(url)} cannot be used: {_first_line(cause)}.", CORRECT_PATH)


def is_error_in_statement(error: Exception) -> bool:
    """Whether an error is about a statement or its parameters, and not about the database or the connection to it."""
    if isinstance(error, SQLAlchemyError) and not isinstance(error, DBAPIError | PoolTimeout):
        return True
    cause = _find_cause(error)
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "")
        return name in _STATEMENT_ERRORS_OF_SQLITE or name.startswith("SQLITE_CONSTRAINT")
    code = getattr(cause, "sqlstate", None)
    return code is not None and not code.startswith(_STATES_OF_THE_DATABASE)


_STATEMENT_ERRORS_OF_SQLITE: Final = {"SQLITE_ERROR", "SQLITE_MISUSE", "SQLITE_RANGE", "SQLITE_MISMATCH"}
_STATES_OF_THE_DATABASE: Final = ("08", "25006", "42501", "53", "57", "58", "XX001", "XX002")
"""SQLSTATEs about the connection, permissions, resources, interventions, and damage."""


def _find_cause(error: Exception) -> BaseException:
    """Return the driver's error. Busy has it as its cause."""
    error = error.__cause__ if isinstance(error.__cause__, Exception) and not isinstance(error, DBAPIError) else error
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def describe_first_line(error: Exception) -> str:
    """Describe an error by the first line of the driver's text."""
    return _first_line(_find_cause(error))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


# SQLite

_SQLITE_FAULTS: Final = (
    ("SQLITE_NOTADB", "{path} is not a SQLite database.", GIVE_DATABASE),
    ("SQLITE_CORRUPT", "{path} is damaged or truncated: {detail}.", RESTORE),
    ("SQLITE_READONLY", "{path} is read-only for this user.", GRANT_ACCESS),
    ("SQLITE_CANTOPEN", "{path} cannot be opened, or its write-ahead log beside it cannot.", GRANT_ACCESS),
    ("SQLITE_BUSY", "{path} is locked by another program.", "Close that program, and try again."),
    ("SQLITE_LOCKED", "{path} is locked by another program.", "Close that program, and try again."),
    ("SQLITE_FULL", "the disk of {path} is full.", "Free some space on it, and try again."),
    ("SQLITE_IOERR", "the disk of {path} cannot be read or written: {detail}.", "Check the disk."),
    ("", "{path} cannot be used: {detail}.", RESTORE),
)
"""Beginnings of SQLite's names of errors, with the reason and the next step."""
_UNCLEAR_FAULTS: Final = ("SQLITE_IOERR", "SQLITE_CANTOPEN")
"""Errors that SQLite also reports if there is no space for its write-ahead log and the index of that log."""
_MIN_FREE_BYTES: Final = 128 * 1024
_LOCKS: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")


def explain_sqlite_error(error: sqlite3.Error, path: Path) -> UnusableDatabase:
    """Explain an error of SQLite."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(_UNCLEAR_FAULTS) and _is_full(path):
        name = "SQLITE_FULL"
    reason, remedy = next((reason, remedy) for prefix, reason, remedy in _SQLITE_FAULTS if name.startswith(prefix))
    return UnusableDatabase(
        reason.format(path=path, detail=_first_line(error)), remedy, is_temporary=name.startswith(_LOCKS)
    )


def _is_full(path: Path) -> bool:
    """Whether the disk of a file lacks the space for the files that SQLite adds beside it."""
    try:
        return shutil.disk_usage(path.parent).free < _MIN_FREE_BYTES
    except OSError:
        return False


# PostgreSQL


class _Fault(NamedTuple):
    """A fault of PostgreSQL, by a part of its text or by its SQLSTATE."""

    sign: str
    reason: str
    remedy: str
    is_temporary: bool = False


_CONNECTION_FAULTS: Final = (
    _Fault(
        "Connection refused|on socket .* failed: No such file or directory",
        "cannot be reached: there is no PostgreSQL at this address",
        "Start PostgreSQL, or correct the address.",
        is_temporary=True,
    ),
    _Fault(
        "failed to resolve host|could not translate host name",
        "cannot be reached: the name of the host is unknown",
        "Correct the host, or check that this machine can resolve its name.",
        is_temporary=True,
    ),
    _Fault(
        "timeout expired|timed out|No route to host|Network is unreachable",
        "cannot be reached: {detail}",
        "Check the address, and whether a firewall is in between.",
        is_temporary=True,
    ),
    _Fault(
        "password authentication failed|no password supplied|empty password",
        "cannot be used: PostgreSQL rejects the password of the user {user}",
        "Correct the user name and the password.",
    ),
    _Fault(
        'role ".*" does not exist|not permitted to log in',
        "cannot be used: PostgreSQL has no user {user} that may log in",
        "Create the user (CREATE USER), or correct the user name.",
    ),
    _Fault(
        'database ".*" does not exist',
        "cannot be used: PostgreSQL has no database {database}",
        "Create it (CREATE DATABASE), or correct the name.",
    ),
    _Fault(
        "server does not support SSL",
        "cannot be used: the server does not offer TLS, which the sslmode in the URL requires",
        "Enable TLS on the server, or change sslmode.",
    ),
    _Fault(
        "no pg_hba.conf entry|pg_hba.conf rejects",
        "cannot be used: {detail}",
        "Permit the connection in pg_hba.conf; if the text ends with 'no encryption', set sslmode=require.",
    ),
    _Fault(
        "certificate|SSL error|sslmode|sslrootcert|sslcert|sslkey",
        "cannot be used: the TLS connection failed ({detail})",
        "Check sslmode and sslrootcert in the URL, and the certificate of the server.",
    ),
    _Fault(
        "authentication failed|permission denied for database|password file|invalid connection option|invalid port",
        "cannot be used: {detail}",
        "Correct the URL, or the permissions of the user in PostgreSQL.",
    ),
    _Fault("", "cannot be used: {detail}", "Check the URL, and the log of PostgreSQL.", is_temporary=True),
)
_STATEMENT_FAULTS: Final = (
    _Fault(
        "42501",
        "cannot be used, because the user {user} lacks a permission: {detail}",
        "Make the user the owner of the database, or grant the permission (GRANT CREATE ON SCHEMA public TO the user).",
    ),
    _Fault(
        "25006",
        "is read-only, as a standby is: {detail}",
        "Give the address of the primary server.",
    ),
    _Fault(
        "3F000",
        "cannot be used: there is no schema with a name from its search_path",
        "Create the schema, or correct search_path.",
    ),
    _Fault("53100", "cannot be written: the disk of the server is full", "Free some space on it, and try again."),
    _Fault("", "cannot be used: {detail}", "See the log of PostgreSQL."),
)


def _explain_postgresql_error(error: BaseException, url: URL) -> UnusableDatabase:
    code, text = getattr(error, "sqlstate", None), str(error)
    if code is None:
        fault = next(fault for fault in _CONNECTION_FAULTS if re.search(fault.sign, text))
    else:
        fault = next(fault for fault in _STATEMENT_FAULTS if code.startswith(fault.sign))
    values = {"user": _quote(url.username), "database": _quote(url.database), "detail": _describe(error, url)}
    return UnusableDatabase(
        f"{name_database(url)} {fault.reason.format(**values)}.", fault.remedy, is_temporary=fault.is_temporary
    )


def _quote(name: str | None) -> str:
    return f"'{name}'" if name else "(by its default name)"


def _describe(error: BaseException, url: URL) -> str:
    text = _PREFIX.sub("", _first_line(error), count=1)
    secrets: list[Any] = [url.password, url.query.get("password"), url.query.get("sslpassword")]
    for secret in secrets:
        text = text.replace(str(secret), "***") if secret else text
    return text
