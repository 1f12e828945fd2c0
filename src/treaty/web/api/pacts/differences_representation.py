"""Differences between pacts, as plain text."""

import json
from datetime import datetime

from treaty.model.pacts.pacts import Pact
from treaty.model.pacts.text_diff import Comparison, in_words
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Place


@represent.register_text
def comparison(found: Comparison, place: Place) -> str:
    pact, other = found.pact, found.other
    if other is None:
        return f"No previous distinct version was found for {pact.title}"
    between = f"between {pact.consumer} and {pact.provider}"
    ago = in_words((found.now - found.changed_at).total_seconds())
    return "\n".join(
        [
            f"# Diff between versions {other.version} and {pact.version} of the pact {between}",
            "",
            f"The following changes were made {ago} ago ({_date(found.changed_at)})",
            "",
            found.text,
            "",
            "## Links",
            "",
            *_link("pact-version", pact, place),
            *_link("comparison-pact-version", other, place),
            "",
        ]
    )


def _date(time: datetime) -> str:
    hour = time.hour % 12 or 12
    return f"{time:%a} {time.day} {time:%b %Y}, {hour}:{time:%M%p} +00:00".replace("AM", "am").replace("PM", "pm")


def _link(relation: str, pact: Pact, place: Place) -> list[str]:
    path = urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version)
    return [f"{relation}:", "  title: Pact", f"  name: {_scalar(pact.title)}", f"  href: {place.href(path)}"]


def _scalar(text: str) -> str:
    """Write a text as YAML, in quotes where it would be read as something else."""
    is_plain = text.isprintable() and ": " not in text and " #" not in text and not text.endswith((":", " "))
    return text if is_plain else json.dumps(text, ensure_ascii=False)
