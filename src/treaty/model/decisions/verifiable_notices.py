"""Notices that a provider's build prints with a pact: why it is verified, and what a result will mean."""

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

PactNotice = tuple[str, str]
"""When it is printed, and its text."""

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


def build_notices(pact: VerifiablePact, provider: str, wanted: VerifiablePactsQuery, url: str) -> list[PactNotice]:
    """List what is to be printed. The URL is the pact's own, without metadata unless it is in progress."""
    found = [
        (
            BEFORE_VERIFICATION,
            _why_in_progress(pact, provider, wanted, url) if pact.is_wip else _why(pact, provider, url),
        )
    ]
    if wanted.includes_pending:
        found.append((BEFORE_VERIFICATION, _whether_pending(pact, provider, wanted)))
        if pact.is_pending:
            found += _after(pact, provider, wanted)
    return found


def _why(pact: VerifiablePact, provider: str, url: str) -> str:
    is_one = len(pact.selections) == 1
    what = "version matching the following criterion" if is_one else "versions matching the following criteria"
    lines = "".join(f"\n    * {line}" for line in _descriptions(pact.selections, provider))
    return f"The pact at {url} is being verified because the pact content belongs to the consumer {what}:{lines}"


def _descriptions(selections: Iterable[SelectedPact], provider: str) -> list[str]:
    kinds: dict[type, list[SelectedPact]] = {}
    for finding in selections:
        kinds.setdefault(type(finding.selector), []).append(finding)
    lines = []
    for kind, ones in kinds.items():
        if kind in _IN_ONE_LINE:
            lines += _in_one_line(ones, *_IN_ONE_LINE[kind])
        else:
            lines += [f"{_description(one, provider)} ({one.version})" for one in ones]
    return lines


_IN_ONE_LINE: Final[Mapping[type, tuple[str, str]]] = {
    Deployed: ("consumer version(s) currently deployed to", "version(s) of {} currently deployed to"),
    Released: ("consumer version(s) released and supported in", "version(s) of {} released and supported in"),
}


def _in_one_line(selections: Iterable[SelectedPact], of_any: str, of_one: str) -> list[str]:
    places: dict[str | None, list[str]] = {}
    for one in selections:
        places.setdefault(one.selector.consumer, []).append(f"{one.environment} ({one.version})")
    return [
        f"{of_any if consumer is None else of_one.format(consumer)} {_listed(names)}"
        for consumer, names in places.items()
    ]


def _description(finding: SelectedPact, provider: str) -> str:  # noqa: PLR0911 - a return for each kind of selector
    consumer = finding.selector.consumer
    latest = f"latest version of {consumer}" if consumer else "latest version"
    match finding.selector:
        case OverallLatest():
            return f"latest version of {consumer or 'a consumer'} that has a pact with {provider}"
        case MainBranch():
            return f"{latest} from the main branch '{finding.branch}'"
        case LatestFromBranch() as selector:
            return f"{latest} {_from_branch(selector)}"
        case EveryBranch():
            return f"{latest} from branch '{finding.branch}'"
        case LatestWithTag(tag=name, fallback_tag=fallback) if finding.is_fallback:
            return f"{latest} tagged '{fallback}' (fallback tag used as no pact was found with tag '{name}')"
        case LatestWithTag(tag=name):
            return f"{latest} tagged '{name}'"
        case AllWithTag(tag=name):
            return f"all {consumer or 'consumer'} versions tagged '{name}'"
        case InEnvironment(environment=name):
            return f"{f'{consumer} version' if consumer else 'a consumer version'} in environment {name}"
        case Deployed() | Released():
            raise AssertionError("these are told in one line")


def _from_branch(selector: LatestFromBranch) -> str:
    if selector.fallback_for is None:
        return f"from branch '{selector.branch}'"
    return (
        f"from branch '{selector.branch}' (fallback branch used as no pact was found from branch"
        f" '{selector.fallback_for}')"
    )


def _why_in_progress(pact: VerifiablePact, provider: str, wanted: VerifiablePactsQuery, url: str) -> str:
    return (
        f"The pact at {url} is being verified because it is a 'work in progress' pact (ie. it is the pact for the "
        f"latest {_heads(pact)} and it has not yet been successfully verified by {_who(pact, provider, wanted)} when "
        "the pact's application version was explicitly specified in the consumer version selectors). "
        "Read more at https://docs.pact.io/go/wip"
    )


