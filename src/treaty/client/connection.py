"""How a broker is reached: its address, credentials, certificates, proxy and retries."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from treaty import distribution
from treaty.client.origins import split_userinfo
from treaty.errors import ClientError
from treaty.outbound_proxies import HttpProxy, parse_proxy, read_environment

_TIMEOUT: Final = httpx.Timeout(60, connect=10)
"""Seconds. Decisions about many pacts may take an overloaded broker long, a connection never does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """Which certificates to trust and to present."""

    verify: bool = True
    certificate: str | None = None
    """PEM file with certificate authorities, trusted in addition to the system's."""
    trusts_system_store: bool = True
    client_certificate: tuple[str, str] | None = None
    """PEM files with a certificate and its private key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """Number of attempts in all, and the seconds between them: they double up to `max_delay`.

    The defaults are those of the Rust client.
    """

    attempts: int = 8
    initial_delay: float = 0.5
    max_delay: float = 5
    max_requested_delay: float = 120
    """Seconds to wait at most where a response requests more: a wrong clock must not stop a build for a day."""

    def delay_after(self, attempt: int) -> float:
        return min(self.initial_delay * 2.0 ** (attempt - 1), self.max_delay)

    def is_last(self, attempt: int) -> bool:
        return attempt >= self.attempts


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerConnection:
    """A broker's address and credentials. Without `proxy`, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY apply.

    A user and password in the base URL are removed from it; they are used unless other credentials are given. Raises
    ClientError if they are not percent-encoded.
    """

    base_url: str
    address_option: str = "--broker-base-url"
    """Name of the option for the base URL, for hints."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Tls = field(default_factory=Tls)
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    proxy: str | None = None

    def __post_init__(self) -> None:
        url, username, password = split_userinfo(self.base_url)
        # object.__setattr__, since the instance is frozen. Nothing that prints the address can then print a password.
        object.__setattr__(self, "base_url", url)
        if username and not self.token and self.username in {None, "", username}:
            object.__setattr__(self, "username", username)
            object.__setattr__(self, "password", self.password or password)

    @property
    def url(self) -> str:
        return self.base_url.rstrip("/")

    @property
    def has_credentials(self) -> bool:
        """Whether requests authenticate their sender. Custom headers count: many gateways expect a key in one."""
        return bool(self.token or self.username or self.headers or self.tls.client_certificate)


def choose_proxy(connection: BrokerConnection, url: httpx.URL) -> HttpProxy | None:
    """Choose the proxy for a request; None to connect directly. Raises ClientError for a proxy that cannot be used."""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        if connection.proxy:
            return parse_proxy(connection.proxy)
        return read_environment(os.environ).choose(url.scheme, url.host, port)
    except ValueError as error:
        raise ClientError(f"Could not set up the connection: {error}", hint=_SETUP_HINT) from error


_SETUP_HINT: Final = "Check the headers and the proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY; NO_PROXY lists exceptions)."


def open_session(connection: BrokerConnection, proxy: HttpProxy | None, *, is_secure: bool) -> httpx.Client:
    """Create a session of a connection. Raises ClientError for a header or certificate that cannot be used."""
    try:
        return httpx.Client(
            headers={"user-agent": f"treaty/{distribution.version()}"}
            | _authorization(connection)
            | dict(connection.headers),
            # Loading the certificates takes tens of milliseconds, which plain HTTP need not wait for.
            verify=_create_ssl_context(connection.tls) if is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=None if proxy is None else httpx.Proxy(str(proxy), auth=proxy.credentials),
            # httpx would choose a proxy itself, and does not know networks in NO_PROXY.
            trust_env=False,
            timeout=_TIMEOUT,
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise ClientError(f"Could not set up the connection: {error}", hint=_SETUP_HINT) from error


def _authorization(connection: BrokerConnection) -> dict[str, str]:
    """Return the header with the credentials. A token takes precedence over a username, as in the original client."""
    # Sent with the first request already: waiting for a 401 would cost a round trip, and brokers with public read
    # access never send one.
    if connection.token:
        return {"authorization": f"Bearer {connection.token.strip()}"}
    if connection.username:
        credentials = f"{connection.username}:{connection.password or ''}"
        return {"authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
    return {}


def _create_ssl_context(tls: Tls) -> ssl.SSLContext:
    if tls.trusts_system_store:
        # trust_env=False: SSL_CERT_FILE would replace the system's authorities here; it is an option of the commands.
        context = httpx.create_ssl_context(trust_env=False)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        _load_certificates(context, tls)
    except OSError as error:
        raise ClientError(
            f"Could not read the certificates: {error}",
            hint="Give a PEM file as --ssl-certificate (SSL_CERT_FILE).",
        ) from error
    return context


def _load_certificates(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.trusts_system_store:
        context.load_default_certs()
    if tls.certificate:
        context.load_verify_locations(tls.certificate)
    if tls.client_certificate:
        context.load_cert_chain(*tls.client_certificate)
    if not tls.verify:
        # The order matters: ssl refuses CERT_NONE while it has to check the host name.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
