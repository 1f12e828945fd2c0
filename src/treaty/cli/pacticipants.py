"""Commands for pacticipants, their versions, tags and branches."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import build_detection, environments, names, options, output, version_lookups
from treaty.cli.program import Command, Failure, Flag, ListOption, options_of_every_command
from treaty.errors import ClientError, MissingRelation, MissingResource, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.client import BrokerClient, HalResource, Json

_NO_BRANCHES: Final = (
    "This version of the Pact Broker does not support branch versions,or you do not have the required permissions to "
    "create one. Please ensure you have upgraded to version 2.82.0 or later for branch support."
)
_OLD_BROKER: Final = (
    "This version of the Pact Broker does not support deleting branches. Please upgrade to version 2.108.0 or later."
)
_OLD_PACTFLOW: Final = (
    "This version of PactFlow does not support deleting branches. Please upgrade to the latest version."
)


@click.command("create-or-update-pacticipant", cls=Command)
@click.option("--name", required=True, help="The pacticipant's name.")
@click.option("--display-name", help="A name to display.")
@click.option("--main-branch", help="The main branch of its repository.")
@click.option("--repository-url", help="The URL of its repository.")
@options.contact_options
@click.option(
    "--reuse-former-name",
    is_flag=True,
    help="Create a new pacticipant even if another one had this name before it was renamed.",
)
@options.output_option("text", "json", "pretty")
@options.connection_options()
def create_or_update_pacticipant(broker: BrokerClient, form: str, *, reuse_former_name: bool, **values: Any) -> None:
    """Create a pacticipant, or change the given properties of an existing one."""
    name = values["name"]
    members = {"display_name": "displayName", "main_branch": "mainBranch", "repository_url": "repositoryUrl"}
    properties = {member: values[option] for option, member in members.items()} | {
        "contacts": options.read_contacts(values)
    }
    body = {"name": name} | {member: value for member, value in properties.items() if value is not None}
    existing = _find_unless_renamed(broker, name, reuse_former_name=reuse_former_name)
    if existing:
        response = broker.patch(existing.link("self").href, body)
    else:
        response = broker.post(broker.link("pb:pacticipants"), body)
    change = "updated" if existing else "created"
    output.show(response, form, output.green(f'Pacticipant "{name}" {change} in {output.broker_name(broker.index)}'))


def _find_unless_renamed(broker: BrokerClient, name: str, *, reuse_former_name: bool) -> HalResource | None:
    """Find a pacticipant. The broker redirects a former name to the renamed pacticipant, which is not meant."""
    existing = broker.find(broker.link("pb:pacticipant", pacticipant=name))
    current_name = existing.body.get("name") if existing else None
    if current_name in {None, name} or reuse_former_name:
        return existing if current_name in {None, name} else None
    raise ClientError(
        f'The pacticipant "{name}" has been renamed to "{current_name}", so nothing was changed.',
        hint=f"Use the new name. To create another pacticipant with the name {name}, give --reuse-former-name.",
    )


@click.command("rename", cls=Command)
@click.argument("name", metavar="OLD")
@click.argument("new_name", metavar="NEW")
@click.option(
    "--allow-similar-names", is_flag=True, help="Allow a name that is similar to that of another pacticipant."
)
@options.output_option("text", "json", "pretty")
@options.connection_options()
def rename(broker: BrokerClient, form: str, name: str, new_name: str, *, allow_similar_names: bool) -> None:
    """Rename a pacticipant with its whole history. Reads of the old name are redirected, and writes refused."""
    query = [("allowSimilarNames", "true")] if allow_similar_names else []
    response = broker.post(broker.url_for("pacticipants", name, "rename", query=query), {"name": new_name})
    text = f'Pacticipant "{name}" renamed to "{new_name}" in {output.broker_name(broker.index)}'
    output.show(response, form, output.green(text))


@click.command("describe-pacticipant", cls=Command)
@click.option("--name", required=True, help="The pacticipant's name.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def describe_pacticipant(broker: BrokerClient, form: str, name: str) -> None:
    """Show a pacticipant."""
    pacticipant = broker.get(broker.link("pb:pacticipant", pacticipant=name))
    labels = pacticipant.embedded("labels")
    properties = pacticipant.body | ({"labels": labels} if labels else {})
    output.show(pacticipant, form, output.format_properties(properties))


@click.command("list-pacticipants", cls=Command)
@options.output_option("text", "json", "table", "pretty")
@options.connection_options()
def list_pacticipants(broker: BrokerClient, form: str) -> None:
    """List the pacticipants."""
    response = broker.get(broker.link("pb:pacticipants"))
    pacticipants = sorted(response.embedded("pacticipants"), key=lambda body: str(body.get("name")).lower())
    columns = {"NAME": "name", "DISPLAY NAME": "displayName"}
    if any(pacticipant.get("uuid") for pacticipant in pacticipants):  # PactFlow's have UUIDs
        columns = {"UUID": "uuid"} | columns
    rows = [[pacticipant.get(member) for member in columns.values()] for pacticipant in pacticipants]
    output.show(response, form, output.format_table(list(columns), rows, whole={"UUID"}))


@click.command("create-or-update-version", cls=Command)
@options.pacticipant_option()
@options.version_option()
@click.option("--branch", help="The version's branch.")
@click.option("-t", "--tag", "tags", cls=ListOption, help="Tag for the version; repeatable.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def create_or_update_version(
    broker: BrokerClient, form: str, *, pacticipant: str, version: str, branch: str | None, tags: Sequence[str]
) -> None:
    """Create a version, add it to a branch, or tag it."""
    response = write_version(broker, pacticipant, version, branch=branch, tags=tags)
    with_branch = f" with branch {branch}" if branch else ""
    with_tags = f"{' and' if branch else ' with'} tag(s) {', '.join(tags)}" if tags else ""
    broker_name = output.broker_name(broker.index)
    text = output.green(f"Created/updated pacticipant version {version}{with_branch}{with_tags} in {broker_name}")
    output.show(response, form, version_lookups.add_page(broker, text, pacticipant, version))


def write_version(
    broker: BrokerClient, pacticipant: str, version: str, *, branch: str | None, tags: Sequence[str]
) -> HalResource:
    """Create a version with its branch and tags, and return it.

    Adding it to a branch or tagging it creates it; without either, it has to be created itself.
    """
    names = {"pacticipant": pacticipant, "version": version}
    if branch:
        try:
            broker.follow("PUT", "pb:pacticipant-branch-version", names | {"branch": branch}, {})
        except MissingRelation as error:
            raise ClientError(_NO_BRANCHES) from error
    for tag in tags:
        broker.follow("PUT", "pb:pacticipant-version-tag", names | {"tag": tag}, {})
    url = broker.link("pb:pacticipant-version", **names)
    return broker.get(url) if branch or tags else broker.put(url)


@click.command("describe-version", cls=Command)
@options.pacticipant_option()
@options.version_option(required=False)
@click.option(
    "-l",
    "--latest",
    is_flag=False,
    flag_value="",
    metavar="[TAG]",
    help="The latest version, or the latest with a tag.",
)
@click.option("--environment", help="The versions deployed or released to an environment.")
@click.option("--deployed/--no-deployed", cls=Flag, help="With --environment: only deployed versions.")
@click.option("--released/--no-released", cls=Flag, help="With --environment: only released versions.")
@options.output_option("table", "json", "id")
@options.connection_options()
def describe_version(broker: BrokerClient, form: str, pacticipant: str, environment: str | None, **values: Any) -> None:
    """Show a version of a pacticipant, by default the latest."""
    if environment:
        kinds = [kind for kind in ("deployed", "released") if values[kind]] or ["deployed", "released"]
        _show_in_environment(_find_in_environment(broker, environment, pacticipant, kinds), environment, form)
        return
    version = broker.find(_version_url(broker, pacticipant, values["version"], values["latest"]))
    if version is None and values["version"]:
        version = _find_by_prefix(broker, pacticipant, values["version"])
    if version is None:
        raise MissingResource("Pacticipant version not found")
    _show_version(version, form)


def _find_by_prefix(broker: BrokerClient, pacticipant: str, prefix: str) -> HalResource | None:
    """Find the version whose number begins with a text, if there is only one. Reading the wrong one does no harm."""
    lookup = version_lookups.look_up(broker, pacticipant, prefix)
    if lookup is None or lookup.number is None:
        return None
    return broker.find(_version_url(broker, pacticipant, lookup.number, None))


def _version_url(broker: BrokerClient, pacticipant: str, version: str | None, tag: str | None) -> str:
    if version:
        return broker.url_for("pacticipants", pacticipant, "versions", version)
    if tag:
        return broker.link("pb:latest-tagged-version", pacticipant=pacticipant, tag=tag)
    return broker.link("pb:latest-version", pacticipant=pacticipant)


def _show_version(version: HalResource, form: str) -> None:
    number = str(version.body.get("number", ""))
    tags = " ".join(str(tag.get("name")) for tag in version.embedded("tags"))
    match form:
        case "json":
            output.print_line(output.format_indented(version.body))
        case "id":
            output.print_line(number)
        case _:
            output.print_line(output.format_table(["NUMBER", "TAGS"], [[number, tags]]))


def _find_in_environment(
    broker: BrokerClient, name: str, pacticipant: str, kinds: Sequence[str]
) -> list[tuple[str, Json]]:
    """Return a pacticipant's deployed or released versions in an environment, each with its kind."""
    environment = broker.get(environments.get_environment_url(broker, name))
    relations = {
        "deployed": ("pb:currently-deployed-deployed-versions", "deployedVersions"),
        "released": ("pb:currently-supported-released-versions", "releasedVersions"),
    }
    return [
        (kind, version)
        for kind in kinds
        for version in broker.get(environment.link(relations[kind][0]).href).embedded(relations[kind][1])
        if version["_embedded"]["pacticipant"]["name"] == pacticipant
    ]


