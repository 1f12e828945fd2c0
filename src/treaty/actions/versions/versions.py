"""Pacticipants and their versions come to be, and are put on branches and tagged."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.actions.deployments import record_deployment
from treaty.model.audit import Action, diff_fields, redact_value
from treaty.model.deployments import Deployment
from treaty.model.names import check_length
from treaty.model.pacticipants.pacticipants import Pacticipant, derive_display_name, is_main_branch, validate_name
from treaty.model.versions import Branch, BranchVersion, Tag, Version, VersionDraft, find_insertion_position
from treaty.settings import Settings
from treaty.store import audit, deployments
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import branches, tags, versions

TOUCH_INTERVAL: Final = timedelta(seconds=60)
"""How old a branch's time of change must be to be noted anew."""


def ensure_pacticipants(db: Connection, names: Collection[str], *, now: datetime) -> dict[str, Pacticipant]:
    """Lock the pacticipants with these names, and add those that are missing. Raises Invalid for a blank name."""
    found = {one.name: one for one in pacticipants.lock(db, names)}
    for name in sorted(set(names) - found.keys()):
        found[name] = _added(db, name, now=now)
    return found


def _added(db: Connection, name: str, *, now: datetime) -> Pacticipant:
    new = Pacticipant(name=validate_name(name), display_name=derive_display_name(name), created_at=now, updated_at=now)
    pacticipants.add(db, new)
    audit.record(db, Action.PACTICIPANT_CREATION, resource=name)
    return new


def ensure_version(
    db: Connection, pacticipant: Pacticipant, number: str, *, now: datetime, settings: Settings
) -> tuple[Version, bool]:
    """Find a version of a locked pacticipant or add it; say whether it is new."""
    found = versions.find(db, pacticipant.name, number)
    if found:
        return found, False
    number = check_length("version", number)
    new = Version(pacticipant=pacticipant.name, number=number, build_url=None, created_at=now, updated_at=now)
    position = (
        None
        if settings.order_versions_by_date
        else find_insertion_position(number, versions.list_positions(db, pacticipant.name))
    )
    if position is None:
        versions.add(db, new)
    else:
        versions.insert_at(db, new, position)
    return new, True


def put_on_branch(  # noqa: PLR0913 - what is put where, and the rules for it
    db: Connection,
    pacticipant: Pacticipant,
    branch: str,
    version: str,
    *,
    now: datetime,
    settings: Settings,
    is_auto_created: bool = False,
) -> tuple[BranchVersion, bool]:
    """Put a version of a locked pacticipant on a branch, as its head; say whether it is newly there.

    A version that was there already does not become the head again.
    """
    standing = branches.load_state(db, pacticipant.name, branch, version)
    if standing.branch_version:
        _touch(db, standing.branch, now=now)
        return standing.branch_version, False
    if standing.branch:
        branches.set_head(db, _touched(standing.branch, now=now), head=version)
    else:
        new = Branch(pacticipant=pacticipant.name, name=check_length("branch", branch), created_at=now, updated_at=now)
        branches.add(db, new, head=version)
    added = BranchVersion(
        pacticipant=pacticipant.name, branch=branch, version=version, is_head=True, created_at=now, updated_at=now
    )
    branches.add_version(db, added, is_auto_created=is_auto_created)
    _detect_main_branch(db, pacticipant, branch, now=now, settings=settings)
    return added, True


def _touched(branch: Branch, *, now: datetime) -> Branch:
    return replace(branch, updated_at=now) if now - branch.updated_at > TOUCH_INTERVAL else branch


def _touch(db: Connection, branch: Branch | None, *, now: datetime) -> None:
    if branch and (touched := _touched(branch, now=now)) is not branch:
        branches.touch(db, touched)


def _detect_main_branch(
    db: Connection, pacticipant: Pacticipant, name: str, *, now: datetime, settings: Settings
) -> None:
    if settings.auto_detect_main_branch and is_main_branch(name, pacticipant, settings.main_branch_candidates):
        pacticipants.set_main_branch(db, pacticipant.name, name, now=now)
        audit.record(
            db,
            Action.PACTICIPANT_CHANGE,
            resource=pacticipant.name,
            before={"main_branch": None},
            after={"main_branch": name},
        )


