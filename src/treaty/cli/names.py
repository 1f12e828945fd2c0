"""Names on the command line that the broker does not have: which one is missing, and what is probably meant.

Brokers report most of them with a 404 for the whole URL, so the names of a command are looked up one after the other.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import output, version_lookups
from treaty.errors import ClientError, MissingResource, Refused
from treaty.spelling import find_similar_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from treaty.client import BrokerClient, HalResource, Json

_CREATING: Final = {"publish", "create-or-update-pacticipant", "create-or-update-version", "create-environment"}
"""Commands whose names need not exist."""
_KINDS_BY_UUID: Final = {
    "update-environment": "environment by UUID",
    "describe-environment": "environment by UUID",
    "delete-environment": "environment by UUID",
    "test-webhook": "webhook",
    "delete-webhook": "webhook",
}
"""Kinds of the resources that commands name by --uuid."""
_STATUSES: Final = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}
"""Statuses that a missing name may have: names in queries and bodies are a 400."""
_PAGE: Final = (("pageNumber", "1"), ("pageSize", "200"))
_MAX_CONSUMERS: Final = 10
"""Number of consumers whose branches are looked up for a suggestion."""


@dataclass(frozen=True, slots=True)
class NamedResource:
    """A name of a resource of some kind; `of` is the application of a version, branch or tag."""

    kind: str
    name: str
    of: str = ""
    version: str = ""
    """The version that has a tag, if it is known."""

    def describe(self) -> str:
        subject = "with UUID " if self.kind in {"environment by UUID", "webhook"} else ""
        owner = f" of {self.of}" if self.of else ""
        tagged = f" on version {self.version}" if self.version else ""
        return f"There is no {self.kind.removesuffix(' by UUID')} {subject}{self.name}{tagged}{owner}."

    def advise(self) -> str:
        """Return the next step if no name is similar."""
        match self.kind:
            case "application":
                return "`pact-broker list-pacticipants` lists the applications."
            case "environment":
                command = output.format_command("create-environment", "--name", self.name)
                return f"`pact-broker list-environments` lists the environments. Create it: {command}"
            case "environment by UUID":
                return "`pact-broker list-environments` lists the environments with their UUIDs."
            case "version":
                page = output.format_command("describe-version", "--pacticipant", self.of)
                return f"Its latest version: {page}"
            case _:
                return "Check the spelling."


@contextmanager
def explained(broker: BrokerClient) -> Iterator[None]:
    """Add the missing name to an error that is raised while the context lasts."""
    try:
        yield
    except (Refused, MissingResource) as error:
        explain(broker, error)
        raise


def explain(broker: BrokerClient, error: ClientError) -> None:
    """Add a sentence about the missing name, if that is the reason for the error."""
    is_about_name = isinstance(error, MissingResource) or (isinstance(error, Refused) and error.status in _STATUSES)
    if not is_about_name:
        return
    names = list_names(click.get_current_context())
    if isinstance(error, Refused):
        error.missing_name = find_missing_name(broker, names)
    else:
        sentence = find_missing_name(broker, names, has_next_step=bool(error.hint))
        error.hint = f"{sentence} {error.hint}".strip()


def print_missing_name(broker: BrokerClient) -> None:
    """Print the missing name of a command that does not fail because of it."""
    sentence = find_missing_name(broker, list_names(click.get_current_context()))
    if sentence:
        output.print_error(sentence)


def find_missing_name(broker: BrokerClient, names: Iterable[NamedResource], *, has_next_step: bool = False) -> str:
    """Return a sentence about the first name that does not exist, with similar ones; an empty text if all exist.

    Without similar ones, the next step follows, unless the error has one.
    """
    broker = broker.without_retries()
    for name in names:
        try:
            existing = _list_if_missing(broker, name)
        except ClientError:  # the original error is the one to report
            continue
        if existing is not None:
            lookup = version_lookups.look_up(broker, name.of, name.name) if name.kind == "version" else None
            if lookup and lookup.problem and lookup.has_candidates:
                return lookup.problem
            suggestion = suggest_names(name, existing) or ("" if has_next_step else name.advise())
            return f"{name.describe()} {suggestion}".rstrip()
    return ""


def suggest_names(name: NamedResource, existing: Mapping[str, str]) -> str:
    """Suggest similar names, if there are any. `existing` maps the names to their titles, which a UUID has besides."""
    by_title = (key for key, title in existing.items() if title and find_similar_names(name.name, [title]))
    similar = dict.fromkeys([*find_similar_names(name.name, existing), *by_title])
    if similar:
        titles = [f"{key} ({existing[key]})" if existing[key] else key for key in similar]
        return f"Did you mean {' or '.join(titles)}?"
    return ""


def list_names(ctx: click.Context) -> Iterator[NamedResource]:
    """Yield the names on a command line that have to exist, those first that others belong to."""
    command, params = ctx.command.name or "", ctx.params
    if command in _CREATING:
        return
    applications = _list_applications(command, params)
    yield from (NamedResource("application", name) for name in applications)
    for environment in _values(params, "environment", "to_environment"):
        yield NamedResource("environment", environment)
    if command in _KINDS_BY_UUID:
        yield from (NamedResource(_KINDS_BY_UUID[command], uuid) for uuid in _values(params, "uuid"))
    # The options of several applications depend on their order, and a branch beside --provider is its consumers'.
    if isinstance(params.get("pacticipant"), str):
        yield from _list_parts(applications[0], params)


def _list_applications(command: str, params: Mapping[str, Any]) -> list[str]:
    own = ("name",) if command in {"describe-pacticipant", "rename"} else ()
    names = _values(params, "pacticipant", "provider", "consumer", *own)
    with_versions = _values(params, "members", "deploy", "release", "end_support")
    names += [text.rpartition("@")[0] for text in with_versions]
    names += _values(params, "undeploy", "roll_back", "retire")
    return list(dict.fromkeys(names))


def _list_parts(application: str, params: Mapping[str, Any]) -> Iterator[NamedResource]:
    versions = _values(params, "version")
    yield from (NamedResource("version", number, application) for number in versions)
    yield from (NamedResource("branch", name, application) for name in _values(params, "branch"))
    for tag in _values(params, "latest", "tag", "all_tagged"):
        yield NamedResource("tag", tag, application, versions[0] if versions else "")


def _values(params: Mapping[str, Any], *options: str) -> list[str]:
    """Return the values of options, each of which may be repeated or absent."""
    values = (params.get(option) or () for option in options)
    return [item for value in values for item in ([value] if isinstance(value, str) else value) if item]


def _list_if_missing(broker: BrokerClient, name: NamedResource) -> dict[str, str] | None:
    """Return the existing names of the same kind with their titles, or None if the name exists."""
    match name.kind:
        case "application" | "version":
            return None if broker.find(_url(broker, name)) else dict.fromkeys(_list_existing(broker, name), "")
        case "environment by UUID":
            existing = {str(item.get("uuid")): str(item.get("name") or "") for item in _list_environments(broker)}
        case "webhook":
            existing = _list_webhooks(broker)
        case _:
            existing = dict.fromkeys(_list_existing(broker, name), "")
    return None if name.name in existing else existing


def _url(broker: BrokerClient, name: NamedResource) -> str:
    if name.kind == "application":
        return broker.url_for("pacticipants", name.name)
    return broker.url_for("pacticipants", name.of, "versions", name.name)


def _list_existing(broker: BrokerClient, name: NamedResource) -> list[str]:
    match name.kind:
        case "application":
            return _list_members(broker.get(broker.url_for("pacticipants")), "pacticipants", "name")
        case "environment":
            return [str(item.get("name")) for item in _list_environments(broker)]
        case "version":
            return _list_members(_get_versions(broker, name.of), "versions", "number")
        case "branch":
            url = broker.url_for("pacticipants", name.of, "branches", query=_PAGE)
            return _list_members(broker.get(url), "branches", "name")
        case _:
            return _list_tags(broker, name)


def _list_members(resource: HalResource, relation: str, member: str) -> list[str]:
    return [str(item[member]) for item in resource.embedded(relation) if item.get(member)]


def _get_versions(broker: BrokerClient, application: str) -> HalResource:
    return broker.get(broker.url_for("pacticipants", application, "versions", query=_PAGE))


def _list_tags(broker: BrokerClient, name: NamedResource) -> list[str]:
    if name.version:
        version = broker.get(broker.url_for("pacticipants", name.of, "versions", name.version))
        return _list_members(version, "tags", "name")
    versions: Sequence[Json] = _get_versions(broker, name.of).embedded("versions")
    tags = [tag for version in versions for tag in (version.get("_embedded") or {}).get("tags") or ()]
    return list(dict.fromkeys(str(tag.get("name")) for tag in tags))


def _list_environments(broker: BrokerClient) -> list[Json]:
    return broker.get(broker.url_for("environments")).embedded("environments")


def _list_webhooks(broker: BrokerClient) -> dict[str, str]:
    links = broker.get(broker.url_for("webhooks")).links("pb:webhooks")
    return {link.href.rstrip("/").rpartition("/")[2]: link.name or link.title for link in links}


def print_missing_branch(broker: BrokerClient, branch: str, *, provider: str, consumer: str | None) -> None:
    """Print that none of a provider's consumers has a branch, if that is so."""
    broker = broker.without_retries()
    try:
        consumers = [consumer] if consumer else _list_consumers(broker, provider)
        resources = [NamedResource("branch", branch, of=name) for name in consumers]
        existing = [name for resource in resources for name in _list_existing(broker, resource)]
    except ClientError:  # the command itself has succeeded
        return
    if branch not in existing:
        resource = NamedResource("branch", branch, of=consumer or f"the consumers of {provider}")
        suggestion = suggest_names(resource, dict.fromkeys(existing, "")) or resource.advise()
        output.print_error(f"{resource.describe()} {suggestion}")


def _list_consumers(broker: BrokerClient, provider: str) -> list[str]:
    links = broker.get(broker.url_for("pacts", "provider", provider, "latest")).links("pb:pacts")
    return list(dict.fromkeys(link.name for link in links if link.name))[:_MAX_CONSUMERS]