def _show_in_environment(versions_with_kind: Sequence[tuple[str, Json]], environment: str, form: str) -> None:
    versions = [version for _, version in versions_with_kind]
    numbers = [version["_embedded"]["version"]["number"] for version in versions]
    if form == "json":
        output.print_line(output.format_indented(versions))
    elif form == "id":
        output.print_if_any("\n".join(numbers))
    else:
        headings = ["VERSION", "STATUS", "ENVIRONMENT", "APPLICATION INSTANCE"]
        rows = [
            [number, kind.capitalize(), environment, version.get("applicationInstance") or "-"]
            for number, (kind, version) in zip(numbers, versions_with_kind, strict=True)
        ]
        output.print_if_any(output.format_table(headings, rows))


@click.command("create-version-tag", cls=Command)
@options.pacticipant_option()
@options.version_option()
@click.option("-t", "--tag", "tags", cls=ListOption, help="Tag for the version; repeatable.")
@click.option("--auto-create-version/--no-auto-create-version", cls=Flag, help="Create the version if it is missing.")
@click.option("-g", "--tag-with-git-branch/--no-tag-with-git-branch", cls=Flag, help="Tag the version with its branch.")
@options.connection_options()
def create_version_tag(
    broker: BrokerClient,
    pacticipant: str,
    version: str,
    tags: Sequence[str],
    *,
    auto_create_version: bool,
    tag_with_git_branch: bool,
) -> None:
    """Tag a version."""
    all_tags = [*tags, *([build_detection.branch()] if tag_with_git_branch else [])]
    if not all_tags:
        raise Failure("No value provided for required options '--tag'\nGive a tag, or --tag-with-git-branch.")
    path = ("pacticipants", pacticipant, "versions", version)
    # Tagging would create a missing version, so a typing error in its number would stay unnoticed.
    if not auto_create_version and broker.find(broker.url_for(*path)) is None:
        text = f"Could not create tag. Version {version} of {pacticipant} does not exist."
        raise MissingResource(text, hint="Give --auto-create-version to create it.")
    for tag in dict.fromkeys(all_tags):
        output.print_line(f"Tagging {pacticipant} version {version} as {tag}")
        broker.put(broker.url_for(*path, "tags", tag))


