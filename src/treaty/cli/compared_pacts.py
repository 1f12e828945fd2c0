"""Pacts to compare with documents: from files, or those of an environment or of main branches from a broker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from treaty.cli import names, output, pactfiles
from treaty.cli.program import Failure
from treaty.errors import ClientError
from treaty.model.compare.reports import SelectedPact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.client import BrokerClient, Json

DEFAULT_FOLDER: Final = "pacts"
_NO_SOURCE: Final = (
    "There are no pacts to compare with: the folder ./pacts does not exist.\n"
    "Give files or a folder as --pacts, or take the pacts from a broker with --environment or --main."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PactSource:
    """Where pacts are taken from. `pacts` are files, folders or patterns."""

    pacts: tuple[str, ...]
    environment: str | None
    main: bool
    provider: str | None


def select_pacts(source: PactSource, broker: BrokerClient | None) -> list[SelectedPact]:
    """Return the pacts of one provider.

    Raises Failure if the options are incomplete or contradictory, and ClientError if files are no pacts, or if the
    broker does not have a name.
    """
    if source.environment and source.main:
        raise Failure("Give either --environment or --main. To compare with both, run the command twice.")
    if source.environment or source.main:
        return _fetch(source, broker)
    paths = source.pacts or ((DEFAULT_FOLDER,) if Path(DEFAULT_FOLDER).is_dir() else ())
    if not paths:
        raise Failure(_NO_SOURCE)
    pacts = [read_pact(path) for path in pactfiles.find_pact_files(paths)]
    return _of_one_provider(pacts, source.provider)


def read_pact(path: str) -> SelectedPact:
    """Read a pact file. Raises ClientError."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        text = f"The pact file {path} is not valid JSON: {error.msg}, in line {error.lineno}, column {error.colno}."
        raise ClientError(text, hint="Write the pact again: run the consumer's tests.") from error
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ClientError(f"The pact file {path} cannot be read: {reason}.", hint="Check the file.") from error
    pact = SelectedPact(content=content if isinstance(content, dict) else {}, source=path)
    if not pact.consumer or not pact.provider:
        text = f"{path} is not a pact: it does not name a consumer and a provider."
        raise ClientError(text, hint="Give only pacts as --pacts, or the folder that contains them.")
    return pact


def _of_one_provider(pacts: Sequence[SelectedPact], provider: str | None) -> list[SelectedPact]:
    providers = sorted({pact.provider for pact in pacts})
    if provider is None and len(providers) > 1:
        raise Failure(
            f"The pacts are of several providers: {', '.join(providers)}. Choose one of them with --provider."
        )
    selected = [pact for pact in pacts if provider in (None, pact.provider)]
    if not selected:
        raise Failure(f"No pact is of the provider {provider}. The pacts are of {', '.join(providers)}.")
    return selected


def _fetch(source: PactSource, broker: BrokerClient | None) -> list[SelectedPact]:
    if source.pacts:
        raise Failure("Give either --pacts, or --environment or --main, which take the pacts from a broker.")
    if source.provider is None:
        raise Failure("Give the name of the provider in the broker as --provider.")
    if broker is None:
        raise Failure("Give the broker's address as --broker-base-url, or set PACT_BROKER_BASE_URL.")
    selector = {"environment": source.environment} if source.environment else {"mainBranch": True}
    entries = _list_entries(broker, source.provider, selector)
    if not entries:
        _explain_absence(broker, source)
    with output.show_progress(f"Downloading {len(entries)} pacts"):
        return [_download(broker, entry) for entry in entries]


def _list_entries(broker: BrokerClient, provider: str, selector: Json) -> list[Json]:
    relations = ("pb:provider-pacts-for-verification", "beta:provider-pacts-for-verification")
    url = broker.link(*relations, provider=provider)
    response = broker.post(url, {"consumerVersionSelectors": [selector], "includePendingStatus": False})
    return response.embedded("pacts")


def _explain_absence(broker: BrokerClient, source: PactSource) -> None:
    """Raise ClientError if a name is missing; otherwise warn, since nothing can break without a pact."""
    missing_name = names.find_missing_name(broker, names.list_names(click.get_current_context()))
    if missing_name:
        raise ClientError(missing_name)
    place = f"the environment {source.environment}" if source.environment else "the main branches"
    output.print_warning(f"Warning: The broker has no pacts of {source.provider} with consumers in {place}.")


def _download(broker: BrokerClient, entry: Json) -> SelectedPact:
    pact = broker.get(entry["_links"]["self"]["href"])
    links = pact.links("pb:consumer-version") or pact.links("pb:consumer-versions")
    versions = tuple(link.name for link in links if link.name)
    # Parsed again: the client keeps numbers as they are written, which validators of schemas do not know.
    return SelectedPact(content=json.loads(pact.text), source=pact.url, versions=versions)
