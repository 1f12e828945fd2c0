"""Selects the pacts that match consumer version selectors, with one statement for each kind of selector.

The statements start from the provider's consumers and the heads of their branches and tags, or their deployed versions,
so that their cost does not grow with the history. A head without a pact with the provider selects nothing, as in the
original. tests/store/test_verifiable_plans.py asserts their plans.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, Label, Select, and_, bindparam, func, null, select

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
    """Return the names that are those of existing environments."""
    return {row[0] for row in fetch_rows(db, _NAMED_ENVIRONMENTS, {"names": list(names)})} if names else set()


def list_selected_pacts(
    db: Connection, selectors: Collection[ConsumerVersionSelector], provider_id: int
) -> list[SelectedPact]:
    """List the pacts that match the selectors or, if there are none, the default selection."""
    if not selectors:
        return _list_default_pacts(db, provider_id)
    pacts = [pact for selector in selectors for pact in _list_pacts(db, selector, provider_id)]
    for selector in selectors:
        if isinstance(selector, LatestFromBranch) and selector.fallback:
            pacts += _list_pacts_of_fallback_branch(db, selector, selector.fallback, provider_id, pacts)
    # Which fallback tags are needed is known only once all selectors have been evaluated.
    for selector_with_tag in list_needed_fallbacks(selectors, pacts):
        with_fallback_tag = _execute(
            db, _OF_TAG_HEAD, selector_with_tag, provider_id, name=selector_with_tag.fallback_tag
        )
        pacts += [pact._replace(is_fallback=True) for pact in with_fallback_tag]
    return pacts


# Statements: from the consumers of a provider, through certain versions, to the pacts of these versions

_consumer: Final = pacticipant.alias("consumer")
_CONSUMERS: Final = integration.join(_consumer, _consumer.c.id == integration.c.consumer_id)
_BRANCHES: Final = _CONSUMERS.join(branch, branch.c.pacticipant_id == _consumer.c.id)
_DEPLOYED: Final = _CONSUMERS.join(deployed_version, deployed_version.c.pacticipant_id == _consumer.c.id).join(
    environment, environment.c.id == deployed_version.c.environment_id
)
_RELEASED: Final = _CONSUMERS.join(released_version, released_version.c.pacticipant_id == _consumer.c.id).join(
    environment, environment.c.id == released_version.c.environment_id
)
_NO_BRANCH: Final = null().label("branch")
_ENVIRONMENT: Final = (_NO_BRANCH, environment.c.name.label("environment"), environment.c.is_production)


def _select_pacts(
    versions: FromClause, version_id: ColumnElement[Any], *columns: Label[Any] | ColumnElement[Any]
) -> Select[Any]:
    """Select the pacts that these versions of its consumers have with the provider.

    The columns are the fields of `SelectedPact` after the selector, in their order.

    Adding 0 prevents the use of the index of providers: SQLite, which has no statistics here, would start with all
    publications for the provider.
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
            *columns,
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
_CURRENTLY_DEPLOYED: Final = _select_pacts(_DEPLOYED, deployed_version.c.version_id, *_ENVIRONMENT).where(
    deployed_version.c.undeployed_at.is_(None)
)
_CURRENTLY_RELEASED: Final = _select_pacts(_RELEASED, released_version.c.version_id, *_ENVIRONMENT).where(
    released_version.c.support_ended_at.is_(None)
)
_IS_ENVIRONMENT: Final = environment.c.name == bindparam("name")
_TAG_HEADS: Final = _CONSUMERS.join(tag_head, tag_head.c.pacticipant_id == _consumer.c.id)
_TAGS: Final = _CONSUMERS.join(tag, tag.c.pacticipant_id == _consumer.c.id)


def _with_and_without_consumer(statement: Select[Any]) -> Mapping[bool, Select[Any]]:
    """Return the statement for all consumers (False), and for a single consumer (True)."""
    return {False: statement, True: statement.where(_consumer.c.name == bindparam("consumer"))}


_OF_LATEST: Final = _with_and_without_consumer(_select_pacts(_LATEST, _latest.c.consumer_version_id))
_OF_MAIN_BRANCH: Final = _with_and_without_consumer(
    _select_pacts(_BRANCHES, branch.c.head_version_id, branch.c.name.label("branch")).where(
        branch.c.name == _consumer.c.main_branch
    )
)
_OF_BRANCH: Final = _with_and_without_consumer(
    _select_pacts(_BRANCHES, branch.c.head_version_id).where(branch.c.name == bindparam("name"))
)
_OF_EVERY_BRANCH: Final = _with_and_without_consumer(
    _select_pacts(_BRANCHES, branch.c.head_version_id, branch.c.name.label("branch"))
)
_OF_TAG_HEAD: Final = _with_and_without_consumer(
    _select_pacts(_TAG_HEADS, tag_head.c.version_id).where(tag_head.c.name == bindparam("name"))
)
_OF_TAG: Final = _with_and_without_consumer(
    _select_pacts(_TAGS, tag.c.version_id).where(tag.c.name == bindparam("name"))
)
_OF_DEPLOYED: Final = _with_and_without_consumer(_CURRENTLY_DEPLOYED)
_OF_DEPLOYED_TO_ENVIRONMENT: Final = _with_and_without_consumer(_CURRENTLY_DEPLOYED.where(_IS_ENVIRONMENT))
_OF_RELEASED: Final = _with_and_without_consumer(_CURRENTLY_RELEASED)
_OF_RELEASED_TO_ENVIRONMENT: Final = _with_and_without_consumer(_CURRENTLY_RELEASED.where(_IS_ENVIRONMENT))


