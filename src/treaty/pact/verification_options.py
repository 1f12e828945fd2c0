"""Options of `Verifier` and `MessageProvider`; versions of pact-python had different names for some of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from treaty.client import BrokerConnection
from treaty.pact.broker import connect

_OTHER_NAMES: Final = {
    "consumer_selectors": "consumer_version_selectors",
    "custom_provider_headers": "headers",
    "provider_app_version": "publish_version",
    "provider_version_branch": "provider_branch",
    "provider_version_tags": "provider_tags",
    "timeout": "request_timeout",
}
_LISTS: Final = {"consumer_tags", "consumer_version_selectors", "provider_tags"}


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationOptions:
    """What to verify, and how. Missing options are None or empty."""

    broker_url: str | None = None
    broker_username: str | None = None
    broker_password: str | None = None
    broker_token: str | None = None
    provider_base_url: str | None = None
    provider_states_setup_url: str | None = None
    headers: Mapping[str, str] | Sequence[str] = ()
    request_timeout: float | None = None
    """Seconds."""
    consumer_tags: Sequence[str] = ()
    consumer_version_selectors: Sequence[Mapping[str, Any] | str] = ()
    provider_branch: str | None = None
    provider_tags: Sequence[str] = ()
    enable_pending: bool = False
    include_wip_pacts_since: str | None = None
    publish_verification_results: bool = False
    publish_version: str | None = None
    build_url: str | None = None
    log_dir: str | None = None
    log_level: str | None = None
    verbose: bool = False

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Create options from keyword arguments, and warn about unknown ones, which pact-python ignored.

        Raises ValueError if results are to be published without a version.
        """
        named = {_OTHER_NAMES.get(name, name): value for name, value in values.items() if value is not None}
        names = {field.name for field in fields(cls)}
        if unknown := sorted(named.keys() - names):
            warnings.warn(f"These options have no effect: {', '.join(unknown)}.", stacklevel=4)
        if named.get("log_level") and not named.get("log_dir"):
            warnings.warn("log_level has no effect without log_dir.", stacklevel=4)
        for name in _LISTS & named.keys():
            named[name] = [named[name]] if isinstance(named[name], str) else list(named[name])
        options = cls(**{name: value for name, value in named.items() if name in names})
        if options.publish_verification_results and not options.publish_version:
            raise ValueError("To publish verification results, give the provider's version as publish_version.")
        return options

    @property
    def connection(self) -> BrokerConnection:
        """The broker. Raises BrokerError if its URL is missing."""
        return connect(
            {
                "broker_base_url": self.broker_url,
                "broker_username": self.broker_username,
                "broker_password": self.broker_password,
                "broker_token": self.broker_token,
            }
        )

    @property
    def header_items(self) -> list[tuple[str, str]]:
        """The headers, in either form that pact-python accepted: a mapping, or a list of `Name: value`."""
        if isinstance(self.headers, Mapping):
            return list(self.headers.items())
        parts = [line.partition(":") for line in self.headers]
        return [(name.strip(), value.strip()) for name, _, value in parts]

    @property
    def selectors(self) -> list[dict[str, Any]]:
        """The selectors in the broker's format; each may have been passed as JSON text."""
        return [
            json.loads(selector) if isinstance(selector, str) else dict(selector)
            for selector in self.consumer_version_selectors
        ]
