"""Comparison of the messages of a pact with an AsyncAPI 3 document.

An interaction names its operation in `comments.references.AsyncAPI.operationId`. It fits if one of the operation's
messages fits in payload and headers. Rules A1 to A13 of the reference engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from treaty.model.compare import media_types, messages, pointers
from treaty.model.compare.documents import UnusableDocument
from treaty.model.compare.findings import ABSENT, DocumentPlace, Finding, Note, Severity
from treaty.model.compare.interactions import decode_contents, mapping
from treaty.model.compare.rules import BodyRules
from treaty.model.compare.schemas import Direction, SchemaTransformer
from treaty.model.compare.validation import CompiledSchema
from treaty.model.wording import choose_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treaty.model.compare.findings import PactPlace
    from treaty.model.compare.interactions import MessageInteraction
    from treaty.model.compare.profiles import Switches

_REFERENCES: Final = ".comments.references.AsyncAPI"
_SCHEMA_FORMATS: Final = ("application/vnd.aai.asyncapi", "application/vnd.oai.openapi", "application/schema")
"""Beginnings of the formats of a payload's schema that are JSON Schema or close to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message that the document declares. `location` is that of its declaration, behind references."""

    location: str
    declaration: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A message in a pact: that of an asynchronous interaction, or the request or a response of a synchronous one.

    `location` is relative to the interaction.
    """

    location: str
    raw: Mapping[str, Any]
    direction: Direction
    has_wrapper: bool = True
    """Whether the content is within an object with its type and encoding, as since version 4 of the specification."""

    @property
    def contents(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("contents"))

    @property
    def payload(self) -> Any:
        """The decoded content; `ABSENT` if there is none."""
        contents = self.raw.get("contents", ABSENT)
        return decode_contents(contents) if self.has_wrapper and contents is not ABSENT else contents

    @property
    def payload_location(self) -> str:
        return f"{self.location}.contents.content" if self.has_wrapper else f"{self.location}.contents"

    @property
    def content_type(self) -> Any:
        return self.contents.get("contentType") if self.has_wrapper else None

    @property
    def metadata(self) -> Any:
        return self.raw.get("metadata", self.raw.get("metaData", ABSENT))


class AsyncApi:
    """An AsyncAPI document, prepared for comparisons. Schemas are compiled when a message reaches them."""

    def __init__(self, name: str, content: Mapping[str, Any], switches: Switches) -> None:
        version = content.get("asyncapi")
        if not isinstance(version, str) or not version.startswith("3."):
            raise UnusableDocument(
                f'{name or "The document"} is not an AsyncAPI document of version 3: it has no `asyncapi: "3.…"`. '
                "Publish an AsyncAPI document of version 3."
            )
        self.name = name
        self.content = content
        self.switches = switches
        self._transformer = SchemaTransformer(content, switches)
        self._schemas: dict[tuple[str, Direction], CompiledSchema] = {}

    @property
    def notes(self) -> list[Note]:
        return list(self._transformer.notes.values())

    @property
    def operations(self) -> Mapping[str, Any]:
        return mapping(self.content.get("operations"))

    def place(self, location: str, value: Any = ABSENT) -> DocumentPlace:
        return DocumentPlace(location=f"[root]{location}", value=value, specification="asyncapi", name=self.name)

    def resolve(self, node: Any) -> Any:
        target = pointers.resolve(self.content, node)
        return None if target is ABSENT else target

    def find_operation(self, name: str) -> Mapping[str, Any]:
        declaration = self.operations.get(name)
        return mapping(self.resolve(declaration) if self.switches.follows_asyncapi else declaration)

    def list_messages(self, owner: Mapping[str, Any], location: str) -> list[Message]:
        """List the messages of an operation or a reply, or those of its channel if it lists none itself."""
        nodes: list[tuple[str, Any]] = []
        if isinstance(owner.get("messages"), list):
            nodes = [(f"{location}.messages[{index}]", node) for index, node in enumerate(owner["messages"])]
        elif self.switches.follows_asyncapi:
            channel = mapping(owner.get("channel"))
            path = _locate(self.content, channel) or f"{location}.channel"
            declared = mapping(mapping(self.resolve(channel)).get("messages"))
            nodes = [(f"{path}.messages.{name}", node) for name, node in declared.items()]
        messages = (self._message(own_location, node) for own_location, node in nodes)
        return [message for message in messages if message is not None]

    def _message(self, location: str, node: Any) -> Message | None:
        declaration = self.resolve(node)
        if not isinstance(declaration, dict):
            return None
        return Message(location=_locate(self.content, node) or location, declaration=declaration)

    def compile(self, location: str, schema: Any, direction: Direction) -> CompiledSchema:
        key = (location, direction)
        if key not in self._schemas:
            self._schemas[key] = CompiledSchema(self._transformer, schema, direction, keeps_locations=True)
        return self._schemas[key]


def _locate(content: Mapping[str, Any], node: Any) -> str | None:
    """Return the location of the object at the end of a chain of references; None if the node is no reference."""
    location = None
    for _ in range(pointers.MAX_REFERENCES):
        reference = pointers.reference_of(node)
        if reference is None:
            return location
        names = pointers.split_pointer(reference) or ()
        location = "".join(f".{name}" for name in names)
        node = pointers.find(content, reference)
    return location


def compare_message(documents: Sequence[AsyncApi], interaction: MessageInteraction) -> list[Finding] | None:
    """Compare an interaction with the document that has its operation; None if it is not one that can be compared."""
    if not documents:
        return None
    if _is_of_version_3(interaction) and not documents[0].switches.follows_asyncapi:
        return None  # the reference engine does not read their messages
    operation = _read_operation(interaction)
    if isinstance(operation, Finding):
        return [replace(operation, document=documents[0].place(""))]
    document = next((document for document in documents if operation in document.operations), None)
    if document is None:
        return [_unknown_operation(documents, interaction, operation)]
    comparison = _MessageComparison(document, interaction, operation)
    return list(comparison.compare_sync() if interaction.kind == "sync" else comparison.compare_async())


def _is_of_version_3(interaction: MessageInteraction) -> bool:
    """Whether an interaction is of a pact of version 3, in which messages have a list of their own."""
    return interaction.location.startswith("[root].messages")


def operation_name(interaction: MessageInteraction) -> str | None:
    """Return the name of the operation that an interaction refers to; None if it refers to none."""
    name = mapping(_read_references(interaction)).get("operationId")
    return name if isinstance(name, str) and name else None


def _read_references(interaction: MessageInteraction) -> Any:
    return mapping(mapping(interaction.raw.get("comments")).get("references")).get("AsyncAPI")


def _read_operation(interaction: MessageInteraction) -> str | Finding:
    """Return the name of the operation that an interaction refers to, or the finding that it has none."""
    references = _read_references(interaction)
    name = operation_name(interaction)
    if name is not None:
        return name
    reason = (
        "is not complete: it has no operationId"
        if references
        else "is missing, so the message cannot be found in the document"
    )
    return Finding(
        code="message.references.missing",
        type=Severity.ERROR,
        message=f"The reference of the interaction to its AsyncAPI operation {reason}. Add it in the consumer's test "
        "as the comment references.AsyncAPI.operationId.",
        pact=interaction.place(_REFERENCES, references or ABSENT),
        document=None,
    )


def _unknown_operation(documents: Sequence[AsyncApi], interaction: MessageInteraction, operation: str) -> Finding:
    names = messages.list_names(list(documents[0].operations)[:20]) or "none"
    return Finding(
        code="message.operation.unknown",
        type=Severity.ERROR,
        message=f"The interaction refers to the operation {operation}, which the document lacks; it has {names}.",
        pact=interaction.place(f"{_REFERENCES}.operationId", operation),
        document=documents[0].place(".operations"),
    )


@dataclass(frozen=True, slots=True)
class _MessageComparison:
    """One interaction beside its operation."""

    document: AsyncApi
    interaction: MessageInteraction
    name: str

    @property
    def operation(self) -> Mapping[str, Any]:
        return self.document.find_operation(self.name)

    @property
    def location(self) -> str:
        return f".operations.{self.name}"

    def compare_async(self) -> Iterator[Finding]:
        raw, has_wrapper = self.interaction.raw, not _is_of_version_3(self.interaction)
        part = Part(location="", raw=raw, direction=Direction.RESPONSE, has_wrapper=has_wrapper)
        candidates = self.document.list_messages(self.operation, self.location)
        place = self.interaction.place("", self.interaction.description)
        yield from self._match(part, candidates, f"{self.location}.messages", place)

    def compare_sync(self) -> Iterator[Finding]:
        request = Part(
            location=".request", raw=mapping(self.interaction.raw.get("request")), direction=Direction.REQUEST
        )
        candidates = self.document.list_messages(self.operation, self.location)
        findings = list(self._match(request, candidates, f"{self.location}.messages", self._operation_place()))
        yield from findings
        if all(finding.type is not Severity.ERROR for finding in findings):
            yield from self._compare_replies()

    def _operation_place(self) -> PactPlace:
        return self.interaction.place(f"{_REFERENCES}.operationId", self.name)

    def _compare_replies(self) -> Iterator[Finding]:
        declaration = self.operation.get("reply")
        if not declaration:
            yield self._reply_missing(f"The operation {self.name} has no reply", self.location, self.operation)
            return
        follows = self.document.switches.follows_asyncapi
        reply = mapping(self.document.resolve(declaration) if follows else declaration)
        location = f"{self.location}.reply.messages"
        candidates = self.document.list_messages(reply, f"{self.location}.reply")
        if not candidates and not reply.get("messages"):
            text = f"The reply of the operation {self.name} has no messages"
            yield self._reply_missing(text, location, reply.get("messages", ABSENT))
            return
        responses = self.interaction.raw.get("response")
        parts = [response for response in responses if response] if isinstance(responses, list) else []
        if not parts:
            yield self._response_missing(location, reply.get("messages", ABSENT), responses)
        for index, raw in enumerate(parts):
            part = Part(location=f".response[{index}]", raw=mapping(raw), direction=Direction.RESPONSE)
            yield from self._match(part, candidates, location, self._operation_place())

    def _reply_missing(self, reason: str, location: str, value: Any) -> Finding:
        return Finding(
            code="message.reply.missing",
            type=Severity.ERROR,
            message=f"{reason} in the document, but the consumer expects one.",
            pact=self.interaction.place(_REFERENCES, self.name),
            document=self.document.place(location, value),
        )

    def _response_missing(self, location: str, value: Any, responses: Any) -> Finding:
        return Finding(
            code="message.response.missing",
            type=Severity.WARNING,
            message="The interaction has no response, so the reply of the operation is not compared.",
            pact=self.interaction.place(".response", [] if responses is None else responses),
            document=self.document.place(location, value),
        )

    def _match(self, part: Part, candidates: Sequence[Message], location: str, place: PactPlace) -> Iterator[Finding]:
        """Yield the findings about the first message that fits, or one with the causes why none does."""
        causes: list[Finding] = []
        for message in candidates:
            findings = [*self._compare_payload(part, message), *self._compare_headers(part, message)]
            errors = [finding for finding in findings if finding.type is Severity.ERROR]
            if not errors:
                yield from findings
                yield self._matched(message)
                return
            causes += errors
        fits = choose_form(len(candidates), "does not fit the message", "fits none of the messages")
        reason = fits if candidates else "cannot be found, since the document lists no message"
        yield Finding(
            code="message.no.match",
            type=Severity.ERROR,
            message=f"What the consumer expects {reason} of the operation {self.name}.",
            pact=place,
            document=self.document.place(location),
            causes=tuple(causes),
        )

    def _matched(self, message: Message) -> Finding:
        return Finding(
            code="message.matched",
            type=Severity.INFO,
            message=f"The message {message.location.rpartition('.')[2]} fits.",
            pact=None,
            document=self.document.place(message.location, message.declaration),
        )

    def _compare_payload(self, part: Part, message: Message) -> Iterator[Finding]:
        payload = part.payload
        if payload is ABSENT:
            return
        content_type = self._content_type(part, message)
        schema, can_be_validated = self._payload_schema(message)
        place = self.interaction.place(part.payload_location, payload)
        if content_type is None:
            return
        if not can_be_validated or not media_types.can_be_validated(content_type):
            yield self._unvalidatable(place, message, content_type)
        elif schema is ABSENT:
            yield Finding(
                code="message.payload.unknown",
                type=Severity.WARNING,
                message="The consumer expects a payload, but the document has no schema for it.",
                pact=place,
                document=self.document.place(message.location),
            )
        else:
            location, own_schema = schema
            yield from self._check(part, "payload", location, own_schema)

    def _content_type(self, part: Part, message: Message) -> str | None:
        """Return the content type of a part of a pact; None if it is unknown, so that the part is not checked."""
        content_type = part.content_type
        if content_type is None and self.document.switches.follows_asyncapi:
            declared = message.declaration.get("contentType") or self.document.content.get("defaultContentType")
            content_type = declared or media_types.JSON
        return content_type if isinstance(content_type, str) else None

    def _unvalidatable(self, place: PactPlace, message: Message, content_type: str | None) -> Finding:
        return Finding(
            code="message.payload.unvalidatable",
            type=Severity.WARNING,
            message=f"The payload cannot be compared: its content type is {content_type}, or its schema has another "
            "format than JSON Schema. Only JSON with a JSON Schema can be compared.",
            pact=place,
            document=self.document.place(message.location),
        )

    def _payload_schema(self, message: Message) -> tuple[Any, bool]:
        """Return the location and the schema of the payload, or `ABSENT`; and whether its format can be compared."""
        node = message.declaration.get("payload", ABSENT)
        location = f"{message.location}.payload"
        schema = self.document.resolve(node) if isinstance(node, dict) else node
        if schema is None or schema is ABSENT or schema is False:
            return ABSENT, True
        if self.document.switches.follows_asyncapi and isinstance(schema, dict) and "schemaFormat" in schema:
            is_known = str(schema["schemaFormat"]).startswith(_SCHEMA_FORMATS)
            return (f"{location}.schema", schema.get("schema", True)), is_known
        return (location, node), True

    def _compare_headers(self, part: Part, message: Message) -> Iterator[Finding]:
        schema = message.declaration.get("headers")
        if part.metadata is ABSENT or not schema or self.document.resolve(schema) is None:
            return
        yield from self._check(part, "headers", f"{message.location}.headers", schema)

    def _check(self, part: Part, subject: str, location: str, schema: Any) -> Iterator[Finding]:
        compiled = self.document.compile(location, schema, part.direction)
        is_payload = subject == "payload"
        rules = BodyRules(part.raw) if is_payload and self.document.switches.uses_matching_rules else None
        value = part.payload if is_payload else part.metadata
        pact_location = part.payload_location if is_payload else f"{part.location}.metadata"
        for violation in compiled.check(value, is_relaxed=rules.is_relaxed if rules else None):
            side = part.direction.value
            closest = violation.closest
            yield Finding(
                code=f"message.{subject}.incompatible",
                type=Severity.ERROR,
                message=f"{messages.describe(violation, f'the {subject} of the message')} {messages.explain(side)}",
                pact=self.interaction.place(pact_location + violation.instance_suffix, violation.value),
                document=self.document.place(f"{location}{violation.schema_suffix}", violation.expected),
                closest_branch=f"[root]{location}" + "".join(f".{step}" for step in closest) if closest else None,
            )