@click.command("alias", cls=Command)
@options.pacticipant_option()
@options.version_option()
@click.option("--alias", "aliases", cls=ListOption, required=True, help="Another name of the version; repeatable.")
@click.option("--delete", is_flag=True, help="Remove the aliases instead.")
@options.connection_options()
def alias(broker: BrokerClient, pacticipant: str, version: str, aliases: Sequence[str], *, delete: bool) -> None:
    """Give a version other names, such as later commits of a monorepo that leave the pacticipant unchanged."""
    if delete:
        _delete_aliases(broker, pacticipant, version, aliases)
    else:
        add_aliases(broker, pacticipant, version, aliases)


def add_aliases(broker: BrokerClient, pacticipant: str, version: str, aliases: Sequence[str]) -> None:
    """Give a version other names. Raises MissingResource for an unknown version, and Refused."""
    path = ("pacticipants", pacticipant, "versions", version)
    if broker.find(broker.url_for(*path)) is None:
        text = f"Could not create alias. Version {version} of {pacticipant} does not exist."
        raise MissingResource(text, hint="Publish the pacts or verification results of that version first.")
    for name in dict.fromkeys(aliases):
        response = broker.put(broker.url_for(*path, "aliases", name))
        output.print_line(f"Version {name} of {pacticipant} is an alias of version {response.body.get('version')}")


