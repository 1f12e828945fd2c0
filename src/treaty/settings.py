"""The settings of a server: what they are called, what they are by default, and where they come from.

Each can be given as an option, as `TREATY_<NAME>`, under the original broker's `PACT_BROKER_<NAME>`, or in
`treaty.toml`; the first of these that is there wins.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args, get_type_hints
from urllib.parse import quote

from treaty.errors import InvalidSetting

SETTINGS_FILE: Final = "treaty.toml"
X_FORWARDED: Final = "x-forwarded"
FORWARDED: Final = "forwarded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a server behaves."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` stands for every address of the machine."""
    port: int = 9292
    """Port to listen on; 0 takes a free one."""
    workers: int = 1
    """Processes that answer requests."""
    database_url: str = "sqlite:///treaty.sqlite"
    """Where the data is: `sqlite:///file.sqlite` in this folder, `sqlite:////folder/file.sqlite`, or `postgresql://…`."""
    database_max_connections: int = 8
    """Connections to PostgreSQL that each process keeps."""
    database_pool_timeout: float = 5.0
    """Seconds that a request waits for one of them, before it is told to come again."""
    base_urls: tuple[str, ...] = ()
    """Addresses under which clients see the broker; if none, each request's own. `PACT_BROKER_BASE_URL` counts too."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of the proxies in front, which report the client's address and the host that it used."""
    trusted_proxy_headers: str = X_FORWARDED
    """Headers that these proxies write: `x-forwarded` (`X-Forwarded-For`, `-Proto`, `-Host`) or `forwarded`
    (`Forwarded`, RFC 7239). All others are ignored."""
    max_body_bytes: int = 50_000_000
    """Maximum size of a request body in bytes. Clients that are not authenticated may send 16 KiB."""
    max_connections: int = 1000
    """Maximum number of client connections per process. At the limit, the longest idle connection is closed."""
    header_timeout: float = 10.0
    """Seconds in which the headers of a request must arrive."""
    keep_alive_timeout: int = 75
    """Seconds after which an idle connection is closed; load balancers in front should give up earlier."""
    min_body_rate: int = 500
    """Minimum rate at which a request body must arrive, in bytes per second, averaged over `header_timeout`."""
    largest_list: int = 10_000
    """Items that a list has at most when no page of it is asked for; a longer one says so and begins its pages."""
    log_level: str = "info"
    """Least level to log: `debug`, `info`, `warn`, `error` or `fatal`."""
    log_format: str = "default"
    """`default` for people on a terminal, `json` for machines."""
    example_data: bool = field(default=False, metadata={"aliases": ("seed_example_data",)})
    """Put example data into an empty database."""

    basic_auth_username: str | None = None
    """Who may read and write. Without it, and without users, [programs on this machine](access.md) may."""
    basic_auth_password: str | None = None
    """Goes with `basic_auth_username`."""
    basic_auth_read_only_username: str | None = None
    """Who may read only."""
    basic_auth_read_only_password: str | None = None
    """Goes with `basic_auth_read_only_username`."""
    allow_public_read: bool = False
    """Let everybody read."""
    public_heartbeat: bool = False
    """Let everybody ask whether the broker is well."""
    enable_public_badge_access: bool = False
    """Let everybody see badges."""
    open_access: bool = False
    """Let everybody do everything until there are users, wherever they are and whatever proxy is in front."""
    session_idle_timeout: int = 43_200
    """Seconds after which a browser that asks for nothing is signed out."""
    session_lifetime: int = 604_800
    """Seconds after which a browser has to sign in again in any case."""
    badge_provider_mode: str = "redirect"
    """`redirect` to where badges are drawn, or `proxy`, which draws them here."""
    shields_io_base_url: str = "https://img.shields.io"
    """Where badges are drawn."""
    badge_default_cache_setting: str = "max-age=30"
    """How long a badge about merging may be kept, as a `Cache-Control` header."""
    enable_diagnostic_endpoints: bool = True
    """Answer at `/diagnostic/…`."""

    order_versions_by_date: bool = True
    """Order versions by when they came to be known; otherwise by their numbers, as semantic versions."""
    check_for_potential_duplicate_pacticipant_names: bool = True
    """Refuse a new name that is so like another that it is probably a slip."""
    allow_dangerous_contract_modification: bool = False
    """Let a version publish its pact again with other content."""
    auto_detect_main_branch: bool = True
    """Make the first branch with one of the usual names the main branch."""
    main_branch_candidates: tuple[str, ...] = ("develop", "main", "master")
    """The usual names of main branches."""
    use_first_tag_as_branch: bool = True
    """Take the first tag of a new version that is on no branch for its branch."""
    use_first_tag_as_branch_time_limit: int = 10
    """For how many seconds a version is new."""
    create_deployed_versions_for_tags: bool = True
    """Record a deployment when a version is tagged with the name of an environment."""
    pact_content_diff_timeout: float = 15.0
    """Seconds after which the search for a difference between pacts is given up."""
    verified_by_other_branch_lookback_days: int = 30
    """How long a success keeps a pact from being work in progress for a branch."""
    dynamic_wip_window: bool = False
    """Look for work in progress as far back as what is still unverified suggests, whatever date is asked for."""
    max_wip_lookback_days: int = 14
    """The farthest that this window reaches."""
    min_wip_window_days: int = 7
    """The least that it reaches."""
    default_wip_window_days: int = 7
    """How far it reaches when nothing suggests more."""
    features: tuple[str, ...] = ()
    """Features to switch on: `disable_pacts_for_verification` hides that link from the index."""

    database_clean_enabled: bool = False
    """Remove old data by a schedule."""
    database_clean_cron_schedule: str = "15 2 * * *"
    """When, as a cron expression; times are UTC."""
    database_clean_deletion_limit: int = 500
    """Versions, branches, and each kind of overwritten data that one run removes at most."""
    database_clean_overwritten_data_max_age: int = 7
    """Days that overwritten pacts and results, and finished deliveries, stay."""
    database_clean_keep_version_selectors: str | None = None
    """Versions to keep: a JSON list; by default the newest of branches and tags, what is in use, and 90 days."""
    database_clean_keep_branch_selectors: str | None = None
    """Branches to keep besides main ones: a JSON list, `[]` for all; by default what changed within 90 days."""
    database_clean_dry_run: bool = False
    """Only log what would go."""

    audit_max_age: int = 365
    """Days that the audit trail stays, or 0 for ever; it goes by the schedule above, also where no other data does."""

    webhook_settling_time: float = 0.15
    """Seconds from an event to its webhooks: tags and results that follow at once are then in them."""
    webhook_retry_schedule: tuple[int, ...] = (10, 60, 120, 300, 600, 1200)
    """Seconds to wait after each failed attempt; after one more failure a delivery is given up."""
    webhook_http_method_whitelist: tuple[str, ...] = ("POST",)
    """Methods that webhooks may use."""
    webhook_http_code_success: tuple[int, ...] = (200, 201, 202, 203, 204, 205, 206)
    """Statuses that count as a success."""
    webhook_scheme_whitelist: tuple[str, ...] = ("https",)
    """Schemes of the URLs that webhooks may go to."""
    webhook_host_whitelist: tuple[str, ...] = ()
    """Hosts that webhooks may go to. What is in it may be reached even where its address is no public one."""
    webhook_redact_sensitive_data: bool = True
    """Hide what is secret from the logs of deliveries."""
    webhook_certificates: tuple[str, ...] = ()
    """Certificates (PEM, or files with such) of authorities that are trusted besides the system's."""
    webhook_connect_timeout: float = 15.0
    """Seconds in which a connection must stand."""
    webhook_read_timeout: float = 15.0
    """Seconds that the receiver may be silent."""
    webhook_total_timeout: float = 30.0
    """Seconds that a delivery may take in all."""
    webhook_max_response_bytes: int = 100_000
    """How much of an answer is read."""
    webhook_concurrency: int = 16
    """Deliveries that a process sends at the same time."""
    webhook_failures_until_failing: int = 10
    """Failed attempts in a row after which a webhook is marked as failing."""
    disable_ssl_verification: bool = False
    """Trust any certificate when something is fetched or sent (unsafe)."""
    user_agent: str = "Pact Broker v2.120.0"
    """What webhooks call their sender."""
    secret_key: str | None = None
    """Seals the secrets of webhooks in the database; without it a key file is made beside the database."""
    previous_secret_keys: tuple[str, ...] = ()
    """Keys that only open what they sealed, while `treaty rotate-key` changes to another."""


