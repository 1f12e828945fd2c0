"""What can-i-deploy asks about: its options read in their order, and the query that they make."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from treaty.cli.program import Failure, normalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treaty.client import Query

_OPTIONS: Final = {
    "-a": "pacticipant",
    "--pacticipant": "pacticipant",
    "--ignore": "ignore",
    "-e": "version",
    "--version": "version",
    "-l": "latest",
    "--latest": "latest",
    "--branch": "branch",
    "--main-branch": "main_branch",
    "--no-main-branch": "no_main_branch",
    "--all": "tag",
    "--tag": "tag",
}
_UNSPECIFIED: Final = (
    "The version must be specified using `--version VERSION`, `--branch BRANCH` `--latest`, `--latest TAG`, or "
    "`--all TAG` for pacticipant {}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionSelector:
    """Versions of a pacticipant. With `latest`, the latest of those that the rest selects."""

    pacticipant: str
    version: str | None = None
    tag: str | None = None
    branch: str | None = None
    main_branch: bool = False
    latest: bool = False

    @property
    def is_specific(self) -> bool:
        return bool(self.version or self.tag or self.branch or self.main_branch or self.latest)

    def query(self, name: str) -> Query:
        found = {
            "pacticipant": self.pacticipant,
            "version": self.version,
            "latest": "true" if self.latest else None,
            "tag": self.tag,
            "branch": self.branch,
            "mainBranch": "true" if self.main_branch else None,
        }
        return [(f"{name}[][{key}]", value) for key, value in found.items() if value]


@dataclass(frozen=True, slots=True)
class SelectorOptions:
    selected: Sequence[VersionSelector]
    ignored: Sequence[VersionSelector]


def read_selectors(words: Sequence[str]) -> SelectorOptions:
    """Read selectors: what describes a version belongs to the pacticipant named before it."""
    found: list[tuple[str, VersionSelector]] = []
    for option, value in _given(words):
        if option in {"pacticipant", "ignore"}:
            found.append((option, VersionSelector(pacticipant=value or "")))
        elif found:
            found[-1] = (found[-1][0], _more_specific(found[-1][1], _described(option, value)))
        else:
            raise Failure(f"The {option.replace('_', ' ')} of what? Give --pacticipant NAME before it.")
    return SelectorOptions(*([each for option, each in found if option == kind] for kind in ("pacticipant", "ignore")))


def _more_specific(selector: VersionSelector, given: dict[str, Any]) -> VersionSelector:
    """Add what an option says of a selector. Raises Failure where an earlier one said something else."""
    for name in ("version", "tag", "branch"):
        earlier, later = getattr(selector, name), given.get(name)
        if earlier and later and earlier != later:
            raise Failure(
                f"{selector.pacticipant} has two values for its {name}, {earlier} and {later}. Repeat the option that "
                "names it before the second."
            )
    return replace(selector, **given)


def check_complete(selectors: SelectorOptions, given: Mapping[str, Any]) -> None:
    """Check that the selectors have all values that click read, also of letters written together (`-vaNAME`).

    Raises Failure if not: the question would leave something out.
    """
    read_values = {value for one in (*selectors.selected, *selectors.ignored) for value in astuple(one)}
    for name in ("pacticipant", "version", "latest", "branch", "all_tagged", "tag", "ignore"):
        lost = [value for value in given.get(name) or () if value and value not in read_values]
        if lost:
            raise Failure(f"It is unclear what {lost[0]} belongs to. Give each option as a word of its own.")


def check_specific(selectors: Sequence[VersionSelector]) -> None:
    for selector in selectors:
        if not selector.is_specific:
            raise Failure(_UNSPECIFIED.format(selector.pacticipant))


def _described(option: str, value: str | None) -> dict[str, Any]:
    match option:
        case "latest":
            return {"latest": True, "tag": value}
        case "branch":
            return {"latest": bool(value), "branch": value}
        case "main_branch":
            return {"latest": True, "main_branch": True}
        case "no_main_branch":
            return {"main_branch": False}
        case _:
            return {option: value}


def _given(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the options that describe selectors, each with its value as click reads it: one may begin with a dash."""
    remaining = list(reversed(words))
    while remaining:
        name, value = _split(remaining.pop())
        option = _OPTIONS.get(name)
        if option and value is None and remaining and _takes(option, remaining[-1]):
            value = remaining.pop()
        if option:
            yield option, value or None


def _takes(option: str, word: str) -> bool:
    """Whether the next word is the option's value: flags have none, and that of --latest may be missing."""
    if option in {"main_branch", "no_main_branch"}:
        return False
    return option != "latest" or not (word.startswith("-") and len(word) > 1)


def _split(word: str) -> tuple[str, str | None]:
    """Part `--name=value` and `-nvalue`; a value of its own comes as the next word."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return "--" + normalize_name(name[2:]), value if equals else None
    return word[:2], word[2:] or None


def build_query(selectors: SelectorOptions, *, latest_by: str, target: Query) -> Query:
    chosen = [pair for each in selectors.selected for pair in each.query("q")]
    ignored = [pair for each in selectors.ignored for pair in each.query("ignore")]
    return [*chosen, ("latestby", latest_by), *target, *ignored]
