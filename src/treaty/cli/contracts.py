"""Pacts: publish them, list them, fetch them, and what providers have to be prepared for."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import builds, options, output, pactfiles, validation
from treaty.cli.program import Command, Failure, Flag
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treaty.cli.builds import Build
    from treaty.cli.pactfiles import PactFile
    from treaty.client import BrokerClient, HalResource, Json

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


@click.command("publish", cls=Command)
@click.argument("pacts", nargs=-1, metavar="PACT_DIRS_OR_FILES ...", type=click.UNPROCESSED)
@click.option("-a", "--consumer-app-version", help="The consumer's version number.")
@builds.version_options
@click.option("--merge/--no-merge", cls=Flag, help="Add to what this version has published, instead of replacing it.")
@click.option("--validate/--no-validate", cls=Flag, help="First look the files over; errors keep all from being sent.")
@click.option("--strict/--no-strict", cls=Flag, help="Validate, and let what is doubtful be an error.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def publish(
    broker: BrokerClient,
    pacts: tuple[str, ...],
    form: str,
    *,
    merge: bool,
    validate: bool,
    strict: bool,
    **given: Any,
) -> None:
    """Publish pacts to a broker."""
    _check_files(pacts)
    build = builds.read_build(given, version_option="consumer_app_version")
    if validate or strict:
        validation.validate(pactfiles.find_pact_files(pacts), strict=strict, form=form)
    files = pactfiles.read_pact_files(pacts)
    if uses_old_api(broker):
        publish_one_by_one(broker, build, files, merge=merge)
    else:
        _publish_together(broker, build, files, merge=merge, form=form)


def _check_files(arguments: Sequence[str]) -> None:
    strange = [argument for argument in arguments if argument.startswith("-")]
    if strange:
        words = ", ".join(f'"{word}"' for word in strange)
        raise Failure(f"ERROR: pact-broker publish was called with invalid arguments [{words}]\nSee `help publish`.")
    if not arguments:
        raise Failure(
            "No value provided for required pact_files\nGive the pacts' directory, or files, after `publish`."
        )


def uses_old_api(broker: BrokerClient) -> bool:
    wanted = "publish_pacts_using_old_api" in os.environ.get("PACT_BROKER_FEATURES", "")
    return wanted or not broker.index.has_link("pb:publish-contracts")


def _publish_together(broker: BrokerClient, build: Build, files: list[PactFile], *, merge: bool, form: str) -> None:
    with output.show_progress(f"Publishing {len(files)} pacts"):
        answers = publish_contracts(broker, build, files, merge=merge)
    if form == "text":
        for answer in answers:
            output.print_line(output.format_publication(answer) or output.green("Successfully published pacts"))
    else:
        output.print_line(output.format_array([answer.body for answer in answers], form))
    if any(isinstance(answer, Refused) for answer in answers):
        raise SystemExit(1)


def publish_contracts(
    broker: BrokerClient, build: Build, files: Iterable[PactFile], *, merge: bool = False
) -> list[HalResource | Refused]:
    """Publish the pacts of each consumer together."""
    url = broker.link("pb:publish-contracts")
    return [_post(broker, url, _publication(build, each, merge=merge)) for each in _by_consumer(files)]


def _by_consumer(files: Iterable[PactFile]) -> list[list[PactFile]]:
    consumers: dict[str, list[PactFile]] = {}
    for file in files:
        consumers.setdefault(file.consumer, []).append(file)
    return list(consumers.values())


def _post(broker: BrokerClient, url: str, publication: Json) -> HalResource | Refused:
    """Publish one consumer's pacts; what is refused is told after the others were tried."""
    try:
        return broker.post(url, publication)
    except Refused as refused:
        return refused


