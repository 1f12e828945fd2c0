"""`Verifier` of pact-python 1 and 2: verifies a provider against pact files, or against the pacts of a broker."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
import pact as modern

from treaty.client import check_links
from treaty.errors import ClientError
from treaty.pact import selection
from treaty.pact.provider_states import StateChanges
from treaty.pact.verification_options import VerificationOptions
from treaty.testing import callbacks, logs, pact_files
from treaty.testing.callbacks import Callbacks

_URL_SCHEMES: Final = ("http://", "https://")
_UNNAMED: Final = "provider"
_NO_LOG_LEVELS: Final = {"NONE", "OFF"}


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
    """Verifies a provider."""

    def __init__(self, provider: str, provider_base_url: str | None = None, **values: Any) -> None:
        self.provider = provider
        self.provider_base_url = provider_base_url
        if values:
            names = ", ".join(sorted(values))
            warnings.warn(f"Pass these options to the method that verifies instead: {names}.", stacklevel=2)

    def __str__(self) -> str:
        return f"Verifier for {self.provider} with url {self.provider_base_url}"

    def verify_pacts(
        self,
        *pacts: str | Path,
        enable_pending: bool = False,
        include_wip_pacts_since: str | None = None,
        **values: Any,
    ) -> Result:
        """Verify pact files, URLs, or the provider's pacts in folders.

        Options are those of `verify_with_broker` that do not select pacts. Raises FileNotFoundError if a file is
        missing or a folder has no pacts of the provider, and ValueError without the provider's URL.
        """
        options = VerificationOptions.parse(
            {**values, "enable_pending": enable_pending, "include_wip_pacts_since": include_wip_pacts_since}
        )
        sources = _find_sources(pacts, self.provider)

        def add_sources(verifier: modern.Verifier) -> None:
            for source in sources:
                _add_source(verifier, source, options)

        return self._verify(options, add_sources, lambda: _read_consumers(sources, options))

    def verify_with_broker(
        self, enable_pending: bool = False, include_wip_pacts_since: str | None = None, **values: Any
    ) -> Result:
        """Verify the pacts that a broker selects.

        Options are `broker_url`, `broker_username`, `broker_password`, `broker_token`, `provider_base_url`,
        `provider_states_setup_url`, `headers` (or `custom_provider_headers`), `request_timeout` (seconds),
        `consumer_tags`, `consumer_version_selectors`, `provider_branch`, `provider_tags`, `log_dir`, `log_level`,
        `verbose`; for results `publish_verification_results=True`, `publish_version` and `build_url`. Raises ValueError
        without the provider's URL.
        """
        options = VerificationOptions.parse(
            {**values, "enable_pending": enable_pending, "include_wip_pacts_since": include_wip_pacts_since}
        )
        return self._verify(
            options,
            lambda verifier: select_pacts(verifier, options),
            lambda: selection.list_consumers(self.provider, options),
        )

    def _verify(
        self,
        options: VerificationOptions,
        add_sources: Callable[[modern.Verifier], None],
        list_consumers: Callable[[], Sequence[str]],
    ) -> Result:
        """Verify the pacts of each consumer on their own if the provider's states depend on it."""
        consumers = _list_or_none(list_consumers) if options.provider_states_setup_url else []
        with _logging(options):
            results = [
                self._verify_consumer(options, add_sources, consumer, is_only=len(consumers) <= 1)
                for consumer in consumers or [""]
            ]
        return Result(max(results), "\n".join(result.logs for result in results))

    def _verify_consumer(
        self,
        options: VerificationOptions,
        add_sources: Callable[[modern.Verifier], None],
        consumer: str,
        *,
        is_only: bool,
    ) -> Result:
        with ExitStack() as stack:
            verifier = self._create_verifier(options)
            failures: list[str] = []
            if options.provider_states_setup_url:
                served = Callbacks(states=StateChanges(options, consumer).forward, failures=failures)
                port = stack.enter_context(callbacks.serve_callbacks(served))
                verifier.state_handler(f"http://127.0.0.1:{port}{callbacks.STATES_PATH}", body=True)
            if not is_only:
                verifier.filter_consumers(consumer)
            add_sources(verifier)
            publish(verifier, options)
            return run(verifier, options, failures)

    def _create_verifier(self, options: VerificationOptions) -> modern.Verifier:
        url = options.provider_base_url or self.provider_base_url
        if not url:
            raise ValueError("The provider's URL is missing: pass provider_base_url.")
        verifier = modern.Verifier(self.provider or _UNNAMED, host=urlsplit(url).hostname).add_transport(url=url)
        for name, value in options.header_items:
            verifier.add_custom_header(name, value)
        if options.request_timeout:
            verifier.set_request_timeout(int(options.request_timeout * 1000))
        return verifier


