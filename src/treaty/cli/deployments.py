"""Commands that record deployments and releases to environments, and their end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import click

from treaty.cli import environments, options, output, version_lookups
from treaty.cli.program import Command
from treaty.errors import ClientError, MissingRelation, MissingResource, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from treaty.client import BrokerClient, HalResource, Json

_DEPLOYED: Final = ("pb:currently-deployed-deployed-versions", "pb:currently-deployed-versions")
_SUPPORTED: Final = ("pb:currently-supported-released-versions", "pb:currently-supported-versions")
"""Relations of the lists, each with its name in early brokers."""
_OLD_BROKER: Final = "This version of the Pact Broker does not support {}. Please upgrade to version 2.80.0 or later."
_OLD_PACTFLOW: Final = (
    "This version of PactFlow does not support {}, or you do not have the required permission to read environments. "
    "Please upgrade to the latest version if using PactFlow On-Premises, and ensure the user has the environment read "
    "permission."
)
_ENDING: Final = "recording end of support"
_INSTANCE_CHOICE: Final = "one of the following application instances to record the undeployment from: "
_HIDDEN_BY_PACTFLOW: Final = (
    " The environment may not exist, or you may not have the required permissions or team associations to view it."
)


def _instance_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--target", hidden=True, help="Former name of --application-instance."),
        click.option("--application-instance", help="Name of the instance, if there are several, such as `blue`."),
    ):
        command = option(command)
    return command


@click.command("record-deployment", cls=Command)
@options.pacticipant_option()
@options.version_option()
@options.environment_option()
@_instance_options
@options.output_option("text", "json", "pretty")
@options.connection_options()
def record_deployment(
    broker: BrokerClient, form: str, *, pacticipant: str, version: str, environment: str, **instances: str | None
) -> None:
    """Record that a version was deployed to an environment, where it replaces the previous version."""
    instance = _read_instance(**instances)
    # Early brokers know the application instance as `target` only, so the original client sends both.
    body = {"applicationInstance": instance, "target": instance} if instance else {}
    response, version = _record(broker, "pb:record-deployment", Recording(pacticipant, version, environment), body)
    place = f"{environment} environment{_instance_suffix(instance)} in {output.broker_name(broker.index)}"
    text = output.green(f"Recorded deployment of {pacticipant} version {version} to {place}.")
    text += _describe_mark(response, pacticipant, version, environment)
    output.show(response, form, version_lookups.add_page(broker, text, pacticipant, version))


@click.command("record-release", cls=Command)
@options.pacticipant_option()
@options.version_option()
@options.environment_option()
@options.output_option("text", "json", "pretty")
@options.connection_options()
def record_release(broker: BrokerClient, form: str, *, pacticipant: str, version: str, environment: str) -> None:
    """Record that a version was released to an environment, for example a mobile application or a library.

    Unlike a deployment, a release does not replace earlier versions: they stay until record-support-ended.
    """
    response, version = _record(broker, "pb:record-release", Recording(pacticipant, version, environment), {})
    place = f"{environment} environment in {output.broker_name(broker.index)}"
    text = output.green(f"Recorded release of {pacticipant} version {version} to {place}.")
    text += _describe_mark(response, pacticipant, version, environment)
    output.show(response, form, version_lookups.add_page(broker, text, pacticipant, version))


def _describe_mark(response: HalResource, pacticipant: str, version: str, environment: str) -> str:
    """Describe that no decision permitted a deployment. It is recorded all the same, since it has happened."""
    if response.body.get("lacksDecision") is not True:
        return ""
    words = ("--pacticipant", pacticipant, "--version", version, "--to-environment", environment, "--record")
    sentence = f"It is marked, because no yes had been recorded for it. {environment} records decisions: ask before"
    return "\n" + output.yellow(f"{sentence} deploying:") + "\n    " + output.format_command("can-i-deploy", *words)


@click.command("record-undeployment", cls=Command)
@options.pacticipant_option()
@options.environment_option()
@_instance_options
@options.output_option("text", "json", "pretty")
@options.connection_options()
def record_undeployment(
    broker: BrokerClient, form: str, *, pacticipant: str, environment: str, **instances: str | None
) -> None:
    """Record that a pacticipant was undeployed from an environment."""
    instance = _read_instance(**instances)
    response = _list_current(broker, _DEPLOYED, environment, {"pacticipant": pacticipant}, "recording undeployments")
    deployed = response.embedded("deployedVersions")
    if not deployed:
        _check_pacticipant(broker, pacticipant)
        text = f"{pacticipant} is not currently deployed to {environment} environment. Cannot record undeployment."
        raise ClientError(text, hint=_advise_listing(broker, pacticipant, environment))
    _check_filtered(deployed, pacticipant=pacticipant, environment=environment)
    undeployed = _select_instance(deployed, instance, pacticipant, environment)
    place = f"from {environment} environment{_instance_suffix(instance)} in {output.broker_name(broker.index)}."
    responses = _end_all(broker, undeployed, {"currentlyDeployed": False})
    _show_ended(responses, form, lambda number: f"Recorded undeployment of {pacticipant}{number} {place}")


@click.command("record-support-ended", cls=Command)
@options.pacticipant_option()
@options.version_option()
@options.environment_option()
@options.output_option("text", "json", "pretty")
@options.connection_options()
def record_support_ended(broker: BrokerClient, form: str, *, pacticipant: str, version: str, environment: str) -> None:
    """Record that a released version is no longer supported."""
    filters = {"pacticipant": pacticipant, "version": version}
    response = _list_current(broker, _SUPPORTED, environment, filters, _ENDING)
    released = response.embedded("releasedVersions")
    if not released and (number := version_lookups.complete(broker, pacticipant, version)):
        version = number
        response = _list_current(broker, _SUPPORTED, environment, {**filters, "version": number}, _ENDING)
        released = response.embedded("releasedVersions")
    if not released:
        _check_pacticipant(broker, pacticipant)
        text = f"{pacticipant} version {version} is not currently released in {environment} environment."
        hint = _advise_listing(broker, pacticipant, environment)
        raise MissingResource(f"{text} Cannot record support ended.", hint=hint)
    _check_filtered(released, pacticipant=pacticipant, version=version, environment=environment)
    place = f"in {environment} environment in {output.broker_name(broker.index)}."
    responses = _end_all(broker, released, {"currentlySupported": False})
    _show_ended(responses, form, lambda number: f"Recorded support ended for {pacticipant}{number} {place}")


def _advise_listing(broker: BrokerClient, pacticipant: str, environment: str) -> str:
    command = output.format_command("describe-version", "--pacticipant", pacticipant, "--environment", environment)
    return f"List its versions there: {command}\nSee {broker.url_for('pacticipants', pacticipant)}"


def _read_instance(*, application_instance: str | None, target: str | None) -> str | None:
    if target:
        output.print_warning("WARN: target has been renamed to application-instance")
    return application_instance or target


def _instance_suffix(instance: str | None) -> str:
    return f" (application instance {instance})" if instance else ""


def _unsupported(broker: BrokerClient, feature: str) -> ClientError:
    return ClientError((_OLD_PACTFLOW if broker.index.is_pactflow else _OLD_BROKER).format(feature))


@dataclass(frozen=True, slots=True)
class Recording:
    """The version whose deployment or release to an environment is recorded."""

    pacticipant: str
    version: str
    environment: str


def _record(broker: BrokerClient, relation: str, recording: Recording, body: Json) -> tuple[HalResource, str]:
    """Record a deployment or release: the version has a link for each environment. Also return the version's number.

    An abbreviated commit stands for the version that it identifies. A version that does not exist is not created.
    """
    feature = "recording deployments" if relation == "pb:record-deployment" else "recording releases"
    if not broker.has_link("pb:environments"):
        raise _unsupported(broker, feature)
    version, recording = _get_version(broker, recording)
    if not version.has_link(relation):
        try:
            return _record_unlisted(broker, relation, recording, version, body), recording.version
        except MissingRelation as error:
            raise _unsupported(broker, feature) from error
    links = version.links(relation)
    for link in links:
        if link.name == recording.environment:
            return broker.post(link.href, body), recording.version
    raise _unavailable(broker, [link.name for link in links], recording)


def _record_unlisted(
    broker: BrokerClient, relation: str, recording: Recording, version: HalResource, body: Json
) -> HalResource:
    """Record at the usual path: a broker leaves out the links if the credentials do not permit to record."""
    kind = "deployed-versions" if relation == "pb:record-deployment" else "released-versions"
    bodies = broker.get(broker.link("pb:environments")).embedded("environments")
    # The name of an environment that does not exist is sent too, as a missing permission is reported before it.
    uuids = [str(existing.get("uuid")) for existing in bodies if existing.get("name") == recording.environment]
    path = ("pacticipants", recording.pacticipant, "versions", recording.version, kind, "environment")
    url = broker.url_for(*path, next(iter(uuids), recording.environment))
    return broker.send_unlisted("POST", url, body, relation=relation, resource=version)


def _get_version(broker: BrokerClient, recording: Recording) -> tuple[HalResource, Recording]:
    """Return the version, and the recording with its whole number. Raises MissingResource."""
    pacticipant, version = recording.pacticipant, recording.version
    try:
        return broker.get(broker.link("pb:pacticipant-version", pacticipant=pacticipant, version=version)), recording
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        number = version_lookups.complete(broker, pacticipant, version)
        if number is not None:
            url = broker.link("pb:pacticipant-version", pacticipant=pacticipant, version=number)
            return broker.get(url), replace(recording, version=number)
        words = ("--pacticipant", pacticipant, "--version", version, "--branch", "BRANCH")
        command = output.format_command("create-or-update-version", *words)
        hint = f"First publish its pacts, or create it: {command}\nSee {broker.url_for('pacticipants', pacticipant)}"
        text = f"{pacticipant} version {version} not found (Error making request to {refused.url} status=404)"
        raise MissingResource(text, hint=hint) from refused


def _unavailable(broker: BrokerClient, names: list[str], recording: Recording) -> ClientError:
    environment = recording.environment
    bodies = broker.get(broker.link("pb:environments")).embedded("environments")
    existing = [str(body.get("name")) for body in bodies]
    # PactFlow also hides environments of other teams, so creating one would be the wrong advice there.
    if environment not in existing and not broker.index.is_pactflow:
        return environments.environment_not_found(environment, existing, page=broker.url_for("environments"))
    text = (
        f"Environment '{environment}' is not an available option for recording a deployment of {recording.pacticipant}."
    )
    return ClientError(
        text + (_HIDDEN_BY_PACTFLOW if broker.index.is_pactflow else environments.describe_available(names))
    )


def _list_current(
    broker: BrokerClient, relations: tuple[str, ...], environment: str, filters: dict[str, str], feature: str
) -> HalResource:
    """List the versions that are deployed to, or supported in, an environment now."""
    if not broker.has_link("pb:environments"):
        raise _unsupported(broker, feature)
    resource = broker.get(environments.get_environment_url(broker, environment))
    if not resource.has_link(*relations):
        raise _unsupported(broker, feature)
    if resource.body.get("name") not in {environment, None}:
        raise _unrequested("the environment", environment, resource.body["name"])
    return broker.get(resource.link(*relations).with_query(filters))


def _check_filtered(
    resources: Iterable[Json], *, pacticipant: str, environment: str, version: str | None = None
) -> None:
    """Check that the broker applied the filters. Raises ClientError if it did not.

    An old broker may ignore a filter; the command would then end the deployments of other applications.
    """
    for resource in resources:
        embedded = resource.get("_embedded") or {}
        _check_name("the pacticipant", pacticipant, (embedded.get("pacticipant") or {}).get("name"))
        if version is not None:
            _check_name(f"{pacticipant} version", version, (embedded.get("version") or {}).get("number"))
        if "environment" in embedded:  # lists of one environment need not repeat it
            _check_name("the environment", environment, embedded["environment"].get("name"))


def _check_name(kind: str, requested: str, returned: object) -> None:
    if returned != requested:
        raise _unrequested(kind, requested, returned)


def _unrequested(kind: str, requested: str, returned: object) -> ClientError:
    name = f"'{returned}'" if returned else "a resource without a name"
    return ClientError(
        f"The broker was asked for {kind} '{requested}' and returned {name}. Nothing was changed.",
        hint="Check the spelling of the name. If it is right, this broker ignores filters: upgrade it.",
    )


def _check_pacticipant(broker: BrokerClient, name: str) -> None:
    try:
        broker.get(broker.link("pb:pacticipant", pacticipant=name))
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        raise MissingResource(f"No pacticipant with name '{name}' found.") from refused


def _select_instance(deployed: list[Json], instance: str | None, pacticipant: str, environment: str) -> list[Json]:
    """Return the deployed versions of an application instance, or of the unnamed one. Raises ClientError."""
    matching = [version for version in deployed if _get_instance(version) == instance]
    if matching:
        return matching
    names = list(dict.fromkeys(name for version in deployed if (name := _get_instance(version))))
    if not instance:
        raise ClientError(f"Please specify {_INSTANCE_CHOICE}{', '.join(names)}")
    text = f"{pacticipant} is not currently deployed to application instance '{instance}' in {environment} environment."
    raise ClientError(f"{text} {_advise_instance(names, has_unnamed=len(names) < len(deployed))}")


def _advise_instance(names: Sequence[str], *, has_unnamed: bool) -> str:
    if not names:
        return "Please omit the application instance."
    start = "Please omit the application instance or specify" if has_unnamed else "Please specify"
    return f"{start} {_INSTANCE_CHOICE}{', '.join(names)}."


def _get_instance(deployed: Json) -> str | None:
    return deployed.get("applicationInstance") or deployed.get("target") or None


def _end_all(broker: BrokerClient, versions: Iterable[Json], change: Json) -> list[HalResource | Refused]:
    """End several deployments or releases. A refused one does not prevent the others."""
    responses: list[HalResource | Refused] = []
    for version in versions:
        try:
            responses.append(broker.patch(version["_links"]["self"]["href"], change))
        except Refused as refused:
            responses.append(refused)
    return responses


def _show_ended(responses: Sequence[HalResource | Refused], form: str, message: Callable[[str], str]) -> None:
    """Print the responses; exits with 1 if any was refused. `message` takes the text for the version."""
    if form == "text":
        for response in responses:
            if isinstance(response, Refused):
                output.print_line(output.red(str(response)))
                output.print_hint(response)
            else:
                output.print_line(output.green(message(_version_suffix(response))))
    else:
        output.print_line(output.format_array([response.body for response in responses], form))
    if any(isinstance(response, Refused) for response in responses):
        raise SystemExit(1)


def _version_suffix(response: HalResource) -> str:
    number = ((response.body.get("_embedded") or {}).get("version") or {}).get("number")
    return f" version {number}" if number else ""
