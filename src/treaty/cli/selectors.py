"""Version selectors of can-i-deploy: read from options in their order, and written as a matrix query.

click keeps no order between different options, so the words of the command line are read again here.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from treaty.cli.program import Failure, normalize_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

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
    """Versions of a pacticipant; with `latest`, the latest of those that the other fields select."""

    pacticipant: str
    version: str | None = None
    tag: str | None = None
    branch: str | None = None
    main_branch: bool = False
    latest: bool = False

    @property
    def is_specific(self) -> bool:
        return bool(self.version or self.tag or self.branch or self.main_branch or self.latest)

    def words(self, version: str | None = None) -> tuple[str, ...]:
        """Return the options of the selector; `version` replaces its criteria."""
        words = ["--pacticipant", self.pacticipant]
        if version or self.version:
            return (*words, "--version", str(version or self.version))
        words += ["--branch", self.branch] if self.branch else ["--main-branch"] if self.main_branch else []
        if self.tag:
            return (*words, "--latest" if self.latest else "--all", self.tag)
        return (*words, *(["--latest"] if self.latest and not self.branch and not self.main_branch else []))

    def query(self, name: str) -> Query:
        members = {
            "pacticipant": self.pacticipant,
            "version": self.version,
            "latest": "true" if self.latest else None,
            "tag": self.tag,
            "branch": self.branch,
            "mainBranch": "true" if self.main_branch else None,
        }
        return [(f"{name}[][{member}]", value) for member, value in members.items() if value]


@dataclass(frozen=True, slots=True)
class SelectorOptions:
    selected: Sequence[VersionSelector]
    ignored: Sequence[VersionSelector]


def read_selectors(words: Sequence[str], option_names: Collection[str]) -> SelectorOptions:
    """Read selectors. An option such as --version describes the pacticipant named before it.

    `option_names` are the options of the command: others, which it has reported as unknown, must have no effect. Raises
    Failure for an option before the first pacticipant, and for contradictory options.
    """
    selectors: list[tuple[str, VersionSelector]] = []
    for option, value in _selector_options(words, option_names):
        if option in {"pacticipant", "ignore"}:
            selectors.append((option, VersionSelector(pacticipant=value or "")))
        elif selectors:
            kind, selector = selectors[-1]
            selectors[-1] = (kind, _refine(selector, _selector_fields(option, value)))
        else:
            name = option.replace("_", "-")
            raise Failure(f"--{name} is not preceded by a pacticipant. Give --pacticipant NAME before it.")
    return SelectorOptions(
        selected=[selector for kind, selector in selectors if kind == "pacticipant"],
        ignored=[selector for kind, selector in selectors if kind == "ignore"],
    )


def _refine(selector: VersionSelector, fields: dict[str, Any]) -> VersionSelector:
    """Add an option's fields to a selector. Raises Failure if an earlier option had another value."""
    for name in ("version", "tag", "branch"):
        earlier, later = getattr(selector, name), fields.get(name)
        if earlier and later and earlier != later:
            # Keeping one of them silently would decide about another version than the user thinks.
            raise Failure(
                f"{selector.pacticipant} has two values for its {name}, {earlier} and {later}. Repeat the option that "
                "names it before the second."
            )
    return replace(selector, **fields)


def replace_versions(query: Query, before: Sequence[VersionSelector], after: Sequence[VersionSelector]) -> Query:
    """Replace the versions of the selected pacticipants in a query of `build_query`, which begins with them."""
    old = [parameter for selector in before for parameter in selector.query("q")]
    new = [parameter for selector in after for parameter in selector.query("q")]
    return [*new, *query[len(old) :]]


def check_complete(selectors: SelectorOptions, values: Mapping[str, Any]) -> None:
    """Check that the selectors have all values that click read, also of letters written together (`-vaNAME`).

    Raises Failure if not, because the decision would leave a value out.
    """
    selector_values = {value for selector in (*selectors.selected, *selectors.ignored) for value in astuple(selector)}
    for name in ("pacticipant", "version", "latest", "branch", "all_tagged", "tag", "ignore"):
        missing = [value for value in values.get(name) or () if value and value not in selector_values]
        if missing:
            raise Failure(f"It is unclear which option {missing[0]} belongs to. Give each option as a word of its own.")


def check_specific(selectors: Sequence[VersionSelector]) -> None:
    for selector in selectors:
        if not selector.is_specific:
            raise Failure(_UNSPECIFIED.format(selector.pacticipant))


def _selector_fields(option: str, value: str | None) -> dict[str, Any]:
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


def _selector_options(words: Sequence[str], option_names: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the options of selectors with their values, split as click does: a value may begin with a dash."""
    remaining_words = list(reversed(words))
    while remaining_words:
        name, value = _split_word(remaining_words.pop())
        option = _OPTIONS.get(name) if name in option_names else None
        if option and value is None and remaining_words and _takes_value(option, remaining_words[-1]):
            value = remaining_words.pop()
        if option:
            yield option, value or None


def _takes_value(option: str, next_word: str) -> bool:
    """Whether the next word is the option's value: flags have none, and --latest may have none."""
    if option in {"main_branch", "no_main_branch"}:
        return False
    return option != "latest" or not (next_word.startswith("-") and len(next_word) > 1)


def _split_word(word: str) -> tuple[str, str | None]:
    """Split `--name=value` and `-nvalue`. Without a value in the word, it is None."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return "--" + normalize_name(name[2:]), value if equals else None
    return word[:2], word[2:] or None


def build_query(selectors: SelectorOptions, *, latest_by: str, target: Query) -> Query:
    """Write the query of the matrix resource. `latest_by` is `cvp` or `cvpv`, as the original broker documents them."""
    selected = [parameter for selector in selectors.selected for parameter in selector.query("q")]
    ignored = [parameter for selector in selectors.ignored for parameter in selector.query("ignore")]
    return [*selected, ("latestby", latest_by), *target, *ignored]
