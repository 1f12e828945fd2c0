"""Importing facts of another broker with their original times.

Three rules hold for every fact. A fact is copied once: what an earlier import copied and somebody removed since stays
removed. Values that this broker has are never changed: only what is missing is added. Where two facts compete (the head
of a branch, what runs in a place, the newest result), the later time decides, not the order of arrival. No webhook is
called, no branch or main branch is derived from a tag, and no deployment from its name.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import singledispatchmethod
from typing import Final

from sqlalchemy import Connection

from treaty.actions.versions.versions import ensure_version
from treaty.errors import Conflict, Invalid, Malformed
from treaty.model.audit import Action, redact_url
from treaty.model.deployments import Environment, Release
from treaty.model.maintenance.imports import (
    BranchMembership,
    DeploymentFact,
    EnvironmentFact,
    Fact,
    ImportOutcome,
    ImportResult,
    PactFact,
    PacticipantFact,
    ReleaseFact,
    ResultFact,
    TagMembership,
    VersionFact,
    WebhookFact,
    compute_fact_key,
)
from treaty.model.names import check_length, check_not_blank
from treaty.model.pacticipants.pacticipants import Label, Pacticipant, derive_display_name, validate_name
from treaty.model.pacts import content as contents
from treaty.model.pacts.content import Content, Document
from treaty.model.pacts.pacts import Contract
from treaty.model.verifications.verifications import NewVerification
from treaty.model.versions import Branch, BranchVersion, Tag, Version
from treaty.model.versions import find_insertion_position as place_by_number
from treaty.settings import Settings
from treaty.store import audit, deployments
from treaty.store.engine import leases
from treaty.store.maintenance import imports
from treaty.store.pacticipants import labels, pacticipants
from treaty.store.pacts import publications
from treaty.store.versions import branches, tags, versions
from treaty.store.webhooks import webhooks

LEASE: Final = "import"
LEASE_DURATION: Final = timedelta(seconds=30)
"""After this time without a request, another import may start."""

_COPIED: Final = ImportResult(ImportOutcome.COPIED)
_PRESENT: Final = ImportResult(ImportOutcome.PRESENT)


def _claim(db: Connection, run: str, *, now: datetime, is_over: bool) -> None:
    """Claim the right to import, or end the claim. Raises Conflict while another import is running."""
    if not leases.claim(db, LEASE, owner=run, now=now, until=now + LEASE_DURATION):
        raise Conflict("Another import is running. Wait until it has finished; at most one runs at a time.")
    if is_over:
        leases.end(db, LEASE, owner=run, until=now)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportBatch:
    """A part of an import: facts in the order in which they are to be copied, and Invalid for unreadable ones."""

    source: str
    """The base URL of the broker that the facts come from."""
    run: str
    """The same in all parts of an import."""
    facts: Sequence[Fact | Invalid]
    is_dry: bool
    is_last: bool


def import_batch(db: Connection, part: ImportBatch, *, now: datetime, settings: Settings) -> list[ImportResult]:
    """Import facts, and return the outcome for each. A fact that cannot be read is refused by itself.

    Raises Conflict while another import is running.
    """
    _claim(db, part.run, now=now, is_over=part.is_last)
    source, facts, is_dry = part.source, part.facts, part.is_dry
    pacticipants.lock(db, {name for fact in facts for name in _names(fact)})
    work = _Import(db, source, is_dry, now, settings)
    if is_dry:
        db.exec_driver_sql("SAVEPOINT dry_run")
    outcomes = [work.add(fact) for fact in facts]
    if is_dry:
        db.exec_driver_sql("ROLLBACK TO SAVEPOINT dry_run")
    counts = Counter(f"{type(fact).__name__} {one.outcome}" for fact, one in zip(facts, outcomes, strict=True))
    audit.record(db, Action.IMPORT, resource=redact_url(source), params={"dry_run": is_dry, **counts})
    return outcomes


def _names(fact: Fact | Invalid) -> Iterable[str]:
    match fact:
        case PacticipantFact():
            return (fact.name,)
        case PactFact() | ResultFact():
            return (fact.consumer, fact.provider)
        case VersionFact() | DeploymentFact() | ReleaseFact():
            return (fact.pacticipant,)
        case _:
            return ()


class _FactRefused(Exception):
    """A fact that cannot be imported, with the reason."""


def _outdated(reason: str) -> ImportResult:
    return ImportResult(ImportOutcome.OUTDATED, reason)


def _removed(reason: str) -> ImportResult:
    return ImportResult(ImportOutcome.REMOVED, reason)


@dataclass(slots=True)
class _Import:
    """One request of an import."""

    db: Connection
    source: str
    is_dry: bool
    now: datetime
    settings: Settings
    _known: dict[str, str | None] = field(default_factory=dict)

    def add(self, fact: Fact | Invalid) -> ImportResult:
        if isinstance(fact, Invalid):
            return ImportResult(ImportOutcome.REFUSED, str(fact))
        try:
            return self._add(fact)
        except (_FactRefused, Invalid, Malformed) as error:
            return ImportResult(ImportOutcome.REFUSED, str(error))

    @singledispatchmethod
    def _add(self, fact: object) -> ImportResult:
        raise TypeError(f"{type(fact).__name__} is not a fact")

    # Facts that were copied

    def is_known(self, *parts: str) -> bool:
        key = compute_fact_key(self.source, parts)
        if key not in self._known:
            self._known |= imports.load_values(self.db, [key])
        return key in self._known

    def value(self, *parts: str) -> str | None:
        return self._known.get(compute_fact_key(self.source, parts)) if self.is_known(*parts) else None

    def note(self, *parts: str, value: str | None = None) -> None:
        is_known, key = self.is_known(*parts), compute_fact_key(self.source, parts)
        if not is_known or self._known[key] != value:
            imports.record_copy(self.db, key, value, is_known=is_known, now=self.now)
            self._known[key] = value

    def missing(self, what: str, *parts: str) -> ImportResult:
        """Return the outcome for a fact about something that this broker does not have."""
        if self.is_known(*parts):
            return _removed(f"{what} was removed here after an earlier import")
        if self.is_dry:
            return _COPIED
        raise _FactRefused(f"{what} was not copied")

    # Pacticipants

    @_add.register
    def _(self, fact: PacticipantFact) -> ImportResult:
        existing = pacticipants.find(self.db, fact.name)
        is_known = self.is_known("pacticipant", fact.name)
        if existing is None and is_known:
            return _removed(f"{fact.name} was removed here after an earlier import")
        is_new = existing is None
        if existing is None:
            pacticipants.add(self.db, _new_pacticipant(fact))
        else:
            filled = _filled_pacticipant(existing, fact, is_known=is_known)
            is_new = filled != existing
            if is_new:
                pacticipants.change(self.db, filled)
        is_new = self._add_labels(fact) or is_new
        self.note("pacticipant", fact.name)
        return _COPIED if is_new else _PRESENT

    def _add_labels(self, fact: PacticipantFact) -> bool:
        is_new = False
        for name in fact.labels:
            if not labels.find(self.db, fact.name, name) and not self.is_known("label", fact.name, name):
                times = {"created_at": self.now, "updated_at": self.now}
                new = Label(pacticipant=fact.name, name=check_length("label", name), **times)
                labels.add(self.db, new)
                is_new = True
            self.note("label", fact.name, name)
        return is_new

    # Versions

    @_add.register
    def _(self, fact: VersionFact) -> ImportResult:
        if pacticipants.find(self.db, fact.pacticipant) is None:
            return self.missing(f"The application {fact.pacticipant}", "pacticipant", fact.pacticipant)
        key = ("version", fact.pacticipant, fact.number)
        existing = versions.find(self.db, fact.pacticipant, fact.number)
        if existing is None and self.is_known(*key):
            return _removed("the version was removed here after an earlier import")
        version = self._fill_version(existing, fact) if existing else self._add_version(fact)
        self.note(*key)
        places = [self._add_to_branch(version, one) for one in fact.branches]
        places += [self._add_tag(version, one) for one in fact.tags]
        if existing is None or version is not existing or ImportOutcome.COPIED in places:
            return _COPIED
        if ImportOutcome.REMOVED in places:
            return _removed("a branch or tag of the version was removed here after an earlier import")
        return _PRESENT

    def _add_version(self, fact: VersionFact) -> Version:
        number = check_not_blank("version", check_length("version", fact.number))
        new = Version(
            pacticipant=fact.pacticipant,
            number=number,
            build_url=fact.build_url,
            created_at=fact.created_at,
            updated_at=fact.updated_at,
        )
        position = self._position(fact)
        if position is None:
            versions.add(self.db, new)
        else:
            versions.insert_at(self.db, new, position)
        return new

    def _position(self, fact: VersionFact) -> int | None:
        """Find the position of a new version; None above all others."""
        if not self.settings.order_versions_by_date:
            return place_by_number(fact.number, versions.list_positions(self.db, fact.pacticipant))
        top = imports.find_newest_version(self.db, fact.pacticipant)
        if top is None or (fact.below is None and (top.number == fact.above or top.created_at <= fact.created_at)):
            return None
        places = imports.list_version_positions(self.db, fact.pacticipant)
        numbers = [one.number for one in places]
        first = numbers.index(fact.above) + 1 if fact.above in numbers else 0
        last = numbers.index(fact.below) if fact.below in numbers else len(numbers)
        between = places[first:last]
        newer = next((one.position for one in between if one.created_at > fact.created_at), None)
        if newer is not None:
            return newer
        return places[last].position if last < len(places) else None

    def _fill_version(self, existing: Version, fact: VersionFact) -> Version:
        """Add the build URL if nobody removed it since."""
        is_untouched = not self.is_known("version", fact.pacticipant, fact.number) or (
            existing.updated_at <= fact.updated_at
        )
        if existing.build_url is not None or fact.build_url is None or not is_untouched:
            return existing
        filled = replace(existing, build_url=fact.build_url, updated_at=max(existing.updated_at, fact.updated_at))
        versions.set_build_url(self.db, filled)
        return filled

    # Branches and tags

    def _add_to_branch(self, version: Version, on: BranchMembership) -> ImportOutcome:
        key = ("branch", version.pacticipant, on.name, version.number)
        state = branches.load_state(self.db, version.pacticipant, on.name, version.number)
        if state.branch_version is None:
            if self.is_known(*key):
                return ImportOutcome.REMOVED
            self._new_place(version, on, state.branch)
        elif state.branch:
            self._widen_branch(state.branch, on)
        since = min(state.branch_version.created_at, on.created_at) if state.branch_version else on.created_at
        has_moved = on.is_head and self._move_head(version, on.name, since=since)
        self.note(*key, value=on.created_at.isoformat())
        return ImportOutcome.COPIED if state.branch_version is None or has_moved else ImportOutcome.PRESENT

    def _new_place(self, version: Version, on: BranchMembership, existing: Branch | None) -> None:
        if existing is None:
            new = Branch(
                pacticipant=version.pacticipant,
                name=check_length("branch", on.name),
                created_at=on.branch_created_at,
                updated_at=on.branch_updated_at,
            )
            branches.add(self.db, new, head=version.number)
        else:
            self._widen_branch(existing, on)
        added = BranchVersion(
            pacticipant=version.pacticipant,
            branch=on.name,
            version=version.number,
            is_head=on.is_head,
            created_at=on.created_at,
            updated_at=on.created_at,
        )
        branches.add_version(self.db, added, is_auto_created=False)

    def _widen_branch(self, existing: Branch, on: BranchMembership) -> None:
        """Let the branch begin when its first place here or in the source did."""
        began = min(existing.created_at, on.branch_created_at)
        changed = max(existing.updated_at, on.branch_updated_at)
        if (began, changed) != (existing.created_at, existing.updated_at):
            imports.set_branch_times(self.db, existing.pacticipant, existing.name, began=began, changed=changed)

    def _move_head(self, version: Version, name: str, *, since: datetime) -> bool:
        """Make the source's head the head, unless a later one was put on the branch here."""
        head = imports.find_branch_head(self.db, version.pacticipant, name)
        if head and head[0] == version.number:
            return False
        is_own = head is not None and not self.is_known("branch", version.pacticipant, name, head[0])
        if head and is_own and head[1] > since:
            return False
        branch = branches.find(self.db, version.pacticipant, name)
        if branch:
            branches.set_head(self.db, branch, head=version.number)
        return True

    def _add_tag(self, version: Version, on: TagMembership) -> ImportOutcome:
        key = ("tag", version.pacticipant, version.number, on.name)
        state = tags.load_state(self.db, version, on.name)
        if state.tag is None and self.is_known(*key):
            return ImportOutcome.REMOVED
        if state.tag is None:
            new = Tag(
                pacticipant=version.pacticipant,
                version=version.number,
                name=check_length("tag", on.name),
                is_head=state.is_newest,
                created_at=on.created_at,
                updated_at=on.created_at,
            )
            tags.add(self.db, new)
            if state.is_first:
                tags.add_head(self.db, new)
            elif state.is_newest:
                tags.set_head(self.db, new)
        self.note(*key)
        return ImportOutcome.COPIED if state.tag is None else ImportOutcome.PRESENT

    # Pacts

    @_add.register
    def _(self, fact: PactFact) -> ImportResult:
        contract = _contract(fact)
        key = ("pact", fact.consumer, fact.provider, fact.version)
        for name in (fact.consumer, fact.provider):
            if pacticipants.find(self.db, name) is None:
                return self.missing(f"The application {name}", "pacticipant", name)
        if versions.find(self.db, fact.consumer, fact.version) is None:
            what = f"Version {fact.version} of {fact.consumer}"
            return self.missing(what, "version", fact.consumer, fact.version)
        revisions = imports.list_revisions(self.db, fact.consumer, fact.version, fact.provider)
        if not revisions and self.is_known(*key):
            return self._noted_pact(fact, contract, _removed("the pact was removed here after an earlier import"))
        return self._noted_pact(fact, contract, self._add_revision(contract, fact, revisions))

    def _noted_pact(self, fact: PactFact, contract: Contract, imported: ImportResult) -> ImportResult:
        pair, sha = (fact.consumer, fact.provider), contract.content.sha
        if imports.has_content(self.db, *pair, sha):
            self.note("content", *pair, fact.sha, value=sha)
        if imported.outcome in {ImportOutcome.COPIED, ImportOutcome.PRESENT}:
            self.note("publication", *pair, fact.version, sha)
            self.note("publication", *pair, fact.version, fact.sha)
            self.note("pact", *pair, fact.version)
        if fact.is_current:
            self.note("pact", *pair, fact.version, fact.marker, value=fact.sha)
        return imported

    def _add_revision(
        self, contract: Contract, fact: PactFact, revisions: Sequence[imports.PactRevision]
    ) -> ImportResult:
        current = revisions[-1] if revisions else None
        if current and current.sha == contract.content.sha:
            return _PRESENT
        if current and not self.is_known("publication", fact.consumer, fact.provider, fact.version, current.sha):
            if any(one.sha == contract.content.sha for one in revisions):
                return _outdated("another pact replaced it here")
            raise _FactRefused("this version has another pact here, which stays as it is")
        if current and (not fact.is_current or fact.created_at < current.created_at):
            if any(one.sha == contract.content.sha for one in revisions):
                return _PRESENT
            imports.add_overwritten(self.db, contract, current, now=fact.created_at)
        else:
            self._add_current(contract, now=fact.created_at)
        return _COPIED

    def _add_current(self, contract: Contract, *, now: datetime) -> None:
        changed = imports.find_pair_changed_at(self.db, contract.consumer, contract.provider)
        publications.add(self.db, contract, publications.load_state(self.db, contract), now=now)
        if changed and changed > now:
            publications.touch(self.db, contract.consumer, contract.provider, now=changed)

    # Results

    @_add.register
    def _(self, fact: ResultFact) -> ImportResult:
        key = ("result", fact.consumer, fact.provider, fact.sha, str(fact.number))
        if self.is_known(*key):
            return _PRESENT
        sha = self.value("content", fact.consumer, fact.provider, fact.sha) or fact.sha
        provider = pacticipants.find(self.db, fact.provider)
        if provider is None or not imports.has_content(self.db, fact.consumer, fact.provider, sha):
            what = f"The content {fact.sha} that the result is about"
            return self.missing(what, "content", fact.consumer, fact.provider, fact.sha)
        if versions.find(self.db, fact.provider, fact.provider_version) is None:
            version_key = ("version", fact.provider, fact.provider_version)
            if self.is_known(*version_key):
                return _removed("the provider's version was removed here after an earlier import")
            ensure_version(self.db, provider, fact.provider_version, now=fact.recorded_at, settings=self.settings)
            self.note(*version_key)
        new = _result(fact, sha, now=self.now)
        # Each result of the source has one of its own here, so that several of the same second are all copied.
        equal = (str(number) for number in imports.list_equal_results(self.db, new))
        existing = next((number for number in equal if not self.is_known("copy", number)), None)
        if existing is None:
            self.note("copy", str(imports.add_result(self.db, new)))
            self._touch(fact)
        else:
            self.note("copy", existing)
        self.note(*key)
        return _COPIED if existing is None else _PRESENT

    def _touch(self, fact: ResultFact) -> None:
        changed = imports.find_pair_changed_at(self.db, fact.consumer, fact.provider)
        if changed and changed < fact.recorded_at:
            publications.touch(self.db, fact.consumer, fact.provider, now=min(self.now, fact.recorded_at))

    # Environments, deployments and releases

    @_add.register
    def _(self, fact: EnvironmentFact) -> ImportResult:
        is_there = self._environment(fact.uuid, fact.name) is not None
        if not is_there and self.is_known("environment", fact.uuid):
            return _removed("the environment was removed here after an earlier import")
        if not is_there:
            new = Environment(
                uuid=fact.uuid,
                name=check_not_blank("name", check_length("name", fact.name)),
                display_name=fact.display_name,
                is_production=fact.is_production,
                contacts=fact.contacts,
                created_at=fact.created_at,
                updated_at=fact.updated_at,
            )
            deployments.add_environment(self.db, new)
        self.note("environment", fact.uuid)
        return _PRESENT if is_there else _COPIED

    def _environment(self, uuid: str, name: str) -> Environment | None:
        return deployments.find(self.db, uuid) or deployments.find_by_name(self.db, name)

    def _target_environment(self, fact: DeploymentFact | ReleaseFact) -> Environment | ImportResult:
        """Find the environment of a deployment or release; return an outcome if it or the version is missing."""
        environment = self._environment(fact.environment, fact.environment_name)
        if environment is None:
            return self.missing("The environment", "environment", fact.environment)
        if versions.find(self.db, fact.pacticipant, fact.version) is None:
            version = f"Version {fact.version} of {fact.pacticipant}"
            return self.missing(version, "version", fact.pacticipant, fact.version)
        return environment

    @_add.register
    def _(self, fact: DeploymentFact) -> ImportResult:
        environment = self._target_environment(fact)
        if isinstance(environment, ImportResult):
            return environment
        stays = imports.list_slot_deployments(self.db, fact, environment.uuid)
        own = next((one for one in stays if one.uuid == fact.uuid), None)
        if own or imports.has_deployment(self.db, fact.uuid):
            return self._end_deployment(fact, own)
        running = next((one for one in stays if one.undeployed_at is None), None)
        if (
            self.is_known("deployment", fact.uuid)
            or fact.undeployed_at
            or (running and running.version == fact.version)
        ):
            return _PRESENT
        return self._add_deployment(fact, environment, stays)

    def _end_deployment(self, fact: DeploymentFact, own: imports.SlotDeployment | None) -> ImportResult:
        if own is None or own.undeployed_at or fact.undeployed_at is None:
            return _PRESENT
        deployed = deployments.get_deployed(self.db, fact.uuid)
        deployments.end(self.db, deployed, at=fact.undeployed_at)
        self._audit(Action.DEPLOYMENT_END, fact, deployed.environment.name)
        return _COPIED

    def _add_deployment(
        self, fact: DeploymentFact, environment: Environment, stays: Sequence[imports.SlotDeployment]
    ) -> ImportResult:
        """Add a deployment in its place in time: it ends what ran before, and was ended by what came later.

        That something older was undeployed here later does not end it: the undeployment was not about this version.
        """
        undeployed_at = min((one.created_at for one in stays if one.created_at > fact.created_at), default=None)
        for one in stays:
            if one.undeployed_at is None and one.created_at <= fact.created_at:
                deployments.end(self.db, deployments.get_deployed(self.db, one.uuid), at=fact.created_at)
        values = {
            "uuid": fact.uuid,
            "pacticipant": fact.pacticipant,
            "version": fact.version,
            "environment": environment.uuid,
            "application_instance": fact.application_instance,
            "created_at": fact.created_at,
            "undeployed_at": undeployed_at,
        }
        imports.add_deployment(self.db, values)
        self.note("deployment", fact.uuid)
        self._audit(Action.DEPLOYMENT, fact, environment.name)
        return _COPIED if undeployed_at is None else _outdated("something newer was recorded here, which stays")

    @_add.register
    def _(self, fact: ReleaseFact) -> ImportResult:
        environment = self._target_environment(fact)
        if isinstance(environment, ImportResult):
            return environment
        release = Release(pacticipant=fact.pacticipant, version=fact.version, environment=environment.uuid)
        existing = deployments.find_released(self.db, release)
        if existing is None and (fact.support_ended_at or self.is_known("release", fact.uuid)):
            return _PRESENT
        if existing is None:
            return self._add_release(fact, environment)
        return self._change_release(fact, existing.support_ended_at, existing.updated_at, release)

    def _add_release(self, fact: ReleaseFact, environment: Environment) -> ImportResult:
        values = {
            "uuid": fact.uuid,
            "pacticipant": fact.pacticipant,
            "version": fact.version,
            "environment": environment.uuid,
            "created_at": fact.created_at,
            "updated_at": fact.updated_at,
        }
        imports.add_release(self.db, values)
        self.note("release", fact.uuid)
        self._audit(Action.RELEASE, fact, environment.name)
        return _COPIED

    def _change_release(
        self, fact: ReleaseFact, ended_at: datetime | None, supported_since: datetime, release: Release
    ) -> ImportResult:
        existing = deployments.find_released(self.db, release)
        if existing is None or (ended_at is None) == (fact.support_ended_at is None):
            return _PRESENT
        if ended_at is None and fact.support_ended_at:
            if fact.support_ended_at < supported_since:
                return _outdated("support was renewed here later")
            deployments.end_support(self.db, existing, at=fact.support_ended_at)
            self._audit(Action.RELEASE_END, fact, existing.environment.name)
            return _COPIED
        if ended_at and fact.updated_at <= ended_at:
            return _outdated("support was ended here later")
        deployments.resume_support(self.db, existing, at=fact.updated_at)
        self._audit(Action.RELEASE, fact, existing.environment.name)
        return _COPIED

    def _audit(self, action: Action, fact: DeploymentFact | ReleaseFact, environment: str) -> None:
        params = {"version": fact.version, "imported": True}
        audit.record(self.db, action, resource=fact.pacticipant, other=environment, params=params)

    # Webhooks

    @_add.register
    def _(self, fact: WebhookFact) -> ImportResult:
        is_there = webhooks.find(self.db, fact.uuid) is not None
        if not is_there and self.is_known("webhook", fact.uuid):
            return _removed("the webhook was removed here after an earlier import")
        if is_there:
            self.note("webhook", fact.uuid)
        return _PRESENT if is_there else ImportResult(ImportOutcome.ABSENT)