SECRET_SETTINGS: Final = ("password", "database_url", "secret_key")
"""Settings whose names hold one of these are never shown."""


def read_settings(
    options: Mapping[str, object], environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Settings:
    """Put the settings together. Options that are None were not given.

    Raises WrongSetting, naming the setting and where it was given.
    """
    found: dict[str, Any] = {}
    hints = get_type_hints(Settings)
    stored = _from_file((folder or Path.cwd()) / SETTINGS_FILE)
    for one in fields(Settings):
        names = (one.name, *one.metadata.get("aliases", ()))
        given = _given(names, options, environ, stored)
        if given is not None:
            source, value = given
            found[one.name] = _as(hints[one.name], value, f"{one.name} ({source})")
    found["base_urls"] = _base_urls(found.get("base_urls", ()), environ, stored)
    for name, value in (("webhook_certificates", _certificates(environ)), ("database_url", _database_url(environ))):
        if value and name not in found:
            found[name] = value
    return _checked(replace(Settings(), **found))


def _base_urls(first: tuple[str, ...], environ: Mapping[str, str], stored: Mapping[str, object]) -> tuple[str, ...]:
    """Put the list and the single setting of the original together, each URL once."""
    more = (
        stored.get("base_url", ""),
        *(environ.get(f"{prefix}_BASE_URL", "") for prefix in ("TREATY", "PACT_BROKER")),
    )
    urls = (*first, *(url for one in more for url in _items(one, "base_url")))
    return tuple(dict.fromkeys(url.rstrip("/") for url in urls))


def _database_url(environ: Mapping[str, str]) -> str | None:
    """Make the URL of the parts that the original broker may be given instead.

    Raises WrongSetting when they name a kind of database that Treaty does not know, or no database.
    """
    named = environ.get("PACT_BROKER_DATABASE_URL_ENVIRONMENT_VARIABLE_NAME")
    if named and environ.get(named):
        return environ[named]
    names = ("adapter", "username", "password", "host", "port", "name", "sslmode")
    parts = {name: environ.get(f"PACT_BROKER_DATABASE_{name.upper()}", "") for name in names}
    if not any(parts.values()):
        return None
    if not parts["name"]:
        raise InvalidSetting(
            "database_name: PACT_BROKER_DATABASE_NAME is missing beside the other parts of the database"
        )
    if parts["adapter"] == "sqlite":
        return f"sqlite:///{parts['name']}"
    if parts["adapter"] not in {"", "postgres", "postgresql"}:
        raise InvalidSetting(f"database_adapter: must be one of postgres, sqlite, but is '{parts['adapter']}'")
    return _postgresql_url(parts)


def _postgresql_url(parts: Mapping[str, str]) -> str:
    user = quote(parts["username"], safe="") + (":" + quote(parts["password"], safe="") if parts["password"] else "")
    host = (parts["host"] or "localhost") + (f":{parts['port']}" if parts["port"] else "")
    mode = f"?sslmode={quote(parts['sslmode'])}" if parts["sslmode"] else ""
    return f"postgresql://{user}{'@' if user else ''}{host}/{quote(parts['name'], safe='')}{mode}"


_CERTIFICATE: Final = re.compile(r"(?:TREATY|PACT_BROKER)_WEBHOOK_CERTIFICATES__([^_]+)__(CONTENT|PATH)")


def _certificates(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Read certificates as the original broker is given them: numbered, each as a path or as PEM."""
    found: dict[int, str] = {}
    for name, value in environ.items():
        match = _CERTIFICATE.fullmatch(name)
        if match and value:
            found[int(_number(int, match[1], f"webhook_certificates ({name})"))] = value
    return tuple(found[number] for number in sorted(found))


def _given(
    names: tuple[str, ...], options: Mapping[str, object], environ: Mapping[str, str], stored: Mapping[str, object]
) -> tuple[str, object] | None:
    if options.get(names[0]) is not None:
        return "option", options[names[0]]
    for prefix in ("TREATY_", "PACT_BROKER_"):
        for name in names:
            variable = prefix + name.upper()
            if environ.get(variable, "") != "":
                return variable, environ[variable]
    for name in names:
        if name in stored:
            return SETTINGS_FILE, stored[name]
    return None


def _from_file(path: Path) -> Mapping[str, object]:
    try:
        stored = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{path} cannot be read: {error}") from error
    known = {name for one in fields(Settings) for name in (one.name, *one.metadata.get("aliases", ()))} | {"base_url"}
    unknown = sorted(stored.keys() - known)
    if unknown:
        raise InvalidSetting(f"{path}: there is no setting '{unknown[0]}'")
    return stored


def _as(kind: Any, value: object, what: str) -> object:
    if isinstance(kind, UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if kind is bool:
        return _boolean(value, what)
    if kind in (int, float):
        return _number(kind, value, what)
    if kind is str:
        return str(value)
    if kind == tuple[int, ...]:
        return tuple(_number(int, item, what) for item in _items(value, what))
    return _items(value, what)


def _items(value: object, what: str) -> tuple[str, ...]:
    return (
        tuple(str(value).replace(",", " ").split())
        if isinstance(value, str)
        else tuple(str(item) for item in _listed(value, what))
    )


def _listed(value: object, what: str) -> list[object] | tuple[object, ...]:
    if isinstance(value, list | tuple):
        return value
    raise InvalidSetting(f"{what}: must be a list")


def _boolean(value: object, what: str) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in {"true", "t", "yes", "y", "1"}:
        return True
    if text in {"false", "f", "no", "n", "0"}:
        return False
    raise InvalidSetting(f"{what}: must be true or false, but is '{value}'")


def _number(kind: type[int] | type[float], value: object, what: str) -> int | float:
    try:
        return kind(str(value))
    except ValueError as error:
        raise InvalidSetting(f"{what}: must be a number, but is '{value}'") from error


def is_loopback(host: str) -> bool:
    """Whether an address is reached from its own machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


MIN_KEY_LENGTH: Final = 16
"""Characters that a key must have."""
_LEAST: Final = {
    "port": 0,
    "workers": 1,
    "database_max_connections": 1,
    "max_body_bytes": 1,
    "max_connections": 1,
    "header_timeout": 0.1,
    "keep_alive_timeout": 0,
    "min_body_rate": 0,
    "session_idle_timeout": 60,
    "session_lifetime": 60,
    "largest_list": 1,
    "verified_by_other_branch_lookback_days": 0,
    "pact_content_diff_timeout": 0,
    "max_wip_lookback_days": 0,
    "min_wip_window_days": 0,
    "default_wip_window_days": 0,
    "database_clean_deletion_limit": 1,
    "database_clean_overwritten_data_max_age": 0,
    "audit_max_age": 0,
    "webhook_connect_timeout": 0.1,
    "webhook_read_timeout": 0.1,
    "webhook_total_timeout": 0.1,
    "webhook_max_response_bytes": 0,
    "webhook_concurrency": 1,
    "webhook_failures_until_failing": 1,
}


def _checked(settings: Settings) -> Settings:
    for url in settings.base_urls:
        if not url.startswith(("http://", "https://")):
            raise InvalidSetting(f"base_url: '{url}' must begin with http:// or https://")
    for name, least in _LEAST.items():
        if getattr(settings, name) < least:
            raise InvalidSetting(f"{name}: must be {least} or more, but is {getattr(settings, name)}")
    for role in ("basic_auth", "basic_auth_read_only"):
        _check_pair(settings, f"{role}_username", f"{role}_password")
    if settings.basic_auth_read_only_username and not settings.basic_auth_username:
        raise InvalidSetting("basic_auth_read_only_username: needs basic_auth_username and basic_auth_password too")
    _check_webhooks(settings)
    if settings.trusted_proxy_headers not in {X_FORWARDED, FORWARDED}:
        raise InvalidSetting(
            f"trusted_proxy_headers: must be {X_FORWARDED} or {FORWARDED}, but is '{settings.trusted_proxy_headers}'"
        )
    if settings.log_format not in {"default", "json", "color"}:
        raise InvalidSetting(f"log_format: must be one of default, json, color, but is '{settings.log_format}'")
    if settings.log_level.lower() not in {"debug", "info", "warn", "warning", "error", "fatal"}:
        raise InvalidSetting(
            f"log_level: must be one of debug, info, warn, error, fatal, but is '{settings.log_level}'"
        )
    return replace(settings, log_level=settings.log_level.lower())


def _check_pair(settings: Settings, username: str, password: str) -> None:
    """Refuse half of a pair of credentials: a server that was meant to be closed would be open."""
    if bool((getattr(settings, username) or "").strip()) != bool((getattr(settings, password) or "").strip()):
        raise InvalidSetting(f"{username} and {password} go together: either is blank or missing")


def _check_webhooks(settings: Settings) -> None:
    if settings.secret_key is not None and len(settings.secret_key) < MIN_KEY_LENGTH:
        raise InvalidSetting(f"secret_key: must have {MIN_KEY_LENGTH} or more characters")
    if any(len(key) < MIN_KEY_LENGTH for key in settings.previous_secret_keys):
        raise InvalidSetting(
            f"previous_secret_keys: each must have {MIN_KEY_LENGTH} or more characters; keys with spaces or commas "
            f"in them have to stand in {SETTINGS_FILE}, as a list"
        )
    if settings.webhook_settling_time < 0:
        raise InvalidSetting("webhook_settling_time: must be a number of seconds, 0 or more")
    if any(seconds < 0 for seconds in settings.webhook_retry_schedule):
        raise InvalidSetting("webhook_retry_schedule: must be numbers of seconds, 0 or more")
    for entry in settings.webhook_host_whitelist:
        _check_expression(entry)


def _check_expression(entry: str) -> None:
    if len(entry) > 1 and entry.startswith("/") and entry.endswith("/"):
        try:
            re.compile(entry[1:-1])
        except re.error as error:
            raise InvalidSetting(f"webhook_host_whitelist: {entry} is not a regular expression: {error}") from error
