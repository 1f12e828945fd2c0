"""Record what runs, and what is supported, in which environment."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import click

from treaty.cli import environments, options, output
from treaty.cli.program import Command
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from treaty.client import BrokerClient, HalResource, Json

_DEPLOYED: Final = ("pb:currently-deployed-deployed-versions", "pb:currently-deployed-versions")
_SUPPORTED: Final = ("pb:currently-supported-released-versions", "pb:currently-supported-versions")
_OLD_BROKER: Final = "This version of the Pact Broker does not support {}. Please upgrade to version 2.80.0 or later."
_OLD_PACTFLOW: Final = (
    "This version of PactFlow does not support {}, or you do not have the required permission to read environments. "
    "Please upgrade to the latest version if using PactFlow On-Premises, and ensure the user has the environment read "
    "permission."
)
_CHOICE: Final = "one of the following application instances to record the undeployment from: "
_HIDDEN_BY_PACTFLOW: Final = (
    " The environment may not exist, or you may not have the required permissions or team associations to view it."
)


def _instance_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--target", hidden=True, help="The old name of --application-instance."),
        click.option("--application-instance", help="Which of several instances, such as `blue`."),
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
    """Record that a version now runs in an environment, instead of the one before it."""
    instance = _instance(**instances)
    url = _recording(broker, "pb:record-deployment", pacticipant, version, environment)
    answer = broker.post(url, {"applicationInstance": instance, "target": instance} if instance else {})
    place = f"{environment} environment{_suffix(instance)} in {output.broker_name(broker.index)}"
    output.show(answer, form, output.green(f"Recorded deployment of {pacticipant} version {version} to {place}."))


@click.command("record-release", cls=Command)
@options.pacticipant_option()
@options.version_option()
@options.environment_option()
@options.output_option("text", "json", "pretty")
@options.connection_options()
def record_release(broker: BrokerClient, form: str, *, pacticipant: str, version: str, environment: str) -> None:
    """Record that a version was released, as apps and libraries are."""
    answer = broker.post(_recording(broker, "pb:record-release", pacticipant, version, environment))
    place = f"{environment} environment in {output.broker_name(broker.index)}"
    output.show(answer, form, output.green(f"Recorded release of {pacticipant} version {version} to {place}."))


@click.command("record-undeployment", cls=Command)
@options.pacticipant_option()
@options.environment_option()
@_instance_options
@options.output_option("text", "json", "pretty")
@options.connection_options()
def record_undeployment(
    broker: BrokerClient, form: str, *, pacticipant: str, environment: str, **instances: str | None
) -> None:
    """Record that a pacticipant runs in an environment no longer."""
    instance = _instance(**instances)
    found = _current(broker, _DEPLOYED, environment, {"pacticipant": pacticipant}, "recording undeployments")
    running = found.embedded("deployedVersions")
    if not running:
        _check_pacticipant(broker, pacticipant)
        text = f"{pacticipant} is not currently deployed to {environment} environment. Cannot record undeployment."
        raise ClientError(text)
    _check_returned(running, pacticipant=pacticipant, environment=environment)
    ended = _of_instance(running, instance, pacticipant, environment)
    place = f"from {environment} environment{_suffix(instance)} in {output.broker_name(broker.index)}."
    answers = _end_all(broker, ended, {"currentlyDeployed": False})
    _show_ended(answers, form, lambda number: f"Recorded undeployment of {pacticipant}{number} {place}")


@click.command("record-support-ended", cls=Command)
@options.pacticipant_option()
@options.version_option()
@options.environment_option()
@options.output_option("text", "json", "pretty")
@options.connection_options()
def record_support_ended(broker: BrokerClient, form: str, *, pacticipant: str, version: str, environment: str) -> None:
    """Record that a released version is supported no longer."""
    wanted = {"pacticipant": pacticipant, "version": version}
    found = _current(broker, _SUPPORTED, environment, wanted, "recording end of support")
    released = found.embedded("releasedVersions")
    if not released:
        _check_pacticipant(broker, pacticipant)
        place = f"{environment} environment. Cannot record support ended."
        raise ClientError(f"{pacticipant} version {version} is not currently released in {place}")
    _check_returned(released, pacticipant=pacticipant, version=version, environment=environment)
    place = f"in {environment} environment in {output.broker_name(broker.index)}."
    answers = _end_all(broker, released, {"currentlySupported": False})
    _show_ended(answers, form, lambda number: f"Recorded support ended for {pacticipant}{number} {place}")


def _instance(*, application_instance: str | None, target: str | None) -> str | None:
    if target:
        output.print_warning("WARN: target has been renamed to application-instance")
    return application_instance or target


def _suffix(instance: str | None) -> str:
    return f" (application instance {instance})" if instance else ""


def _unsupported(broker: BrokerClient, what: str) -> ClientError:
    return ClientError((_OLD_PACTFLOW if broker.index.is_pactflow else _OLD_BROKER).format(what))


def _recording(broker: BrokerClient, relation: str, pacticipant: str, version: str, environment: str) -> str:
    """Find where to record that a version reached an environment: each has a link of its own."""
    what = "recording deployments" if relation == "pb:record-deployment" else "recording releases"
    if not broker.index.has_link("pb:environments"):
        raise _unsupported(broker, what)
    found = _version(broker, pacticipant, version)
    if not found.has_link(relation):
        raise _unsupported(broker, what)
    links = found.links(relation)
    for link in links:
        if link.name == environment:
            return link.href
    raise _unavailable(broker, [link.name for link in links], pacticipant, environment)


def _version(broker: BrokerClient, pacticipant: str, version: str) -> HalResource:
    try:
        return broker.get(broker.link("pb:pacticipant-version", pacticipant=pacticipant, version=version))
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        hint = "Publish its pacts, or create it with create-or-update-version, before it is recorded."
        raise ClientError(f"{pacticipant} version {version} not found ({refused})", hint=hint) from refused


def _unavailable(broker: BrokerClient, names: list[str], pacticipant: str, environment: str) -> ClientError:
    existing = [str(each.get("name")) for each in broker.get(broker.link("pb:environments")).embedded("environments")]
    if environment not in existing and not broker.index.is_pactflow:
        return environments.environment_not_found(environment, existing)
    text = f"Environment '{environment}' is not an available option for recording a deployment of {pacticipant}."
    return ClientError(
        text + (_HIDDEN_BY_PACTFLOW if broker.index.is_pactflow else environments.describe_available(names))
    )


def _current(
    broker: BrokerClient, relations: tuple[str, ...], environment: str, wanted: dict[str, str], what: str
) -> HalResource:
    """Find what is in an environment now."""
    if not broker.index.has_link("pb:environments"):
        raise _unsupported(broker, what)
    found = broker.get(environments.get_environment_url(broker, environment))
    if not found.has_link(*relations):
        raise _unsupported(broker, what)
    if found.body.get("name") not in {environment, None}:
        raise _unrequested("the environment", environment, found.body["name"])
    return broker.get(found.link(*relations).with_query(wanted))


def _check_returned(
    endpoints: Iterable[Json], *, pacticipant: str, environment: str, version: str | None = None
) -> None:
    """Check that a list has only what was requested: an old broker may ignore a filter. Raises ClientError."""
    for resource in endpoints:
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
    found = f"'{returned}'" if returned else "something without a name"
    return ClientError(
        f"The broker was asked for {kind} '{requested}' and returned {found}. Nothing was changed.",
        hint="Check how the name is written. If it is right, this broker ignores filters: upgrade it.",
    )


def _check_pacticipant(broker: BrokerClient, name: str) -> None:
    try:
        broker.get(broker.link("pb:pacticipant", pacticipant=name))
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        raise ClientError(f"No pacticipant with name '{name}' found.", hint="See list-pacticipants.") from refused


def _of_instance(running: list[Json], instance: str | None, pacticipant: str, environment: str) -> list[Json]:
    found = [each for each in running if _instance_of(each) == instance]
    if found:
        return found
    named = list(dict.fromkeys(name for each in running if (name := _instance_of(each))))
    if not instance:
        raise ClientError(f"Please specify {_CHOICE}{', '.join(named)}")
    text = f"{pacticipant} is not currently deployed to application instance '{instance}' in {environment} environment."
    raise ClientError(f"{text} {_advice(named, has_unnamed=len(named) < len(running))}")


def _advice(named: Sequence[str], *, has_unnamed: bool) -> str:
    if not named:
        return "Please omit the application instance."
    start = "Please omit the application instance or specify" if has_unnamed else "Please specify"
    return f"{start} {_CHOICE}{', '.join(named)}."


def _instance_of(deployed: Json) -> str | None:
    return deployed.get("applicationInstance") or deployed.get("target") or None


def _end_all(broker: BrokerClient, versions: Iterable[Json], change: Json) -> list[HalResource | Refused]:
    return [_end(broker, version["_links"]["self"]["href"], change) for version in versions]


def _end(broker: BrokerClient, url: str, change: Json) -> HalResource | Refused:
    """End one; what is refused is told after the others were tried."""
    try:
        return broker.patch(url, change)
    except Refused as refused:
        return refused


def _show_ended(answers: Sequence[HalResource | Refused], form: str, text: Callable[[str], str]) -> None:
    if form == "text":
        for answer in answers:
            output.print_line(
                output.red(str(answer)) if isinstance(answer, Refused) else output.green(text(_number(answer)))
            )
    else:
        output.print_line(output.format_array([answer.body for answer in answers], form))
    if any(isinstance(answer, Refused) for answer in answers):
        raise SystemExit(1)


def _number(answer: HalResource) -> str:
    number = ((answer.body.get("_embedded") or {}).get("version") or {}).get("number")
    return f" version {number}" if number else ""
