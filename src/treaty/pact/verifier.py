"""The provider's side: a provider is verified against files, or against the pacts of a broker."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pact as modern


class Result(int):
    """The exit code, 0 for success; unpacked it is the code and what there was to read."""

    logs: str

    def __new__(cls, code: int, logs: str) -> Self:
        result = super().__new__(cls, code)
        result.logs = logs
        return result

    def __iter__(self) -> Iterator[Any]:
        return iter((int(self), self.logs))


class Verifier:
    def __init__(self, provider: str, provider_base_url: str | None = None, **_: Any) -> None:
        self.provider = provider
        self.provider_base_url = provider_base_url

    def verify_pacts(self, *pacts: str | Path, **options: Any) -> Result:
        """Verify files, folders or URLs of pacts; options are those of `verify_with_broker`, as far as they apply."""
        missing = [str(pact) for pact in pacts if "://" not in str(pact) and not Path(pact).exists()]
        if missing:
            raise FileNotFoundError(f"Missing pact files [{', '.join(missing)}]")
        verifier = self._verifier(options)
        for pact in pacts:
            verifier.add_source(str(pact) if "://" in str(pact) else Path(pact))
        publish(verifier, options)
        return run(verifier)

    def verify_with_broker(self, **options: Any) -> Result:
        """Verify the pacts that a broker selects.

        Options are `broker_url`, `broker_username`, `broker_password`, `broker_token`, `provider_base_url`,
        `provider_states_setup_url`, `custom_provider_headers`, `request_timeout` (seconds), `consumer_tags`,
        `consumer_version_selectors`, `provider_branch`, `provider_tags`, `enable_pending`, `include_wip_pacts_since`;
        and for results `publish_version`, and `publish_verification_results=False` to keep them here.
        """
        verifier = self._verifier(options)
        select_pacts(verifier, options)
        publish(verifier, options)
        return run(verifier)

    def _verifier(self, options: Mapping[str, Any]) -> modern.Verifier:
        url = options.get("provider_base_url") or self.provider_base_url
        if not url:
            raise ValueError("The provider's address is missing: give provider_base_url.")
        verifier = modern.Verifier(self.provider, host=urlsplit(url).hostname).add_transport(url=url)
        if setup := options.get("provider_states_setup_url"):
            verifier.state_handler(setup, body=True)
        for name, value in _headers(options.get("custom_provider_headers") or options.get("headers")):
            verifier.add_custom_header(name, value)
        if timeout := options.get("request_timeout"):
            verifier.set_request_timeout(int(timeout * 1000))
        return verifier


def _headers(given: Any) -> list[tuple[str, str]]:
    """Take headers as a mapping, or as lines of name and value."""
    if isinstance(given, Mapping):
        return list(given.items())
    parts = [line.partition(":") for line in given or []]
    return [(name.strip(), value.strip()) for name, _, value in parts]


def select_pacts(verifier: modern.Verifier, options: Mapping[str, Any]) -> None:
    credentials = {name: options.get(f"broker_{name}") for name in ("username", "password", "token")}
    given = {name: value for name, value in credentials.items() if value}
    source: Any = verifier.broker_source  # its overloads know no union of credentials
    builder = (
        source(options["broker_url"], selector=True, **given) if options.get("broker_url") else source(selector=True)
    )
    if options.get("enable_pending"):
        builder.include_pending()
    if since := options.get("include_wip_pacts_since"):
        builder.include_wip_since(since)
    if named := branch(options):
        builder.provider_branch(named)
    builder.provider_tags(*tags(options)).consumer_tags(*(options.get("consumer_tags") or []))
    for selector in options.get("consumer_version_selectors") or []:
        builder.consumer_version(**_selector(selector))
    builder.build()


def _selector(given: Any) -> dict[str, Any]:
    """Write a selector's names as Python does."""
    selector = json.loads(given) if isinstance(given, str) else given
    return {re.sub(r"(?<=[a-z])[A-Z]", lambda found: f"_{found[0].lower()}", name): selector[name] for name in selector}


def branch(options: Mapping[str, Any]) -> str | None:
    return options.get("provider_branch") or options.get("provider_version_branch")


def tags(options: Mapping[str, Any]) -> list[str]:
    given = options.get("provider_tags") or options.get("provider_version_tags") or []
    return [given] if isinstance(given, str) else list(given)


def publish(verifier: modern.Verifier, options: Mapping[str, Any]) -> None:
    version = options.get("publish_version") or options.get("provider_app_version")
    if version and options.get("publish_verification_results", True):
        verifier.set_publish_options(
            version=str(version), branch=branch(options), tags=tags(options), url=options.get("build_url")
        )


def run(verifier: modern.Verifier) -> Result:
    try:
        verifier.verify()
    except RuntimeError as error:
        text = verifier.output(strip_ansi=True).strip() or str(error)
        sys.stderr.write(f"{text}\n")
        return Result(1, text)
    return Result(0, verifier.output(strip_ansi=True))