def _new_pacticipant(fact: PacticipantFact) -> Pacticipant:
    name = validate_name(fact.name)
    return Pacticipant(
        name=name,
        display_name=fact.display_name or derive_display_name(name),
        main_branch=fact.main_branch,
        repository_url=fact.repository_url,
        repository_name=fact.repository_name,
        repository_namespace=fact.repository_namespace,
        created_at=fact.created_at,
        updated_at=fact.updated_at,
    )


def _filled_pacticipant(existing: Pacticipant, fact: PacticipantFact, *, is_known: bool) -> Pacticipant:
    """Fill in what is missing, unless it was removed here after the source's last change."""
    if is_known and existing.updated_at > fact.updated_at:
        return existing
    names = ("main_branch", "repository_url", "repository_name", "repository_namespace")
    missing = {name: getattr(fact, name) for name in names if getattr(existing, name) is None}
    values = {name: value for name, value in missing.items() if value is not None}
    return replace(existing, **values, updated_at=max(existing.updated_at, fact.updated_at)) if values else existing


def _contract(fact: PactFact) -> Contract:
    """Read a pact as the source returned it. Raises Malformed."""
    document = contents.parse_document(fact.content.encode())
    tree = {name: value for name, value in document.tree.items() if name not in {"_links", "createdAt"}}
    document, content = _original(Document(tree, document.is_plain), fact.sha)
    return Contract(
        consumer=fact.consumer, version=fact.version, provider=fact.provider, document=document, content=content
    )


def _original(document: Document, sha: str) -> tuple[Document, Content]:
    """Take off the ids that the source added: the SHA tells whether the consumer's own were among them."""
    own = contents.remove_broker_ids(document)
    for candidate in (own, contents.remove_all_ids(document), document):
        content = contents.build_content(candidate)
        if content.sha == sha:
            return candidate, content
    return own, contents.build_content(own)


def _result(fact: ResultFact, sha: str, *, now: datetime) -> NewVerification:
    return NewVerification(
        consumer=fact.consumer,
        provider=fact.provider,
        sha=sha,
        provider_version=fact.provider_version,
        success=fact.success,
        build_url=fact.build_url,
        verified_at=fact.verified_at,
        verified_by=fact.verified_by,
        test_results=fact.test_results,
        is_wip=fact.is_wip,
        was_pending=None,
        metadata=None,
        created_at=min(now, fact.recorded_at),
    )