def _heads(pact: VerifiablePact) -> str:
    """Name the branches and tags at whose head a work in progress is."""
    selectors = [finding.selector for finding in pact.selections]
    branches = list(dict.fromkeys(one.branch for one in selectors if isinstance(one, LatestFromBranch)))
    tags = list(dict.fromkeys(one.tag for one in selectors if isinstance(one, LatestWithTag)))
    versions = "version" if len(branches) == 1 or len(tags) == 1 else "versions"
    heads = []
    if branches:
        heads.append(f"from {'branch' if len(branches) == 1 else 'branches'} {_quoted(branches)}")
    if tags:
        heads.append(f"tagged with {_quoted(tags)}")
    same = {1: "", 2: " (both have the same content)"}.get(len(selectors), " (all have the same content)")
    return f"{versions} of {pact.consumer} {' and '.join(heads)}{same}"


def _whether_pending(pact: VerifiablePact, provider: str, wanted: VerifiablePactsQuery) -> str:
    if not pact.is_pending:
        who = _verifier(pact, provider, wanted)
        return (
            f"This pact has previously been successfully verified by {who}. "
            f"If this verification fails, it will fail the build. {_ABOUT_PENDING}"
        )
    why = f"a successful verification result for {_who(pact, provider, wanted)} has not yet been published"
    return (
        f"This pact is in pending state for this version of {provider} because {_INCLUDED if pact.is_wip else why}. "
        f"If this verification fails, it will not cause the overall build to fail. {_ABOUT_PENDING}"
    )


def _after(pact: VerifiablePact, provider: str, wanted: VerifiablePactsQuery) -> list[PactNotice]:
    who = _by(provider, wanted, pact.pending_tags, one="any version", many="any versions")
    tags = {0: "", 1: "with this tag "}.get(len(pact.pending_tags), "with these tags ")
    still = f"This pact is still in pending state for {who} as"
    unpublished = f"{still} the successful verification results {tags}have not yet been published."
    failed = f"{still} a successful verification result {tags}has not yet been published"
    succeeded = (
        f"This pact is no longer in pending state for {who}, as a successful verification result {tags}has been "
        f"published. If a verification for a version of {provider} {tags}fails in the future, it will fail the build. "
        f"{_ABOUT_PENDING}"
    )
    return [
        (_AFTER.format("true", "false"), unpublished),
        (_AFTER.format("false", "false"), failed),
        (_AFTER.format("true", "true"), succeeded),
        (_AFTER.format("false", "true"), failed),
    ]


def _who(pact: VerifiablePact, provider: str, wanted: VerifiablePactsQuery) -> str:
    return _by(provider, wanted, pact.pending_tags, many="a versions")


def _verifier(pact: VerifiablePact, provider: str, wanted: VerifiablePactsQuery) -> str:
    """Name the versions that verified a pact. Their branch may be another, from which that of the request began."""
    if pact.verified_by is not None:
        return f"a version of {provider} from branch '{pact.verified_by}'"
    return _by(provider, wanted, wanted.tags, many="a version")


def _by(provider: str, wanted: VerifiablePactsQuery, tags: Sequence[str], *, one: str = "a version", many: str) -> str:
    """Name the provider's versions whose results count."""
    if wanted.branch is not None:
        return f"{one} of {provider} from branch '{wanted.branch}'"
    if not tags:
        return provider
    return f"{one if len(tags) == 1 else many} of {provider} with tag {_quoted(tags)}"


def explain_missing_wip(wanted: VerifiablePactsQuery) -> str | None:
    """Explain why work in progress is missing although it was asked for."""
    if wanted.wip_since is None or wanted.has_wip:
        return None
    return (
        "No 'work in progress' pacts are included although includeWipPactsSince is set, because neither a branch nor a "
        "tag of the provider version is known. Set providerVersionBranch to the branch that is being verified "
        "(recommended), or providerVersionTags. Read more at https://docs.pact.io/go/wip"
    )


def _quoted(names: Iterable[str]) -> str:
    return _listed([f"'{name}'" for name in names])


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
