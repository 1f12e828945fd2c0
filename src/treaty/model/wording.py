"""Words of sentences that depend on numbers."""

from typing import Final


def choose_form(number: int, singular: str, plural: str) -> str:
    return singular if number == 1 else plural


_HOUR: Final = 60
_DAY: Final = 1440
_MONTH: Final = 43_200
_YEAR: Final = 525_600

# Limit in minutes (exclusive), wording, and the unit that it counts, as in the original.
_WORDINGS: Final = (
    (1, "less than a minute", None),
    (2, "1 minute", None),
    (45, "{} minutes", 1),
    (90, "about 1 hour", None),
    (_DAY, "about {} hours", _HOUR),
    (2520, "1 day", None),
    (_MONTH, "{} days", _DAY),
    (2 * _MONTH, "about 1 month", None),
    (_YEAR, "{} months", _MONTH),
)


def format_duration(seconds: float) -> str:
    """Describe a duration in words, for example `about 2 hours`."""
    minutes = round(seconds / 60)
    for limit, wording, unit in _WORDINGS:
        if minutes < limit:
            return wording.format(round(minutes / unit)) if unit else wording
    quarters = 4 * minutes // _YEAR
    years = (quarters + 1) // 4
    qualifier = ("about", "over", "over", "almost")[quarters % 4]
    return f"{qualifier} {years} {choose_form(years, 'year', 'years')}"
