"""The generated part of docs/webhooks.md: the tables of events and of parameters."""

from typing import Final

from tests.docs.generated import ROOT, table
from treaty.model.webhooks.events import EVENT_TYPES, EventType
from treaty.model.webhooks.parameters import PARAMETERS

DOCUMENT: Final = ROOT / "docs" / "webhooks.md"
_COMMON: Final = frozenset(PARAMETERS).intersection(*(event_type.parameters for event_type in EVENT_TYPES))
_NOTE: Final = (
    "An event about a pact also has values for the provider version and its result once the pact's content has been"
    " verified: those of the result on the provider's main branch, else of the latest result."
)


def part() -> str:
    """Render both tables."""
    events = table(
        ["Event", "Meaning", "Fires", "Parameters with a value, besides the common ones"],
        [
            [f"`{event_type.name}`", event_type.meaning, f"{event_type.fires}.", _parameters(event_type)]
            for event_type in EVENT_TYPES
        ],
    )
    parameters = table(
        ["Parameter", "Value", "Events"],
        [
            [f"`${{pactbroker.{name}}}`", f"{meaning[0].upper()}{meaning[1:]}", "all" if name in _COMMON else "some"]
            for name, meaning in PARAMETERS.items()
        ],
    )
    return f"## Events\n\n{events}\n\n{_NOTE}\n\n## Values of parameters\n\n{parameters}"


def _parameters(event_type: EventType) -> str:
    return ", ".join(f"`{name}`" for name in event_type.parameters if name not in _COMMON) or "none"
