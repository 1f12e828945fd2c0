"""Creation of pacticipants and versions, and their branches and tags."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import Connection

from treaty.actions.deployments import record_deployment
from treaty.errors import Renamed
from treaty.model.audit import Action, diff_fields, redact_value
from treaty.model.deployments import Deployment
from treaty.model.names import check_name
from treaty.model.pacticipants.pacticipants import Pacticipant, derive_display_name, is_main_branch, validate_name
from treaty.model.versions import Branch, BranchVersion, Tag, Version, VersionDraft, find_insertion_position
from treaty.settings import Settings
from treaty.store import audit, deployments
from treaty.store.pacticipants import former_names, pacticipants
from treaty.store.versions import aliases, branches, tags, versions
from treaty.store.versions.branches import BranchState

TOUCH_INTERVAL: Final = timedelta(seconds=60)
"""Minimum age of a branch's time of change before it is updated again: busy builds would write it constantly."""


def ensure_pacticipants(db: Connection, names: Collection[str], *, now: datetime) -> dict[str, Pacticipant]:
    """Lock pacticipants, and add those that are missing. Raises Invalid for a blank name, and Renamed."""
    locked = {pacticipant.name: pacticipant for pacticipant in pacticipants.lock(db, names)}
    missing = set(names) - locked.keys()
    check_not_renamed(db, missing)
    # In the order of names, like the locks: concurrent transactions that add the same pacticipants cannot deadlock.
    for name in sorted(missing):
        locked[name] = _add_pacticipant(db, name, now=now)
    return locked


def check_not_renamed(db: Connection, missing: Collection[str]) -> None:
    """Raise Renamed if one of the missing names is a former name.

    Only an explicit creation takes a former name. A build that still publishes under it would otherwise silently split
    the history in two.
    """
    for former_name, name in sorted(former_names.find_current_names(db, missing).items()):
        raise Renamed(former_name, name)


def _add_pacticipant(db: Connection, name: str, *, now: datetime) -> Pacticipant:
    new = Pacticipant(name=validate_name(name), display_name=derive_display_name(name), created_at=now, updated_at=now)
    pacticipants.add(db, new)
    audit.record(db, Action.PACTICIPANT_CREATION, resource=name)
    return new


def ensure_version(
    db: Connection,
    pacticipant: Pacticipant,
    number: str,
    *,
    now: datetime,
    settings: Settings,
    follows_aliases: bool = False,
) -> tuple[Version, bool]:
    """Find a version of a locked pacticipant or add it; return whether it is new.

    With `follows_aliases`, the number may be an alias, so that the version may have another number. A build that
    publishes a contract has a version of its own, and does not follow them.
    """
    find = aliases.find_version if follows_aliases else versions.find
    existing = find(db, pacticipant.name, number)
    if existing:
        return existing, False
    return _add_version(db, pacticipant, number, now=now, settings=settings), True


def _add_version(
    db: Connection,
    pacticipant: Pacticipant,
    number: str,
    *,
    build_url: str | None = None,
    now: datetime,
    settings: Settings,
) -> Version:
    number = check_name("version", number)
    new = Version(pacticipant=pacticipant.name, number=number, build_url=build_url, created_at=now, updated_at=now)
    position = (
        None
        if settings.order_versions_by_date
        else find_insertion_position(number, versions.list_positions(db, pacticipant.name))
    )
    if position is None:
        versions.add(db, new)
    else:
        versions.insert_at(db, new, position)
    return new


def put_on_branch(  # noqa: PLR0913 - names of a branch version, and the settings
    db: Connection,
    pacticipant: Pacticipant,
    branch: str,
    version: str,
    *,
    now: datetime,
    settings: Settings,
    is_auto_created: bool = False,
) -> tuple[BranchVersion, bool]:
    """Add a version of a locked pacticipant to a branch as its head; return whether it is new there.

    A version that is already on the branch does not become the head again: a repeated or old build, which publishes the
    same version again, must not replace a newer head.
    """
    state = branches.load_state(db, pacticipant.name, branch, version)
    return _put_on_branch(
        *(db, pacticipant, branch, version, state), now=now, settings=settings, is_auto_created=is_auto_created
    )


def _put_on_branch(  # noqa: PLR0913 - names of a branch version, the state, and the settings
    db: Connection,
    pacticipant: Pacticipant,
    branch: str,
    version: str,
    state: BranchState,
    *,
    now: datetime,
    settings: Settings,
    is_auto_created: bool = False,
) -> tuple[BranchVersion, bool]:
    if state.branch_version:
        _touch(db, state.branch, now=now)
        return state.branch_version, False
    if state.branch:
        branches.set_head(db, _touched(state.branch, now=now), head=version)
    else:
        new = Branch(pacticipant=pacticipant.name, name=check_name("branch", branch), created_at=now, updated_at=now)
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


class Build(Protocol):
    """The version that a build publishes, with its branch and tags."""

    @property
    def version(self) -> str: ...
    @property
    def branch(self) -> str | None: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def build_url(self) -> str | None: ...


def save_build(
    db: Connection, pacticipant: Pacticipant, build: Build, *, now: datetime, settings: Settings
) -> tuple[Version, bool]:
    """Add or update the version of a build; return it and whether it is new."""
    if build.branch is None:
        existing, branch_state = versions.find(db, pacticipant.name, build.version), None
    else:
        existing, branch_state = branches.load_build_state(db, pacticipant.name, build.version, build.branch)
    version = existing or _add_version(
        db, pacticipant, build.version, build_url=build.build_url, now=now, settings=settings
    )
    if existing and build.build_url is not None:
        version = replace(existing, build_url=build.build_url, updated_at=now)
        versions.set_build_url(db, version)
    if build.branch is not None and branch_state is not None:
        _put_on_branch(*(db, pacticipant, build.branch, version.number, branch_state), now=now, settings=settings)
    for tag in build.tags:
        put_tag(db, pacticipant, version, tag, now=now, settings=settings, can_be_branch=build.branch is None)
    return version, existing is None


