"""Events: what happened when something was published, and why it counts as that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

CONTRACT_PUBLISHED: Final = "contract_published"
CONTRACT_REQUIRING_VERIFICATION_PUBLISHED: Final = "contract_requiring_verification_published"
CONTRACT_CONTENT_CHANGED: Final = "contract_content_changed"
PROVIDER_VERIFICATION_PUBLISHED: Final = "provider_verification_published"
PROVIDER_VERIFICATION_SUCCEEDED: Final = "provider_verification_succeeded"
PROVIDER_VERIFICATION_FAILED: Final = "provider_verification_failed"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with the reason for it where clients are told one."""

    name: str
    comment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviousContent:
    """What the latest earlier pact with a tag held; without a tag that of a version that has none."""

    tag: str | None
    sha: str | None
    """None when there was no such pact."""


def list_first_publication_events(
    sha: str, before: Sequence[PreviousContent], *, requires_verification: bool
) -> list[Event]:
    """Tell what a version's first pact with a provider amounts to: new content is new for any of the tags."""
    changes = [comment for one in before if (comment := _change(one, sha))]
    required = [Event(CONTRACT_REQUIRING_VERIFICATION_PUBLISHED)] if requires_verification else []
    if changes:
        return [Event(CONTRACT_PUBLISHED), *required, Event(CONTRACT_CONTENT_CHANGED, ", ".join(changes))]
    return [Event(CONTRACT_PUBLISHED, _unchanged(before)), *required]


def _change(before: PreviousContent, sha: str) -> str | None:
    if before.sha == sha:
        return None
    if before.tag is None:
        return (
            "first time untagged pact published"
            if before.sha is None
            else "pact content has changed since previous untagged version"
        )
    if before.sha is None:
        return f"first time any pact published for this consumer with consumer version tagged {before.tag}"
    return f"pact content has changed since the last consumer version tagged with {before.tag}"


def _unchanged(before: Sequence[PreviousContent]) -> str:
    tags = [one.tag for one in before if one.tag is not None]
    versions = "version with tag" if len(tags) == 1 else "versions with tags"
    return f"pact content is the same as previous {versions} {', '.join(tags)} and no new tags were applied"


def list_republication_events(
    consumer: str, version: str, *, is_changed: bool, requires_verification: bool
) -> list[Event]:
    """Tell what publishing a version's pact once more amounts to."""
    required = [Event(CONTRACT_REQUIRING_VERIFICATION_PUBLISHED)] if requires_verification else []
    comment = f"pact content modified since previous publication for {consumer} version {version}"
    changed = [Event(CONTRACT_CONTENT_CHANGED, comment)] if is_changed else []
    return [Event(CONTRACT_PUBLISHED), *required, *changed]


# What ought to verify new content


@dataclass(frozen=True, kw_only=True, slots=True)
class RequiredVerification:
    """A provider's version that ought to verify content, and why."""

    version: str
    main_branch: str | None
    """Where it is the head of the main branch, that branch."""
    descriptions: tuple[str, ...]


def group_by_version(found: Iterable[tuple[str, str, str | None]]) -> list[RequiredVerification]:
    """Put reasons together by version: each is a number, a reason (main, deployed, released) and a place."""
    grouped: dict[str, list[tuple[str, str | None]]] = {}
    for version, reason, place in found:
        grouped.setdefault(version, []).append((reason, place))
    return [_requirement(version, reasons) for version, reasons in grouped.items()]


def _requirement(version: str, reasons: Sequence[tuple[str, str | None]]) -> RequiredVerification:
    texts = ("latest from main branch" if reason == "main" else f"{reason} in {place}" for reason, place in reasons)
    return RequiredVerification(
        version=version,
        main_branch=next((place for reason, place in reasons if reason == "main"), None),
        descriptions=tuple(dict.fromkeys(texts)),
    )


def list_verification_events(*, success: bool) -> list[str]:
    """Name what publishing a result amounts to."""
    return [
        PROVIDER_VERIFICATION_PUBLISHED,
        PROVIDER_VERIFICATION_SUCCEEDED if success else PROVIDER_VERIFICATION_FAILED,
    ]
