"""The generated part of docs/webhooks.md: the tables of events and of parameters."""

from typing import Final

from tests.docs.generated import ROOT, table
from treaty.model.webhooks.events import DEPLOYMENT_BLOCKED, EVENT_TYPES, EventSubject, EventType
from treaty.model.webhooks.parameters import PARAMETERS

DOCUMENT: Final = ROOT / "docs" / "webhooks.md"
_ABOUT_PACTS: Final = [event_type for event_type in EVENT_TYPES if event_type.subject is not EventSubject.DEPLOYMENT]
_COMMON: Final = frozenset(PARAMETERS).intersection(*(event_type.parameters for event_type in _ABOUT_PACTS))
_IN_ALL: Final = _COMMON.intersection(*(event_type.parameters for event_type in EVENT_TYPES))
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
            [f"`${{pactbroker.{name}}}`", f"{meaning[0].upper()}{meaning[1:]}", _events(name)]
            for name, meaning in PARAMETERS.items()
        ],
    )
    return f"## Events\n\n{events}\n\n{_NOTE}\n\n## Values of parameters\n\n{parameters}"


def _events(name: str) -> str:
    if name in _IN_ALL:
        return "all"
    return f"all but `{DEPLOYMENT_BLOCKED}`" if name in _COMMON else "some"


def _parameters(event_type: EventType) -> str:
    names = ", ".join(f"`{name}`" for name in event_type.parameters if name not in _COMMON) or "none"
    return f"{names}; of the common ones, those of all events" if event_type not in _ABOUT_PACTS else names
