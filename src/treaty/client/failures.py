"""Failures of connections to a broker: the reason, the next step, and whether another attempt may help."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

_PROBE_TIMEOUT: Final = 1
"""Seconds."""
_TEMPORARY_PROXY_STATUSES: Final = {"502", "503", "504"}
_FORBIDDEN_ERRNOS: Final = {errno.EACCES, errno.EPERM}
_NOT_TLS: Final = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
"""Reasons of OpenSSL for a response that is not TLS."""
_CERTIFICATE_EXPIRED: Final = 10
_WRONG_HOST: Final = {62, 64}
"""Codes of OpenSSL: the certificate is for another host name or IP address."""
_HTTPS_EXPECTED: Final = re.compile(
    r"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server|speaking plain HTTP to an SSL-enabled",
    re.IGNORECASE,
)
"""Texts with which nginx, Go's servers (Caddy, Traefik) and Apache answer plain HTTP at a port for https."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionFailure:
    """`reason` and `hint` are sentences."""

    reason: str
    hint: str
    is_temporary: bool = False
    """Whether the same request may succeed later, such as while the broker is starting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The destination of a failed request."""

    url: httpx.URL
    option: str
    """Name of the option for the broker's address."""
    proxy: str | None
    """Address of the proxy in between, without credentials."""

    @property
    def host(self) -> str:
        return self.url.host

    @property
    def port(self) -> int:
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    @property
    def address(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def with_scheme(self, scheme: str) -> str:
        # A default port would be that of the other scheme.
        port = self.url.port and f":{self.url.port}"
        return f"{scheme}://{self.address.rpartition(':')[0]}{port or ''}"


def diagnose(error: Exception, target: Target) -> ConnectionFailure:
    """Find out why there is no response. May connect to the target once, to see whether it expects the other scheme."""
    causes = list(_list_causes(error))
    if isinstance(error, httpx.ProxyError):
        return _diagnose_proxy(error, target)
    if isinstance(error, httpx.LocalProtocolError):
        return ConnectionFailure(
            reason=f"the request is not valid: {error}.", hint="Check the credentials and --custom-header."
        )
    if isinstance(error, httpx.DecodingError):
        return ConnectionFailure(
            reason=f"the response cannot be decoded: {error}.", hint="Check the proxies in front of the broker."
        )
    return (
        _diagnose_name(causes, target)
        or _diagnose_tls(causes, target)
        or _diagnose_scheme(error, causes, target)
        or _diagnose_socket(causes, target)
        or _diagnose_temporary(error, causes, target)
    )


def diagnose_response(response: httpx.Response, target: Target) -> ConnectionFailure | None:
    """Return a failure if the response is that of a server which expects https."""
    is_plain = target.url.scheme == "http"
    return _https_expected(target) if is_plain and _HTTPS_EXPECTED.search(response.text) else None


def _list_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _diagnose_proxy(error: Exception, target: Target) -> ConnectionFailure:
    proxy = target.proxy or "the proxy"
    return ConnectionFailure(
        reason=f"the proxy {proxy} refused the connection to {target.address}: {error}.",
        hint="Check the proxy and its credentials (HTTP_PROXY, HTTPS_PROXY), or name the broker in NO_PROXY.",
        is_temporary=str(error)[:3] in _TEMPORARY_PROXY_STATUSES,
    )


def _diagnose_name(causes: Sequence[BaseException], target: Target) -> ConnectionFailure | None:
    for cause in causes:
        # A label of more than 63 letters is a UnicodeError.
        is_permanent = isinstance(cause, UnicodeError) or (
            isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN
        )
        if is_permanent and target.proxy:
            reason = f"the host of the proxy {target.proxy} is unknown."
            return ConnectionFailure(reason=reason, hint="Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.")
        if is_permanent:
            reason = f"the host {target.host} is unknown."
            return ConnectionFailure(reason=reason, hint=f"Check its spelling in {_describe_option(target)}.")
    return None


def _diagnose_tls(causes: Sequence[BaseException], target: Target) -> ConnectionFailure | None:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _diagnose_certificate(cause, target)
        # The end of the connection during the handshake may be that of a broker that is starting.
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return _http_expected(target) if cause.reason in _NOT_TLS else _diagnose_handshake(cause, target)
    return None


def _diagnose_certificate(error: ssl.SSLCertVerificationError, target: Target) -> ConnectionFailure:
    hint = "Give the authority that signed the broker's certificate as --ssl-certificate (SSL_CERT_FILE)."
    if error.verify_code == _CERTIFICATE_EXPIRED:
        hint = "Renew the broker's certificate, and check the clock of this machine."
    elif error.verify_code in _WRONG_HOST:
        hint = f"Give the broker's address with a host that its certificate names as {target.option}."
    reason = f"the certificate of {target.address} is not trusted: {error.verify_message.rstrip('.')}."
    return ConnectionFailure(reason=reason, hint=hint)


def _diagnose_handshake(error: ssl.SSLError, target: Target) -> ConnectionFailure:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    hint = "Check the TLS settings of the broker or of the proxy in front of it."
    if "certificate" in reason:
        hint = "Give the client certificate that the server expects (X509_CLIENT_CERT_FILE, X509_CLIENT_KEY_FILE)."
    return ConnectionFailure(reason=f"{target.address} refused the TLS connection: {reason}.", hint=hint)


def _diagnose_scheme(error: Exception, causes: Sequence[BaseException], target: Target) -> ConnectionFailure | None:
    """Find out whether a server that ended the connection expects the other scheme, or does not speak HTTP at all."""
    if "illegal status line" in str(error):
        reason = f"{target.address} does not speak HTTP."
        return ConnectionFailure(reason=reason, hint=f"Check the port in {_describe_option(target)}.")
    # A server that waits for a request does not respond to the beginning of a TLS handshake either.
    is_ended = isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.ConnectTimeout)) or any(
        isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError)) for cause in causes
    )
    if not is_ended or target.proxy:
        return None
    if target.url.scheme == "http":
        return _https_expected(target) if _speaks_tls(target) else None
    return _http_expected(target) if _speaks_http(target) else None


