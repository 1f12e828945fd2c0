"""Notices that a provider's build prints with a pact: why it is verified, and what a result will mean.

Where the original has a text, it is used word for word, with its grammar ("a versions"): clients and documentation
quote it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from treaty.model.decisions.consumer_selectors import (
    AllWithTag,
    Deployed,
    EveryBranch,
    InEnvironment,
    LatestFromBranch,
    LatestWithTag,
    MainBranch,
    OverallLatest,
    Released,
    SelectedPact,
)
from treaty.model.decisions.verifiable_pacts import VerifiablePact, VerifiablePactsQuery
from treaty.model.wording import choose_form

PactNotice = tuple[str, str]
"""The moment at which it is printed (`when`), and its text."""

BEFORE_VERIFICATION: Final = "before_verification"
_AFTER: Final = "after_verification:success_{}_published_{}"

_DEPRECATION: Final = (
    "WARNING - this version of the Pact library uses a beta version of the API which will be removed in the future. "
    "Please upgrade your Pact library. See https://docs.pact.io/pact_broker/advanced_topics/"
    "provider_verification_results/#pacts-for-verification for minimum required versions."
)
DEPRECATION_NOTICE: Final[PactNotice] = (BEFORE_VERIFICATION, _DEPRECATION)
_INCLUDED: Final = "it was included as a 'work in progress' pact"
_ABOUT_PENDING: Final = "Read more at https://docs.pact.io/go/pending"


def build_notices(pact: VerifiablePact, provider: str, query: VerifiablePactsQuery, url: str) -> list[PactNotice]:
    """List the notices of a pact. The URL is the pact's, without metadata unless it is work in progress."""
    reason = _explain_wip(pact, provider, query, url) if pact.is_wip else _explain_selection(pact, provider, url)
    notices = [(BEFORE_VERIFICATION, reason)]
    if query.includes_pending:
        notices.append((BEFORE_VERIFICATION, _explain_pending(pact, provider, query)))
        if pact.is_pending:
            notices += _list_notices_after(pact, provider, query)
    return notices


def _explain_selection(pact: VerifiablePact, provider: str, url: str) -> str:
    is_single = len(pact.selections) == 1
    versions = "version matching the following criterion" if is_single else "versions matching the following criteria"
    lines = "".join(f"\n    * {line}" for line in _describe_selections(pact.selections, provider))
    return f"The pact at {url} is being verified because the pact content belongs to the consumer {versions}:{lines}"


def _describe_selections(selections: Iterable[SelectedPact], provider: str) -> list[str]:
    kinds: dict[type, list[SelectedPact]] = {}
    for selection in selections:
        kinds.setdefault(type(selection.selector), []).append(selection)
    lines = []
    for kind, same_kind in kinds.items():
        if kind in _SHARED_LINES:
            lines += _describe_in_shared_lines(same_kind, *_SHARED_LINES[kind])
        else:
            lines += [f"{_describe_selection(selection, provider)} ({selection.version})" for selection in same_kind]
    return lines


# A version may run in many environments. The original lists them in one line for each consumer.
_SHARED_LINES: Final[Mapping[type, tuple[str, str]]] = {
    Deployed: ("consumer version(s) currently deployed to", "version(s) of {} currently deployed to"),
    Released: ("consumer version(s) released and supported in", "version(s) of {} released and supported in"),
}


def _describe_in_shared_lines(
    selections: Iterable[SelectedPact], any_consumer_text: str, consumer_template: str
) -> list[str]:
    environments: dict[str | None, list[str]] = {}
    for selection in selections:
        text = f"{selection.environment} ({selection.version})"
        environments.setdefault(selection.selector.consumer, []).append(text)
    return [
        f"{any_consumer_text if consumer is None else consumer_template.format(consumer)} {_join(texts)}"
        for consumer, texts in environments.items()
    ]


def _describe_selection(selection: SelectedPact, provider: str) -> str:  # noqa: PLR0911 - a return for each kind of selector
    consumer = selection.selector.consumer
    latest = f"latest version of {consumer}" if consumer else "latest version"
    match selection.selector:
        case OverallLatest():
            return f"latest version of {consumer or 'a consumer'} that has a pact with {provider}"
        case MainBranch():
            return f"{latest} from the main branch '{selection.branch}'"
        case LatestFromBranch() as selector:
            return f"{latest} {_from_branch(selector)}"
        case EveryBranch():
            return f"{latest} from branch '{selection.branch}'"
        case LatestWithTag(tag=name, fallback_tag=fallback) if selection.is_fallback:
            return f"{latest} tagged '{fallback}' (fallback tag used as no pact was found with tag '{name}')"
        case LatestWithTag(tag=name):
            return f"{latest} tagged '{name}'"
        case AllWithTag(tag=name):
            return f"all {consumer or 'consumer'} versions tagged '{name}'"
        case InEnvironment(environment=name):
            return f"{f'{consumer} version' if consumer else 'a consumer version'} in environment {name}"
        case Deployed() | Released():
            raise AssertionError("_describe_in_shared_lines describes these")


def _from_branch(selector: LatestFromBranch) -> str:
    if selector.fallback_for is None:
        return f"from branch '{selector.branch}'"
    return (
        f"from branch '{selector.branch}' (fallback branch used as no pact was found from branch"
        f" '{selector.fallback_for}')"
    )


