"""Commands for pacts: publishing, listing and downloading them, and the provider states that they use."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import builds, names, options, output, pactfiles, validation, version_lookups
from treaty.cli.output_files import write_file
from treaty.cli.pacticipants import add_aliases
from treaty.cli.program import Command, Failure, Flag, suggest_options
from treaty.errors import ClientError, MissingRelation, Refused
from treaty.exact_json import serialize_spaced

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treaty.cli.builds import Build
    from treaty.cli.pactfiles import PactFile
    from treaty.client import BrokerClient, HalResource, Json, Query

_OLD_BROKER: Final = (
    "WARN: This version of the Pact Broker does not support versions with branches or build URLs. Please upgrade your "
    "broker to 2.86.0 or later."
)
_MERGING: Final = "A pact for this consumer version is already published. Merging contents."
_OVERWRITING: Final = (
    "A pact for this consumer version is already published. Overwriting. (Note: Overwriting pacts is not recommended "
    "as it can lead to race conditions. Best practice is to provide a unique consumer version number for each "
    "publication. For more information, see https://docs.pact.io/versioning)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicationMode:
    """What a publication may do to the data of the broker."""

    merges: bool = False
    """Whether pacts are merged into those that the version has already published."""
    allows_similar_names: bool = False
    """Whether new applications may have names that are similar to existing ones."""

    @property
    def query(self) -> Query:
        return [("allowSimilarNames", "true")] if self.allows_similar_names else []

    def add_to(self, url: str) -> str:
        return url + "?allowSimilarNames=true" if self.allows_similar_names else url


DEFAULT_MODE: Final = PublicationMode()


@click.command("publish", cls=Command)
@click.argument("pacts", nargs=-1, metavar="PACT_DIRS_OR_FILES ...", type=click.UNPROCESSED)
@click.option("-a", "--consumer-app-version", help="The consumer's version number.")
@builds.version_options
@click.option("--merge/--no-merge", cls=Flag, help="Merge with the pact of the same version, instead of replacing it.")
@click.option(
    "--allow-similar-names/--no-allow-similar-names",
    cls=Flag,
    help="Publish even if a new application has a name that is similar to an existing one. Treaty only.",
)
@click.option("--validate/--no-validate", cls=Flag, help="Check all files first; publish none if one has errors.")
@click.option("--strict/--no-strict", cls=Flag, help="Validate, and treat warnings as errors.")
@click.option(
    "--unchanged-since",
    metavar="VERSION",
    help="Publish nothing, since the application is unchanged since this version: the new version becomes an alias of "
    "it. Needs --pacticipant. Treaty only.",
)
@click.option("--pacticipant", help="The application that --unchanged-since is about. Treaty only.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def publish(
    broker: BrokerClient,
    pacts: tuple[str, ...],
    form: str,
    *,
    merge: bool,
    allow_similar_names: bool,
    validate: bool,
    strict: bool,
    unchanged_since: str | None,
    pacticipant: str | None,
    **values: Any,
) -> None:
    """Publish pacts to a broker."""
    if unchanged_since is not None:
        _publish_alias(broker, pacts, pacticipant, unchanged_since, values)
        return
    mode = PublicationMode(merges=merge, allows_similar_names=allow_similar_names)
    _check_arguments(pacts)
    build = builds.read_build(values, version_option="consumer_app_version")
    if validate or strict:
        validation.validate(pactfiles.find_pact_files(pacts), strict=strict, form=form)
    files = pactfiles.read_pact_files(pacts)
    try:
        _publish_together(broker, build, files, mode, form=form)
    except OldBroker:
        publish_one_by_one(broker, build, files, mode)


def _publish_alias(
    broker: BrokerClient, pacts: Sequence[str], pacticipant: str | None, version: str, values: Json
) -> None:
    if pacts:
        raise Failure(
            "With --unchanged-since, no pacts are published, so that none can be given.\n"
            "If the pacts may have changed, leave out --unchanged-since."
        )
    if not pacticipant:
        raise Failure("No value provided for required option '--pacticipant', which --unchanged-since is about")
    build = builds.read_build(values, version_option="consumer_app_version")
    add_aliases(broker, pacticipant, version, [build.version])


def _check_arguments(arguments: Sequence[str]) -> None:
    # An unknown option before the files is read as one of them.
    unknown_options = [argument for argument in arguments if argument.startswith("-")]
    if unknown_options:
        words = ", ".join(f'"{word}"' for word in unknown_options)
        suggestions = suggest_options(click.get_current_context().command, unknown_options)
        text = f"ERROR: pact-broker publish was called with invalid arguments [{words}]"
        raise Failure(f"{text}\n{suggestions}See `help publish`.")
    if not arguments:
        raise Failure(
            "No value provided for required pact_files\nGive the directory with the pacts, or files, after `publish`."
        )


class OldBroker(Exception):
    """Raised before anything is published: this broker, before 2.86, takes pacts one by one only."""


def _publish_together(
    broker: BrokerClient, build: Build, files: list[PactFile], mode: PublicationMode, *, form: str
) -> None:
    with output.show_progress(f"Publishing {len(files)} pacts"):
        responses = publish_contracts(broker, build, files, mode)
    if form == "text":
        for consumer, response in zip(dict.fromkeys(file.consumer for file in files), responses, strict=True):
            text = output.format_publication(response) or output.green("Successfully published pacts")
            is_published = not isinstance(response, Refused)
            output.print_line(version_lookups.add_page(broker, text, consumer, build.version) if is_published else text)
            if isinstance(response, Refused):
                output.print_hint(response)
                output.print_error(f"See {broker.url_for('pacticipants', consumer)}")
    else:
        output.print_line(output.format_array([response.body for response in responses], form))
    if any(isinstance(response, Refused) for response in responses):
        raise SystemExit(1)


def publish_contracts(
    broker: BrokerClient, build: Build, files: Iterable[PactFile], mode: PublicationMode = DEFAULT_MODE
) -> list[HalResource | Refused]:
    """Publish the pacts of each consumer together. A refused publication does not prevent those of other consumers.

    Raises OldBroker, and Refused if the credentials do not permit the first publication.
    """
    if "publish_pacts_using_old_api" in os.environ.get("PACT_BROKER_FEATURES", ""):
        raise OldBroker
    files_by_consumer: dict[str, list[PactFile]] = {}
    for file in files:
        files_by_consumer.setdefault(file.consumer, []).append(file)
    responses: list[HalResource | Refused] = []
    for consumer_files in files_by_consumer.values():
        try:
            body = _publication(build, consumer_files, merge=mode.merges)
            responses.append(broker.follow("POST", "pb:publish-contracts", {}, body, mode.query))
        except MissingRelation as error:
            raise OldBroker from error
        except Refused as refused:
            if refused.is_denied and not responses:
                raise
            responses.append(refused)
    return responses


def _publication(build: Build, files: list[PactFile], *, merge: bool) -> Json:
    optional = {"branch": build.branch, "buildUrl": build.build_url}
    return {
        "pacticipantName": files[0].consumer,
        "pacticipantVersionNumber": build.version,
        "tags": list(build.tags),
        **{name: value for name, value in optional.items() if value},
        "contracts": [_contract(file, merge=merge) for file in files],
    }


def _contract(file: PactFile, *, merge: bool) -> Json:
    contract = {
        "consumerName": file.consumer,
        "providerName": file.provider,
        "specification": "pact",
        "contentType": "application/json",
        "content": file.base64_content,
    }
    return contract | ({"onConflict": "merge"} if merge else {})


def publish_one_by_one(
    broker: BrokerClient, build: Build, files: list[PactFile], mode: PublicationMode = DEFAULT_MODE
) -> None:
    """Publish to a broker before 2.86: first the tags, then each pact with a request of its own.

    The tags come first so that webhooks of a publication already see them. Raises ClientError if a pact fails.
    """
    output.print_line()
    if build.branch or build.build_url:
        output.print_line(output.yellow(_OLD_BROKER))
    consumers = dict.fromkeys(file.consumer for file in files)
    are_tagged = [_tag(broker, build, consumer, tag) for tag in build.tags for consumer in consumers]
    are_published = [_publish_file(broker, build, file, mode) for file in files] if all(are_tagged) else []
    if not are_published or not all(are_published):
        raise ClientError("One or more pacts failed to be published", hint="The lines above have the reasons.")


def _tag(broker: BrokerClient, build: Build, consumer: str, tag: str) -> bool:
    try:
        broker.put(broker.url_for("pacticipants", consumer, "versions", build.version, "tags", tag))
    except ClientError as error:
        output.print_error(f"Failed to tag version due to error: {error}")
        return False
    output.print_line(f'Tagged version {build.version} of {consumer} as "{tag}"')
    return True


def _publish_file(broker: BrokerClient, build: Build, file: PactFile, mode: PublicationMode) -> bool:
    output.print_line(f"Publishing {file.consumer}/{file.provider} pact to pact broker at {broker.url}")
    try:
        response = _put_or_merge(broker, build, file, mode)
    except ClientError as error:
        output.print_error(f"Failed to publish {file.consumer}/{file.provider} pact due to error: {error}")
        return False
    output.print_line(f"The latest version of this pact can be accessed at the following URL:\n{_latest_url(response)}")
    return True


def _put_or_merge(broker: BrokerClient, build: Build, file: PactFile, mode: PublicationMode) -> HalResource:
    url = broker.url_for("pacts", "provider", file.provider, "consumer", file.consumer, "version", build.version)
    if broker.find(url):
        output.print_line(_MERGING if mode.merges else output.yellow(_OVERWRITING))
    if mode.merges:
        return broker.patch(mode.add_to(url), file.compact_json, content_type="application/json")
    return broker.put(mode.add_to(url), file.compact_json)


def _latest_url(response: HalResource) -> str:
    """Return the URL of the latest version; its relation has had several names in the original broker."""
    relations = list(response.body.get("_links") or {})
    for words in (("latest", "pact", "version"), ("latest", "pact")):
        for relation in relations:
            if all(word in relation for word in words):
                return response.link(relation).href
    return response.url


@click.command("list-latest-pact-versions", cls=Command)
@options.output_option("table", "json")
@options.connection_options()
def list_latest_pact_versions(broker: BrokerClient, form: str) -> None:
    """List the latest pact of each integration."""
    response = broker.get(broker.link("pb:latest-pact-versions"))
    if form == "json":
        output.print_if_any(response.text)
        return
    headings = ["CONSUMER", "CONSUMER_VERSION", "PROVIDER", "CREATED_AT"]
    output.print_if_any(output.format_table(headings, [_pact_row(pact) for pact in response.body.get("pacts") or []]))


def _pact_row(pact: Json) -> list[str]:
    consumer, provider = pact["_embedded"]["consumer"], pact["_embedded"]["provider"]
    return [consumer["name"], consumer["_embedded"]["version"]["number"], provider["name"], pact.get("createdAt", "")]


@click.command("get-pacts", cls=Command)
@click.option("--provider", required=True, help="The provider's name.")
@click.option("--consumer", help="Only pacts of this consumer.")
@click.option("--branch", help="Pacts from this branch of the consumers, instead of their main branches.")
@click.option("--latest/--no-latest", cls=Flag, help="Only the latest pact of each consumer.")
@click.option("--download/--no-download", cls=Flag, help="Save the pacts as files.")
@click.option("--download-dir", default="./pacts", show_default=True, help="The folder for the files.")
@options.output_option("table", "json")
@options.connection_options()
def get_pacts(broker: BrokerClient, form: str, *, download: bool, download_dir: str, **scope: Any) -> None:
    """List or download the pacts that a provider verifies."""
    links = broker.get(broker.url_for(*_pacts_path(**scope))).links("pb:pacts")
    if not links and scope["branch"]:
        names.print_missing_branch(broker, scope["branch"], provider=scope["provider"], consumer=scope["consumer"])
    if download:
        _download(broker, [link.href for link in links], Path(download_dir))
    if form == "json":
        output.print_line(output.format_indented({"pacts": [asdict(link) for link in links]}))
    else:
        rows = [[link.name, link.title, link.href] for link in links]
        output.print_if_any(output.format_table(["CONSUMER", "TITLE", "LINK"], rows, whole={"LINK"}))


def _pacts_path(*, provider: str, consumer: str | None, branch: str | None, latest: bool) -> list[str]:
    consumer_segments = ["consumer", consumer] if consumer else []
    # A path that ends with `branch` means the main branch of each consumer.
    branch_segments = ["branch", branch] if branch else ["branch"]
    return ["pacts", "provider", provider, *consumer_segments, *branch_segments, *(["latest"] if latest else [])]


def _download(broker: BrokerClient, urls: Sequence[str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with output.show_progress(f"Downloading {len(urls)} pacts"):
        for url in urls:
            output.print_line(f"  → {_save(broker.get(url), directory)}")


def _save(pact: HalResource, directory: Path) -> Path:
    names = [pact.link(f"pb:{part}").name for part in ("consumer", "provider", "consumer-version")]
    # Names come from the broker and may contain slashes, which must not lead out of the folder.
    file = directory / (re.sub(r'[/\\:*?"<>|]', "_", "-".join(names)) + ".json")
    write_file(file, output.format_indented(pact.body) + "\n")
    return file


@click.command("list", cls=Command)
@click.option("-r", "--provider", required=True, help="The provider's name.")
@click.option("--branch", help="Use the pacts of this branch, instead of the consumers' main branches.")
@click.option("--environment", help="Use the pacts of the versions deployed or released to this environment.")
@click.option("--json", "as_json", is_flag=True, help="Print the broker's response.")
@options.connection_options()
def list_provider_states(
    broker: BrokerClient, provider: str, branch: str | None, environment: str | None, *, as_json: bool
) -> None:
    """List the provider states that a provider's pacts use."""
    if branch and environment:
        raise Failure("Give either --branch or --environment, not both.")
    scope = ["branch", branch] if branch else ["environment", environment] if environment else []
    response = broker.get(broker.url_for("pacts", "provider", provider, "provider-states", *scope))
    if not response.body.get("providerStates"):
        _explain_absence(broker, provider, branch)
    if as_json:
        output.print_line(response.text)
    else:
        _show_states(provider, f"{scope[0].capitalize()}: {scope[1]}" if scope else "Scope: Main branch", response)


def _explain_absence(broker: BrokerClient, provider: str, branch: str | None) -> None:
    """Print why there are no provider states, if the reason is a misspelt name."""
    if branch:
        names.print_missing_branch(broker, branch, provider=provider, consumer=None)
    else:
        names.print_missing_name(broker)


def _show_states(provider: str, scope: str, response: HalResource) -> None:
    output.print_line(f"Provider States for Provider: {provider}\n{scope}\n")
    headings = ["Provider State Name", "Consumers", "Parameters"]
    rows = [_state_row(state) for state in response.body.get("providerStates") or []]
    output.print_line(output.format_table(headings, rows) or "No provider states found.")


def _state_row(state: Json) -> list[str]:
    params = serialize_spaced(state["params"]) if state.get("params") else ""
    return [state["name"] or "(empty name)", ", ".join(state.get("consumers") or []), params]