def _list_pacts(db: Connection, selector: ConsumerVersionSelector, provider_id: int) -> Iterable[SelectedPact]:  # noqa: PLR0911 - a return for each kind of selector
    match selector:
        case OverallLatest():
            return _execute(db, _OF_LATEST, selector, provider_id)
        case MainBranch():
            return _execute(db, _OF_MAIN_BRANCH, selector, provider_id)
        case LatestFromBranch(branch=name):
            return _execute(db, _OF_BRANCH, selector, provider_id, name=name)
        case EveryBranch():
            return _execute(db, _OF_EVERY_BRANCH, selector, provider_id)
        case LatestWithTag(tag=name):
            return _execute(db, _OF_TAG_HEAD, selector, provider_id, name=name)
        case AllWithTag(tag=name):
            return _execute(db, _OF_TAG, selector, provider_id, name=name)
        case Deployed(environment=name):
            return _execute(db, _OF_DEPLOYED_TO_ENVIRONMENT if name else _OF_DEPLOYED, selector, provider_id, name=name)
        case Released(environment=name):
            return _execute(db, _OF_RELEASED_TO_ENVIRONMENT if name else _OF_RELEASED, selector, provider_id, name=name)
        case InEnvironment(environment=name):
            deployed = _execute(db, _OF_DEPLOYED_TO_ENVIRONMENT, selector, provider_id, name=name)
            # A version may be both deployed and released to an environment.
            return dict.fromkeys(
                (*deployed, *_execute(db, _OF_RELEASED_TO_ENVIRONMENT, selector, provider_id, name=name))
            )


def _execute(
    db: Connection,
    statements: Mapping[bool, Select[Any]],
    selector: ConsumerVersionSelector,
    provider_id: int,
    name: str | None = None,
) -> list[SelectedPact]:
    """List the pacts of one statement; `name` is that of the selector's branch, tag or environment."""
    statement = statements[selector.consumer is not None]
    params = {"provider": provider_id, "consumer": selector.consumer, "name": name}
    return [SelectedPact(selector, *row) for row in fetch_rows(db, statement, params)]


def _list_pacts_of_fallback_branch(
    db: Connection,
    selector: LatestFromBranch,
    fallback: LatestFromBranch,
    provider_id: int,
    selected: Collection[SelectedPact],
) -> list[SelectedPact]:
    """List the pacts from the fallback branch, of consumers that have no pact from the branch itself.

    The original accepts `fallbackBranch` and ignores it.
    """
    consumers = {pact.consumer for pact in selected if pact.selector == selector}
    fallback_pacts = _execute(db, _OF_BRANCH, fallback, provider_id, name=fallback.branch)
    return [pact for pact in fallback_pacts if pact.consumer not in consumers]


# Without selectors: the main branch of each consumer, or else the tag of that name, or else its latest version; and all
# deployed and released versions. A consumer whose main branch has no pact at its head contributes nothing through the
# first rule, as in the original: there is no fall-through to the second.

_MAIN_BRANCH: Final = and_(branch.c.pacticipant_id == _consumer.c.id, branch.c.name == _consumer.c.main_branch)
_MAIN_TAG: Final = and_(tag_head.c.pacticipant_id == _consumer.c.id, tag_head.c.name == _consumer.c.main_branch)
_DEFAULTS: Final = _select_pacts(
    _CONSUMERS.outerjoin(branch, _MAIN_BRANCH)
    .outerjoin(tag_head, _MAIN_TAG)
    .outerjoin(_latest, _latest.c.id == integration.c.latest_publication_id),
    func.coalesce(branch.c.head_version_id, tag_head.c.version_id, _latest.c.consumer_version_id),
    _consumer.c.main_branch.label("branch"),
    branch.c.head_version_id.is_not(None).label("is_of_branch"),
    tag_head.c.version_id.is_not(None).label("is_of_tag"),
)


def _list_default_pacts(db: Connection, provider_id: int) -> list[SelectedPact]:
    pacts = [_build_default_pact(row) for row in fetch_rows(db, _DEFAULTS, {"provider": provider_id})]
    return [*pacts, *_list_pacts(db, Deployed(), provider_id), *_list_pacts(db, Released(), provider_id)]


def _build_default_pact(row: Any) -> SelectedPact:
    selector: ConsumerVersionSelector = OverallLatest(consumer=row.consumer)
    if row.is_of_branch:
        selector = MainBranch(consumer=row.consumer, is_default=True)
    elif row.is_of_tag:
        selector = LatestWithTag(tag=row.branch, consumer=row.consumer)
    return SelectedPact(selector, *row[:-2])


# The heads of all branches and tags: the candidates for work in progress

_RECENT: Final = publication.c.created_at > bindparam("since")
BRANCH_HEADS: Final = _select_pacts(_BRANCHES, branch.c.head_version_id, branch.c.name.label("name")).where(_RECENT)
TAG_HEADS: Final = _select_pacts(_TAG_HEADS, tag_head.c.version_id, tag_head.c.name.label("name")).where(_RECENT)