def _delete_aliases(broker: BrokerClient, pacticipant: str, version: str, aliases: Sequence[str]) -> None:
    for name in dict.fromkeys(aliases):
        if not _delete(broker, broker.url_for("pacticipants", pacticipant, "versions", version, "aliases", name)):
            raise MissingResource(f"Version {version} of {pacticipant} has no alias {name}.")
        output.print_line(f"Removed the alias {name} of version {version} of {pacticipant}")


@click.command("delete-version-tag", cls=Command)
@options.pacticipant_option()
@options.version_option()
@click.option("-t", "--tag", required=True, help="The tag.")
@options.connection_options()
def delete_version_tag(broker: BrokerClient, pacticipant: str, version: str, tag: str) -> None:
    """Remove a tag from a version."""
    resource = broker.get(broker.link("pb:pacticipant", pacticipant=pacticipant))
    if _delete(broker, resource.link("pb:version-tag").fill(version=version, tag=tag)):
        output.print_line(f"Successfully deleted tag '{tag}' from version '{version}' of pacticipant '{pacticipant}'")
    else:
        subject = f"Tag '{tag}' for version '{version}' of pacticipant '{pacticipant}'"
        output.print_line(f"{subject} was not found (may have already been deleted)")
        names.print_missing_name(broker)


def _delete(broker: BrokerClient, url: str) -> bool:
    """Delete a resource, and return whether it existed."""
    try:
        broker.delete(url)
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


@click.command("delete-branch", cls=Command)
@options.pacticipant_option()
@click.option("--branch", required=True, help="The branch.")
@click.option(
    "--error-when-not-found/--no-error-when-not-found",
    cls=Flag,
    default=True,
    help="Fail if the branch does not exist, which is the default; --no-error-when-not-found turns it off.",
)
@options.connection_options()
def delete_branch(broker: BrokerClient, pacticipant: str, branch: str, *, error_when_not_found: bool) -> None:
    """Delete a branch, but not its versions."""
    if not broker.has_link("pb:pacticipant-branch", pacticipant=pacticipant, branch=branch):
        raise ClientError(_OLD_PACTFLOW if broker.index.is_pactflow else _OLD_BROKER)
    if _delete(broker, broker.link("pb:pacticipant-branch", pacticipant=pacticipant, branch=branch)):
        output.print_line(output.green(f"Successfully deleted branch {branch} of pacticipant {pacticipant}"))
    elif error_when_not_found:
        text = f"Could not delete branch {branch} of pacticipant {pacticipant} as it was not found"
        raise MissingResource(text, hint="Give --no-error-when-not-found if that does not matter.")
    else:
        output.print_line(output.green(f"Branch {branch} of pacticipant {pacticipant} not found"))
        names.print_missing_name(broker)


@click.command("generate-uuid", cls=Command, params=list(options_of_every_command()))
def generate_uuid(**_options: object) -> None:
    """Generate a UUID for create-or-update-webhook."""
    output.print_line(str(uuid.uuid4()))
