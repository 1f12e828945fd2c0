"""Comparisons of pacts with documents, and the results that follow from them.

A comparison belongs to a content and a set of documents, so that versions with equal contents share it. Its verdict for
a provider version is stored as a result (`verification.comparison_id`), so that decisions find it as they find those
of verifiers. Results follow from comparisons and self-verifications: one that is missing is computed again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, insert, select, union, update

from treaty.model.compare.profiles import Profile
from treaty.model.provider_contracts.comparisons import (
    ComparisonDetails,
    ComparisonInputs,
    NamedBody,
    NewComparison,
    PairKey,
    StoredComparison,
)
from treaty.store.engine.batches import execute_in_batches
from treaty.store.engine.database import (
    execute,
    fetch_all,
    fetch_column,
    fetch_first,
    fetch_one,
    fetch_rows,
    fetch_scalar,
    fetch_tuples,
)
from treaty.store.pacts.pacts import CONSUMER, CONTENT_ID, PROVIDER, PROVIDER_ID
from treaty.store.provider_contracts import contracts
from treaty.store.provider_contracts.due_tasks import RENEW_TASK
from treaty.store.tables import (
    branch,
    comparison,
    comparison_task,
    content,
    deployed_version,
    pacticipant,
    publication,
    released_version,
    verification,
    version,
)

DEFAULT_PROFILE: Final = Profile.STRICT.value

_PROVIDER_VERSION_ID: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == PROVIDER_ID, version.c.number == bindparam("provider_version"))
    .scalar_subquery()
)

# Comparisons

_PROFILE: Final = select(pacticipant.c.comparison_profile).where(pacticipant.c.name == bindparam("provider"))
_BODY: Final = select(content.c.body).where(content.c.id == CONTENT_ID)
_OF_INPUTS: Final = and_(
    comparison.c.content_id == CONTENT_ID,
    comparison.c.documents_sha == bindparam("documents_sha"),
    comparison.c.profile == bindparam("profile"),
)
_FIND: Final = (
    select(comparison.c.id, comparison.c.is_compatible, comparison.c.is_complete, comparison.c.announced_success)
    .where(_OF_INPUTS)
    .order_by(comparison.c.id.desc())
    .limit(1)
)
_ADD: Final = (
    insert(comparison)
    .values(
        content_id=CONTENT_ID,
        **{
            name: bindparam(name)
            for name in (
                *("documents_sha", "engine", "profile", "is_compatible", "is_complete", "created_at", "details"),
            )
        },
    )
    .returning(comparison.c.id)
)


def load_profile(db: Connection, provider: str) -> str:
    """Load the profile of a provider."""
    return fetch_scalar(db, _PROFILE, {"provider": provider}) or DEFAULT_PROFILE


_SET_PROFILE: Final = (
    update(pacticipant)
    .where(pacticipant.c.name == bindparam("provider"))
    .values(comparison_profile=bindparam("profile"))
)
_RESULTS_OF_PROVIDER: Final = select(verification.c.id).where(
    verification.c.provider_id == PROVIDER_ID, verification.c.comparison_id.is_not(None)
)


def set_profile(db: Connection, provider: str, profile: str) -> None:
    """Store the profile of a provider."""
    execute(db, _SET_PROFILE, {"provider": provider, "profile": profile})


def find_own_profile(db: Connection, provider: str) -> str | None:
    """Find the profile that was set for a provider; None if it has the default."""
    profile: str | None = fetch_scalar(db, _PROFILE, {"provider": provider})
    return profile


def list_results_of_provider(db: Connection, provider: str) -> list[int]:
    """List the numbers of all results of comparing a provider's contracts."""
    return fetch_column(db, _RESULTS_OF_PROVIDER, {"provider": provider})


def find(db: Connection, key: PairKey, documents_sha: str, profile: str) -> StoredComparison | None:
    """Find the comparison of a content with a set of documents."""
    params = {**key._asdict(), "documents_sha": documents_sha, "profile": profile}
    return fetch_one(db, _FIND, params, StoredComparison)


_SIZE_OF_PACT: Final = select(func.length(content.c.body)).where(content.c.id == CONTENT_ID)


def measure_inputs(db: Connection, key: PairKey) -> int:
    """Measure what has to be compared for a pair, in bytes; 0 if there is a comparison already."""
    documents_sha = contracts.load_state(db, key.provider, key.provider_version).documents_sha
    if documents_sha is None or find(db, key, documents_sha, load_profile(db, key.provider)) is not None:
        return 0
    size_of_pact: int = fetch_scalar(db, _SIZE_OF_PACT, key._asdict()) or 0
    return size_of_pact + contracts.measure_bodies(db, key.provider, key.provider_version)


