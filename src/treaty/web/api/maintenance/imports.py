"""Import of facts from another broker with their original times, for `treaty import`."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_snake
from typing_extensions import TypedDict

from treaty.actions.maintenance.imports import ImportBatch, import_batch
from treaty.errors import Invalid, Problem
from treaty.model.compare.yaml_documents import UnreadableDocument
from treaty.model.maintenance.imports import (
    DeploymentFact,
    EnvironmentFact,
    Fact,
    PactFact,
    PacticipantFact,
    ProviderContractFact,
    ReleaseFact,
    ResultFact,
    VersionFact,
    WebhookFact,
    compute_fact_key,
)
from treaty.model.names import MAX_LENGTH, find_forbidden_character
from treaty.store.maintenance import imports
from treaty.web import urls
from treaty.web.http.bodies import Body, EnvironmentName, RequiredNonBlankLine, with_example
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_FACTS: Final = 1000
"""Maximum number of facts in a request, so that its transaction does not block builds for long."""
MAX_LOOKUPS: Final = 10_000
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    "pacticipant": TypeAdapter(PacticipantFact),
    "version": TypeAdapter(VersionFact),
    "pact": TypeAdapter(PactFact),
    "result": TypeAdapter(ResultFact),
    "provider-contract": TypeAdapter(ProviderContractFact),
    "environment": TypeAdapter(EnvironmentFact),
    "deployment": TypeAdapter(DeploymentFact),
    "release": TypeAdapter(ReleaseFact),
    "webhook": TypeAdapter(WebhookFact),
}


class ImportBody(Body):
    """One request of an import: facts in the order in which to copy them."""

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
    """Identifies the import: a text of the client's choice, the same in all requests of the import."""
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
    """Each fact is a list of its kind and the names or numbers that identify it in the source."""


class FactOutcome(TypedDict):
    outcome: Literal["copied", "present", "removed", "outdated", "absent", "refused"]
    reason: str | None


class ImportOutcomesDocument(TypedDict):
    outcomes: list[FactOutcome]


class ImportedFactsDocument(TypedDict):
    values: list[str | None]


def _read_facts(request: Request) -> list[Fact | Invalid]:
    """Read the facts before the transaction: the documents of providers take long to parse."""
    body = request.body(ImportBody)
    if len(body.facts) > MAX_FACTS:
        raise Invalid.member("facts", f"cannot be more than {MAX_FACTS}")
    return [_fact_or_problem(raw) for raw in body.facts]


@router.post(
    urls.IMPORT,
    permission=Permission.IMPORT,
    prepare=_read_facts,
    is_slow=True,
    body=ImportBody,
    response=ImportOutcomesDocument,
    errors=("409",),
)
def import_facts(request: Request) -> ImportOutcomesDocument:
    """Import facts of another broker, and return the outcome for each in the same order.

    Facts keep their original times. Newer facts of this broker are not replaced, facts that were removed here after an
    earlier import are not copied again, and no webhooks are called. Returns 409 while another import is running.
    """
    body = request.body(ImportBody)
    batch = ImportBatch(
        source=body.source,
        run=body.run,
        facts=cast("list[Fact | Invalid]", request.prepared),
        is_dry=body.dry_run,
        is_last=body.finished,
    )
    results = import_batch(request.db, batch, now=request.now, settings=request.settings)
    return {"outcomes": [{"outcome": result.outcome.value, "reason": result.reason} for result in results]}


@router.post(
    urls.IMPORT_LOOKUP,
    permission=Permission.IMPORT,
    is_read_only=True,
    body=ImportLookupBody,
    response=ImportedFactsDocument,
)
def look_up_imported_facts(request: Request) -> ImportedFactsDocument:
    """Return for each fact the text that an earlier import remembered, or null for a fact that was not copied yet.

    With it a repeated import skips the facts that it need not fetch from the source again.
    """
    body = request.body(ImportLookupBody)
    if len(body.facts) > MAX_LOOKUPS:
        raise Invalid.member("facts", f"cannot be more than {MAX_LOOKUPS}")
    keys = [compute_fact_key(body.source, parts) for parts in body.facts]
    remembered = imports.load_values(request.db, keys)
    return {"values": [(remembered[key] or "") if key in remembered else None for key in keys]}


