"""Consumer version selectors: what each kind finds. One statement answers for a selector."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, Label, Select, and_, bindparam, func, select

from treaty.model.decisions.consumer_selectors import (
    AllWithTag,
    ConsumerVersionSelector,
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
from treaty.model.decisions.verifiable_pacts import list_needed_fallbacks
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import (
    branch,
    content,
    deployed_version,
    environment,
    integration,
    pacticipant,
    publication,
    released_version,
    tag,
    tag_head,
    version,
)

_NAMED_ENVIRONMENTS: Final = select(environment.c.name).where(
    environment.c.name.in_(bindparam("names", expanding=True))
)


def find_existing_environments(db: Connection, names: Collection[str]) -> set[str]:
    """Say which of these environments exist."""
    return {row[0] for row in fetch_rows(db, _NAMED_ENVIRONMENTS, {"names": list(names)})} if names else set()


def list_selected_pacts(
    db: Connection, selectors: Collection[ConsumerVersionSelector], provider_id: int
) -> list[SelectedPact]:
    """List what selectors find, and what is found where there are none."""
    if not selectors:
        return _found_by_default(db, provider_id)
    every = [finding for selector in selectors for finding in _found_by(db, selector, provider_id)]
    for selector in selectors:
        if isinstance(selector, LatestFromBranch) and selector.fallback:
            every += _found_by_fallback_branch(db, selector, selector.fallback, provider_id, every)
    for with_tag in list_needed_fallbacks(selectors, every):
        every += _found_by_fallback(db, with_tag, provider_id)
    return every


# Statements: from the consumers of a provider, by some versions of theirs, to these versions' pacts

_consumer: Final = pacticipant.alias("consumer")
_CONSUMERS: Final = integration.join(_consumer, _consumer.c.id == integration.c.consumer_id)
_BRANCHES: Final = _CONSUMERS.join(branch, branch.c.pacticipant_id == _consumer.c.id)
_DEPLOYED: Final = _CONSUMERS.join(deployed_version, deployed_version.c.pacticipant_id == _consumer.c.id).join(
    environment, environment.c.id == deployed_version.c.environment_id
)
_RELEASED: Final = _CONSUMERS.join(released_version, released_version.c.pacticipant_id == _consumer.c.id).join(
    environment, environment.c.id == released_version.c.environment_id
)
_ENVIRONMENT: Final = (environment.c.name.label("environment"), environment.c.is_production)


def _pacts(versions: FromClause, version_id: ColumnElement[Any], *more: Label[Any] | ColumnElement[Any]) -> Select[Any]:
    """Select the pacts that these versions of its consumers have with the provider.

    Adding 0 keeps SQLite, which knows nothing of sizes, from beginning with all that was ever published for a provider.
    """
    has_pact = and_(
        publication.c.consumer_version_id == version_id,
        publication.c.provider_id + 0 == bindparam("provider"),
        publication.c.is_current,
    )
    return (
        select(
            _consumer.c.name.label("consumer"),
            version.c.number.label("version"),
            version.c.id.label("version_id"),
            publication.c.position,
            content.c.sha,
            publication.c.content_id,
            *more,
        )
        .select_from(
            versions.join(publication, has_pact)
            .join(version, version.c.id == publication.c.consumer_version_id)
            .join(content, content.c.id == publication.c.content_id)
        )
        .where(integration.c.provider_id == bindparam("provider"))
    )


_latest: Final = publication.alias("latest")
_LATEST: Final = _CONSUMERS.join(_latest, _latest.c.id == integration.c.latest_publication_id)
_RUNNING: Final = _pacts(_DEPLOYED, deployed_version.c.version_id, *_ENVIRONMENT).where(
    deployed_version.c.undeployed_at.is_(None)
)
_SUPPORTED: Final = _pacts(_RELEASED, released_version.c.version_id, *_ENVIRONMENT).where(
    released_version.c.support_ended_at.is_(None)
)
_HERE: Final = environment.c.name == bindparam("here")
_TAG_HEADS: Final = _CONSUMERS.join(tag_head, tag_head.c.pacticipant_id == _consumer.c.id)
_TAGS: Final = _CONSUMERS.join(tag, tag.c.pacticipant_id == _consumer.c.id)


def _for_all_or_one(statement: Select[Any]) -> Mapping[bool, Select[Any]]:
    """Make the statement for all consumers, and the one for a single one."""
    return {False: statement, True: statement.where(_consumer.c.name == bindparam("consumer"))}


_OF_LATEST: Final = _for_all_or_one(_pacts(_LATEST, _latest.c.consumer_version_id))
_OF_MAIN_BRANCH: Final = _for_all_or_one(
    _pacts(_BRANCHES, branch.c.head_version_id, branch.c.name.label("branch")).where(
        branch.c.name == _consumer.c.main_branch
    )
)
_OF_BRANCH: Final = _for_all_or_one(
    _pacts(_BRANCHES, branch.c.head_version_id).where(branch.c.name == bindparam("name"))
)
_OF_EVERY_BRANCH: Final = _for_all_or_one(_pacts(_BRANCHES, branch.c.head_version_id, branch.c.name.label("branch")))
_OF_TAG_HEAD: Final = _for_all_or_one(
    _pacts(_TAG_HEADS, tag_head.c.version_id).where(tag_head.c.name == bindparam("name"))
)
_OF_TAG: Final = _for_all_or_one(_pacts(_TAGS, tag.c.version_id).where(tag.c.name == bindparam("name")))
_OF_RUNNING: Final = _for_all_or_one(_RUNNING)
_OF_RUNNING_HERE: Final = _for_all_or_one(_RUNNING.where(_HERE))
_OF_SUPPORTED: Final = _for_all_or_one(_SUPPORTED)
_OF_SUPPORTED_HERE: Final = _for_all_or_one(_SUPPORTED.where(_HERE))


def _found_by(db: Connection, selector: ConsumerVersionSelector, provider_id: int) -> Iterable[SelectedPact]:  # noqa: PLR0911 - a return for each kind of selector
    match selector:
        case OverallLatest():
            return _ask(db, _OF_LATEST, selector, provider_id)
        case MainBranch():
            return _ask(db, _OF_MAIN_BRANCH, selector, provider_id)
        case LatestFromBranch(branch=name):
            return _ask(db, _OF_BRANCH, selector, provider_id, name=name)
        case EveryBranch():
            return _ask(db, _OF_EVERY_BRANCH, selector, provider_id)
        case LatestWithTag(tag=name):
            return _ask(db, _OF_TAG_HEAD, selector, provider_id, name=name)
        case AllWithTag(tag=name):
            return _ask(db, _OF_TAG, selector, provider_id, name=name)
        case Deployed(environment=here):
            return _ask(db, _OF_RUNNING_HERE if here else _OF_RUNNING, selector, provider_id, here=here)
        case Released(environment=here):
            return _ask(db, _OF_SUPPORTED_HERE if here else _OF_SUPPORTED, selector, provider_id, here=here)
        case InEnvironment(environment=here):
            deployed = _ask(db, _OF_RUNNING_HERE, selector, provider_id, here=here)
            return dict.fromkeys((*deployed, *_ask(db, _OF_SUPPORTED_HERE, selector, provider_id, here=here)))


def _ask(
    db: Connection,
    statements: Mapping[bool, Select[Any]],
    selector: ConsumerVersionSelector,
    provider_id: int,
    **names: str | None,
) -> list[SelectedPact]:
    statement = statements[selector.consumer is not None]
    params = {"provider": provider_id, "consumer": selector.consumer, **names}
    return [SelectedPact(selector=selector, **row) for row in fetch_dicts(db, statement, params)]


def _found_by_fallback(db: Connection, selector: LatestWithTag, provider_id: int) -> list[SelectedPact]:
    found = _ask(db, _OF_TAG_HEAD, selector, provider_id, name=selector.fallback_tag)
    return [one._replace(is_fallback=True) for one in found]


def _found_by_fallback_branch(
    db: Connection,
    selector: LatestFromBranch,
    fallback: LatestFromBranch,
    provider_id: int,
    findings: Collection[SelectedPact],
) -> list[SelectedPact]:
    """List what the fallback branch finds of consumers of which the branch itself has no pact."""
    served = {finding.consumer for finding in findings if finding.selector == selector}
    found = _ask(db, _OF_BRANCH, fallback, provider_id, name=fallback.branch)
    return [finding for finding in found if finding.consumer not in served]


# Without selectors: each consumer's main branch, or else the tag of that name, or else its latest; and what runs

_MAIN_BRANCH: Final = and_(branch.c.pacticipant_id == _consumer.c.id, branch.c.name == _consumer.c.main_branch)
_MAIN_TAG: Final = and_(tag_head.c.pacticipant_id == _consumer.c.id, tag_head.c.name == _consumer.c.main_branch)
_DEFAULTS: Final = _pacts(
    _CONSUMERS.outerjoin(branch, _MAIN_BRANCH)
    .outerjoin(tag_head, _MAIN_TAG)
    .outerjoin(_latest, _latest.c.id == integration.c.latest_publication_id),
    func.coalesce(branch.c.head_version_id, tag_head.c.version_id, _latest.c.consumer_version_id),
    _consumer.c.main_branch.label("branch"),
    branch.c.head_version_id.is_not(None).label("is_of_branch"),
    tag_head.c.version_id.is_not(None).label("is_of_tag"),
)


def _found_by_default(db: Connection, provider_id: int) -> list[SelectedPact]:
    found = [_by_default(row) for row in fetch_dicts(db, _DEFAULTS, {"provider": provider_id})]
    return [*found, *_found_by(db, Deployed(), provider_id), *_found_by(db, Released(), provider_id)]


def _by_default(row: dict[str, Any]) -> SelectedPact:
    is_of_branch, is_of_tag = row.pop("is_of_branch"), row.pop("is_of_tag")
    consumer = row["consumer"]
    if is_of_branch:
        return SelectedPact(selector=MainBranch(consumer=consumer, is_default=True), **row)
    if is_of_tag:
        return SelectedPact(selector=LatestWithTag(tag=row["branch"], consumer=consumer), **row)
    return SelectedPact(selector=OverallLatest(consumer=consumer), **row)


# The heads of all branches and tags, for work in progress

_RECENT: Final = publication.c.created_at > bindparam("since")
BRANCH_HEADS: Final = _pacts(_BRANCHES, branch.c.head_version_id, branch.c.name.label("name")).where(_RECENT)
TAG_HEADS: Final = _pacts(_TAG_HEADS, tag_head.c.version_id, tag_head.c.name.label("name")).where(_RECENT)


def fetch_dicts(db: Connection, statement: Select[Any], params: Mapping[str, object]) -> list[dict[str, Any]]:
    """List rows by the names of their columns."""
    return [row._asdict() for row in fetch_rows(db, statement, params)]