def load_inputs(db: Connection, key: PairKey) -> ComparisonInputs | None:
    """Load what has to be compared for a pair.

    None if there is a comparison already, or if the provider version has no contract or the content does not exist.
    """
    documents_sha = contracts.load_state(db, key.provider, key.provider_version).documents_sha
    profile = load_profile(db, key.provider)
    if documents_sha is None or find(db, key, documents_sha, profile) is not None:
        return None
    pact = load_body(db, key)
    if pact is None:
        return None
    bodies = contracts.load_bodies(db, key.provider, key.provider_version)
    documents = [NamedBody(*body) for body in bodies]
    return ComparisonInputs(pact=pact, documents=documents, documents_sha=documents_sha, profile=profile)


def load_body(db: Connection, key: PairKey) -> bytes | None:
    """Load the content of a pair's pact; None if it does not exist."""
    body: bytes | None = fetch_scalar(db, _BODY, key._asdict())
    return body


def add(db: Connection, key: PairKey, new: NewComparison, *, now: datetime) -> StoredComparison:
    """Add a comparison of a content with a set of documents."""
    values = {name: getattr(new, name) for name in NewComparison.__slots__}
    number = fetch_scalar(db, _ADD, {**key._asdict(), **values, "created_at": now})
    return StoredComparison(
        id=number, is_compatible=new.is_compatible, is_complete=new.is_complete, announced_success=None
    )


_SET_ANNOUNCED: Final = (
    update(comparison).where(comparison.c.id == bindparam("_id")).values(announced_success=bindparam("success"))
)


def set_announced(db: Connection, comparison_id: int, *, success: bool) -> None:
    """Store the verdict that webhooks have been told."""
    execute(db, _SET_ANNOUNCED, {"_id": comparison_id, "success": success})


_HAS_CONTENT: Final = select(CONTENT_ID)


def has_content(db: Connection, key: PairKey) -> bool:
    return fetch_scalar(db, _HAS_CONTENT, key._asdict()) is not None


# Results


class CurrentResult(NamedTuple):
    """The latest result of comparing a pair."""

    number: int
    comparison_id: int
    success: bool


_CURRENT: Final = select(verification.c.id, verification.c.comparison_id, verification.c.success).where(
    verification.c.content_id == CONTENT_ID,
    verification.c.provider_version_id == _PROVIDER_VERSION_ID,
    verification.c.is_latest,
    verification.c.comparison_id.is_not(None),
)


def find_result(db: Connection, key: PairKey) -> CurrentResult | None:
    """Find the latest result of comparing a pair."""
    for row in fetch_rows(db, _CURRENT, key._asdict()):
        return CurrentResult(*row)
    return None


