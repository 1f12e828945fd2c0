"""Loads the facts from which the causes of a decision that is not yes are derived.

A decision names at most `2 * MAX_REASONS` obstacles, so the lists of ids are short. The number of statements depends on
the kinds of obstacles, not on how many there are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, union_all

from treaty.model.contacts import parse_contacts
from treaty.model.decisions.cause_facts import BuiltVersion, CauseFacts, PacticipantFacts, PairFacts, PairKey
from treaty.model.decisions.explanations import pair_key
from treaty.model.decisions.reasons import (
    ComparisonFailed,
    NoSuchVersion,
    NotCompared,
    NotVerified,
    PairObstacle,
    Reason,
    ReasonSide,
    VerificationFailed,
)
from treaty.model.decisions.selectors import NoVersion, Selector
from treaty.store.decisions import cause_pairs, cause_requests
from treaty.store.decisions.cause_pairs import FoundPairs
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import branch, deployed_version, environment, pacticipant, released_version, version

_PacticipantsById = dict[int, PacticipantFacts]


def load_cause_facts(db: Connection, reasons: Iterable[Reason]) -> CauseFacts:
    """Load the facts about the obstacles among the reasons of a decision."""
    pairs: list[PairObstacle] = []
    absent: list[Selector] = []
    for reason in reasons:
        match reason:
            case NotVerified() | VerificationFailed() | NotCompared() | ComparisonFailed():
                pairs.append(reason)
            case NoSuchVersion(selected=selected):
                absent.append(selected.selector)
            case _:
                pass
    sides = [side for reason in pairs for side in (reason.consumer, reason.provider)]
    absent += [side.selected.selector for side in sides if isinstance(side.selected, NoVersion)]
    names = {selector.pacticipant for selector in absent} | {side.pacticipant for side in sides}
    if not names:
        return CauseFacts()
    ids, by_id = _load_pacticipants(db, names)
    _add_absences(db, ids, by_id, absent)
    return CauseFacts(
        pairs=_load_pairs(db, pairs, ids, by_id), pacticipants={name: by_id[own_id] for name, own_id in ids.items()}
    )


# Pacticipants

_MAIN_HEAD: Final = (
    select(branch.c.head_version_id)
    .where(branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == pacticipant.c.main_branch)
    .correlate(pacticipant)
    .scalar_subquery()
)
_own_version: Final = version.alias("own_version")
_NEWEST: Final = (
    select(_own_version.c.id)
    .where(_own_version.c.pacticipant_id == pacticipant.c.id)
    .order_by(_own_version.c.position.desc())
    .limit(1)
    .correlate(pacticipant)
    .scalar_subquery()
)
_PACTICIPANTS: Final = (
    select(
        pacticipant.c.id,
        pacticipant.c.name,
        pacticipant.c.created_at,
        pacticipant.c.contacts,
        pacticipant.c.main_branch,
        version.c.number,
        version.c.created_at.label("built_at"),
    )
    .outerjoin_from(pacticipant, version, version.c.id == func.coalesce(_MAIN_HEAD, _NEWEST))
    .where(pacticipant.c.name.in_(bindparam("names", expanding=True)))
)


def _load_pacticipants(db: Connection, names: Collection[str]) -> tuple[dict[str, int], _PacticipantsById]:
    """Load the ids by name, and the facts by id."""
    rows = fetch_rows(db, _PACTICIPANTS, {"names": sorted(names)})
    return {row.name: row.id for row in rows}, {row.id: _build_pacticipant(row) for row in rows}


def _build_pacticipant(row: Any) -> PacticipantFacts:
    return PacticipantFacts(
        created_at=row.created_at,
        contacts=tuple(parse_contacts(row.contacts)),
        main_branch=row.main_branch,
        newest=None if row.number is None else BuiltVersion(row.number, row.built_at),
    )


# Selectors that match no version

_NAMED: Final = select(version.c.pacticipant_id, version.c.number, version.c.created_at).where(
    version.c.pacticipant_id.in_(bindparam("pacticipants", expanding=True)),
    version.c.number.in_(bindparam("numbers", expanding=True)),
)
_ENDED: Final = union_all(
    *(
        select(table.c.pacticipant_id, environment.c.name, func.max(table.c[ended_at]).label("ended_at"))
        .join_from(table, environment, environment.c.id == table.c.environment_id)
        .where(
            table.c.pacticipant_id.in_(bindparam("pacticipants", expanding=True)),
            environment.c.name.in_(bindparam("environments", expanding=True)),
            table.c[ended_at].is_not(None),
        )
        .group_by(table.c.pacticipant_id, environment.c.name)
        for table, ended_at in ((deployed_version, "undeployed_at"), (released_version, "support_ended_at"))
    )
)


def _add_absences(db: Connection, ids: Mapping[str, int], by_id: _PacticipantsById, absent: Sequence[Selector]) -> None:
    numbers = sorted({selector.version for selector in absent if selector.version})
    environments = sorted({selector.environment for selector in absent if selector.environment})
    own_ids = sorted({ids[selector.pacticipant] for selector in absent if selector.pacticipant in ids})
    if numbers:
        for row in fetch_rows(db, _NAMED, {"pacticipants": own_ids, "numbers": numbers}):
            own = by_id[row.pacticipant_id]
            named = {**own.named, row.number: BuiltVersion(row.number, row.created_at)}
            by_id[row.pacticipant_id] = replace(own, named=named)
    if environments:
        for row in fetch_rows(db, _ENDED, {"pacticipants": own_ids, "environments": environments}):
            own = by_id[row.pacticipant_id]
            latest = max(row.ended_at, own.ended.get(row.name, row.ended_at))
            by_id[row.pacticipant_id] = replace(own, ended={**own.ended, row.name: latest})


# Pairs of a pact and a provider version


def _load_pairs(
    db: Connection, pairs: Sequence[PairObstacle], ids: Mapping[str, int], by_id: _PacticipantsById
) -> dict[PairKey, PairFacts]:
    reasons = {
        pair_key(reason, reason.pact): reason for reason in pairs if reason.pact and not reason.pact.is_superseded
    }
    if not reasons:
        return {}
    located = [key for key, reason in reasons.items() if _depends_on_versions(reason)]
    pact_ids = cause_pairs.find_pairs(db, located, ids)
    facts = {key: _describe_version(pact_ids, key) for key in reasons}
    of_results = {
        key: reason for key, reason in reasons.items() if isinstance(reason, NotVerified | VerificationFailed)
    }
    _add_newer(db, facts, of_results, pact_ids)
    _add_placements(db, of_results.values(), ids, by_id, pact_ids)
    _add_requests(db, facts, [key for key, reason in reasons.items() if isinstance(reason, NotVerified)], pact_ids)
    _add_failures(db, facts, of_results)
    return facts


def _depends_on_versions(reason: PairObstacle) -> bool:
    """Whether the cause depends on the versions; that of a failure at no destination only depends on the results."""
    is_at_destination = _is_at_destination(reason.provider) or _is_at_destination(reason.consumer)
    return is_at_destination or not isinstance(reason, VerificationFailed)


def _describe_version(pact_ids: FoundPairs, key: PairKey) -> PairFacts:
    provider_version = pact_ids.find_provider_version(key)
    if provider_version is None:
        return PairFacts()
    return PairFacts(is_empty=bool(provider_version.is_empty), provider_version_created_at=provider_version.created_at)


def _add_newer(
    db: Connection, facts: dict[PairKey, PairFacts], reasons: Mapping[PairKey, PairObstacle], pact_ids: FoundPairs
) -> None:
    """Add newer versions that would do, for the sides that a selector finds at a destination."""
    of_providers = [pact_ids.ids[key] for key, reason in reasons.items() if _is_at_destination(reason.provider)]
    of_consumers = [pact_ids.ids[key] for key, reason in reasons.items() if _is_at_destination(reason.consumer)]
    providers = cause_pairs.load_newer_providers(db, of_providers)
    consumers = cause_pairs.load_newer_consumers(db, of_consumers)
    if not providers and not consumers:
        return
    for key in reasons.keys() & pact_ids.ids.keys():
        content_id, consumer_version_id, provider_version_id = pact_ids.ids[key]
        facts[key] = facts[key]._replace(
            newer_provider=providers.get((content_id, provider_version_id)),
            newer_consumer=consumers.get((consumer_version_id, provider_version_id)),
        )


def _is_at_destination(side: ReasonSide) -> bool:
    selector = side.selected.selector
    return side.version is not None and bool(selector.environment or (selector.tag and selector.is_latest))


def _add_placements(
    db: Connection,
    reasons: Iterable[PairObstacle],
    ids: Mapping[str, int],
    by_id: _PacticipantsById,
    pact_ids: FoundPairs,
) -> None:
    """Add how versions are in environments, which decides how a newer version would replace them."""
    sides = [side for reason in reasons for side in (reason.consumer, reason.provider)]
    in_environments = [
        (side.pacticipant, side.version, side.selected.selector.environment)
        for side in sides
        if side.version is not None and side.selected.selector.environment is not None
    ]
    if not in_environments:
        return
    version_ids = {pact_ids.find_version_id(ids[name], number) for name, number, _ in in_environments}
    environments = {name for *_, name in in_environments}
    for row in cause_pairs.list_placements(db, [own_id for own_id in version_ids if own_id], environments):
        own = by_id[row.pacticipant_id]
        key = (row.number, row.environment)
        placements = (*own.placements.get(key, ()), row.placement)
        by_id[row.pacticipant_id] = replace(own, placements={**own.placements, key: placements})


def _add_requests(
    db: Connection, facts: dict[PairKey, PairFacts], keys: Collection[PairKey], pact_ids: FoundPairs
) -> None:
    """Add what has been done to get the missing results."""
    if not keys:
        return
    requests = cause_requests.load_requests(db, {key: pact_ids.ids[key] for key in keys})
    skipped = cause_pairs.load_skipped(db, [pact_ids.ids[key] for key in keys])
    for key in keys:
        request, is_answered = requests.get(key, (None, False))
        facts[key] = facts[key]._replace(
            request=request, is_answered=is_answered, skipped_at=skipped.get(pact_ids.ids[key])
        )


def _add_failures(db: Connection, facts: dict[PairKey, PairFacts], reasons: Mapping[PairKey, PairObstacle]) -> None:
    numbers = {
        key: reason.pact.verification
        for key, reason in reasons.items()
        if isinstance(reason, VerificationFailed) and reason.pact and reason.pact.verification is not None
    }
    failures = cause_pairs.load_failures(db, set(numbers.values()))
    for key, number in numbers.items():
        failure = failures[number]
        facts[key] = facts[key]._replace(
            last_success=failure.last_success,
            failing_since=failure.failing_since,
            is_pending=failure.is_pending,
        )
