"""Why a decision is not yes, in at most six lines: the causes that Treaty names, and the step that changes the answer.

Other brokers name no causes; `next_steps` derives their steps from the rows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from treaty.cli import output
from treaty.cli.next_steps import is_exempt, read_reasons, suggest_ignoring, suggest_leaving_out, suggest_spelling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.cli.next_steps import Question
    from treaty.cli.selectors import VersionSelector
    from treaty.client import BrokerClient, Json

MAX_LINES: Final = 6
_MAX_CONTACTS: Final = 2


def has_causes(body: Json) -> bool:
    return any(map(_is_obstacle, body.get("reasons") or []))


def _is_obstacle(reason: Json) -> bool:
    """Whether a reason has a cause, and neither an override nor a policy covers it."""
    return "cause" in reason and not is_exempt(reason)


def describe_causes(broker: BrokerClient, url: str | None, body: Json, question: Question) -> str:
    """Describe a decision that is not yes: a headline, a row for each cause, the next step, and the page with all.

    Without a `url`, as for sets, there is no such page; the last line then deploys the members that work.
    """
    reasons = [reason for reason in body["reasons"] if _is_obstacle(reason)]
    rows = list(dict.fromkeys(map(_describe_row, reasons)))
    step = _correct_ignored(broker, body, question) or _describe_step(broker, reasons[0], question)
    hidden = count_unnamed(body, [reason for reason in body["reasons"] if "cause" in reason])
    end = [f"See {url}"] if url else [f"Or: {each.command}" for each in suggest_leaving_out(body, question)]
    space = MAX_LINES - 1 - len(step) - len(end)
    is_cut = hidden > 0 or len(rows) > space
    shown = rows[: space - 1] if is_cut else rows
    left_out = len(rows) - len(shown) + hidden
    place = "the page, or --output json" if url else "--output json"
    more = [f"  … and {left_out} more: see {place}."] if is_cut else []
    return "\n".join([_describe_question(body, question), *shown, *more, *step, *end])


def count_unnamed(body: Json, reasons: Sequence[Json]) -> int:
    """Count the obstacles that the response counts without naming them."""
    if not any(reason.get("kind") == "more_obstacles" for reason in body["reasons"]):
        return 0
    summary = body.get("summary") or {}
    return max(0, int(summary.get("failed") or 0) + int(summary.get("unknown") or 0) - len(reasons))


def _describe_question(body: Json, question: Question) -> str:
    subject = " and ".join(map(_describe_selector, question.selected))
    place = f" to {question.environment or question.to}" if question.environment or question.to else ""
    verb = "merged" if question.command == "can-i-merge" else "deployed"
    yet = " yet" if (body.get("summary") or body).get("deployable") is None else ""
    return f"{subject} cannot be {verb}{place}{yet}:"


def _describe_selector(selector: VersionSelector) -> str:
    _, name, *criteria = selector.words()
    if criteria[:1] == ["--version"]:
        criteria = criteria[1:]
    return f"{name} ({' '.join(criteria).removeprefix('--')})" if criteria else name


def _describe_row(reason: Json) -> str:
    return " ".join([f"  {describe_subject(reason)}: {reason['problem']}", *list_details(reason)])


def describe_subject(reason: Json) -> str:
    """Describe the version that a cause is about."""
    return _describe_version(reason["subject"])


def list_details(reason: Json) -> list[str]:
    """Return sentences about a cause: since when it exists, and who has to act, as far as that is known."""
    since, act = reason.get("since"), reason.get("act")
    details = [f"Since {_format_time(str(since))}."] if since else []
    return [*details, *([_describe_actor(act)] if act else [])]


def _describe_version(version: Json) -> str:
    return f"{version['name']} ({version['version']})" if version.get("version") else str(version["name"])


def _format_time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _describe_actor(act: Json) -> str:
    contacts = [_describe_contact(contact) for contact in (act.get("contacts") or [])[:_MAX_CONTACTS]]
    names = f": {', '.join(contacts)}" if contacts else ""
    return f"{act['pacticipant']} has to act{names}."


def _describe_contact(contact: Json) -> str:
    details = (value for value in (contact.get("details") or {}).values() if isinstance(value, str) and value)
    detail = next(details, None)
    return f"{contact['name']} ({detail})" if detail else str(contact["name"])


def _correct_ignored(broker: BrokerClient, body: Json, question: Question) -> list[str]:
    """Suggest to correct a name to ignore, which is probably that of an obstacle. Empty if all of them exist."""
    for reason in read_reasons(body, question):
        if reason.kind == "cannot_ignore":
            for step in suggest_ignoring(broker, reason, question):
                return [f"Next: {step.text}", f"    {step.command}"]
    return []


def _describe_step(broker: BrokerClient, reason: Json, question: Question) -> list[str]:
    """Describe the step for the first cause. A name that resembles the one in question is probably the right one."""
    selector = question.find_selector(str((reason.get("pacticipant") or {}).get("name")))
    spelling = suggest_spelling(broker, selector) if selector else None
    if spelling is not None:
        return [f"Next: {spelling}"]
    step = reason.get("next") or {}
    text = str(step.get("text", ""))
    command = step.get("command")
    if reason.get("kind") == "missing_comparison":
        command = output.format_command(*question.words(), "--retry-while-unknown", "12")
    if not command:
        return [" ".join(["Next:", text, *([f"See {step['href']}"] if "href" in step else [])])]
    return [f"Next: {text.removesuffix('.')}:", f"    {command}"]
