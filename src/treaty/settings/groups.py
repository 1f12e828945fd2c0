"""The settings, in the groups in which docs/configuration.md and `treaty serve --help` list them.

Each field is a setting. Options, variables and documents are derived from it.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from treaty.settings.declarations import Group, setting
from treaty.settings.secrets import Secret
from treaty.settings.spellings import (
    DAYS,
    HOURS,
    SECONDS,
    Boolean,
    Date,
    Duration,
    Items,
    Number,
    OneOf,
    OutOfRange,
    SecretText,
    Text,
    quoted,
)

X_FORWARDED: Final = "x-forwarded"
FORWARDED: Final = "forwarded"
MIN_KEY_LENGTH: Final = 16
"""Characters that a secret key must have."""


def _normalize_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Remove brackets around IPv6 addresses, and duplicates. Raises OutOfRange."""
    normalized = tuple(dict.fromkeys(host[1:-1] if _BRACKETED.fullmatch(host) else host for host in hosts))
    if not normalized:
        raise OutOfRange("must name an address to listen on")
    for host in normalized:
        if ":" in host and not _is_ipv6(host):
            raise OutOfRange(f"{quoted(host)} must be a name or an address, without a scheme and a port")
        if not host.isprintable() or not host.strip():
            raise OutOfRange(f"{quoted(host)} is neither a name nor an address")
    return normalized


_BRACKETED: Final = re.compile(r"\[[^]]*\]")


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _normalize_base_urls(urls: tuple[str, ...]) -> tuple[str, ...]:
    """Remove slashes at the end and duplicates, and encode characters that URLs do not contain. Raises OutOfRange."""
    normalized = tuple(dict.fromkeys(_encode_path(url.rstrip("/")) for url in urls))
    for url in normalized:
        if not url.startswith(("http://", "https://")):
            raise OutOfRange(f"'{url}' must begin with http:// or https://")
        if not _is_base_path(url.partition("://")[2].partition("/")[2]):
            raise OutOfRange(f"{quoted(url)} must be a plain address, such as https://tools.example.org/pacts")
    return normalized


