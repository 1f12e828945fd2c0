"""Random pairs of documents and pacts, in which every rule of the comparison can be reached.

A pact is generated from its document, and then changed at a few places, so that most interactions get past the first
rules.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from typing import Any, Final

Json = Any

NAMES: Final = ("id", "name", "kind", "size", "tags", "a-b")
WORDS: Final = ("red", "blue", "x", "", "12", "true", "2026-01-31", "a@example.org", "a,b", "ABC", "1.5")
FORMATS: Final = ("date", "date-time", "uuid", "email", "uri", "ipv4", "int32", "password", "unknown-format")
MEDIA_TYPES: Final = (
    *("application/json",) * 6,
    *("application/vnd.shop+json", "application/json;charset=utf-8", "text/plain", "application/xml", "image/png"),
    "application/x-www-form-urlencoded",
)
METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options")


@dataclass(frozen=True)
class Pair:
    """A pact and the documents to compare it with."""

    pact: Json
    openapi: Json = None
    asyncapi: Json = None


def generate(seed: int) -> Pair:
    """Generate the pair of a seed, always the same."""
    return Generator(random.Random(seed)).pair()  # noqa: S311 - test data


@dataclass
class Generator:
    """Generates one pair."""

    random: random.Random
    version: str = "3.1.0"
    schemas: dict[str, Json] = field(default_factory=dict)

    def happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def choose(self, values: Any) -> Any:
        return self.random.choice(values)

    def some(self, values: Any, most: int = 3) -> list[Any]:
        return self.random.sample(list(values), self.random.randint(0, min(most, len(values))))

    def pair(self) -> Pair:
        if self.happens(0.15):
            return self.messages()
        self.version = self.choose(("2.0", "3.0.3", "3.0.3", "3.1.0", "3.1.0"))
        document = self.openapi()
        interactions = [self.interaction(document) for _ in range(self.random.randint(1, 3))]
        version = self.choose(("2.0.0", "3.0.0", "4.0"))
        if version == "4.0":
            interactions = [as_version_4(interaction) for interaction in interactions]
        return Pair(pact_of(interactions, version), openapi=document)

    @property
    def root(self) -> str:
        return "#/definitions/" if self.version == "2.0" else "#/components/schemas/"

    def schema(self, depth: int = 0) -> Json:
        """Generate a schema; those further down are simpler."""
        kinds = ["string", "integer", "number", "boolean"] * 2
        if depth < 3:
            kinds += ["object"] * 6 + ["array"] * 2 + ["reference"] * 2 + ["allOf", "oneOf", "anyOf"]
            if self.version == "2.0":
                kinds = [kind for kind in kinds if kind not in {"oneOf", "anyOf"}]
        kind = self.choose(kinds)
        schema: Json = getattr(self, f"_{kind}")(depth)
        return self._with_null(schema) if kind not in {"reference", "oneOf", "anyOf", "allOf"} else schema

    def _with_null(self, schema: Json) -> Json:
        if self.happens(0.12):
            if self.version == "3.0.3":
                return {**schema, "nullable": True}
            if self.version == "3.1.0":
                return {**schema, "type": [schema["type"], "null"]}
        return schema

    def _string(self, _: int) -> Json:
        choices: list[Json] = [{}, {}, {"minLength": 2}, {"maxLength": 3}, {"pattern": "^[a-z]+$"}]
        choices += [{"enum": ["red", "blue"]}, {"format": self.choose(FORMATS)}]
        choices += [{"const": "red"}] if self.version == "3.1.0" else []
        return {"type": "string", **self.choose(choices)}

    def _integer(self, _: int) -> Json:
        choices: list[Json] = [{}, {}, {"minimum": 2}, {"maximum": 5}, {"enum": [1, 2]}, {"format": "int32"}]
        choices += [{"multipleOf": 2}, {"format": "int64"}]
        if self.version == "3.1.0":
            choices += [{"exclusiveMinimum": 2}]
        else:
            choices += [{"minimum": 2, "exclusiveMinimum": self.choose((True, False))}]
        return {"type": "integer", **self.choose(choices)}

    def _number(self, _: int) -> Json:
        return {"type": "number", **self.choose(({}, {"minimum": 1.5}, {"maximum": 10}, {"format": "float"}))}

    def _boolean(self, _: int) -> Json:
        return {"type": "boolean"}

    def _array(self, depth: int) -> Json:
        limits: Json = self.choose(({}, {}, {"minItems": 1}, {"maxItems": 1}, {"uniqueItems": True}))
        return {"type": "array", "items": self.schema(depth + 1), **limits}

    def _object(self, depth: int) -> Json:
        names = self.some(NAMES)
        schema: dict[str, Json] = {"type": "object", "properties": {name: self.schema(depth + 1) for name in names}}
        required = self.some(names)
        if required:
            schema["required"] = required
        if self.happens(0.3):
            schema["additionalProperties"] = self.choose((True, False, {}, {"type": "string"}))
        return schema

    def _reference(self, depth: int) -> Json:
        name = self.choose("ABCD")
        if name not in self.schemas:
            self.schemas[name] = {}  # a schema may refer to itself
            self.schemas[name] = self._object(depth + 1)
        return {"$ref": self.root + name}

    def _allOf(self, depth: int) -> Json:  # noqa: N802 - the keyword
        branches = [self.choose((self._object, self._reference))(depth + 1) for _ in range(2)]
        return {"allOf": branches}

    def _oneOf(self, depth: int) -> Json:  # noqa: N802 - the keyword
        return {"oneOf": [self.schema(depth + 1) for _ in range(2)]}

    def _anyOf(self, depth: int) -> Json:  # noqa: N802 - the keyword
        return {"anyOf": [self.schema(depth + 1) for _ in range(2)]}

    def value(self, schema: Json, depth: int = 0) -> Json:
        """Generate a value that often fits a schema."""
        if self.happens(0.04):
            return self.choose((None, 1, "text", True, [], {}, {"more": 1}))
        if not isinstance(schema, dict):
            return self.choose(WORDS)
        if "$ref" in schema:
            target = self.schemas.get(schema["$ref"].rpartition("/")[2], {})
            return self.value(target, depth + 1) if depth < 6 else {}
        for keyword in ("oneOf", "anyOf"):
            if keyword in schema:
                return self.value(self.choose(schema[keyword]), depth + 1)
        if "allOf" in schema:
            parts = [self.value(branch, depth + 1) for branch in schema["allOf"]]
            return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}
        return self._plain_value(schema, depth)

    def _plain_value(self, schema: Json, depth: int) -> Json:  # noqa: PLR0911 - one for each type
        if "const" in schema and self.happens(0.8):
            return schema["const"]
        if "enum" in schema and self.happens(0.8):
            return self.choose(schema["enum"])
        kind = schema.get("type")
        kind = self.choose(kind) if isinstance(kind, list) else kind
        match kind:
            case "object":
                return self._object_value(schema, depth)
            case "array":
                return [self.value(schema.get("items"), depth + 1) for _ in range(self.random.randint(0, 2))]
            case "integer":
                return self.choose((0, 1, 2, 3, 4, 6, 2**31))
            case "number":
                return self.choose((1, 1.5, 2, 20.25))
            case "boolean":
                return self.choose((True, False))
            case "null":
                return None
            case _:
                return self.choose(WORDS)

    def _object_value(self, schema: Json, depth: int) -> Json:
        properties = schema.get("properties") or {}
        value = {name: self.value(own, depth + 1) for name, own in properties.items() if self.happens(0.85)}
        if self.happens(0.12):
            value[self.choose(("more", "name", "other"))] = self.choose(("x", 1, None))
        return value

    def openapi(self) -> Json:
        paths = {path: self._path_item(path) for path in self.some(PATHS, 3) or PATHS[:1]}
        document: dict[str, Json] = {"info": {"title": "Shop", "version": "1"}, "paths": paths}
        schemes = self.some(SCHEMES_2 if self.version == "2.0" else SCHEMES_3, 2) if self.happens(0.3) else []
        if self.version == "2.0":
            document |= {"swagger": "2.0", "definitions": self.schemas}
            document |= {"basePath": "/v1"} if self.happens(0.2) else {}
            document |= {"consumes": ["application/json"]} if self.happens(0.7) else {}
            document |= {"produces": ["application/json"]} if self.happens(0.7) else {}
            document |= {"securityDefinitions": dict(schemes)} if schemes else {}
        else:
            document |= {"openapi": self.version, "components": {"schemas": self.schemas}}
            document["components"] |= {"securitySchemes": dict(schemes)} if schemes else {}
        if schemes and self.happens(0.6):
            document["security"] = [{name: []} for name, _ in schemes]
        return document

    def _path_item(self, path: str) -> Json:
        item: dict[str, Json] = {}
        own = [self._parameter(name, "path") for name in ("id", "part") if f"{{{name}}}" in path]
        if own and self.happens(0.5):
            item["parameters"], own = own, []
        for method in self.some(METHODS, 2) or ["get"]:
            item[method] = self._operation(method, copy.deepcopy(own))
        return item

    def _parameter(self, name: str, place: str) -> Json:
        schema = self.choose((self._string, self._integer, self._boolean))(3)
        if place == "query" and self.happens(0.2):
            schema = {"type": "array", "items": {"type": "string"}}
        required = {"required": True} if place == "path" or self.happens(0.25) else {}
        if self.version == "2.0":
            return {"name": name, "in": place, **required, **schema}
        return {"name": name, "in": place, **required, "schema": schema}

    def _operation(self, method: str, parameters: list[Json]) -> Json:
        operation: dict[str, Json] = {}
        parameters += [self._parameter(name, "query") for name in self.some(("page", "sort"), 2)]
        parameters += [self._parameter(name, "header") for name in self.some(("X-Trace", "X-Shop"), 2)]
        if method not in {"get", "head", "delete"} or self.happens(0.05):
            self._add_request_body(operation, parameters)
        if parameters:
            operation["parameters"] = parameters
        statuses = self.some(("200", "201", "2XX", "404", "default"), 3) or ["200"]
        operation["responses"] = {status: self._response() for status in statuses}
        if self.happens(0.1):
            operation["security"] = self.choose(([], [{}]))
        return operation

    def _add_request_body(self, operation: Json, parameters: list[Json]) -> None:
        required = {"required": True} if self.happens(0.4) else {}
        if self.version == "2.0":
            parameters.append({"name": "body", "in": "body", **required, "schema": self.schema()})
            if self.happens(0.3):
                operation["consumes"] = [self.choose(MEDIA_TYPES)]
        else:
            types = {self.choose(MEDIA_TYPES): {"schema": self.schema()} for _ in range(self.random.randint(0, 2))}
            operation["requestBody"] = {**required, "content": types}

    def _response(self) -> Json:
        response: dict[str, Json] = {"description": ""}
        if self.happens(0.3):
            schema = self.choose((self._string, self._integer))(3)
            response["headers"] = {"X-Count": schema if self.version == "2.0" else {"schema": schema}}
        if self.version == "2.0":
            return response | ({"schema": self.schema()} if self.happens(0.8) else {})
        if self.happens(0.85):
            kinds = [self.choose(MEDIA_TYPES) for _ in range(self.choose((1, 1, 1, 2)))]
            response["content"] = {kind: ({"schema": self.schema()} if self.happens(0.9) else {}) for kind in kinds}
        return response

    def interaction(self, document: Json) -> Json:
        path, item = self.choose(list(document["paths"].items()))
        method = self.choose([name for name in item if name in METHODS])
        operation = item[method]
        parameters = [*operation.get("parameters", ()), *item.get("parameters", ())]
        request = self._request(document.get("basePath", "") + path, method, operation, parameters)
        self._sign(request, document)
        description = self.choose(("a request", "another request"))
        state = {"providerState": "there is one"} if self.happens(0.3) else {}
        return {"description": description, **state, "request": request, "response": self._answer(operation, document)}

    def _request(self, path: str, method: str, operation: Json, parameters: list[Json]) -> Json:
        for parameter in parameters:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", self._text(parameter) or "1")
        path = path.replace("{id}", "7").replace("{part}", "p")
        if self.happens(0.04):
            path = self.choose((path + "/more", path + "?a=b", path.upper(), path + "/", path.lstrip("/")))
        request: dict[str, Json] = {"method": self.choose((method, method.upper())), "path": path}
        if self.happens(0.03):
            request["method"] = self.choose(METHODS)
        self._add_parameters(request, parameters)
        self._add_body(request, operation, parameters)
        return request

    def _text(self, parameter: Json) -> str:
        schema = parameter.get("schema", parameter)
        value = self.value(schema if isinstance(schema, dict) else {})
        if isinstance(value, list):
            return ",".join(str(item) for item in value)
        return str(value).lower() if isinstance(value, bool) else str(value).replace("/", "-").replace("?", "-")

    def _add_parameters(self, request: Json, parameters: list[Json]) -> None:
        query = {each["name"]: self._text(each) for each in parameters if each["in"] == "query" and self.happens(0.8)}
        headers = {
            each["name"]: self._text(each) for each in parameters if each["in"] == "header" and self.happens(0.8)
        }
        if self.happens(0.08):
            query["unlisted"] = "1"
        if self.happens(0.08):
            headers[self.choose(("X-Unlisted", "User-Agent", "x-trace"))] = "7"
        if self.happens(0.25):
            headers["Accept"] = self.choose((*MEDIA_TYPES, "*/*", "text/*;q=0.5, application/*"))
        if query:
            request["query"] = "&".join(f"{name}={value}" for name, value in query.items())
            if self.happens(0.3):
                request["query"] = {name: self.choose((value, [value])) for name, value in query.items()}
        if headers:
            request["headers"] = headers

    def _add_body(self, request: Json, operation: Json, parameters: list[Json]) -> None:
        body = next((each for each in parameters if each["in"] == "body"), None)
        content = operation.get("requestBody", {}).get("content", {})
        kinds = list(content) or operation.get("consumes") or ["application/json"]
        kind = self.choose(kinds) if self.happens(0.9) else self.choose(MEDIA_TYPES)
        schema = body["schema"] if body else content.get(kind, {}).get("schema")
        if schema is None and not self.happens(0.05):
            return
        if self.happens(0.85):
            request["body"] = self.value(schema) if "json" in kind else self.choose(("id=1&name=red", "text"))
        if self.happens(0.85):
            request.setdefault("headers", {})["Content-Type"] = kind

    def _sign(self, request: Json, document: Json) -> None:
        if "security" in document and self.happens(0.8):
            headers = request.setdefault("headers", {})
            headers["Authorization"] = self.choose(("Bearer x", "basic eA==", "bearer y", "Digest z"))
            if self.happens(0.5):
                headers["X-Key"] = "secret"

    def _answer(self, operation: Json, document: Json) -> Json:
        key = self.choose(list(operation["responses"]))
        status = {"2XX": 204, "default": 500}.get(key) or int(key)
        if self.happens(0.04):
            status = self.choose((302, 400, 503))
        declared = operation["responses"][key]
        response: dict[str, Json] = {"status": status}
        content = declared.get("content", {})
        kinds = list(content) or operation.get("produces") or document.get("produces") or ["application/json"]
        kind = self.choose(kinds) if self.happens(0.92) else self.choose(MEDIA_TYPES)
        schema = declared.get("schema") or content.get(kind, {}).get("schema")
        headers = {"Content-Type": kind} if self.happens(0.7) else {}
        if "headers" in declared and self.happens(0.7):
            headers["X-Count"] = self._text(declared["headers"]["X-Count"])
        if self.happens(0.08):
            headers[self.choose(("X-Other", "Location", "Set-Cookie"))] = "1"
        if headers:
            response["headers"] = headers
        if schema is not None or self.happens(0.1):
            response["body"] = self.value(schema) if "json" in kind else "text"
        return response

    def messages(self) -> Pair:
        self.version = "3.1.0"
        names = ("placed", "cancelled")
        messages = {name: self._message() for name in names}
        channel = "#/channels/orders"
        references = [{"$ref": f"{channel}/messages/{name}"} for name in self.some(names, 2)]
        reply = {"reply": {"messages": references}} if self.happens(0.7) else {}
        operation = {"action": "send", "channel": {"$ref": channel}, "messages": references, **reply}
        document = {
            "asyncapi": "3.0.0",
            "info": {"title": "Shop", "version": "1"},
            "channels": {"orders": {"messages": messages}},
            "operations": {"order": operation},
            "components": {"schemas": self.schemas},
        }
        return Pair(pact_of([self._message_interaction(messages)], "4.0"), asyncapi=document)

    def _message(self) -> Json:
        payload = {"payload": self.schema()} if self.happens(0.9) else {}
        return {**payload, **({"headers": self._object(2)} if self.happens(0.4) else {})}

    def _message_interaction(self, messages: Json) -> Json:
        reference = {"operationId": "order" if self.happens(0.93) else "other"} if self.happens(0.95) else {}
        shared = {"description": "a message", "comments": {"references": {"AsyncAPI": reference}}}
        if self.happens(0.6):
            return {"type": "Asynchronous/Messages", **shared, **self._part(messages)}
        responses = [self._part(messages) for _ in range(self.random.randint(0, 2))]
        return {"type": "Synchronous/Messages", **shared, "request": self._part(messages), "response": responses}

    def _part(self, messages: Json) -> Json:
        message = self.choose(list(messages.values()))
        kind = "application/json" if self.happens(0.95) else "text/plain"
        content = {"content": self.value(message.get("payload", {})), "contentType": kind, "encoded": False}
        if "headers" not in message or self.happens(0.3):
            return {"contents": content}
        headers = self.value(message["headers"])
        texts = {name: str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
        return {"contents": content, "metadata": texts}


PATHS: Final = ("/items", "/items/{id}", "/items/mine", "/items/{id}/parts/{part}", "/items/{id}/parts")
SCHEMES_3: Final = (
    ("basic", {"type": "http", "scheme": "basic"}),
    ("bearer", {"type": "http", "scheme": "bearer"}),
    ("key", {"type": "apiKey", "in": "header", "name": "X-Key"}),
    ("token", {"type": "apiKey", "in": "query", "name": "token"}),
    ("cookie", {"type": "apiKey", "in": "cookie", "name": "session"}),
    ("oauth", {"type": "oauth2", "flows": {}}),
)
SCHEMES_2: Final = (
    ("basic", {"type": "basic"}),
    ("key", {"type": "apiKey", "in": "header", "name": "X-Key"}),
    ("oauth", {"type": "oauth2", "flow": "implicit", "authorizationUrl": "https://example.org", "scopes": {}}),
)


def pact_of(interactions: list[Json], version: str) -> Json:
    metadata = {"pactSpecification": {"version": version}}
    return {
        "consumer": {"name": "Till"},
        "provider": {"name": "Shop"},
        "interactions": interactions,
        "metadata": metadata,
    }


def as_version_4(interaction: Json) -> Json:
    """Write an interaction as version 4 of the Pact specification does."""
    changed = {**interaction, "type": "Synchronous/HTTP"}
    for side in ("request", "response"):
        part = dict(changed[side])
        if "body" in part:
            kind = part.get("headers", {}).get("Content-Type", "application/json")
            part["body"] = {"content": part["body"], "contentType": kind, "encoded": False}
        changed[side] = part
    return changed