def put_tag(  # noqa: PLR0913 - names of a tag, and the settings
    db: Connection,
    pacticipant: Pacticipant,
    version: Version,
    tag: str,
    *,
    now: datetime,
    settings: Settings,
    can_be_branch: bool = True,
) -> tuple[Tag, bool]:
    """Add a tag to a version of a locked pacticipant; return whether the tag is new.

    Clients from before branches tag a version with the name of its branch. So with `use_first_tag_as_branch`, the first
    tag of a new version without a branch also becomes its branch. `can_be_branch` is False if the request has a branch.
    """
    state = tags.load_state(db, version, tag)
    if state.tag:
        return state.tag, False
    if can_be_branch and state.has_no_branch_or_tags and _is_new_enough(version, now=now, settings=settings):
        put_on_branch(db, pacticipant, tag, version.number, now=now, settings=settings, is_auto_created=True)
    else:
        _detect_main_branch(db, pacticipant, tag, now=now, settings=settings)
    return _add_tag(db, version, tag, state, now=now), True


def _is_new_enough(version: Version, *, now: datetime, settings: Settings) -> bool:
    age = now - version.created_at
    return settings.use_first_tag_as_branch and age <= settings.use_first_tag_as_branch_time_limit


def _add_tag(db: Connection, version: Version, name: str, state: tags.TagState, *, now: datetime) -> Tag:
    new = Tag(
        pacticipant=version.pacticipant,
        version=version.number,
        name=check_name("tag", name),
        is_head=state.is_newest,
        created_at=now,
        updated_at=now,
    )
    tags.add(db, new)
    if state.is_first:
        tags.add_head(db, new)
    elif state.is_newest:
        tags.set_head(db, new)
    return new


def tag_version(
    db: Connection, pacticipant: str, version: str, tag: str, *, now: datetime, settings: Settings
) -> tuple[Tag, bool]:
    """Add a tag to a version, which is added if missing; return whether the tag is new.

    With `create_deployed_versions_for_tags`, a tag with the name of an environment also records a deployment to it.
    """
    owner = ensure_pacticipants(db, [pacticipant], now=now)[pacticipant]
    tagged_version, _ = ensure_version(db, owner, version, now=now, settings=settings)
    result = put_tag(db, owner, tagged_version, tag, now=now, settings=settings)
    audit.record(db, Action.TAG_CREATION, resource=pacticipant, params={"version": version, "tag": tag})
    if settings.create_deployed_versions_for_tags:
        _deploy_to_namesake(db, tagged_version, tag, now=now, settings=settings)
    return result


def _deploy_to_namesake(db: Connection, version: Version, tag: str, *, now: datetime, settings: Settings) -> None:
    environment = deployments.find_by_name(db, tag)
    if environment:
        deployment = Deployment(
            pacticipant=version.pacticipant, version=version.number, environment=environment.uuid, is_auto_created=True
        )
        record_deployment(db, deployment, now=now, decision_validity=settings.decision_validity)


def add_to_branch(
    db: Connection, pacticipant: str, branch: str, version: str, *, now: datetime, settings: Settings
) -> tuple[BranchVersion, bool]:
    """Add a version, which is added if missing, to a branch; return whether it is new there."""
    owner = ensure_pacticipants(db, [pacticipant], now=now)[pacticipant]
    ensure_version(db, owner, version, now=now, settings=settings)
    params = {"branch": branch, "version": version}
    audit.record(db, Action.BRANCH_VERSION_CREATION, resource=pacticipant, params=params)
    return put_on_branch(db, owner, branch, version, now=now, settings=settings)


def save_version(db: Connection, draft: VersionDraft, *, now: datetime, settings: Settings) -> bool:
    """Add or change a version; return whether it is new.

    Tags in its body are only tags, as in the original broker: they never become a branch or a deployment.
    """
    owner = ensure_pacticipants(db, [draft.pacticipant], now=now)[draft.pacticipant]
    version, is_new = ensure_version(db, owner, draft.number, now=now, settings=settings)
    existing_tags = [] if draft.tags is None else tags.list_names(db, version)
    if not draft.keeps_build_url:
        versions.set_build_url(db, replace(version, build_url=draft.build_url, updated_at=now))
    if draft.tags is not None:
        _set_tags(db, version, draft.tags, existing_tags, now=now)
    _record_audit(db, version, draft, existing_tags, is_new=is_new)
    return is_new


def _record_audit(
    db: Connection, version: Version, draft: VersionDraft, existing_tags: Sequence[str], *, is_new: bool
) -> None:
    build_url = version.build_url if draft.keeps_build_url else draft.build_url
    before, after = diff_fields(
        {"build_url": redact_value("build_url", version.build_url), "tags": list(existing_tags)},
        {
            "build_url": redact_value("build_url", build_url),
            "tags": list(existing_tags if draft.tags is None else draft.tags),
        },
    )
    action = Action.VERSION_CREATION if is_new else Action.VERSION_CHANGE
    audit.record(db, action, resource=draft.pacticipant, params={"version": draft.number}, before=before, after=after)


def _set_tags(
    db: Connection, version: Version, new_tags: Collection[str], existing_tags: Collection[str], *, now: datetime
) -> None:
    for name in existing_tags:
        if name not in new_tags:
            tags.remove(db, version, name)
    for name in dict.fromkeys(new_tags):
        if name not in existing_tags:
            _add_tag(db, version, name, tags.load_state(db, version, name), now=now)
