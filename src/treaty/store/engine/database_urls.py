"""URLs of databases, as users write them."""

import re
from typing import Final

from sqlalchemy import URL, make_url

from treaty.errors import UnusableDatabase


def parse_url(text: str) -> URL:
    """Parse the URL of a database. Raises UnusableDatabase, whose text contains no part of the URL."""
    # Hosting platforms still write postgres://, which SQLAlchemy no longer accepts.
    text = "postgresql" + text.removeprefix("postgres") if text.startswith("postgres://") else text
    try:
        url = make_url(_move_hosts_to_query(text))
    except Exception as error:
        raise UnusableDatabase("this is not a valid URL.", _EXAMPLES) from error
    if url.get_backend_name() == "sqlite":
        _check_sqlite_url(url)
        return url
    if "@" in f"{url.host}{url.database}":
        raise UnusableDatabase(
            "this URL contains more than one @.", "Write the user name and the password percent-encoded: %40 for @."
        )
    try:
        (url.host or "").encode("idna")
    except UnicodeError as error:
        raise UnusableDatabase("this URL has an invalid host.", _EXAMPLES) from error
    return url


_SEVERAL_HOSTS: Final = re.compile(r"(postgresql://(?:[^/?#@]*@)?)([^/?#@]*,[^/?#@]*)(/[^?#]*)?(?:\?(.*))?")


def _move_hosts_to_query(text: str) -> str:
    """Rewrite the URL of several hosts, as PostgreSQL's client library reads it, to SQLAlchemy's notation."""
    match = _SEVERAL_HOSTS.fullmatch(text)
    if match is None:
        return text
    start, hosts, database, query = match.groups()
    parts = [*(f"host={host}" for host in hosts.split(",")), *([query] if query else [])]
    return f"{start}{database or '/'}?{'&'.join(parts)}"


_EXAMPLES: Final = "Write one such as sqlite:///treaty.sqlite or postgresql://user:password@host:5432/name."


def _check_sqlite_url(url: URL) -> None:
    if url.host or url.username or url.port or "\0" in (url.database or ""):
        raise UnusableDatabase(
            "this is not a valid URL of a SQLite file.",
            "A relative path follows three slashes (sqlite:///treaty.sqlite), an absolute path four.",
        )
