"""The generated part of docs/reasons.md: a section for each cause."""

from typing import Final

from tests.docs.generated import ROOT
from treaty.model.decisions.causes import DESCRIPTIONS, Cause, CauseDescription

DOCUMENT: Final = ROOT / "docs" / "reasons.md"


def part() -> str:
    """Render a section for each cause, which answers link to by its code."""
    return "\n\n".join(_section(cause, description) for cause, description in DESCRIPTIONS.items())


def _section(cause: Cause, description: CauseDescription) -> str:
    facts = (("Since", description.since), ("Who has to act", description.actor), ("What to do", description.step))
    items = "\n".join(f"- {name}: {_start(text)}" for name, text in facts)
    return f"## {cause.value}\n\n**{description.title}.** {description.meaning}\n\n{items}"


def _start(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
