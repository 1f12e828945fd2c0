"""Who uses a part of a provider: queries, and answers that say what they rest on."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final

from treaty.errors import Invalid, Problem
from treaty.model.paging import Paged
from treaty.model.usage.documents import FoundName
from treaty.model.usage.expectations import BODIES, HEADERS, ITEM, OPEN_KEY, Place
from treaty.model.usage.operations import OperationQuery
from treaty.model.usage.strictness import Strictness
from treaty.model.usage.words import list_query_words
from treaty.model.wording import choose_form

MAX_VARIED_STEPS: Final = 6
"""Steps of a pointer of which all meanings are looked up."""
PARTS: Final = ("request", "response", "message")


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageQuery:
    """What a provider's consumers may use. An interaction has to meet all criteria that are given."""

    provider: str
    operation: str | None = None
    pointer: str | None = None
    field: str | None = None
    state: str | None = None
    text: str | None = None
    part: str | None = None
    """Restricts pointers and fields to the request, the response or the message."""

    @property
    def criteria(self) -> dict[str, str]:
        """The given criteria by their names."""
        values = {name: getattr(self, name) for name in ("operation", "pointer", "field", "state", "text")}
        return {name: value for name, value in values.items() if value is not None}

    def check(self) -> None:
        """Raise Invalid with an explanation for each criterion that cannot be looked up."""
        problems = [*self._list_problems()]
        if problems:
            raise Invalid(*problems)

    def _list_problems(self) -> list[Problem]:
        problems = []
        if not self.criteria:
            problems.append(Problem((), "give at least one of operation, pointer, field, state and text"))
        if self.operation is not None and not is_operation(self.operation):
            problems.append(Problem(("operation",), "must be a path, or a method and a path: GET /orders/{id}"))
        if self.pointer is not None and self.pointer and not self.pointer.startswith("/"):
            problems.append(Problem(("pointer",), "must be a JSON pointer, which begins with a slash: /items/*/price"))
        if self.text is not None and not list_query_words(self.text):
            problems.append(Problem(("text",), "must contain a letter or a digit"))
        if self.part is not None and self.part not in PARTS:
            problems.append(Problem(("part",), f"must be one of {', '.join(PARTS)}"))
        return problems

    def covers(self, place: Place) -> bool:
        """Whether a place is in the requested part."""
        return self.part is None or place.value.startswith(f"{self.part}.")


def is_operation(text: str) -> bool:
    """Whether a text is a path, or a method and a path."""
    try:
        OperationQuery(text)
    except ValueError:
        return False
    return True


def list_pointers(pointer: str) -> list[str]:
    """List the indexed names that a JSON pointer stands for.

    An index and `-` stand for any item, and `*` also for any key that a rule leaves open. Any other step may be such a
    key.
    """
    steps = pointer.split("/")[1:]
    variants = [_list_steps(step) if index < MAX_VARIED_STEPS else (step,) for index, step in enumerate(steps)]
    return ["".join(f"/{step}" for step in combination) for combination in product(*variants)]


def _list_steps(step: str) -> tuple[str, ...]:
    if step in {ITEM, "-"}:
        return (ITEM, OPEN_KEY)
    if step.isascii() and step.isdigit():
        return (step, ITEM, OPEN_KEY)
    return (step, OPEN_KEY)


def is_name_of(field: str, place: Place, name: str) -> bool:
    """Whether an indexed field has the name that a query asks for. The names of headers ignore case."""
    return name == field or (place in HEADERS and name == field.lower())


@dataclass(frozen=True, slots=True)
class Term:
    """An expectation's place and name."""

    id: int
    place: Place
    name: str

    @property
    def path(self) -> str:
        """The path of an operation, or the name of anything else."""
        return self.name.partition(" ")[2] if self.place is Place.OPERATION else self.name

    @property
    def method(self) -> str | None:
        return self.name.partition(" ")[0] if self.place is Place.OPERATION else None


