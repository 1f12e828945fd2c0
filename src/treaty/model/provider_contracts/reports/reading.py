"""Reads the report that a provider publishes with its self-verification."""

import codecs
from dataclasses import replace
from typing import Final

from treaty.model.provider_contracts.reports.cases import Report, TooManyCases
from treaty.model.provider_contracts.reports.cassettes import is_cassette, read_cassette
from treaty.model.provider_contracts.reports.json_reports import read_json
from treaty.model.provider_contracts.reports.texts import read_text

MAX_BYTES: Final = 16_000_000
"""Size of a report up to which it is read. Recorded requests are much larger than summaries."""
_TOO_LARGE: Final = f"It is larger than {MAX_BYTES // 1_000_000} MB."
_TOO_MANY: Final = "It has too many cases."
_TOOLS: Final = ("Schemathesis", "Dredd", "Drift", "Newman", "Postman", "Karate", "pytest", "REST Assured")


def read_report(content: bytes, *, hints: tuple[str | None, ...] = ()) -> Report:
    """Read a report. Never raises: a report that cannot be read has no format and says why.

    The format follows from the content. `hints` are the names that the publication gives: of the verifier, the format
    and the media type, in which a tool such as Drift may be named.
    """
    if not content.strip():
        return Report(format=None, problem="It is empty.")
    if len(content) > MAX_BYTES:
        return Report(format=None, problem=_TOO_LARGE)
    try:
        report = _read(content.removeprefix(codecs.BOM_UTF8).lstrip())
    except TooManyCases:
        return Report(format=None, problem=_TOO_MANY)
    return _apply_hints(report, " ".join(filter(None, hints)).lower())


def _read(content: bytes) -> Report:
    if content.startswith((b"<", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # The parsers of XML are loaded for the few servers that get such reports.
        from treaty.model.provider_contracts.reports.xml_reports import read_junit  # noqa: PLC0415

        return read_junit(content)
    if content[:1] in {b"{", b"["}:
        report = read_json(content)
        if report is not None:
            return report
    text = content.decode("utf-8", "replace")
    return read_cassette(text) if is_cassette(text) else read_text(text)


def _apply_hints(report: Report, hints: str) -> Report:
    """Add the name of the tool to that of the format, and the meaning that names have in its reports."""
    if report.format is None:
        return report
    tool = next((name for name in _TOOLS if name.lower() in hints), None)
    has_name = tool is None or tool in report.format
    return replace(
        report,
        format=report.format if has_name else f"{report.format} of {tool}",
        has_scenario_names=report.has_scenario_names or "drift" in hints,
    )