def _explain_wip(pact: VerifiablePact, provider: str, query: VerifiablePactsQuery, url: str) -> str:
    versions = _describe_awaited(pact, provider, query)
    return (
        f"The pact at {url} is being verified because it is a 'work in progress' pact (ie. it is the pact for the "
        f"latest {_describe_heads(pact)} and it has not yet been successfully verified by {versions} when "
        "the pact's application version was explicitly specified in the consumer version selectors). "
        "Read more at https://docs.pact.io/go/wip"
    )


def _describe_heads(pact: VerifiablePact) -> str:
    """Name the branches and tags of which a work in progress is the head."""
    selectors = [selection.selector for selection in pact.selections]
    branches = list(dict.fromkeys(selector.branch for selector in selectors if isinstance(selector, LatestFromBranch)))
    tags = list(dict.fromkeys(selector.tag for selector in selectors if isinstance(selector, LatestWithTag)))
    versions = "version" if len(branches) == 1 or len(tags) == 1 else "versions"
    heads = []
    if branches:
        heads.append(f"from {choose_form(len(branches), 'branch', 'branches')} {_join_quoted(branches)}")
    if tags:
        heads.append(f"tagged with {_join_quoted(tags)}")
    same_content = {1: "", 2: " (both have the same content)"}.get(len(selectors), " (all have the same content)")
    return f"{versions} of {pact.consumer} {' and '.join(heads)}{same_content}"


def _explain_pending(pact: VerifiablePact, provider: str, query: VerifiablePactsQuery) -> str:
    if pact.live_in:
        versions = _describe_awaited(pact, provider, query)
        return (
            f"This pact is not pending, although a successful verification result for {versions} has not yet been "
            f"published, because it is deployed or released in {_join(pact.live_in)}. If this verification fails, it "
            f"will fail the build. {_ABOUT_PENDING}"
        )
    if not pact.is_pending:
        verifier = _describe_verifier(pact, provider, query)
        return (
            f"This pact has previously been successfully verified by {verifier}. "
            f"If this verification fails, it will fail the build. {_ABOUT_PENDING}"
        )
    versions = _describe_awaited(pact, provider, query)
    reason = _INCLUDED if pact.is_wip else f"a successful verification result for {versions} has not yet been published"
    return (
        f"This pact is in pending state for this version of {provider} because {reason}. "
        f"If this verification fails, it will not cause the overall build to fail. {_ABOUT_PENDING}"
    )


def _list_notices_after(pact: VerifiablePact, provider: str, query: VerifiablePactsQuery) -> list[PactNotice]:
    versions = _describe_versions(provider, query, pact.pending_tags, singular="any version", plural="any versions")
    tags = {0: "", 1: "with this tag "}.get(len(pact.pending_tags), "with these tags ")
    still = f"This pact is still in pending state for {versions} as"
    unpublished = f"{still} the successful verification results {tags}have not yet been published."
    failed = f"{still} a successful verification result {tags}has not yet been published"
    succeeded = (
        f"This pact is no longer in pending state for {versions}, as a successful verification result {tags}has been "
        f"published. If a verification for a version of {provider} {tags}fails in the future, it will fail the build. "
        f"{_ABOUT_PENDING}"
    )
    return [
        (_AFTER.format("true", "false"), unpublished),
        (_AFTER.format("false", "false"), failed),
        (_AFTER.format("true", "true"), succeeded),
        (_AFTER.format("false", "true"), failed),
    ]


def _describe_awaited(pact: VerifiablePact, provider: str, query: VerifiablePactsQuery) -> str:
    """Name the provider versions of which a success would end the pending state."""
    return _describe_versions(provider, query, pact.pending_tags, plural="a versions")


def _describe_verifier(pact: VerifiablePact, provider: str, query: VerifiablePactsQuery) -> str:
    """Name the provider versions that verified a pact.

    Their branch may be another than that of the request: results from before a branch was created count for it too.
    """
    if pact.verified_by is not None:
        return f"a version of {provider} from branch '{pact.verified_by}'"
    return _describe_versions(provider, query, query.tags, plural="a version")


def _describe_versions(
    provider: str, query: VerifiablePactsQuery, tags: Sequence[str], *, singular: str = "a version", plural: str
) -> str:
    """Name the provider versions whose results count."""
    if query.branch is not None:
        return f"{singular} of {provider} from branch '{query.branch}'"
    if not tags:
        return provider
    return f"{choose_form(len(tags), singular, plural)} of {provider} with tag {_join_quoted(tags)}"


def explain_missing_wip(query: VerifiablePactsQuery) -> str | None:
    """Explain why the response has no work in progress although the request sets `includeWipPactsSince`."""
    if query.wip_since is None or query.has_wip:
        return None
    return (
        "No 'work in progress' pacts are included although includeWipPactsSince is set, because neither a branch nor a "
        "tag of the provider version is known. Set providerVersionBranch to the branch that is being verified "
        "(recommended), or providerVersionTags. Read more at https://docs.pact.io/go/wip"
    )


def _join_quoted(names: Iterable[str]) -> str:
    return _join([f"'{name}'" for name in names])


def _join(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
