"""Importing facts of another broker with their original times, for `treaty import`."""

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_snake

from treaty.actions.importing import Part, import_part
from treaty.errors import Invalid, Problem
from treaty.model.imports import (
    DeploymentFact,
    EnvironmentFact,
    Fact,
    PactFact,
    PacticipantFact,
    ReleaseFact,
    ResultFact,
    VersionFact,
    WebhookFact,
    key_of,
)
from treaty.store import imports
from treaty.web import urls
from treaty.web.bodies import Body, FilledNotBlankLine
from treaty.web.routing import Call, Permission, Router

router = Router()

MOST_FACTS: Final = 1000
"""Facts in one request."""
MOST_LOOKUPS: Final = 10_000
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    "pacticipant": TypeAdapter(PacticipantFact),
    "version": TypeAdapter(VersionFact),
    "pact": TypeAdapter(PactFact),
    "result": TypeAdapter(ResultFact),
    "environment": TypeAdapter(EnvironmentFact),
    "deployment": TypeAdapter(DeploymentFact),
    "release": TypeAdapter(ReleaseFact),
    "webhook": TypeAdapter(WebhookFact),
}


class ImportBody(Body):
    """A part of an import: facts in the order in which they are to be copied."""

    source: FilledNotBlankLine
    """The base URL of the broker that the facts come from."""
    run: FilledNotBlankLine
    """A text of the client's choice that is the same in all requests of an import."""
    dry_run: bool = False
    finished: bool = False
    """Whether this is the import's last request."""
    facts: list[dict[str, Any]]


class ImportLookupBody(Body):
    source: FilledNotBlankLine
    facts: list[list[str]]
    """Each a kind and what identifies the fact in the source."""


@router.post(urls.IMPORT, permission=Permission.IMPORT, is_slow=True)
def import_facts(call: Call) -> dict[str, object]:
    """Import facts of another broker, and return the outcome for each in the same order.

    Facts keep their original times. What is newer here stays, what was removed here stays removed, and no webhook is
    called. At most one import runs at a time; others get 409.
    """
    body = call.body(ImportBody)
    if len(body.facts) > MOST_FACTS:
        raise Invalid.member("facts", f"cannot be more than {MOST_FACTS}")
    part = Part(
        source=body.source,
        run=body.run,
        facts=[_fact_or_problem(raw) for raw in body.facts],
        is_dry=body.dry_run,
        is_last=body.finished,
    )
    outcomes = import_part(call.db, part, now=call.now, settings=call.settings)
    return {"outcomes": [{"outcome": one.outcome.value, "reason": one.reason} for one in outcomes]}


@router.post(urls.IMPORT_LOOKUP, permission=Permission.IMPORT, is_reading=True)
def look_up_imported_facts(call: Call) -> dict[str, object]:
    """Return for each fact what an earlier import remembered about it: a text, or null for a fact that is new."""
    body = call.body(ImportLookupBody)
    if len(body.facts) > MOST_LOOKUPS:
        raise Invalid.member("facts", f"cannot be more than {MOST_LOOKUPS}")
    keys = [key_of(body.source, parts) for parts in body.facts]
    known = imports.values(call.db, keys)
    return {"values": [(known[key] or "") if key in known else None for key in keys]}


def _fact_or_problem(raw: dict[str, Any]) -> Fact | Invalid:
    adapter = _ADAPTERS.get(str(raw.get("kind")))
    if adapter is None:
        return Invalid.member("kind", f"must be one of: {', '.join(_ADAPTERS)}")
    try:
        fact: Fact = adapter.validate_python(_fields(raw))
    except ValidationError as error:
        return Invalid(*(Problem(tuple(one["loc"]), f"{one['loc'][-1]}: {one['msg']}") for one in error.errors()))
    except (TypeError, ValueError) as error:
        return Invalid.member("facts", f"cannot be read: {error}")
    return fact


def _fields(raw: dict[str, Any]) -> dict[str, Any]:
    """Name the members of a fact as the fields of its class, and read its times; one without a zone is in UTC."""
    return {to_snake(name): _value(to_snake(name), value) for name, value in raw.items()}


def _value(name: str, value: Any) -> Any:
    if name.endswith("_at") and isinstance(value, str):
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    if isinstance(value, list):
        return [_fields(one) if isinstance(one, dict) else one for one in value]
    return value
