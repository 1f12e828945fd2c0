"""Importing facts of another broker with their original times, for `treaty import`."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_snake
from typing_extensions import TypedDict

from treaty.actions.maintenance.imports import ImportBatch, import_batch
from treaty.errors import Invalid, Problem
from treaty.model.maintenance.imports import (
    DeploymentFact,
    EnvironmentFact,
    Fact,
    PactFact,
    PacticipantFact,
    ReleaseFact,
    ResultFact,
    VersionFact,
    WebhookFact,
    compute_fact_key,
)
from treaty.model.names import MAX_LENGTH
from treaty.store.maintenance import imports
from treaty.web import urls
from treaty.web.http.bodies import Body, EnvironmentName, RequiredNonBlankLine, with_example
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_FACTS: Final = 1000
"""Facts in one request."""
MAX_LOOKUPS: Final = 10_000
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

    model_config = with_example(
        {
            "source": "https://old-broker.example.org",
            "run": "5a4a2c1e",
            "dryRun": False,
            "finished": True,
            "facts": [
                {
                    "kind": "version",
                    "pacticipant": "Example App",
                    "number": "0.9.0",
                    "createdAt": "2024-01-31T09:00:00Z",
                    "updatedAt": "2024-01-31T09:00:00Z",
                    "below": "1.0.0",
                    "tags": [{"name": "old", "createdAt": "2024-01-31T09:00:00Z"}],
                }
            ],
        }
    )

    source: RequiredNonBlankLine
    """The base URL of the broker that the facts come from."""
    run: RequiredNonBlankLine
    """A text of the client's choice that is the same in all requests of an import."""
    dry_run: bool = False
    finished: bool = False
    """Whether this is the import's last request."""
    facts: list[dict[str, Any]]


class ImportLookupBody(Body):
    model_config = with_example(
        {"source": "https://old-broker.example.org", "facts": [["version", "Example App", "0.9.0"]]}
    )

    source: RequiredNonBlankLine
    facts: list[list[str]]
    """Each a kind and what identifies the fact in the source."""


class FactOutcome(TypedDict):
    outcome: Literal["copied", "present", "removed", "outdated", "absent", "refused"]
    reason: str | None


class ImportOutcomesDocument(TypedDict):
    outcomes: list[FactOutcome]


class ImportedFactsDocument(TypedDict):
    values: list[str | None]


@router.post(
    urls.IMPORT,
    permission=Permission.IMPORT,
    is_slow=True,
    body=ImportBody,
    response=ImportOutcomesDocument,
    errors=("409",),
)
def import_facts(call: Request) -> ImportOutcomesDocument:
    """Import facts of another broker, and return the outcome for each in the same order.

    Facts keep their original times. What is newer here stays, what was removed here stays removed, and no webhook is
    called. At most one import runs at a time; others get 409.
    """
    body = call.body(ImportBody)
    if len(body.facts) > MAX_FACTS:
        raise Invalid.member("facts", f"cannot be more than {MAX_FACTS}")
    part = ImportBatch(
        source=body.source,
        run=body.run,
        facts=[_fact_or_problem(raw) for raw in body.facts],
        is_dry=body.dry_run,
        is_last=body.finished,
    )
    outcomes = import_batch(call.db, part, now=call.now, settings=call.settings)
    return {"outcomes": [{"outcome": one.outcome.value, "reason": one.reason} for one in outcomes]}


@router.post(
    urls.IMPORT_LOOKUP,
    permission=Permission.IMPORT,
    is_read_only=True,
    body=ImportLookupBody,
    response=ImportedFactsDocument,
)
def look_up_imported_facts(call: Request) -> ImportedFactsDocument:
    """Return for each fact what an earlier import remembered about it: a text, or null for a fact that is new."""
    body = call.body(ImportLookupBody)
    if len(body.facts) > MAX_LOOKUPS:
        raise Invalid.member("facts", f"cannot be more than {MAX_LOOKUPS}")
    keys = [compute_fact_key(body.source, parts) for parts in body.facts]
    known = imports.load_values(call.db, keys)
    return {"values": [(known[key] or "") if key in known else None for key in keys]}


def _fact_or_problem(raw: dict[str, Any]) -> Fact | Invalid:
    adapter = _ADAPTERS.get(str(raw.get("kind")))
    if adapter is None:
        return Invalid.member("kind", f"must be one of: {', '.join(_ADAPTERS)}")
    try:
        fact: Fact = adapter.validate_python(_fields(raw))
    except ValidationError as error:
        return Invalid(*(Problem(tuple(one["loc"]), f"{one['loc'][-1]}: {one['msg']}") for one in error.errors()))
    except (TypeError, ValueError, OverflowError) as error:
        return Invalid.member("facts", f"cannot be read: {error}")
    problems = list(_problems(fact))
    return Invalid(*problems) if problems else fact


_NAMES: Final = frozenset(
    {
        *("name", "main_branch", "labels", "pacticipant", "number", "consumer", "provider", "version"),
        *("provider_version", "uuid", "environment", "environment_name", "application_instance"),
    }
)
"""Fields that identify something. Nothing could be asked about what has a blank name, or one that no index takes."""


class _Contact(Body):
    name: str
    details: dict[str, Any] | None = None


_TEXTS: Final[dict[tuple[type, str], tuple[TypeAdapter[Any], str]]] = {
    (EnvironmentFact, "contacts"): (TypeAdapter(list[_Contact]), "must be a JSON array of objects with names"),
    (EnvironmentFact, "name"): (TypeAdapter(EnvironmentName), "cannot contain spaces or line breaks"),
    (ResultFact, "test_results"): (TypeAdapter(Any), "must be JSON"),
    (ResultFact, "verified_by"): (TypeAdapter(dict[str, Any]), "must be a JSON object"),
}
"""Fields that have a form of their own, and the problem with other values. All but names are JSON as text."""


def _problems(fact: Any) -> Iterator[Problem]:
    """List what is wrong with the values of a fact, which are of the right types."""
    for field in fields(fact):
        name, value = field.name, getattr(fact, field.name)
        values = [value] if value is None or isinstance(value, str) or not isinstance(value, list | tuple) else value
        for one in values:
            if is_dataclass(one):
                yield from _problems(one)
            elif isinstance(one, str) and (text := _problem_of_text(type(fact), name, one)):
                yield Problem((name,), f"{name} {text}")


def _problem_of_text(kind: type, name: str, value: str) -> str | None:
    if name in _NAMES and not value.strip() and name != "application_instance":
        return "cannot be blank"  # application instances of the original broker may be
    if name in _NAMES and len(value.encode()) > MAX_LENGTH:
        return f"cannot be longer than {MAX_LENGTH} bytes"
    if (kind, name) not in _TEXTS:
        return None
    adapter, text = _TEXTS[kind, name]
    try:
        adapter.validate_python(value if name in _NAMES else orjson.loads(value))
    except ValueError:  # also of JSON that cannot be read
        return text
    return None


def _fields(raw: dict[str, Any]) -> dict[str, Any]:
    """Name the members of a fact as the fields of its class, and read its times; one without a zone is in UTC."""
    return {to_snake(name): _value(to_snake(name), value) for name, value in raw.items()}


def _value(name: str, value: Any) -> Any:
    if name.endswith("_at") and isinstance(value, str):
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    if name == "main_branch" and isinstance(value, str) and not value.strip():
        return None  # an application without one is better than no application
    if isinstance(value, list):
        return [_fields(one) if isinstance(one, dict) else one for one in value]
    return value
