"""What the OpenAPI document says about an answer."""

import json
import re
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from tests.api.conftest import Answer, Api


class Described:
    """The document of a broker, to which answers are held."""

    def __init__(self, api: Api) -> None:
        self.document: dict[str, Any] = api.get("/openapi.json", accept="*/*").json()
        self._paths = [(_pattern(template), template) for template in self.document["paths"]]
        self._paths.sort(key=lambda one: one[1].count("{"))

    def template(self, path: str) -> str:
        """Find the path of the document which a path belongs to."""
        bare = re.sub(r"\.(csv|svg|json)$", "", path.partition("?")[0]) if path != "/openapi.json" else path
        found: str = next(template for pattern, template in self._paths if pattern.fullmatch(bare))
        return found

    def hold(self, method: str, path: str, answer: Answer) -> None:
        """Hold an answer to what is said about it."""
        operation = self.document["paths"][self.template(path)][method.lower()]
        assert str(answer.status) in operation["responses"], (method, path, answer.status)
        said = self._resolved(operation["responses"][str(answer.status)])
        if "content" not in said:
            return
        media = answer.headers["content-type"].partition(";")[0]
        assert not {media, "*/*"}.isdisjoint(said["content"]), (method, path, media)
        if "json" in media and media != "application/x-ndjson":
            problems = self.problems(said["content"][media]["schema"], answer.json())
            assert problems == [], (method, path, answer.text)

    def problems(self, schema: dict[str, Any], value: object) -> list[str]:
        """Say in how far a value does not fit a schema of the document."""
        whole = {**schema, "components": self.document["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return [f"{'/'.join(map(str, one.instance_path))}: {one.message}" for one in validator.iter_errors(value)]

    def _resolved(self, given: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in given:
            return given
        found: dict[str, Any] = self.document["components"]["responses"][given["$ref"].rpartition("/")[2]]
        return found


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{[^}]*\}", template)
    return re.compile("[^/]+".join(re.escape(quote(piece)) for piece in pieces))


def operations(methods: dict[str, Any]) -> list[dict[str, Any]]:
    """List the operations at a path."""
    return [one for method, one in methods.items() if method != "parameters"]


def references(document: object) -> set[str]:
    """List everything that a document refers to in itself."""
    return set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