def _find_sources(pacts: Sequence[str | Path], provider: str) -> list[str | Path]:
    """Return files and URLs. Raises FileNotFoundError if one is missing, as verifying nothing must not succeed."""
    paths = [Path(pact) for pact in pacts if not _is_url(pact)]
    if missing := [str(path) for path in paths if not path.exists()]:
        raise FileNotFoundError(f"Missing pact files [{', '.join(missing)}]")
    if not pacts:
        raise FileNotFoundError("There is nothing to verify: pass pact files, folders or URLs.")
    return [source for pact in pacts for source in ([str(pact)] if _is_url(pact) else _expand(Path(pact), provider))]


def _is_url(pact: object) -> bool:
    return str(pact).startswith(_URL_SCHEMES)


def _expand(path: Path, provider: str) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = [file for file in sorted(path.glob("*.json")) if provider in {"", _provider_name(file)}]
    if not files:
        owner = f" of the provider {provider}" if provider else ""
        raise FileNotFoundError(f"There are no pacts{owner} in the folder {path}.")
    return files


def _provider_name(file: Path) -> str | None:
    try:
        return pact_files.read_file(file).provider
    except ClientError:
        return None  # a JSON file that is no pact


def _list_or_none(list_consumers: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return the consumers; none if they cannot be determined, which the verification itself will report."""
    try:
        return list_consumers()
    except (ClientError, OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
        return []


def _read_consumers(sources: Sequence[str | Path], options: VerificationOptions) -> list[str]:
    documents = [document for source in sources for document in _read(source, options)]
    return list(dict.fromkeys(str(document["consumer"]["name"]) for document in documents))


def _read(source: str | Path, options: VerificationOptions) -> list[Any]:
    if isinstance(source, Path):
        return [pact_files.read_file(source).content]
    token, credentials = options.broker_token, (options.broker_username or "", options.broker_password or "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    auth = credentials if any(credentials) else None
    return [httpx.get(source, headers=headers, auth=auth, follow_redirects=True).raise_for_status().json()]


def _add_source(verifier: modern.Verifier, source: str | Path, options: VerificationOptions) -> None:
    add: Any = verifier.add_source  # its overloads do not accept a dictionary of credentials
    if isinstance(source, Path):
        add(source)
    elif options.broker_token:
        add(source, token=options.broker_token)
    elif options.broker_username:
        add(source, username=options.broker_username, password=options.broker_password)
    else:
        add(source)


def select_pacts(verifier: modern.Verifier, options: VerificationOptions) -> None:
    """Add a broker's pacts to a verifier.

    Raises BrokerError without the broker's URL, and ForeignOrigin if the broker's links would lead the verifier, with
    the credentials, to another origin.
    """
    connection = options.connection
    check_links(connection)
    credentials = {name: getattr(connection, name) for name in ("username", "password", "token")}
    source: Any = verifier.broker_source  # its overloads do not accept a dictionary of credentials
    builder = source(connection.url, selector=True, use_env=False, **{k: v for k, v in credentials.items() if v})
    if options.enable_pending:
        builder.include_pending()
    if options.include_wip_pacts_since:
        builder.include_wip_since(options.include_wip_pacts_since)
    if options.provider_branch:
        builder.provider_branch(options.provider_branch)
    builder.provider_tags(*options.provider_tags).consumer_tags(*options.consumer_tags)
    for selector in options.selectors:
        builder.consumer_version(**_to_keyword_arguments(selector))
    builder.build()


def _to_keyword_arguments(selector: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the names of a selector from camel case to snake case."""
    return {
        re.sub(r"(?<=[a-z])[A-Z]", lambda match: f"_{match[0].lower()}", name): value
        for name, value in selector.items()
    }


def publish(verifier: modern.Verifier, options: VerificationOptions) -> None:
    """Let a verifier publish its results if the options request it."""
    if options.publish_verification_results:
        verifier.set_publish_options(
            version=str(options.publish_version),
            branch=options.provider_branch,
            tags=list(options.provider_tags),
            url=options.build_url,
        )


def run(verifier: modern.Verifier, options: VerificationOptions, failures: Sequence[str]) -> Result:
    """Run a verifier. The output of a failure, and with `verbose` any output, is printed to standard error."""
    code = 0
    try:
        verifier.verify()
    except RuntimeError as error:
        code = 1
        output = verifier.output(strip_ansi=True).strip() or str(error)
    else:
        output = verifier.output(strip_ansi=True)
    text = "\n".join([output, *(failures if code else ())])
    if code or options.verbose:
        sys.stderr.write(f"{text}\n")
    return Result(code, text)


def _logging(options: VerificationOptions) -> AbstractContextManager[None]:
    level = (options.log_level or "INFO").upper()
    if not options.log_dir or level in _NO_LOG_LEVELS:
        return nullcontext()
    return logs.logged_to(Path(options.log_dir) / "pact.log", logging.getLevelNamesMapping().get(level, logging.DEBUG))