def _encode_path(url: str) -> str:
    """Percent-encode the path of a URL, as clients do before they send it."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host + slash + quote(path, safe="/%:@!$&'()*+,;=~-._?#\\")


def _is_base_path(path: str) -> bool:
    """Whether links can begin with a path: without a query, and with segments that clients send unchanged."""
    is_plain = not re.search(r"[?#\\]|%(?![0-9A-Fa-f]{2})", path)
    return is_plain and (not path or all(unquote(segment) not in {"", ".", ".."} for segment in path.split("/")))


def _normalize_contacts(contacts: tuple[str, ...]) -> tuple[str, ...]:
    """Write e-mail addresses as URLs, and remove duplicates. Raises OutOfRange."""
    urls = [f"mailto:{contact}" if "@" in contact and ":" not in contact else contact for contact in contacts]
    for url in urls:
        # RFC 9116 excludes http:. Other characters could add lines to the file.
        if not url.startswith(("https://", "mailto:", "tel:")) or not _is_url_text(url):
            raise OutOfRange(f"{quoted(url)} must be an e-mail address, or begin with https:, mailto: or tel:")
    return tuple(dict.fromkeys(urls))


def _check_https(url: str) -> str:
    if not url.startswith("https://") or not _is_url_text(url):
        raise OutOfRange(f"must be a URL that begins with https://, but is {quoted(url)}")
    return url


_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")
_COLLECTORS: Final = ("https", "http", "syslog+tls", "syslog+tcp")


def _check_collector(url: str) -> str:
    try:
        split = urlsplit(url)
        is_valid = split.scheme in _COLLECTORS and bool(split.hostname) and split.port != 0 and split.username is None
    except ValueError:  # a port or an address that is none
        is_valid = False
    if not is_valid or not _is_url_text(url):
        schemes = ", ".join(f"{scheme}://" for scheme in _COLLECTORS)
        raise OutOfRange(f"must be a URL with a host and without credentials that begins with one of {schemes}")
    return url


def _is_url_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _check_expression(host: str) -> str:
    """Check a host in slashes, which is a regular expression. Raises OutOfRange."""
    if len(host) > 1 and host.startswith("/") and host.endswith("/"):
        try:
            re.compile(host[1:-1])
        except re.error as error:
            raise OutOfRange(f"{host} is not a regular expression: {error}") from error
    return host


def _check_previous_keys(keys: tuple[Secret, ...]) -> tuple[Secret, ...]:
    if any(len(key) < MIN_KEY_LENGTH for key in keys):
        raise OutOfRange(
            f"each must have {MIN_KEY_LENGTH} or more characters; give keys that contain spaces or commas as a list in "
            "treaty.toml"
        )
    return keys


def _is_blank(value: str | Secret | None) -> bool:
    text = value.get_secret_value() if isinstance(value, Secret) else value
    return not (text or "").strip()


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class ServerSettings(Group):
    heading = "The server"

    host: tuple[str, ...] = setting(
        ("127.0.0.1",),
        Items(Text(), _normalize_hosts),
        """Addresses or names to listen on. `0.0.0.0` stands for all IPv4 addresses of the machine, and `::` for all of
        its addresses, IPv4 and IPv6.""",
    )
    port: int = setting(9292, Number(minimum=0, maximum=65_535), "Port to listen on. 0 chooses a free port.")
    workers: int = setting(1, Number(minimum=1), "Number of processes that handle requests.")
    database_url: str = setting(
        "sqlite:///treaty.sqlite",
        Text(),
        """The database: `sqlite:///file.sqlite` in the current folder, `sqlite:////folder/file.sqlite`, or
        `postgresql://user:password@host:port/name`.""",
        is_shown=False,  # contains a password
    )
    database_max_connections: int = setting(
        8, Number(minimum=1), "Maximum number of connections to PostgreSQL per process."
    )
    database_pool_timeout: timedelta = setting(
        timedelta(seconds=5),
        Duration(SECONDS, kind=float),
        "Seconds to wait for a free connection to PostgreSQL before the client is asked to retry.",
    )
    database_startup_timeout: timedelta = setting(
        timedelta(seconds=30),
        Duration(SECONDS, kind=float, minimum=0),
        """Seconds for which a server or a command that starts waits until PostgreSQL can be reached, and until another
        server has created or upgraded the tables. It does not wait if PostgreSQL rejects the user or the password, or
        does not have the database.""",
    )
    database_connect_max_retries: int | None = setting(
        None, Number(minimum=0), "Number of retries, three seconds apart, that replace `database_startup_timeout`."
    )
    sqlite_cache_bytes: int = setting(
        16_777_216,
        Number(minimum=0),
        """Maximum memory for pages of a SQLite file that the thread which handles requests caches, per process. Each of
        the other threads, which most servers hardly use, caches an eighth of it at most.""",
    )
    response_cache_bytes: int = setting(
        16_777_216, Number(minimum=0), "Maximum memory for cached responses per process."
    )
    base_urls: tuple[str, ...] = setting(
        (),
        Items(Text(), _normalize_base_urls),
        """URLs under which clients reach the broker. By default, links use the URL of each request. With a path
        (`https://tools.example.org/pacts`), the broker responds below this path, too, so that a [proxy](operations.md)
        need not remove it. `PACT_BROKER_BASE_URL` is read as well.""",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        Items(Text()),
        "Addresses and networks of reverse proxies whose headers about the client's address and host are trusted.",
    )
    trusted_proxy_headers: str = setting(
        X_FORWARDED,
        OneOf((X_FORWARDED, FORWARDED)),
        """Headers that these proxies set: `x-forwarded` (`X-Forwarded-For`, `-Proto`, `-Host`, `-Port`) or `forwarded`
        (`Forwarded`, RFC 7239). All others are ignored.""",
    )
    max_body_bytes: int = setting(
        50_000_000,
        Number(minimum=1),
        "Maximum size of a request body in bytes. Clients that are not authenticated may send 16 KiB.",
    )
    max_connections: int = setting(
        1000,
        Number(minimum=1),
        "Maximum number of client connections per process. At the limit, the longest idle connection is closed.",
    )
    header_timeout: timedelta = setting(
        timedelta(seconds=10),
        Duration(SECONDS, kind=float, minimum=0.1),
        "Seconds within which the headers of a request must arrive.",
    )
    keep_alive_timeout: timedelta = setting(
        timedelta(seconds=75),
        Duration(SECONDS, minimum=0),
        "Seconds after which an idle connection is closed. Load balancers need a shorter timeout than this one.",
        aliases=("puma_persistent_timeout",),
    )
    shutdown_delay: timedelta = setting(
        timedelta(0),
        Duration(SECONDS, kind=float, minimum=0),
        """Seconds after SIGTERM for which the server still handles requests, while it is [no longer
        ready](operations.md#monitoring), so that load balancers stop sending requests to it first.""",
    )
    min_body_rate: int = setting(
        500,
        Number(minimum=0),
        "Minimum rate at which a request body must arrive, in bytes per second, averaged over `header_timeout`.",
    )
    largest_list: int = setting(
        10_000,
        Number(minimum=1),
        """Maximum number of items in a list that is requested without pagination. A longer list is cut off, and links
        to its next page.""",
    )
    log_level: str = setting(
        "info",
        OneOf(("debug", "info", "warn", "error", "fatal"), also=("warning",), ignores_case=True),
        "Minimum level of log lines: `debug`, `info`, `warn`, `error` or `fatal`.",
    )
    log_format: str = setting(
        "default",
        OneOf(("default", "json", "color")),
        """Format of log lines: `default` for people (with colors on a terminal), `color` for colors everywhere, or
        `json` for programs.""",
    )
    example_data: bool = setting(
        False,
        Boolean(),
        "Add example data to an empty database: a shop of eight applications with a month of history.",
        aliases=("seed_example_data",),
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class AccessSettings(Group):
    heading = "Access"

    basic_auth_username: str | None = setting(
        None,
        Text(),
        """User who can read and write. Without this setting and without any users, [programs on this
        machine](access.md) can.""",
    )
    basic_auth_password: Secret | None = setting(None, SecretText(), "Password of `basic_auth_username`.")
    basic_auth_read_only_username: str | None = setting(None, Text(), "User who can only read.")
    basic_auth_read_only_password: Secret | None = setting(
        None, SecretText(), "Password of `basic_auth_read_only_username`."
    )
    allow_public_read: bool = setting(False, Boolean(), "Allow reading without authentication.")
    public_heartbeat: bool = setting(False, Boolean(), "Allow health checks without authentication.")
    enable_public_badge_access: bool = setting(
        False, Boolean(), "Serve badges without authentication.", aliases=("enable_badge_resources",)
    )
    open_access: bool = setting(
        False,
        Boolean(),
        "Allow everything without authentication until the first user exists, from any address and through any proxy.",
    )
    session_idle_timeout: timedelta = setting(
        timedelta(hours=12),
        Duration(SECONDS, minimum=60),
        "Seconds without a request after which a browser is signed out.",
    )
    session_lifetime: timedelta = setting(
        timedelta(days=7),
        Duration(SECONDS, minimum=60),
        "Seconds after which a browser has to sign in again, even if it was active.",
    )
    token_max_lifetime: timedelta = setting(
        timedelta(0),
        Duration(DAYS, minimum=0),
        """Days for which new tokens can be valid at most; 0 permits tokens without expiry. Existing tokens keep their
        expiry, and the list of tokens marks those that are valid for longer.""",
    )
    require_administrator_second_factor: bool = setting(
        False, Boolean(), "Require administrators to enter a one-time password when they sign in."
    )

    def check(self) -> None:
        """Reject half of a pair of credentials: a server that is meant to be closed would be open."""
        for role in ("basic_auth", "basic_auth_read_only"):
            username, password = f"{role}_username", f"{role}_password"
            if _is_blank(getattr(self, username)) != _is_blank(getattr(self, password)):
                raise OutOfRange(f"{username} and {password} go together: either is blank or missing")
        if self.basic_auth_read_only_username and not self.basic_auth_username:
            raise OutOfRange("basic_auth_read_only_username: needs basic_auth_username and basic_auth_password too")


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class SecuritySettings(Group):
    heading = "Security"

    hsts_max_age: timedelta = setting(
        timedelta(days=365),
        Duration(SECONDS, minimum=0),
        """Seconds for which browsers use only https for the broker's host, on all of its ports, after a response from
        an https address (`Strict-Transport-Security`). 0 sends no such header.""",
    )
    security_contacts: tuple[str, ...] = setting(
        (),
        Items(Text(), _normalize_contacts),
        """Where to report vulnerabilities of this server: e-mail addresses, or URLs that begin with https:, mailto: or
        tel:. With this setting, the server has a `/.well-known/security.txt`.""",
    )
    security_policy: str | None = setting(None, Text(_check_https), "URL of your policy for such reports, with https:.")
    security_txt_expires: datetime | None = setting(
        None,
        Date(),
        """Date after which these contacts are out of date, such as `2030-12-31`. By default, half a year after each
        request.""",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class AuditSettings(Group):
    heading = "Audit trail"

    audit_forward_url: str | None = setting(
        None,
        Text(_check_collector),
        """Collector to which the server [forwards audit events](audit.md#forwarding): `https://host/path`,
        `syslog+tls://host:6514`, or `http://…` and `syslog+tcp://…` within a protected network.""",
    )
    audit_forward_token: Secret | None = setting(
        None,
        SecretText(),
        "Token that is sent to the collector as `Authorization: Bearer`, by https or to this machine.",
    )

    def check(self) -> None:
        """Refuse to send the token in the clear."""
        url = urlsplit(self.audit_forward_url or "")
        if self.audit_forward_token is not None and url.scheme == "http" and url.hostname not in _THIS_MACHINE:
            raise OutOfRange(
                "audit_forward_token: would be readable on the way to audit_forward_url, which is not https"
            )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class BadgeSettings(Group):
    heading = "Badges and diagnostics"

    badge_provider_mode: str = setting(
        "redirect", Text(), "`redirect` sends browsers to the badge service; `proxy` renders badges in the broker."
    )
    shields_io_base_url: str = setting("https://img.shields.io", Text(), "URL of the badge service.")
    badge_default_cache_setting: str = setting("max-age=30", Text(), "`Cache-Control` header of can-i-merge badges.")
    enable_diagnostic_endpoints: bool = setting(True, Boolean(), "Serve the endpoints below `/diagnostic`.")


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class VersionSettings(Group):
    heading = "Versions, branches and pacts"

    order_versions_by_date: bool = setting(
        True,
        Boolean(),
        "Order versions by the time of their creation. If false, order them by number, as semantic versions.",
    )
    check_for_potential_duplicate_pacticipant_names: bool = setting(
        True, Boolean(), "Reject a new pacticipant name that is probably a misspelling of an existing name."
    )
    allow_dangerous_contract_modification: bool = setting(
        False,
        Boolean(),
        "Allow a consumer version to replace a pact that it has already published with different content.",
    )
    auto_detect_main_branch: bool = setting(
        True,
        Boolean(),
        "Make a new branch the main branch if its name is one of `main_branch_candidates` and there is no main branch.",
    )
    main_branch_candidates: tuple[str, ...] = setting(
        ("develop", "main", "master"), Items(Text()), "Names of branches that can become main branches automatically."
    )
    use_first_tag_as_branch: bool = setting(
        True, Boolean(), "Use the first tag of a new version as its branch, if it has no branch."
    )
    use_first_tag_as_branch_time_limit: timedelta = setting(
        timedelta(seconds=10),
        Duration(SECONDS),
        "Seconds after its creation during which a version counts as new for `use_first_tag_as_branch`.",
    )
    create_deployed_versions_for_tags: bool = setting(
        True, Boolean(), "Record a deployment when a version is tagged with the name of an environment."
    )
    decision_validity: timedelta = setting(
        timedelta(hours=24),
        Duration(SECONDS, minimum=0),
        """Seconds for which a recorded yes covers a deployment. In an environment that [records
        decisions](recorded-decisions.md), a deployment without such a yes is marked.""",
    )
    comparison_budget: timedelta = setting(
        timedelta(seconds=0.25),
        Duration(SECONDS, kind=float, minimum=0),
        """Seconds that a request may spend on comparing pacts with provider contracts if a decision lacks the results.
        The other pairs are compared in the background, and are unknown until then.""",
    )
    pact_content_diff_timeout: timedelta = setting(
        timedelta(seconds=15),
        Duration(SECONDS, kind=float, minimum=0),
        "Seconds after which the comparison of two pacts is cancelled.",
    )
    max_document_bytes: int = setting(
        20_000_000, Number(minimum=1), "Maximum size in bytes of an OpenAPI or AsyncAPI document."
    )
    document_comparison_timeout: timedelta = setting(
        timedelta(seconds=30),
        Duration(SECONDS, kind=float, minimum=0),
        "Seconds after which `POST /contracts/compare` compares no further pact and is cancelled.",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class WorkInProgressSettings(Group):
    heading = "Pending pacts and work in progress"

    deployed_pacts_are_pending: bool = setting(
        True,
        Boolean(),
        """Let pacts be pending although a provider's build verifies them because they are deployed to or released in an
        environment. If false, these are never pending: a failure fails the build, even if no version of the provider
        has verified the pact successfully.""",
    )
    verified_by_other_branch_lookback_days: timedelta = setting(
        timedelta(days=30),
        Duration(DAYS, minimum=0),
        "Days during which a successful verification keeps a pact from being work in progress for a branch.",
    )
    dynamic_wip_window: bool = setting(
        False,
        Boolean(),
        """Derive how far back to look for work in progress from the age of unverified pacts, instead of using the date
        in the request.""",
    )
    max_wip_lookback_days: timedelta = setting(
        timedelta(days=14), Duration(DAYS, minimum=0), "Maximum length of this window in days."
    )
    min_wip_window_days: timedelta = setting(
        timedelta(days=7), Duration(DAYS, minimum=0), "Minimum length of this window in days."
    )
    default_wip_window_days: timedelta = setting(
        timedelta(days=7), Duration(DAYS, minimum=0), "Length of this window in days if there are no unverified pacts."
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class OverrideSettings(Group):
    heading = "Overrides"

    override_default_duration: timedelta = setting(
        timedelta(hours=24),
        Duration(HOURS, minimum=1),
        "Hours after which an [override](overrides.md) ends that was created without a time, up to the maximum.",
    )
    override_max_duration: timedelta = setting(
        timedelta(days=30), Duration(HOURS, minimum=1), "Hours after which an override ends at the latest."
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class FeatureSettings(Group):
    heading = "Features"

    features: tuple[str, ...] = setting(
        (),
        Items(Text()),
        """Features to enable. `disable_pacts_for_verification` removes the link to pacts for verification from the
        index.""",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class CleanupSettings(Group):
    heading = "Clean-up of old data"

    database_clean_enabled: bool = setting(False, Boolean(), "Remove old data on a schedule.")
    database_clean_cron_schedule: str = setting(
        "15 2 * * *", Text(), "Schedule of the clean-up, as a cron expression in UTC."
    )
    database_clean_deletion_limit: int = setting(
        500,
        Number(minimum=1),
        "Maximum number of versions, of branches, and of each kind of overwritten data that one run removes.",
    )
    database_clean_overwritten_data_max_age: timedelta = setting(
        timedelta(days=7),
        Duration(DAYS, minimum=0),
        "Days to keep overwritten pacts, overwritten verification results and finished webhook deliveries.",
    )
    database_clean_keep_version_selectors: str | None = setting(
        None,
        Text(),
        """Versions to keep, as a JSON list of selectors. By default, the latest version of each branch and tag,
        versions in an environment, and versions younger than 90 days.""",
    )
    database_clean_keep_branch_selectors: str | None = setting(
        None,
        Text(),
        """Branches to keep in addition to main branches, as a JSON list of selectors; `[]` keeps all. By default,
        branches that changed within 90 days.""",
    )
    decision_max_age: timedelta = setting(
        timedelta(days=365),
        Duration(DAYS, minimum=0),
        """Days to keep [recorded decisions](recorded-decisions.md); 0 keeps them forever. The newest yes for each
        version that is in an environment is kept longer. Removed on the schedule above, even if
        `database_clean_enabled` is false.""",
    )
    database_clean_dry_run: bool = setting(False, Boolean(), "Only log what a clean-up would remove.")
    audit_max_age: timedelta = setting(
        timedelta(days=365),
        Duration(DAYS, minimum=0),
        """Days to keep the audit trail and ended overrides; 0 keeps them forever. Removed on the schedule above, even
        if `database_clean_enabled` is false.""",
    )
    event_log_max_age: timedelta = setting(
        timedelta(days=30),
        Duration(DAYS, minimum=0),
        """Days to keep the events that `GET /events` returns; 0 keeps them forever. Servers remove older events every
        hour, whatever the schedule above.""",
    )


_RETRIES: Final = (10, 60, 120, 300, 600, 1200)


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class WebhookSettings(Group):
    heading = "Webhooks"

    webhook_settling_time: timedelta = setting(
        timedelta(seconds=0.2),
        Duration(SECONDS, kind=float, minimum=0),
        """Seconds to wait after an event before sending its webhooks, so that tags and results published right after
        are included.""",
    )
    webhook_retry_schedule: tuple[timedelta, ...] = setting(
        tuple(timedelta(seconds=count) for count in _RETRIES),
        Items(Duration(SECONDS, minimum=0)),
        "Seconds to wait after each failed attempt. After one more failure, the delivery fails.",
    )
    webhook_http_method_whitelist: tuple[str, ...] = setting(
        ("POST",), Items(Text()), "HTTP methods that webhooks may use."
    )
    webhook_http_code_success: tuple[int, ...] = setting(
        tuple(range(200, 207)), Items(Number()), "Status codes of successful deliveries."
    )
    webhook_scheme_whitelist: tuple[str, ...] = setting(("https",), Items(Text()), "URL schemes that webhooks may use.")
    webhook_host_whitelist: tuple[str, ...] = setting(
        (),
        Items(Text(_check_expression)),
        """Hosts that webhooks may send to: names, patterns (`*.example.org`), networks, or regular expressions in
        slashes, which must match the whole name. These hosts may have private addresses.""",
    )
    webhook_redact_sensitive_data: bool = setting(
        True, Boolean(), "Redact credentials and secrets in the logs of deliveries."
    )
    webhook_certificates: tuple[str, ...] = setting(
        (), Items(Text()), "Certificates to trust in addition to those of the system: PEM, or paths of PEM files."
    )
    webhook_http_proxy: Secret | None = setting(
        None,
        SecretText(),
        """Proxy for webhooks with http URLs, such as `http://user:password@proxy.example.org:3128`. By default, that of
        the environment: `http_proxy` or `all_proxy`.""",
    )
    webhook_https_proxy: Secret | None = setting(
        None,
        SecretText(),
        "Proxy for webhooks with https URLs. By default, that of the environment: `https_proxy` or `all_proxy`.",
    )
    webhook_no_proxy: tuple[str, ...] = setting(
        (),
        Items(Text()),
        """Hosts that webhooks reach [without a proxy](operations.md#webhooks-through-a-proxy): names (with their
        subdomains), addresses, networks, or `*` for all. By default, those of the environment: `no_proxy`.""",
    )
    webhook_connect_timeout: timedelta = setting(
        timedelta(seconds=15),
        Duration(SECONDS, kind=float, minimum=0.1),
        "Seconds within which a connection to the receiver must be established.",
    )
    webhook_read_timeout: timedelta = setting(
        timedelta(seconds=15), Duration(SECONDS, kind=float, minimum=0.1), "Seconds to wait for data from the receiver."
    )
    webhook_total_timeout: timedelta = setting(
        timedelta(seconds=30),
        Duration(SECONDS, kind=float, minimum=0.1),
        "Maximum duration of a delivery attempt in seconds.",
    )
    webhook_max_response_bytes: int = setting(
        100_000, Number(minimum=0), "Maximum number of bytes to read from a response."
    )
    webhook_concurrency: int = setting(
        16, Number(minimum=1), "Number of deliveries that a process sends at the same time."
    )
    webhook_failures_until_failing: int = setting(
        10, Number(minimum=1), "Number of consecutive failed attempts after which a webhook is marked as failing."
    )
    verification_overdue_after: timedelta = setting(
        timedelta(days=1),
        Duration(SECONDS, kind=float, minimum=0),
        """Seconds after the publication of a pact at which a missing result causes the event `verification_overdue`; 0
        disables the event.""",
    )
    contract_unused_after: timedelta = setting(
        timedelta(days=90),
        Duration(DAYS, minimum=0),
        """Days after its latest pact at which a contract that no version in use has causes the event `contract_unused`;
        0 disables the event.""",
    )
    disable_ssl_verification: bool = setting(
        False, Boolean(), "Accept any TLS certificate of webhook receivers (unsafe)."
    )
    user_agent: str = setting("Pact Broker v2.120.0", Text(), "`User-Agent` header of webhook requests.")


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class EncryptionSettings(Group):
    heading = "Encryption"

    secret_key: Secret | None = setting(
        None,
        SecretText(MIN_KEY_LENGTH),
        """Key that encrypts the secrets of webhooks, tokens and sessions in the database. By default, the server
        creates a key file next to the database.""",
    )
    previous_secret_keys: tuple[Secret, ...] = setting(
        (),
        Items(SecretText(), _check_previous_keys),
        "Keys that are used only for decryption, while `treaty rotate-key` replaces them.",
    )
