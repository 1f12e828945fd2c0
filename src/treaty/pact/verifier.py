"""`Verifier` of pact-python 1 and 2: verifies a provider against pact files, or against the pacts of a broker."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pact as modern

from treaty.client import BrokerConnection, check_links


class Result(int):
    """The exit code, 0 for success, with the verifier's output in `logs`.

    Some versions of pact-python returned the code, others a tuple of both; this result can be used as either.
    """

    logs: str

    def __new__(cls, code: int, logs: str) -> Self:
        result = super().__new__(cls, code)
        result.logs = logs
        return result

    def __iter__(self) -> Iterator[Any]:
        return iter((int(self), self.logs))


class Verifier:
    """Verifies a provider. Other arguments that pact-python accepted are ignored."""

    def __init__(self, provider: str, provider_base_url: str | None = None, **_: Any) -> None:
        self.provider = provider
        self.provider_base_url = provider_base_url

    def verify_pacts(self, *pacts: str | Path, **options: Any) -> Result:
        """Verify pact files, folders or URLs. Options are those of `verify_with_broker` that do not select pacts.

        Raises FileNotFoundError for a missing file and ValueError without the provider's URL.
        """
        missing = [str(pact) for pact in pacts if "://" not in str(pact) and not Path(pact).exists()]
        if missing:
            raise FileNotFoundError(f"Missing pact files [{', '.join(missing)}]")
        verifier = self._create_verifier(options)
        for pact in pacts:
            verifier.add_source(str(pact) if "://" in str(pact) else Path(pact))
        publish(verifier, options)
        return run(verifier)

    def verify_with_broker(self, **options: Any) -> Result:
        """Verify the pacts that a broker selects.

        Options are `broker_url`, `broker_username`, `broker_password`, `broker_token`, `provider_base_url`,
        `provider_states_setup_url`, `custom_provider_headers`, `request_timeout` (seconds), `consumer_tags`,
        `consumer_version_selectors`, `provider_branch`, `provider_tags`, `enable_pending`, `include_wip_pacts_since`;
        for results `publish_version`, and `publish_verification_results=False` to not publish them. Raises ValueError
        without the provider's URL.
        """
        verifier = self._create_verifier(options)
        select_pacts(verifier, options)
        publish(verifier, options)
        return run(verifier)

    def _create_verifier(self, options: Mapping[str, Any]) -> modern.Verifier:
        url = options.get("provider_base_url") or self.provider_base_url
        if not url:
            raise ValueError("The provider's URL is missing: pass provider_base_url.")
        verifier = modern.Verifier(self.provider, host=urlsplit(url).hostname).add_transport(url=url)
        if setup_url := options.get("provider_states_setup_url"):
            verifier.state_handler(setup_url, body=True)
        for name, value in _parse_headers(options.get("custom_provider_headers") or options.get("headers")):
            verifier.add_custom_header(name, value)
        if timeout := options.get("request_timeout"):
            verifier.set_request_timeout(int(timeout * 1000))
        return verifier


def _parse_headers(headers: Any) -> list[tuple[str, str]]:
    """Parse headers in either form that pact-python accepted: a mapping, or a list of `Name: value`."""
    if isinstance(headers, Mapping):
        return list(headers.items())
    parts = [line.partition(":") for line in headers or []]
    return [(name.strip(), value.strip()) for name, _, value in parts]


def select_pacts(verifier: modern.Verifier, options: Mapping[str, Any]) -> None:
    """Add a broker's pacts to a verifier. Without `broker_url`, pact-python reads its environment variables.

    Raises ForeignOrigin if the broker's links would lead the verifier, with the credentials, to another origin.
    """
    names = ("username", "password", "token")
    credentials = {name: value for name in names if (value := options.get(f"broker_{name}"))}
    _check_links(options)
    source: Any = verifier.broker_source  # its overloads do not accept a dictionary of credentials
    url = options.get("broker_url")
    builder = source(url, selector=True, **credentials) if url else source(selector=True)
    if options.get("enable_pending"):
        builder.include_pending()
    if since := options.get("include_wip_pacts_since"):
        builder.include_wip_since(since)
    if provider_branch := branch(options):
        builder.provider_branch(provider_branch)
    builder.provider_tags(*tags(options)).consumer_tags(*(options.get("consumer_tags") or []))
    for selector in options.get("consumer_version_selectors") or []:
        builder.consumer_version(**_to_keyword_arguments(selector))
    builder.build()


def _check_links(options: Mapping[str, Any]) -> None:
    names = ("username", "password", "token")
    credentials: dict[str, Any] = {
        name: options.get(f"broker_{name}") or os.environ.get(f"PACT_BROKER_{name.upper()}") for name in names
    }
    if url := options.get("broker_url") or os.environ.get("PACT_BROKER_BASE_URL"):
        check_links(BrokerConnection(base_url=url, **credentials))


def _to_keyword_arguments(selector: Any) -> dict[str, Any]:
    """Convert the names of a selector, which may be JSON text, from camel case to snake case."""
    members = json.loads(selector) if isinstance(selector, str) else selector
    return {
        re.sub(r"(?<=[a-z])[A-Z]", lambda match: f"_{match[0].lower()}", name): value for name, value in members.items()
    }


# Versions of pact-python had different names for the same option; all of them are accepted.


def branch(options: Mapping[str, Any]) -> str | None:
    return options.get("provider_branch") or options.get("provider_version_branch")


def tags(options: Mapping[str, Any]) -> list[str]:
    raw_tags = options.get("provider_tags") or options.get("provider_version_tags") or []
    return [raw_tags] if isinstance(raw_tags, str) else list(raw_tags)


def publish(verifier: modern.Verifier, options: Mapping[str, Any]) -> None:
    """Let a verifier publish its results if the options name the provider's version."""
    version = options.get("publish_version") or options.get("provider_app_version")
    if version and options.get("publish_verification_results", True):
        verifier.set_publish_options(
            version=str(version), branch=branch(options), tags=tags(options), url=options.get("build_url")
        )


def run(verifier: modern.Verifier) -> Result:
    """Run a verifier. A failure is printed to standard error, as pact-python did."""
    try:
        verifier.verify()
    except RuntimeError as error:
        text = verifier.output(strip_ansi=True).strip() or str(error)
        sys.stderr.write(f"{text}\n")
        return Result(1, text)
    return Result(0, verifier.output(strip_ansi=True))
