"""Copying from a Treaty whose export contains its facts in pages, as a target takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from treaty.cli.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.cli.import_sources import ImportSource
    from treaty.cli.import_targets import ImportTarget
    from treaty.client import HalResource, Json

_REPORT_KINDS: Final = {"overwritten-pacts": "pacts"}
"""Kinds in the export that have another name in the report."""


def copy_exported(source: ImportSource, target: ImportTarget) -> None:
    """Copy all facts of the source's export, in its order, without those that earlier imports copied."""
    export = source.broker.get(source.broker.link("pb:export"))
    counts = {kind["name"]: kind["count"] for kind in export.body["kinds"]}
    progress = Progress(len(counts))
    for link in export.links("pages"):
        progress.begin(link.name.replace("-", " "), counts[link.name])
        for page in source.pages(link.href):
            _copy_page(target, _REPORT_KINDS.get(link.name, link.name), page)
            progress.advance(len(page.body["facts"]))
        target.flush()
    progress.end()


def _copy_page(target: ImportTarget, kind: str, page: HalResource) -> None:
    facts: Sequence[Json] = page.body["facts"]
    keyed = [(fact, key) for fact in facts if (key := _key(fact)) is not None]
    markers = target.find_markers([key for _, key in keyed])
    copied = {id(fact) for (fact, _), marker in zip(keyed, markers, strict=True) if marker is not None}
    target.report.existing[kind] += len(copied)
    for fact in facts:
        if id(fact) not in copied:
            target.add(kind, _describe(fact), fact)


def _key(fact: Json) -> list[str] | None:
    """Return the key under which the target remembers a fact that never changes; None for others."""
    match fact["kind"]:
        case "pact" if fact["isCurrent"]:
            return ["pact", fact["consumer"], fact["provider"], fact["version"], fact["marker"]]
        case "pact":
            return ["publication", fact["consumer"], fact["provider"], fact["version"], fact["sha"]]
        case "result":
            return ["result", fact["consumer"], fact["provider"], fact["sha"], str(fact["number"])]
        case "provider-contract":
            return contract_key(fact)
        case _:
            return None


def contract_key(fact: Json) -> list[str]:
    """Return the key of a contract of a provider, which changes with its self-verification."""
    result = fact.get("selfVerification")
    marker = result["createdAt"] if result else "none"
    return ["provider-contract", fact["provider"], fact["version"], fact["name"], marker]


def _describe(fact: Json) -> str:
    """Name a fact in the report."""
    match fact["kind"]:
        case "pacticipant":
            return f"application {fact['name']}"
        case "version":
            return f"version {fact['number']} of {fact['pacticipant']}"
        case "pact" | "result":
            return _describe_of_pair(fact)
        case "provider-contract":
            return describe_contract(fact)
        case "environment":
            return f"environment {fact['name']}"
        case _:
            return f"version {fact['version']} of {fact['pacticipant']} in {fact['environmentName']}"


def _describe_of_pair(fact: Json) -> str:
    if fact["kind"] == "result":
        return f"result {fact['number']} for the pact between {fact['consumer']} and {fact['provider']}"
    pact = f"the pact of {fact['consumer']} {fact['version']} with {fact['provider']}"
    return pact if fact["isCurrent"] else f"an overwritten revision of {pact}"


def describe_contract(fact: Json) -> str:
    """Name a contract of a provider in the report."""
    name = f" {fact['name']}" if fact["name"] else ""
    return f"the contract{name} of {fact['provider']} {fact['version']}"