def _fact_or_problem(raw: dict[str, Any]) -> Fact | Invalid:
    adapter = _ADAPTERS.get(str(raw.get("kind")))
    if adapter is None:
        return Invalid.member("kind", f"must be one of: {', '.join(_ADAPTERS)}")
    try:
        fact: Fact = adapter.validate_python(_convert_members(raw))
    except ValidationError as error:
        return Invalid(*(Problem(tuple(item["loc"]), f"{item['loc'][-1]}: {item['msg']}") for item in error.errors()))
    except (TypeError, ValueError, OverflowError) as error:
        return Invalid.member("facts", f"cannot be read: {error}")
    problems = list(_find_problems(fact)) or list(_find_document_problems(fact))
    return Invalid(*problems) if problems else fact


def _find_document_problems(fact: Fact) -> Iterator[Problem]:
    """List the problems with the document of a provider, which this parses."""
    if isinstance(fact, ProviderContractFact):
        try:
            _ = fact.contract
        except UnreadableDocument as error:
            yield Problem(("content",), f"content: {error}")
        except ValueError:
            yield Problem(("content",), "content must be base64")


_NAMES: Final = frozenset(
    {
        *("name", "main_branch", "labels", "pacticipant", "number", "consumer", "provider", "version"),
        *("provider_version", "uuid", "environment", "environment_name", "application_instance", "tags"),
    }
)
"""Fields with names that URLs and indexes use: a blank name has no URL, and a very long one fits no index entry."""


class _Contact(Body):
    name: str
    details: dict[str, Any] | None = None


_CONTACTS: Final = (TypeAdapter[Any](list[_Contact]), "must be a JSON array of objects with names")
_TEXT_FORMATS: Final[dict[tuple[type, str], tuple[TypeAdapter[Any], str]]] = {
    (PacticipantFact, "contacts"): _CONTACTS,
    (EnvironmentFact, "contacts"): _CONTACTS,
    (EnvironmentFact, "name"): (TypeAdapter(EnvironmentName), "cannot contain spaces or line breaks"),
    (ResultFact, "test_results"): (TypeAdapter(Any), "must be JSON"),
    (ResultFact, "verified_by"): (TypeAdapter(dict[str, Any]), "must be a JSON object"),
}
"""Fields with a particular format, and the message for other values. All except `name` contain JSON as text."""


def _find_problems(fact: Any) -> Iterator[Problem]:
    """List the problems with the values of a fact, whose types are valid, and of the objects it contains."""
    for field in fields(fact):
        name, value = field.name, getattr(fact, field.name)
        values = [value] if value is None or isinstance(value, str) or not isinstance(value, list | tuple) else value
        for item in values:
            if is_dataclass(item):
                yield from _find_problems(item)
            elif isinstance(item, str) and (message := _check_text(type(fact), name, item)):
                yield Problem((name,), f"{name} {message}")


def _check_text(fact_class: type, name: str, value: str) -> str | None:
    """Return the message for an invalid text, or None."""
    # The original broker accepts blank application instances, so its data may contain them.
    is_single_contract = fact_class is ProviderContractFact and name == "name"
    if name in _NAMES and not value.strip() and name != "application_instance" and not is_single_contract:
        return "cannot be blank"
    if name in _NAMES and (problem := find_forbidden_character(value)):
        return problem
    if name in _NAMES and len(value.encode()) > MAX_LENGTH:
        return f"cannot be longer than {MAX_LENGTH} bytes"
    if (fact_class, name) not in _TEXT_FORMATS:
        return None
    adapter, message = _TEXT_FORMATS[fact_class, name]
    try:
        adapter.validate_python(value if name in _NAMES else orjson.loads(value))
    except ValueError:  # the errors of both pydantic and orjson
        return message
    return None


def _convert_members(raw: dict[str, Any]) -> dict[str, Any]:
    """Convert the members of a fact to fields of its class, and parse its times; those without a zone are in UTC."""
    return {to_snake(name): _convert_value(to_snake(name), value) for name, value in raw.items()}


def _convert_value(name: str, value: Any) -> Any:
    if name.endswith("_at") and isinstance(value, str):
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    if name == "main_branch" and isinstance(value, str) and not value.strip():
        return None  # better to import the application without a main branch than to refuse it
    if isinstance(value, dict):
        return _convert_members(value)
    if isinstance(value, list):
        return [_convert_members(item) if isinstance(item, dict) else item for item in value]
    return value