def _publication(build: Build, files: list[PactFile], *, merge: bool) -> Json:
    known = {"branch": build.branch, "buildUrl": build.build_url}
    return {
        "pacticipantName": files[0].consumer,
        "pacticipantVersionNumber": build.version,
        "tags": list(build.tags),
        **{name: value for name, value in known.items() if value},
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


def publish_one_by_one(broker: BrokerClient, build: Build, files: list[PactFile], *, merge: bool) -> None:
    """Publish as brokers before 2.86 want it: first the tags, then each pact at its own address."""
    output.print_line()
    if build.branch or build.build_url:
        output.print_line(output.yellow(_OLD_BROKER))
    tagged = [_tag(broker, build, consumer, tag) for tag in build.tags for consumer in {f.consumer: 1 for f in files}]
    published = [_publish_alone(broker, build, file, merge=merge) for file in files] if all(tagged) else []
    if not published or not all(published):
        raise ClientError("One or more pacts failed to be published", hint="What failed is told above.")


def _tag(broker: BrokerClient, build: Build, consumer: str, tag: str) -> bool:
    try:
        broker.put(broker.url_for("pacticipants", consumer, "versions", build.version, "tags", tag))
    except ClientError as error:
        output.print_error(f"Failed to tag version due to error: {error}")
        return False
    output.print_line(f'Tagged version {build.version} of {consumer} as "{tag}"')
    return True


def _publish_alone(broker: BrokerClient, build: Build, file: PactFile, *, merge: bool) -> bool:
    output.print_line(f"Publishing {file.consumer}/{file.provider} pact to pact broker at {broker.url}")
    try:
        answer = _store(broker, build, file, merge=merge)
    except ClientError as error:
        output.print_error(f"Failed to publish {file.consumer}/{file.provider} pact due to error: {error}")
        return False
    output.print_line(f"The latest version of this pact can be accessed at the following URL:\n{_latest(answer)}")
    return True


def _store(broker: BrokerClient, build: Build, file: PactFile, *, merge: bool) -> HalResource:
    url = broker.url_for("pacts", "provider", file.provider, "consumer", file.consumer, "version", build.version)
    if _exists(broker, url):
        output.print_line(_MERGING if merge else output.yellow(_OVERWRITING))
    if merge:
        return broker.patch(url, file.content, content_type="application/json")
    return broker.put(url, file.content)


def _exists(broker: BrokerClient, url: str) -> bool:
    try:
        broker.get(url)
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


def _latest(answer: HalResource) -> str:
    """Find the link to the latest version; brokers have called it by several names."""
    names = list(answer.body.get("_links") or {})
    for words in (("latest", "pact", "version"), ("latest", "pact")):
        for name in names:
            if all(word in name for word in words):
                return answer.link(name).href
    return answer.url


@click.command("list-latest-pact-versions", cls=Command)
@options.output_option("table", "json")
@options.connection_options()
def list_latest_pact_versions(broker: BrokerClient, form: str) -> None:
    """List the latest pact of each integration."""
    answer = broker.get(broker.link("pb:latest-pact-versions"))
    output.print_if_any(answer.text if form == "json" else _latest_table(answer))


def _latest_table(answer: HalResource) -> str:
    headings = ["CONSUMER", "CONSUMER_VERSION", "PROVIDER", "CREATED_AT"]
    return output.format_table(headings, [_latest_row(pact) for pact in answer.body.get("pacts") or []])


def _latest_row(pact: Json) -> list[str]:
    consumer, provider = pact["_embedded"]["consumer"], pact["_embedded"]["provider"]
    return [consumer["name"], consumer["_embedded"]["version"]["number"], provider["name"], pact.get("createdAt", "")]


@click.command("get-pacts", cls=Command)
@click.option("--provider", required=True, help="The provider's name.")
@click.option("--consumer", help="Only pacts of this consumer.")
@click.option("--branch", help="Pacts from this branch of the consumers, instead of their main branches.")
@click.option("--latest/--no-latest", cls=Flag, help="Only the latest pact of each consumer.")
@click.option("--download/--no-download", cls=Flag, help="Save the pacts as files.")
@click.option("--download-dir", default="./pacts", show_default=True, help="Where to save them.")
@options.output_option("table", "json")
@options.connection_options()
def get_pacts(broker: BrokerClient, form: str, *, download: bool, download_dir: str, **wanted: Any) -> None:
    """List, and download, the pacts that a provider has to honour."""
    links = broker.get(broker.url_for(*_pacts_path(**wanted))).links("pb:pacts")
    if download:
        _download(broker, [link.href for link in links], Path(download_dir))
    if form == "json":
        output.print_line(output.format_indented({"pacts": [asdict(link) for link in links]}))
    else:
        rows = [[link.name, link.title, link.href] for link in links]
        output.print_if_any(
            output.format_table(["CONSUMER", "TITLE", "LINK"], rows, max_widths={"TITLE": None, "LINK": None})
        )


def _pacts_path(*, provider: str, consumer: str | None, branch: str | None, latest: bool) -> list[str]:
    of_consumer = ["consumer", consumer] if consumer else []
    of_branch = ["branch", branch] if branch else ["branch"]
    return ["pacts", "provider", provider, *of_consumer, *of_branch, *(["latest"] if latest else [])]


def _download(broker: BrokerClient, urls: Sequence[str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with output.show_progress(f"Downloading {len(urls)} pacts"):
        for url in urls:
            output.print_line(f"  → {_saved(broker.get(url), directory)}")


def _saved(pact: HalResource, directory: Path) -> str:
    names = [pact.link(f"pb:{part}").name for part in ("consumer", "provider", "consumer-version")]
    file = directory / (re.sub(r'[/\\:*?"<>|]', "_", "-".join(names)) + ".json")
    file.write_text(output.format_indented(pact.body) + "\n", encoding="utf-8")
    return str(file)


@click.command("list", cls=Command)
@click.option("-r", "--provider", required=True, help="The provider's name.")
@click.option("--branch", help="States of the pacts from this branch, instead of the consumers' main branches.")
@click.option("--environment", help="States of the pacts of what is deployed to or released in this environment.")
@click.option("--json", "as_json", is_flag=True, help="Print the broker's answer.")
@options.connection_options()
def list_provider_states(
    broker: BrokerClient, provider: str, branch: str | None, environment: str | None, *, as_json: bool
) -> None:
    """List the states that a provider has to be prepared for."""
    if branch and environment:
        raise Failure("Give either --branch or --environment: the states are those of one of them.")
    scope = ["branch", branch] if branch else ["environment", environment] if environment else []
    answer = broker.get(broker.url_for("pacts", "provider", provider, "provider-states", *scope))
    if as_json:
        output.print_line(answer.text)
    else:
        _show_states(provider, f"{scope[0].capitalize()}: {scope[1]}" if scope else "Scope: Main branch", answer)


def _show_states(provider: str, scope: str, answer: HalResource) -> None:
    output.print_line(f"Provider States for Provider: {provider}\n{scope}\n")
    headings = ["Provider State Name", "Consumers", "Parameters"]
    rows = [_state_row(state) for state in answer.body.get("providerStates") or []]
    output.print_line(
        output.format_table(headings, rows, max_widths=dict.fromkeys(headings)) or "No provider states found."
    )


def _state_row(state: Json) -> list[str]:
    params = json.dumps(state["params"], ensure_ascii=False) if state.get("params") else ""
    return [state["name"], ", ".join(state.get("consumers") or []), params]