@dataclass(frozen=True, kw_only=True, slots=True)
class PactInUse:
    """A consumer version with a pact that counts: in an environment, on the main branch, or the latest of its pair."""

    consumer: str
    consumer_id: int
    version: str
    content_id: int
    environments: tuple[str, ...]
    is_on_main: bool
    is_latest: bool


@dataclass(frozen=True, slots=True)
class UsedExpectation:
    """An expectation of an interaction that meets the query."""

    place: Place
    name: str
    strictness: Strictness


@dataclass(frozen=True, kw_only=True, slots=True)
class UsingInteraction:
    """An interaction that meets the query."""

    kind: str
    description: str
    operation: str | None
    expectations: tuple[UsedExpectation, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class UsingConsumer:
    """A consumer whose pacts in use meet the query."""

    name: str
    pacts: tuple[PactInUse, ...]
    interaction_count: int
    """Interactions in the pact with the most of them; `interactions` may be fewer."""
    interactions: tuple[UsingInteraction, ...] = ()


@dataclass(frozen=True, slots=True)
class FormerConsumer:
    """A consumer that only pacts of versions meet the query that are no longer in use."""

    name: str
    version: str
    """The newest version with such a pact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageBasis:
    """What an answer rests on."""

    pacts_in_use: int
    contents: int
    """Contents of the provider's pacts, of all versions."""
    indexed_contents: int
    waiting_pacts: tuple[PactInUse, ...]
    """Pacts in use that are not indexed yet."""
    truncated_pacts: tuple[PactInUse, ...]
    """Pacts in use that are too large to be indexed completely."""
    consumers_without_pacts: tuple[str, ...]
    is_search_truncated: bool
    """Whether the query matches more names than are looked up."""

    @property
    def is_complete(self) -> bool:
        """Whether all pacts of the provider are indexed completely."""
        return self.indexed_contents >= self.contents and self.covers_use

    @property
    def covers_use(self) -> bool:
        """Whether all pacts in use are indexed completely."""
        return not (self.waiting_pacts or self.truncated_pacts or self.is_search_truncated)


class UsageVerdict(StrEnum):
    """Whether a consumer uses it."""

    USED = "used"
    UNUSED = "unused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The answer to a query."""

    query: UsageQuery
    consumers: Paged[UsingConsumer]
    former_consumers: tuple[FormerConsumer, ...]
    suggestions: tuple[str, ...]
    """Similar names that the provider's consumers use, if none has the name of the query."""
    basis: UsageBasis
    documented: tuple[FoundName, ...] = ()
    """Names in the provider's documents that have the words of the query, whether consumers use them or not."""

    @property
    def verdict(self) -> UsageVerdict:
        if self.consumers.total:
            return UsageVerdict.USED
        return UsageVerdict.UNUSED if self.basis.covers_use else UsageVerdict.UNKNOWN

    @property
    def summary(self) -> str:
        """The answer in sentences, with what it rests on."""
        return " ".join(_summarize(self))


def _summarize(usage: Usage) -> list[str]:
    basis, total = usage.basis, usage.consumers.total
    subject = describe_query(usage.query)
    looked_at = f"{_count(basis.pacts_in_use, 'pact')} in use"
    match usage.verdict:
        case UsageVerdict.USED:
            verb = choose_form(total, "consumer uses", "consumers use")
            sentences = [f"{total} {verb} {subject}, according to {looked_at}."]
        case UsageVerdict.UNUSED:
            sentences = [f"No consumer uses {subject}, according to {looked_at}."]
        case UsageVerdict.UNKNOWN:
            sentences = [f"It is not known whether a consumer uses {subject}."]
    return [*sentences, *_describe_gaps(usage)]


def _describe_gaps(usage: Usage) -> list[str]:
    basis = usage.basis
    gaps = []
    if usage.former_consumers:
        names = ", ".join(f"{consumer.name} {consumer.version}" for consumer in usage.former_consumers)
        gaps.append(f"Versions that are not in use any more did: {names}.")
    if basis.waiting_pacts:
        gaps.append(f"{_name_pacts(basis.waiting_pacts)} not indexed yet; ask again in a moment.")
    if basis.truncated_pacts:
        gaps.append(f"{_name_pacts(basis.truncated_pacts)} too large to be indexed completely; read the pact itself.")
    if basis.is_search_truncated:
        gaps.append("The query matches too many names; make it more specific.")
    if basis.consumers_without_pacts:
        gaps.append(f"Without a pact, and therefore not covered: {', '.join(basis.consumers_without_pacts)}.")
    if not usage.consumers.total and usage.suggestions:
        gaps.append(f"Did you mean {' or '.join(usage.suggestions)}?")
    return gaps


def _name_pacts(pacts: Sequence[PactInUse]) -> str:
    names = ", ".join(f"{pact.consumer} {pact.version}" for pact in pacts[:5])
    more = f" and {len(pacts) - 5} more" if len(pacts) > 5 else ""  # noqa: PLR2004 - named above
    return choose_form(len(pacts), f"The pact of {names} is", f"The pacts of {names}{more} are")


def _count(number: int, noun: str) -> str:
    return f"{number} {choose_form(number, noun, f'{noun}s')}"


def describe_query(query: UsageQuery) -> str:
    """Describe what a query asks for, as part of a sentence."""
    wordings = {
        "operation": "{}",
        "pointer": "the body field {}",
        "field": "the field {}",
        "state": "the provider state “{}”",
        "text": "anything that matches “{}”",
    }
    texts = [wordings[name].format(value or "(the whole body)") for name, value in query.criteria.items()]
    part = f" in the {query.part}" if query.part else ""
    return f"{' with '.join(texts)}{part} of {query.provider}"


def describe_place(place: Place) -> str:
    """Describe a place, for people."""
    return place.value.replace(".", " ")


def describe_expectation(expectation: UsedExpectation) -> str:
    """Describe an expectation on one line: `response body /items/*/price: any value of this type`."""
    name = expectation.name or ("(the whole body)" if expectation.place in BODIES else "")
    text = f"{describe_place(expectation.place)} {name}"
    return text if expectation.place is Place.DESCRIPTION else f"{text}: {expectation.strictness.meaning}"


@dataclass(frozen=True, slots=True)
class ExpectedInteraction:
    """An interaction that consumers expect of an operation."""

    description: str
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExpectedOperation:
    """An operation or a message, with the interactions that pacts in use have for it."""

    place: Place
    name: str
    interactions: tuple[ExpectedInteraction, ...]

    @property
    def path(self) -> str:
        """The path of an operation, or the name of a message."""
        return self.name.partition(" ")[2] if self.place is Place.OPERATION else self.name

    @property
    def method(self) -> str | None:
        """The method of an operation; None for a message."""
        return self.name.partition(" ")[0] if self.place is Place.OPERATION else None

    @property
    def consumers(self) -> tuple[str, ...]:
        """The names of all consumers that expect it."""
        return tuple(sorted({name for interaction in self.interactions for name in interaction.consumers}))


@dataclass(frozen=True, slots=True)
class InteractionUser:
    """A consumer that expects an interaction, with its pacts in use that have it."""

    name: str
    pacts: tuple[PactInUse, ...]


@dataclass(frozen=True, slots=True)
class ListedInteraction:
    """An interaction that consumers expect of a provider."""

    description: str
    kind: str
    users: tuple[InteractionUser, ...]


@dataclass(frozen=True, slots=True)
class ListedOperation:
    """An operation or a message with the interactions on a page, and their number."""

    name: str
    method: str | None
    """None for a message."""
    path: str
    """The name of a message."""
    interactions: tuple[ListedInteraction, ...]
    interaction_count: int


@dataclass(frozen=True, slots=True)
class ProviderInteractions:
    """The interactions of the pacts in use, by path."""

    operations: Paged[ListedOperation]
    consumer_count: int
    """Consumers with a pact in use, whether or not they match the search."""
    basis: UsageBasis


@dataclass(frozen=True, slots=True)
class ExpectedOperations:
    """What a provider's consumers expect, ordered by path."""

    provider: str
    operations: Paged[ExpectedOperation]
    basis: UsageBasis