_OF_VERSION: Final = (
    select(CONSUMER.c.name, PROVIDER.c.name, content.c.sha, version.c.number, verification.c.id)
    .select_from(verification)
    .join(version, version.c.id == verification.c.provider_version_id)
    .join(content, content.c.id == verification.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
    .where(
        verification.c.provider_version_id
        == select(version.c.id)
        .where(version.c.pacticipant_id == PROVIDER_ID, version.c.number == bindparam("version"))
        .correlate(None)
        .scalar_subquery(),
        verification.c.comparison_id.is_not(None),
        verification.c.is_latest,
    )
    .order_by(verification.c.id)
)


def list_compared(db: Connection, provider: str, version: str) -> list[PairKey]:
    """List the pairs of a provider version that have a result of a comparison."""
    rows = fetch_rows(db, _OF_VERSION, {"provider": provider, "version": version})
    return [PairKey(*row[:4]) for row in rows]


_REMOVE_RESULTS: Final = delete(verification).where(verification.c.id.in_(bindparam("numbers", expanding=True)))
_OF_PAIR: Final = select(verification.c.id).where(
    verification.c.content_id == CONTENT_ID,
    verification.c.provider_version_id == _PROVIDER_VERSION_ID,
    verification.c.comparison_id.is_not(None),
)


def list_result_numbers(db: Connection, key: PairKey) -> list[int]:
    """List the numbers of all results of comparing a pair."""
    return fetch_column(db, _OF_PAIR, key._asdict())


def remove_results(db: Connection, numbers: Sequence[int]) -> None:
    """Remove results, which no longer follow from the contract of their provider version."""
    execute_in_batches(db, _REMOVE_RESULTS, numbers, parameter="numbers")


# Pairs to compare ahead of time: those of versions that are deployed, released, on the main branch, or the head of a
# branch that has changed lately.

RECENT: Final = timedelta(days=30)
"""Age of the latest change of a branch up to which its head is compared ahead of time."""
MAX_BRANCHES: Final = 20
"""Number of recent branches of a pacticipant whose heads are compared ahead of time."""


def _select_relevant(pacticipant_id: Any) -> Select[tuple[int]]:
    deployed = select(deployed_version.c.version_id).where(
        deployed_version.c.pacticipant_id == pacticipant_id, deployed_version.c.undeployed_at.is_(None)
    )
    released = select(released_version.c.version_id).where(
        released_version.c.pacticipant_id == pacticipant_id, released_version.c.support_ended_at.is_(None)
    )
    main = (
        select(branch.c.head_version_id)
        .join(pacticipant, pacticipant.c.id == branch.c.pacticipant_id)
        .where(branch.c.pacticipant_id == pacticipant_id, branch.c.name == pacticipant.c.main_branch)
    )
    recent = (
        select(branch.c.head_version_id.label("head_version_id"))
        .where(branch.c.pacticipant_id == pacticipant_id, branch.c.updated_at >= bindparam("since"))
        .order_by(branch.c.updated_at.desc(), branch.c.id.desc())
        .limit(MAX_BRANCHES)
        .subquery()
    )
    return select(union(deployed, released, main, select(recent.c.head_version_id)).subquery("relevant").c.version_id)


_CONTENT_KEY: Final = (
    select(CONSUMER.c.name, PROVIDER.c.name, content.c.sha, content.c.provider_id)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
    .where(content.c.id == bindparam("content_id"))
)
_PROVIDER_VERSIONS: Final = select(version.c.number).where(
    version.c.id.in_(_select_relevant(bindparam("pacticipant_id"))), version.c.documents_sha.is_not(None)
)


_ID_OF_PROVIDER: Final = select(PROVIDER_ID)


def list_relevant_versions(db: Connection, provider: str, *, now: datetime) -> list[str]:
    """List the versions of a provider whose contracts are compared ahead of time."""
    provider_id = fetch_scalar(db, _ID_OF_PROVIDER, {"provider": provider})
    return fetch_column(db, _PROVIDER_VERSIONS, {"pacticipant_id": provider_id, "since": now - RECENT})


def list_pairs_of_content(db: Connection, content_id: int, *, now: datetime) -> list[PairKey]:
    """List the pairs to compare after a content has been published."""
    row = fetch_first(db, _CONTENT_KEY, {"content_id": content_id})
    if row is None:
        return []
    consumer, provider, sha, provider_id = row
    numbers = fetch_column(db, _PROVIDER_VERSIONS, {"pacticipant_id": provider_id, "since": now - RECENT})
    return [PairKey(consumer, provider, sha, number) for number in numbers]


_PAIR: Final = (
    select(CONSUMER.c.name, PROVIDER.c.name, content.c.sha, version.c.number)
    .select_from(content)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
    .join(version, version.c.pacticipant_id == content.c.provider_id)
    .where(version.c.id == bindparam("version_id"), content.c.id == bindparam("content_id"))
)


def list_pair(db: Connection, version_id: int, content_id: int) -> list[PairKey]:
    """List the pair of a content and a provider version, if both still exist."""
    return fetch_tuples(db, _PAIR, {"version_id": version_id, "content_id": content_id}, PairKey)


_VERSION_KEY: Final = (
    select(PROVIDER.c.name, version.c.number, version.c.pacticipant_id)
    .join(PROVIDER, PROVIDER.c.id == version.c.pacticipant_id)
    .where(version.c.id == bindparam("version_id"))
)
_CONSUMERS: Final = (
    select(publication.c.consumer_id).where(publication.c.provider_id == bindparam("provider_id")).distinct()
)
_CONTENTS: Final = (
    select(CONSUMER.c.name, content.c.sha)
    .select_from(publication)
    .join(content, content.c.id == publication.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == publication.c.consumer_id)
    .where(
        publication.c.consumer_version_id.in_(_select_relevant(bindparam("pacticipant_id"))),
        publication.c.provider_id == bindparam("provider_id"),
        publication.c.is_current,
    )
    .distinct()
)


def list_pairs_of_version(db: Connection, version_id: int, *, now: datetime) -> list[PairKey]:
    """List the pairs to compare after a provider version has published its contract."""
    row = fetch_first(db, _VERSION_KEY, {"version_id": version_id})
    if row is None:
        return []
    provider, number, provider_id = row
    pairs: list[PairKey] = []
    for consumer_id in fetch_column(db, _CONSUMERS, {"provider_id": provider_id}):
        params = {"pacticipant_id": consumer_id, "provider_id": provider_id, "since": now - RECENT}
        pairs += [PairKey(name, provider, sha, number) for name, sha in fetch_rows(db, _CONTENTS, params)]
    return pairs


# Queue


_HAS_TASK: Final = select(comparison_task.c.id).where(
    comparison_task.c.version_id.is_not_distinct_from(bindparam("version_id", type_=comparison_task.c.version_id.type)),
    comparison_task.c.content_id.is_not_distinct_from(bindparam("content_id", type_=comparison_task.c.content_id.type)),
)
_ADD_TASK: Final = insert(comparison_task).values(
    version_id=bindparam("version_id"),
    content_id=bindparam("content_id"),
    base_url=bindparam("base_url"),
    due_at=bindparam("now"),
    created_at=bindparam("now"),
)
_VERSION_ID_OF: Final = select(
    select(version.c.id)
    .where(version.c.pacticipant_id == PROVIDER_ID, version.c.number == bindparam("version"))
    .scalar_subquery()
)
_CONTENT_ID_OF: Final = select(CONTENT_ID)
_HAS_CONTRACTS: Final = (
    select(version.c.id).where(version.c.pacticipant_id == PROVIDER_ID, version.c.documents_sha.is_not(None)).limit(1)
)


def has_contracts(db: Connection, provider: str) -> bool:
    """Whether any version of a provider has a contract."""
    return fetch_scalar(db, _HAS_CONTRACTS, {"provider": provider}) is not None


def enqueue_for_version(db: Connection, provider: str, version: str, *, base_url: str, now: datetime) -> None:
    """Enqueue the comparison of a provider version with pacts."""
    version_id = fetch_scalar(db, _VERSION_ID_OF, {"provider": provider, "version": version})
    _enqueue(db, version_id, None, base_url=base_url, now=now)


def enqueue_for_content(
    db: Connection, consumer: str, provider: str, sha: str, *, base_url: str, now: datetime
) -> None:
    """Enqueue the comparison of a content with the contracts of its provider."""
    content_id = fetch_scalar(db, _CONTENT_ID_OF, {"consumer": consumer, "provider": provider, "sha": sha})
    _enqueue(db, None, content_id, base_url=base_url, now=now)


def enqueue_for_pair(db: Connection, key: PairKey, *, base_url: str, now: datetime) -> None:
    """Enqueue the comparison of a content with the contract of a provider version."""
    version_id = fetch_scalar(db, _VERSION_ID_OF, {"provider": key.provider, "version": key.provider_version})
    content_id = fetch_scalar(db, _CONTENT_ID_OF, key._asdict())
    if version_id is not None and content_id is not None:
        _enqueue(db, version_id, content_id, base_url=base_url, now=now)


def _enqueue(db: Connection, version_id: int | None, content_id: int | None, *, base_url: str, now: datetime) -> None:
    params = {"version_id": version_id, "content_id": content_id}
    task_id = fetch_scalar(db, _HAS_TASK, params)
    if task_id is None:
        execute(db, _ADD_TASK, {**params, "base_url": base_url, "now": now})
    else:
        # It may be claimed already, by a worker that has read the state before this transaction.
        execute(db, RENEW_TASK, {"_id": task_id, "until": now})


# Retrieval

_DETAILS: Final = (
    select(
        CONSUMER.c.name.label("consumer"),
        PROVIDER.c.name.label("provider"),
        content.c.sha,
        *(
            comparison.c[name]
            for name in ("engine", "profile", "is_compatible", "is_complete", "created_at", "details")
        ),
    )
    .select_from(comparison)
    .join(content, content.c.id == comparison.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == content.c.provider_id)
)
_DETAILS_OF_PAIR: Final = _DETAILS.where(_OF_INPUTS).order_by(comparison.c.id.desc()).limit(1)


def find_details(db: Connection, key: PairKey) -> ComparisonDetails | None:
    """Find the comparison that counts for a pair, with its findings."""
    documents_sha = contracts.load_state(db, key.provider, key.provider_version).documents_sha
    if documents_sha is None:
        return None
    params = {**key._asdict(), "documents_sha": documents_sha, "profile": load_profile(db, key.provider)}
    return next(iter(fetch_all(db, _DETAILS_OF_PAIR, params, ComparisonDetails)), None)