def _https_expected(target: Target) -> ConnectionFailure:
    address = target.with_scheme("https")
    return ConnectionFailure(
        reason=f"{target.address} expects https.", hint=f"Give the address with https as {target.option}: {address}"
    )


def _http_expected(target: Target) -> ConnectionFailure:
    address = target.with_scheme("http")
    return ConnectionFailure(
        reason=f"{target.address} does not speak https.",
        hint=f"Give the port for https in {target.option}, or if the broker has none, the address with http: {address}",
    )


def _speaks_tls(target: Target) -> bool:
    # Nothing is sent but a handshake, so the certificate does not matter.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((target.host, target.port), timeout=_PROBE_TIMEOUT) as connection,
            context.wrap_socket(connection, server_hostname=target.host),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # a refusal of TLS is TLS, too
    except (OSError, ValueError):
        return False


def _speaks_http(target: Target) -> bool:
    try:
        with socket.create_connection((target.host, target.port), timeout=_PROBE_TIMEOUT) as connection:
            connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {target.address}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(5) == b"HTTP/"
    except (OSError, ValueError):
        return False


def _diagnose_socket(causes: Sequence[BaseException], target: Target) -> ConnectionFailure | None:
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in _FORBIDDEN_ERRNOS:
            reason = f"this machine does not permit connections to {target.address}: {cause.strerror}."
            return ConnectionFailure(reason=reason, hint="Check its firewall or sandbox.")
    return None


def _diagnose_temporary(error: Exception, causes: Sequence[BaseException], target: Target) -> ConnectionFailure:
    via = f" (via the proxy {target.proxy})" if target.proxy else ""
    return ConnectionFailure(
        reason=f"{_describe_temporary(error, causes, target)}{via}.",
        hint=f"Is the broker running, and is {_describe_option(target)} its address?",
        is_temporary=True,
    )


def _describe_temporary(error: Exception, causes: Sequence[BaseException], target: Target) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"{target.address} did not respond in time"
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return f"{target.address} refused the connection"
        if isinstance(cause, socket.gaierror):
            return f"the host {target.host} cannot be looked up at the moment"
        if isinstance(cause, (ConnectionResetError, ssl.SSLEOFError, BrokenPipeError)):
            return f"{target.address} ended the connection"
    return f"the connection to {target.address} failed: {str(error).rstrip('.') or type(error).__name__}"


def _describe_option(target: Target) -> str:
    variable = " (PACT_BROKER_BASE_URL)" if target.option == "--broker-base-url" else ""
    return target.option + variable