def put_tag(  # noqa: PLR0913 - what is put where, and the rules for it
    db: Connection,
    pacticipant: Pacticipant,
    version: Version,
    tag: str,
    *,
    now: datetime,
    settings: Settings,
    can_be_branch: bool = True,
) -> tuple[Tag, bool]:
    """Tag a version of a locked pacticipant; say whether the tag is new.

    The first tag of a version that is on no branch stands for one, where the settings say so; it `may_be_branch` only
    if no branch was named.
    """
    standing = tags.load_state(db, version, tag)
    if standing.tag:
        return standing.tag, False
    if can_be_branch and standing.has_no_branch_or_tags and _is_young(version, now=now, settings=settings):
        put_on_branch(db, pacticipant, tag, version.number, now=now, settings=settings, is_auto_created=True)
    else:
        _detect_main_branch(db, pacticipant, tag, now=now, settings=settings)
    return _tagged(db, version, tag, standing, now=now), True


def _is_young(version: Version, *, now: datetime, settings: Settings) -> bool:
    age = now - version.created_at
    return settings.use_first_tag_as_branch and age <= settings.use_first_tag_as_branch_time_limit


def _tagged(db: Connection, version: Version, name: str, standing: tags.TagState, *, now: datetime) -> Tag:
    new = Tag(
        pacticipant=version.pacticipant,
        version=version.number,
        name=check_length("tag", name),
        is_head=standing.is_newest,
        created_at=now,
        updated_at=now,
    )
    tags.add(db, new)
    if standing.is_first:
        tags.add_head(db, new)
    elif standing.is_newest:
        tags.set_head(db, new)
    return new


def tag_version(
    db: Connection, pacticipant: str, version: str, tag: str, *, now: datetime, settings: Settings
) -> tuple[Tag, bool]:
    """Tag a version, which is added if missing; say whether the tag is new.

    A tag named like an environment says that the version now runs there, where the settings say so.
    """
    owner = ensure_pacticipants(db, [pacticipant], now=now)[pacticipant]
    tagged, _ = ensure_version(db, owner, version, now=now, settings=settings)
    found = put_tag(db, owner, tagged, tag, now=now, settings=settings)
    audit.record(db, Action.TAG_CREATION, resource=pacticipant, params={"version": version, "tag": tag})
    if settings.create_deployed_versions_for_tags:
        _deploy_to_namesake(db, tagged, tag, now=now)
    return found


def _deploy_to_namesake(db: Connection, version: Version, tag: str, *, now: datetime) -> None:
    environment = deployments.find_by_name(db, tag)
    if environment:
        deployment = Deployment(
            pacticipant=version.pacticipant, version=version.number, environment=environment.uuid, is_auto_created=True
        )
        record_deployment(db, deployment, now=now)


def add_to_branch(
    db: Connection, pacticipant: str, branch: str, version: str, *, now: datetime, settings: Settings
) -> tuple[BranchVersion, bool]:
    """Put a version, which is added if missing, on a branch; say whether it is newly there."""
    owner = ensure_pacticipants(db, [pacticipant], now=now)[pacticipant]
    ensure_version(db, owner, version, now=now, settings=settings)
    said = {"branch": branch, "version": version}
    audit.record(db, Action.BRANCH_VERSION_CREATION, resource=pacticipant, params=said)
    return put_on_branch(db, owner, branch, version, now=now, settings=settings)


def save_version(db: Connection, draft: VersionDraft, *, now: datetime, settings: Settings) -> bool:
    """Add a version or change what is said about it; say whether it is new. Its tags have no side effects."""
    owner = ensure_pacticipants(db, [draft.pacticipant], now=now)[draft.pacticipant]
    version, is_new = ensure_version(db, owner, draft.number, now=now, settings=settings)
    present = [] if draft.tags is None else tags.list_names(db, version)
    if not draft.keeps_build_url:
        versions.set_build_url(db, replace(version, build_url=draft.build_url, updated_at=now))
    if draft.tags is not None:
        _set_tags(db, version, draft.tags, present, now=now)
    _note_saved(db, version, draft, present, is_new=is_new)
    return is_new


def _note_saved(db: Connection, version: Version, draft: VersionDraft, present: Sequence[str], *, is_new: bool) -> None:
    build_url = version.build_url if draft.keeps_build_url else draft.build_url
    before, after = diff_fields(
        {"build_url": redact_value("build_url", version.build_url), "tags": list(present)},
        {
            "build_url": redact_value("build_url", build_url),
            "tags": list(present if draft.tags is None else draft.tags),
        },
    )
    action = Action.VERSION_CREATION if is_new else Action.VERSION_CHANGE
    audit.record(db, action, resource=draft.pacticipant, params={"version": draft.number}, before=before, after=after)


def _set_tags(
    db: Connection, version: Version, wanted: Collection[str], present: Collection[str], *, now: datetime
) -> None:
    for name in present:
        if name not in wanted:
            tags.remove(db, version, name)
    for name in dict.fromkeys(wanted):
        if name not in present:
            _tagged(db, version, name, tags.load_state(db, version, name), now=now)
