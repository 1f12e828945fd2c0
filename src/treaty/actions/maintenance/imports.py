"""Importing facts of another broker with their original times.

An import can be interrupted and repeated, and builds may already use this broker meanwhile. So three rules apply to
every fact:

- A fact is copied once. If it was copied by an earlier import and removed here since, it stays removed.
- Values of this broker are never overwritten: an import only adds missing ones.
- Where two facts compete (for the head of a branch, the current deployment, the newest result), the later time wins, in
  whatever order the facts arrive.

An import calls no webhooks, and derives neither branches nor main branches nor deployments from tags: the source has
already done so.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import singledispatchmethod
from typing import Final

from sqlalchemy import Connection

from treaty.actions.provider_contracts.comparisons import WITHOUT_WEBHOOKS, refresh_version
from treaty.actions.provider_contracts.profiles import set_profile
from treaty.actions.versions.versions import ensure_version
from treaty.errors import Conflict, Invalid, Malformed
from treaty.model.audit import Action, redact_url
from treaty.model.compare.profiles import Profile
from treaty.model.deployments import Environment, Release, ReleasedVersion
from treaty.model.maintenance.imports import (
    BranchMembership,
    DeploymentFact,
    EnvironmentFact,
    Fact,
    ImportOutcome,
    ImportResult,
    PactFact,
    PacticipantFact,
    ProviderContractFact,
    ReleaseFact,
    ResultFact,
    TagMembership,
    VersionFact,
    WebhookFact,
    compute_fact_key,
)
from treaty.model.names import check_name, check_not_blank
from treaty.model.pacticipants.pacticipants import Label, Pacticipant, derive_display_name, validate_name
from treaty.model.pacts import content as contents
from treaty.model.pacts import documents
from treaty.model.pacts.content import Content
from treaty.model.pacts.documents import Document
from treaty.model.pacts.pacts import Contract
from treaty.model.verifications.verifications import NewVerification
from treaty.model.versions import Branch, BranchVersion, Tag, Version, find_insertion_position
from treaty.settings import Settings
from treaty.store import audit, deployments
from treaty.store.engine import leases
from treaty.store.maintenance import imports
from treaty.store.pacticipants import former_names, labels, pacticipants
from treaty.store.pacts import publications
from treaty.store.provider_contracts import comparisons, contracts
from treaty.store.versions import branches, tags, versions
from treaty.store.webhooks import webhooks

LEASE: Final = "import"
LEASE_DURATION: Final = timedelta(seconds=30)
"""Time without a request after which another import may start; each request renews the lease."""

_COPIED: Final = ImportResult(ImportOutcome.COPIED)
_PRESENT: Final = ImportResult(ImportOutcome.PRESENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportBatch:
    """One request of an import: facts in the order in which to copy them, and Invalid in place of unreadable ones."""

    source: str
    """The base URL of the broker that the facts come from."""
    run: str
    """Identifies the import; the same in all of its requests."""
    facts: Sequence[Fact | Invalid]
    is_dry: bool
    is_last: bool


def import_batch(db: Connection, batch: ImportBatch, *, now: datetime, settings: Settings) -> list[ImportResult]:
    """Import facts, and return the outcome for each. A fact that cannot be read is refused; the others are imported.

    Raises Conflict while another import is running: two would each decide about facts that the other is adding.
    """
    if not leases.claim(db, LEASE, owner=batch.run, now=now, until=now + LEASE_DURATION):
        raise _another_import(db)
    if batch.is_last:
        leases.end(db, LEASE, owner=batch.run, until=now)
    facts, is_dry = batch.facts, batch.is_dry
    # All locks at once, in order of names, as builds take them: otherwise the two could deadlock.
    names = {name for fact in facts for name in _pacticipant_names(fact)}
    pacticipants.lock(db, names)
    importer = _Importer(db, batch.source, is_dry, now, settings, former_names.find_current_names(db, names))
    importer.prepare([fact for fact in facts if not isinstance(fact, Invalid)])
    # A dry run writes and rolls back, so that its outcomes are those of the real code. The lease must outlive it.
    if is_dry:
        db.exec_driver_sql("SAVEPOINT dry_run")
    results = [importer.add(fact) for fact in facts]
    importer.finish()
    if is_dry:
        db.exec_driver_sql("ROLLBACK TO SAVEPOINT dry_run")
    elif batch.is_last:
        imports.refresh_statistics(db)
    counts = Counter(f"{type(fact).__name__} {result.outcome}" for fact, result in zip(facts, results, strict=True))
    audit.record(db, Action.IMPORT, resource=redact_url(batch.source), params={"dry_run": is_dry, **counts})
    return results


def _another_import(db: Connection) -> Conflict:
    """Build the error for a second import. The time in its text tells a running import from one that was killed."""
    until = leases.find_end(db, LEASE)
    last_request = "" if until is None else f" (its last request was at {until - LEASE_DURATION:%H:%M:%S.%f} UTC)"
    return Conflict(f"Another import is running{last_request}. Wait until it has finished; at most one runs at a time.")


def _pacticipant_names(fact: Fact | Invalid) -> Iterable[str]:
    match fact:
        case PacticipantFact():
            return (fact.name,)
        case PactFact() | ResultFact():
            return (fact.consumer, fact.provider)
        case ProviderContractFact():
            return (fact.provider,)
        case VersionFact() | DeploymentFact() | ReleaseFact():
            return (fact.pacticipant,)
        case _:
            return ()


def _describe_renamed(former_name: str, name: str) -> str:
    return (
        f"{former_name} was renamed to {name} here. Rename it in the source, too, or rename {name} back until all is "
        "copied"
    )


class _FactRefused(Exception):
    """A fact that cannot be imported, with the reason."""


def _outdated(reason: str) -> ImportResult:
    return ImportResult(ImportOutcome.OUTDATED, reason)


def _removed(reason: str) -> ImportResult:
    return ImportResult(ImportOutcome.REMOVED, reason)


@dataclass(slots=True)
class _Importer:
    """Imports the facts of one request.

    Each overload of `_add` handles one class of facts, in three steps: return early if an earlier import copied the
    fact and it was removed here since; add or complete it; and remember that it was copied.
    """

    db: Connection
    source: str
    is_dry: bool
    now: datetime
    settings: Settings
    current_names: Mapping[str, str]
    """The present names of the pacticipants that were renamed here, by the names in the facts."""
    _values: dict[str, str | None] = field(default_factory=dict)
    """The remembered values of copied facts, by key."""
    _looked_up: set[str] = field(default_factory=set)
    """Keys whose values were loaded, if they have any."""
    _new_values: dict[str, str | None] = field(default_factory=dict)
    """Values that `finish` stores for facts that were not copied before."""
    _pacticipants: dict[str, Pacticipant | None] = field(default_factory=dict)
    _versions: dict[tuple[str, str], Version | None] = field(default_factory=dict)
    """Versions by pacticipant and number; None if there is none."""
    _newest: dict[str, imports.VersionPosition | None] = field(default_factory=dict)
    """The version with the highest position of each pacticipant."""
    _below: dict[tuple[str, str], str] = field(default_factory=dict)
    """For versions of the request, the number of the next version in the source's order that existed before."""
    _contents: set[tuple[str, str, str]] = field(default_factory=set)
    """Contents that exist, by consumer, provider and hash."""
    _changed_at: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    """When the pacts or results of pairs last changed."""

    # State that is loaded for all facts of the request at once, since a round trip for each would take most of the time

    def prepare(self, facts: Sequence[Fact]) -> None:
        """Load what the facts of the request need: which were copied before, and which versions exist."""
        numbers: defaultdict[str, set[str]] = defaultdict(set)
        keys: set[str] = set()
        for fact in facts:
            keys.update(compute_fact_key(self.source, parts) for parts in _list_keys(fact))
            for pacticipant, number in _list_versions(fact):
                numbers[pacticipant].add(number)
        self._load_values(keys)
        for pacticipant, of_pacticipant in numbers.items():
            self._versions |= {(pacticipant, number): None for number in of_pacticipant}
            existing = imports.load_versions(self.db, pacticipant, of_pacticipant)
            self._versions |= {(pacticipant, version.number): version for version in existing}
        self._find_versions_below([fact for fact in facts if isinstance(fact, VersionFact)])

    def _find_versions_below(self, facts: Sequence[VersionFact]) -> None:
        # From the newest fact to the oldest. Facts that are no neighbours in the source say nothing about each other.
        for fact, above in zip(reversed(facts[:-1]), reversed(facts), strict=False):
            if above.pacticipant == fact.pacticipant and above.above == fact.number:
                key = (above.pacticipant, above.number)
                number = above.number if self._versions[key] else above.below or self._below.get(key)
                if number is not None:
                    self._below[fact.pacticipant, fact.number] = number

    def finish(self) -> None:
        """Store which facts were copied."""
        imports.record_copies(self.db, self._new_values, now=self.now)

    def _load_values(self, keys: Collection[str]) -> None:
        self._looked_up.update(keys)
        self._values |= imports.load_values(self.db, keys)

    def _find_pacticipant(self, name: str) -> Pacticipant | None:
        if name not in self._pacticipants:
            self._pacticipants[name] = pacticipants.find(self.db, name)
        return self._pacticipants[name]

    def _find_version(self, pacticipant: str, number: str) -> Version | None:
        key = (pacticipant, number)
        if key not in self._versions:
            self._versions[key] = versions.find(self.db, pacticipant, number)
        return self._versions[key]

    def _find_newest(self, pacticipant: str) -> imports.VersionPosition | None:
        if pacticipant not in self._newest:
            self._newest[pacticipant] = imports.find_newest_version(self.db, pacticipant)
        return self._newest[pacticipant]

    def _has_content(self, consumer: str, provider: str, sha: str) -> bool:
        key = (consumer, provider, sha)
        if key not in self._contents and imports.has_content(self.db, *key):
            self._contents.add(key)
        return key in self._contents

    def _find_changed_at(self, consumer: str, provider: str) -> datetime | None:
        pair = (consumer, provider)
        if pair not in self._changed_at:
            self._changed_at[pair] = imports.find_pair_changed_at(self.db, *pair)
        return self._changed_at[pair]

    def add(self, fact: Fact | Invalid) -> ImportResult:
        if isinstance(fact, Invalid):
            return ImportResult(ImportOutcome.REFUSED, str(fact))
        for name in _pacticipant_names(fact):
            if name in self.current_names:
                return ImportResult(ImportOutcome.REFUSED, _describe_renamed(name, self.current_names[name]))
        try:
            return self._add(fact)
        except (_FactRefused, Invalid, Malformed) as error:
            return ImportResult(ImportOutcome.REFUSED, str(error))

    @singledispatchmethod
    def _add(self, fact: object) -> ImportResult:
        raise TypeError(f"{type(fact).__name__} is not a fact")

    # Facts that were copied

    def was_copied(self, *parts: str) -> bool:
        """Whether this or an earlier import copied the fact. `parts`: its kind and what identifies it in the source."""
        key = compute_fact_key(self.source, parts)
        if key not in self._looked_up:
            self._load_values([key])
        return key in self._values

    def get_value(self, *parts: str) -> str | None:
        return self._values.get(compute_fact_key(self.source, parts)) if self.was_copied(*parts) else None

    def remember(self, *parts: str, value: str | None = None) -> None:
        """Remember that a fact was copied, or was here already, with a value that depends on its kind."""
        was_copied, key = self.was_copied(*parts), compute_fact_key(self.source, parts)
        if was_copied and key not in self._new_values and self._values[key] != value:
            imports.change_value(self.db, key, value)
        elif not was_copied or key in self._new_values:
            self._new_values[key] = value
        self._values[key] = value

    def handle_missing(self, description: str, *parts: str) -> ImportResult:
        """Return the outcome for a fact that belongs to something missing here.

        Raises _FactRefused if no import copied it: the source returned a part without the whole.
        """
        if self.was_copied(*parts):
            return _removed(f"{description} was removed here after an earlier import")
        if self.is_dry:
            # A dry run rolls back each request, so whatever an earlier request "copied" is missing now.
            return _COPIED
        raise _FactRefused(f"{description} was not copied")

    # Pacticipants

    @_add.register
    def _(self, fact: PacticipantFact) -> ImportResult:
        existing = self._find_pacticipant(fact.name)
        was_copied = self.was_copied("pacticipant", fact.name)
        if existing is None and was_copied:
            return _removed(f"{fact.name} was removed here after an earlier import")
        has_changed = existing is None
        if existing is None:
            self._pacticipants[fact.name] = new = _new_pacticipant(fact)
            pacticipants.add(self.db, new)
        else:
            self._pacticipants[fact.name] = completed = _complete_pacticipant(existing, fact, was_copied=was_copied)
            has_changed = completed != existing
            if has_changed:
                pacticipants.change(self.db, completed)
        has_changed = self._add_labels(fact) or has_changed
        has_changed = self._add_profile(fact) or has_changed
        self.remember("pacticipant", fact.name)
        return _COPIED if has_changed else _PRESENT

    def _add_profile(self, fact: PacticipantFact) -> bool:
        """Set the profile of comparisons, unless one was set here, and return whether it has changed."""
        if fact.comparison_profile is None or comparisons.find_own_profile(self.db, fact.name) is not None:
            return False
        if fact.comparison_profile not in list(Profile):
            raise _FactRefused(f"the profile {fact.comparison_profile} does not exist here")
        profile = Profile(fact.comparison_profile)
        has_changed = profile.value != comparisons.load_profile(self.db, fact.name)
        set_profile(self.db, fact.name, profile, base_url=WITHOUT_WEBHOOKS, now=self.now)
        return has_changed

    def _add_labels(self, fact: PacticipantFact) -> bool:
        """Add the labels that are missing, and return whether there were any."""
        has_added = False
        for name in fact.labels:
            if not labels.find(self.db, fact.name, name) and not self.was_copied("label", fact.name, name):
                # The source lists labels without their times.
                times = {"created_at": self.now, "updated_at": self.now}
                labels.add(self.db, Label(pacticipant=fact.name, name=check_name("label", name), **times))
                has_added = True
            self.remember("label", fact.name, name)
        return has_added

    # Versions

    @_add.register
    def _(self, fact: VersionFact) -> ImportResult:
        if self._find_pacticipant(fact.pacticipant) is None:
            return self.handle_missing(f"The application {fact.pacticipant}", "pacticipant", fact.pacticipant)
        key = ("version", fact.pacticipant, fact.number)
        existing = self._find_version(fact.pacticipant, fact.number)
        if existing is None and self.was_copied(*key):
            return _removed("the version was removed here after an earlier import")
        version = self._complete_version(existing, fact) if existing else self._add_version(fact)
        self._versions[fact.pacticipant, fact.number] = version
        self.remember(*key)
        outcomes = [self._add_to_branch(version, branch) for branch in fact.branches]
        outcomes += [self._add_tag(version, tag) for tag in fact.tags]
        if existing is None or version is not existing or ImportOutcome.COPIED in outcomes:
            return _COPIED
        if ImportOutcome.REMOVED in outcomes:
            return _removed("a branch or tag of the version was removed here after an earlier import")
        return _PRESENT

    def _add_version(self, fact: VersionFact) -> Version:
        number = check_not_blank("version", check_name("version", fact.number))
        new = Version(
            pacticipant=fact.pacticipant,
            number=number,
            build_url=fact.build_url,
            created_at=fact.created_at,
            updated_at=fact.updated_at,
        )
        position = self._find_position(fact)
        if position is None:
            versions.add(self.db, new)
            if new.pacticipant in self._newest:
                self._newest[new.pacticipant] = _above(self._newest[new.pacticipant], new)
        else:
            versions.insert_at(self.db, new, position)
        return new

    def _find_position(self, fact: VersionFact) -> int | None:
        """Find the position of a new version; None above all others.

        It keeps its place between its neighbours in the source. Among versions that only this broker has, times decide.
        """
        if not self.settings.order_versions_by_date:
            return find_insertion_position(fact.number, versions.list_positions(self.db, fact.pacticipant))
        # Versions usually arrive in order, so most of them belong on top. Only others need the list of all positions.
        top = self._find_newest(fact.pacticipant)
        below = fact.below or self._below.get((fact.pacticipant, fact.number))
        if top is None or (below is None and (top.number == fact.above or top.created_at <= fact.created_at)):
            return None
        existing = imports.list_version_positions(self.db, fact.pacticipant)
        numbers = [version.number for version in existing]
        first = numbers.index(fact.above) + 1 if fact.above in numbers else 0
        last = numbers.index(below) if below in numbers else len(numbers)
        newer = next((version for version in existing[first:last] if version.created_at > fact.created_at), None)
        if newer is not None:
            return newer.position
        return existing[last].position if last < len(existing) else None

    def _complete_version(self, existing: Version, fact: VersionFact) -> Version:
        """Add a missing build URL, unless it was removed here after the source's last change."""
        was_removed_here = (
            self.was_copied("version", fact.pacticipant, fact.number) and existing.updated_at > fact.updated_at
        )
        if existing.build_url is not None or fact.build_url is None or was_removed_here:
            return existing
        completed = replace(existing, build_url=fact.build_url, updated_at=max(existing.updated_at, fact.updated_at))
        versions.set_build_url(self.db, completed)
        return completed

    # Branches and tags

    def _add_to_branch(self, version: Version, membership: BranchMembership) -> ImportOutcome:
        key = ("branch", version.pacticipant, membership.name, version.number)
        state = branches.load_state(self.db, version.pacticipant, membership.name, version.number)
        if state.branch_version is None:
            if self.was_copied(*key):
                return ImportOutcome.REMOVED
            self._add_membership(version, membership, state.branch)
        elif state.branch:
            self._widen_branch(state.branch, membership)
        added_at = membership.created_at
        since = min(state.branch_version.created_at, added_at) if state.branch_version else added_at
        has_moved = membership.is_head and self._move_head(version, membership.name, since=since)
        self.remember(*key, value=added_at.isoformat())
        return ImportOutcome.COPIED if state.branch_version is None or has_moved else ImportOutcome.PRESENT

    def _add_membership(self, version: Version, membership: BranchMembership, existing: Branch | None) -> None:
        if existing is None:
            new = Branch(
                pacticipant=version.pacticipant,
                name=check_name("branch", membership.name),
                created_at=membership.branch_created_at,
                updated_at=membership.branch_updated_at,
            )
            branches.add(self.db, new, head=version.number)
        else:
            self._widen_branch(existing, membership)
        branch_version = BranchVersion(
            pacticipant=version.pacticipant,
            branch=membership.name,
            version=version.number,
            is_head=membership.is_head,
            created_at=membership.created_at,
            updated_at=membership.created_at,
        )
        branches.add_version(self.db, branch_version, is_auto_created=False)

    def _widen_branch(self, existing: Branch, membership: BranchMembership) -> None:
        """Extend the times of a branch to those of the source: its age decides about work in progress and clean-up."""
        created_at = min(existing.created_at, membership.branch_created_at)
        updated_at = max(existing.updated_at, membership.branch_updated_at)
        if (created_at, updated_at) != (existing.created_at, existing.updated_at):
            imports.set_branch_times(
                self.db, existing.pacticipant, existing.name, created_at=created_at, updated_at=updated_at
            )

    def _move_head(self, version: Version, name: str, *, since: datetime) -> bool:
        """Make the source's head the head, unless a build has put a later version on the branch here.

        A head that was copied gives way whatever its time: the source has moved its head since the last import.
        """
        head = imports.find_branch_head(self.db, version.pacticipant, name)
        if head and head.number == version.number:
            return False
        is_own = head is not None and not self.was_copied("branch", version.pacticipant, name, head.number)
        if head and is_own and head.added_at > since:
            return False
        branch = branches.find(self.db, version.pacticipant, name)
        if branch:
            branches.set_head(self.db, branch, head=version.number)
        return True

    def _add_tag(self, version: Version, membership: TagMembership) -> ImportOutcome:
        key = ("tag", version.pacticipant, version.number, membership.name)
        state = tags.load_state(self.db, version, membership.name)
        if state.tag is None and self.was_copied(*key):
            return ImportOutcome.REMOVED
        if state.tag is None:
            new = Tag(
                pacticipant=version.pacticipant,
                version=version.number,
                name=check_name("tag", membership.name),
                is_head=state.is_newest,
                created_at=membership.created_at,
                updated_at=membership.created_at,
            )
            tags.add(self.db, new)
            if state.is_first:
                tags.add_head(self.db, new)
            elif state.is_newest:
                tags.set_head(self.db, new)
        self.remember(*key)
        return ImportOutcome.COPIED if state.tag is None else ImportOutcome.PRESENT

    # Pacts

    @_add.register
    def _(self, fact: PactFact) -> ImportResult:
        contract = _parse_contract(fact)
        key = ("pact", fact.consumer, fact.provider, fact.version)
        for name in (fact.consumer, fact.provider):
            if self._find_pacticipant(name) is None:
                return self.handle_missing(f"The application {name}", "pacticipant", name)
        if self._find_version(fact.consumer, fact.version) is None:
            description = f"Version {fact.version} of {fact.consumer}"
            return self.handle_missing(description, "version", fact.consumer, fact.version)
        revisions = imports.list_revisions(self.db, fact.consumer, fact.version, fact.provider)
        if not revisions and self.was_copied(*key):
            result = _removed("the pact was removed here after an earlier import")
        else:
            result = self._add_revision(contract, fact, revisions)
        self._remember_pact(fact, contract, result)
        return result

    def _remember_pact(self, fact: PactFact, contract: Contract, result: ImportResult) -> None:
        pair, sha = (fact.consumer, fact.provider), contract.content.sha
        if self._has_content(*pair, sha):
            # Results name the source's SHA, which may differ from ours: the source may hash another text.
            self.remember("content", *pair, fact.sha, value=sha)
        if result.outcome in {ImportOutcome.COPIED, ImportOutcome.PRESENT}:
            self.remember("publication", *pair, fact.version, sha)
            self.remember("publication", *pair, fact.version, fact.sha)
            self.remember("pact", *pair, fact.version)
        if fact.is_current:
            # By the marker a later import recognizes, without fetching the pact, that the source has not changed it.
            self.remember("pact", *pair, fact.version, fact.marker, value=fact.sha)

    def _add_revision(
        self, contract: Contract, fact: PactFact, revisions: Sequence[imports.PactRevision]
    ) -> ImportResult:
        current = revisions[-1] if revisions else None
        if current and current.sha == contract.content.sha:
            return _PRESENT
        has_same_content = any(revision.sha == contract.content.sha for revision in revisions)
        if current and not self.was_copied("publication", fact.consumer, fact.provider, fact.version, current.sha):
            # A build published the current pact here, so the import does not replace it.
            if has_same_content:
                return _outdated("another pact replaced it here")
            raise _FactRefused("this version has another pact here, which stays as it is")
        if current and (not fact.is_current or fact.created_at < current.created_at):
            if has_same_content:
                return _PRESENT
            imports.add_overwritten(self.db, contract, current, now=fact.created_at)
        else:
            self._add_current(contract, now=fact.created_at)
        return _COPIED

    def _add_current(self, contract: Contract, *, now: datetime) -> None:
        # Adding a publication sets the pair's time of change to the original time, which may be an earlier one.
        pair = (contract.consumer, contract.provider)
        changed_at = self._find_changed_at(*pair)
        state = publications.load_state(self.db, contract)
        (key,) = publications.ensure_contents(self.db, [(contract, state)], now=now)
        publications.add(self.db, key, state, now=now)
        if changed_at and changed_at > now:
            publications.touch(self.db, *pair, now=changed_at)
        self._changed_at[pair] = max(changed_at, now) if changed_at else now

    # Results

    @_add.register
    def _(self, fact: ResultFact) -> ImportResult:
        key = ("result", fact.consumer, fact.provider, fact.sha, str(fact.number))
        if self.was_copied(*key):
            return _PRESENT
        sha = self.get_value("content", fact.consumer, fact.provider, fact.sha) or fact.sha
        provider = self._find_pacticipant(fact.provider)
        if provider is None or not self._has_content(fact.consumer, fact.provider, sha):
            description = f"The content {fact.sha} that the result is about"
            return self.handle_missing(description, "content", fact.consumer, fact.provider, fact.sha)
        if self._find_version(fact.provider, fact.provider_version) is None:
            version_key = ("version", fact.provider, fact.provider_version)
            if self.was_copied(*version_key):
                return _removed("the provider's version was removed here after an earlier import")
            ensure_version(self.db, provider, fact.provider_version, now=fact.recorded_at, settings=self.settings)
            del self._versions[fact.provider, fact.provider_version]
            self._newest.pop(fact.provider, None)
            self.remember(*version_key)
        verification = _new_verification(fact, sha, now=self.now)
        # An equal result here counts for one result of the source only: several of the same second are all copied.
        equal_numbers = (str(number) for number in imports.list_equal_results(self.db, verification))
        existing = next((number for number in equal_numbers if not self.was_copied("copy", number)), None)
        if existing is None:
            self.remember("copy", str(imports.add_result(self.db, verification, tags=fact.tags)))
            self._touch_pair(fact)
        else:
            self.remember("copy", existing)
        self.remember(*key)
        return _COPIED if existing is None else _PRESENT

    def _touch_pair(self, fact: ResultFact) -> None:
        """Move the pair's time of change forward to that of the result, never back, and never into the future."""
        changed_at = self._find_changed_at(fact.consumer, fact.provider)
        recorded_at = min(self.now, fact.recorded_at)
        if changed_at and changed_at < recorded_at:
            publications.touch(self.db, fact.consumer, fact.provider, now=recorded_at)
            self._changed_at[fact.consumer, fact.provider] = recorded_at

    # Contracts of providers

    @_add.register
    def _(self, fact: ProviderContractFact) -> ImportResult:
        if self._find_version(fact.provider, fact.version) is None:
            description = f"Version {fact.version} of {fact.provider}"
            return self.handle_missing(description, "version", fact.provider, fact.version)
        key = ("provider-contract", fact.provider, fact.version, fact.name)
        sha = contracts.load_shas(self.db, fact.provider, fact.version).get(fact.name)
        if sha is None and self.was_copied(*key):
            return _removed("the contract was removed here after an earlier import")
        if sha is not None and sha != fact.contract.sha:
            return _outdated("the version has another document here, which stays")
        has_changed = self._save_contract(fact, is_new=sha is None)
        self.remember(*key)
        self.remember(*key, fact.marker)
        return _COPIED if has_changed else _PRESENT

    def _save_contract(self, fact: ProviderContractFact, *, is_new: bool) -> bool:
        """Add the missing parts of a contract, and return whether there were any. The comparisons are enqueued."""
        names = (fact.provider, fact.version)
        if is_new:
            contracts.add(self.db, *names, fact.contract, now=fact.created_at)
        newest = contracts.find_newest_self_verification(self.db, *names, fact.name)
        result = fact.self_verification
        has_newer = result is not None and (newest is None or newest < result.created_at)
        if result is not None and has_newer and fact.contract.self_verification is not None:
            recorded_at = min(self.now, result.created_at)
            contracts.add_self_verification(
                self.db, *names, fact.name, fact.contract.self_verification, now=recorded_at
            )
        if is_new or has_newer:
            contracts.update_state(self.db, *names)
            refresh_version(self.db, *names, base_url=WITHOUT_WEBHOOKS, now=self.now)
            comparisons.enqueue_for_version(self.db, *names, base_url=WITHOUT_WEBHOOKS, now=self.now)
        return is_new or has_newer

    # Environments, deployments and releases

    @_add.register
    def _(self, fact: EnvironmentFact) -> ImportResult:
        exists = self._find_environment(fact.uuid, fact.name) is not None
        if not exists and self.was_copied("environment", fact.uuid):
            return _removed("the environment was removed here after an earlier import")
        if not exists:
            environment = Environment(
                uuid=fact.uuid,
                name=check_not_blank("name", check_name("name", fact.name)),
                display_name=fact.display_name,
                is_production=fact.is_production,
                contacts=fact.contacts,
                records_decisions=fact.records_decisions,
                allows_first_deployments=fact.allows_first_deployments,
                position=fact.position,
                created_at=fact.created_at,
                updated_at=fact.updated_at,
            )
            deployments.add_environment(self.db, environment)
        self.remember("environment", fact.uuid)
        return _PRESENT if exists else _COPIED

    def _find_environment(self, uuid: str, name: str) -> Environment | None:
        """Find an environment by UUID, or else by name: users may have created it here before the import."""
        return deployments.find(self.db, uuid) or deployments.find_by_name(self.db, name)

    def _target_environment(self, fact: DeploymentFact | ReleaseFact) -> Environment | ImportResult:
        """Find the environment of a deployment or release; return an outcome if it or the version is missing."""
        environment = self._find_environment(fact.environment, fact.environment_name)
        if environment is None:
            return self.handle_missing("The environment", "environment", fact.environment)
        if self._find_version(fact.pacticipant, fact.version) is None:
            description = f"Version {fact.version} of {fact.pacticipant}"
            return self.handle_missing(description, "version", fact.pacticipant, fact.version)
        return environment

    @_add.register
    def _(self, fact: DeploymentFact) -> ImportResult:
        environment = self._target_environment(fact)
        if isinstance(environment, ImportResult):
            return environment
        slot_deployments = imports.list_slot_deployments(self.db, fact, environment.uuid)
        copy = next((deployment for deployment in slot_deployments if deployment.uuid == fact.uuid), None)
        if copy or imports.has_deployment(self.db, fact.uuid):
            return self._end_deployment(fact, copy)
        if self.was_copied("deployment", fact.uuid):
            return _PRESENT
        if fact.undeployed_at:
            return self._add_former_deployment(fact, environment)
        current = next((deployment for deployment in slot_deployments if deployment.undeployed_at is None), None)
        if current and current.version == fact.version:
            return _PRESENT
        return self._add_deployment(fact, environment, slot_deployments)

    def _add_former_deployment(self, fact: DeploymentFact, environment: Environment) -> ImportResult:
        """Add a deployment that has ended in the source. It changes no current one, and is history only."""
        self._insert_deployment(fact, environment, undeployed_at=fact.undeployed_at)
        return _COPIED

    def _insert_deployment(
        self, fact: DeploymentFact, environment: Environment, *, undeployed_at: datetime | None
    ) -> None:
        values = {
            "uuid": fact.uuid,
            "pacticipant": fact.pacticipant,
            "version": fact.version,
            "environment": environment.uuid,
            "application_instance": fact.application_instance,
            "created_at": fact.created_at,
            "undeployed_at": undeployed_at,
            "lacks_decision": fact.lacks_decision,
        }
        imports.add_deployment(self.db, values)
        self.remember("deployment", fact.uuid)
        self._audit(Action.DEPLOYMENT, fact, environment.name)

    def _end_deployment(self, fact: DeploymentFact, copy: imports.SlotDeployment | None) -> ImportResult:
        """End the copy of a deployment that has ended in the source since the last import."""
        if copy is None or copy.undeployed_at or fact.undeployed_at is None:
            return _PRESENT
        deployed = deployments.get_deployed(self.db, fact.uuid)
        deployments.end(self.db, deployed, at=fact.undeployed_at)
        self._audit(Action.DEPLOYMENT_END, fact, deployed.environment.name)
        return _COPIED

    def _add_deployment(
        self, fact: DeploymentFact, environment: Environment, slot_deployments: Sequence[imports.SlotDeployment]
    ) -> ImportResult:
        """Add a deployment by its time: it ends the deployment before it, and a later deployment ends it.

        The undeployment of an older version, even a later one, does not end it: it was about the other version.
        """
        undeployed_at = min(
            (later.created_at for later in slot_deployments if later.created_at > fact.created_at), default=None
        )
        for deployment in slot_deployments:
            if deployment.undeployed_at is None and deployment.created_at <= fact.created_at:
                deployments.end(self.db, deployments.get_deployed(self.db, deployment.uuid), at=fact.created_at)
        self._insert_deployment(fact, environment, undeployed_at=undeployed_at)
        return _COPIED if undeployed_at is None else _outdated("something newer was recorded here, which stays")

    @_add.register
    def _(self, fact: ReleaseFact) -> ImportResult:
        environment = self._target_environment(fact)
        if isinstance(environment, ImportResult):
            return environment
        release = Release(pacticipant=fact.pacticipant, version=fact.version, environment=environment.uuid)
        existing = deployments.find_released(self.db, release)
        if existing is not None:
            return self._change_release(fact, existing)
        if self.was_copied("release", fact.uuid):
            return _PRESENT
        return self._add_release(fact, environment)

    def _add_release(self, fact: ReleaseFact, environment: Environment) -> ImportResult:
        values = {
            "uuid": fact.uuid,
            "pacticipant": fact.pacticipant,
            "version": fact.version,
            "environment": environment.uuid,
            "created_at": fact.created_at,
            "updated_at": fact.updated_at,
            "support_ended_at": fact.support_ended_at,
            "lacks_decision": fact.lacks_decision,
        }
        imports.add_release(self.db, values)
        self.remember("release", fact.uuid)
        self._audit(Action.RELEASE, fact, environment.name)
        return _COPIED

    def _change_release(self, fact: ReleaseFact, existing: ReleasedVersion) -> ImportResult:
        """End or resume support as in the source, unless support was changed here later."""
        match existing.support_ended_at, fact.support_ended_at:
            case None, datetime() as ended_in_source:
                if ended_in_source < existing.updated_at:
                    return _outdated("support was renewed here later")
                deployments.end_support(self.db, existing, at=ended_in_source)
                self._audit(Action.RELEASE_END, fact, existing.environment.name)
                return _COPIED
            case datetime() as ended_here, None:
                if fact.updated_at <= ended_here:
                    return _outdated("support was ended here later")
                deployments.resume_support(self.db, existing, at=fact.updated_at)
                self._audit(Action.RELEASE, fact, existing.environment.name)
                return _COPIED
            case _:
                return _PRESENT

    def _audit(self, action: Action, fact: DeploymentFact | ReleaseFact, environment: str) -> None:
        params = {"version": fact.version, "imported": True}
        audit.record(self.db, action, resource=fact.pacticipant, other=environment, params=params)

    # Webhooks

    @_add.register
    def _(self, fact: WebhookFact) -> ImportResult:
        exists = webhooks.find(self.db, fact.uuid) is not None
        if not exists and self.was_copied("webhook", fact.uuid):
            return _removed("the webhook was removed here after an earlier import")
        if exists:
            self.remember("webhook", fact.uuid)
        return _PRESENT if exists else ImportResult(ImportOutcome.ABSENT)


def _above(newest: imports.VersionPosition | None, new: Version) -> imports.VersionPosition:
    return imports.VersionPosition(new.number, (newest.position if newest else 0) + 1, new.created_at)


def _list_keys(fact: Fact) -> Iterator[tuple[str, ...]]:
    """List the keys of the facts whose copies importing a fact depends on. Others are looked up when they occur."""
    match fact:
        case PacticipantFact():
            yield ("pacticipant", fact.name)
            yield from (("label", fact.name, label) for label in fact.labels)
        case VersionFact():
            yield ("version", fact.pacticipant, fact.number)
            yield from (("branch", fact.pacticipant, branch.name, fact.number) for branch in fact.branches)
            yield from (("tag", fact.pacticipant, fact.number, tag.name) for tag in fact.tags)
        case PactFact():
            pact = (fact.consumer, fact.provider, fact.version)
            yield ("content", fact.consumer, fact.provider, fact.sha)
            yield ("publication", *pact, fact.sha)
            yield ("pact", *pact)
            yield ("pact", *pact, fact.marker)
        case ResultFact():
            yield ("result", fact.consumer, fact.provider, fact.sha, str(fact.number))
            yield ("content", fact.consumer, fact.provider, fact.sha)
        case ProviderContractFact():
            yield ("provider-contract", fact.provider, fact.version, fact.name)
            yield ("provider-contract", fact.provider, fact.version, fact.name, fact.marker)
        case EnvironmentFact() | WebhookFact():
            yield ("environment" if isinstance(fact, EnvironmentFact) else "webhook", fact.uuid)
        case DeploymentFact() | ReleaseFact():
            yield ("deployment" if isinstance(fact, DeploymentFact) else "release", fact.uuid)


def _list_versions(fact: Fact) -> Iterator[tuple[str, str]]:
    """List the versions that a fact is about: pacticipant and number."""
    match fact:
        case VersionFact():
            yield fact.pacticipant, fact.number
        case PactFact():
            yield fact.consumer, fact.version
        case ResultFact():
            yield fact.provider, fact.provider_version
        case ProviderContractFact():
            yield fact.provider, fact.version
        case DeploymentFact() | ReleaseFact():
            yield fact.pacticipant, fact.version
        case _:
            return


def _new_pacticipant(fact: PacticipantFact) -> Pacticipant:
    name = validate_name(fact.name)
    return Pacticipant(
        name=name,
        display_name=fact.display_name or derive_display_name(name),
        main_branch=fact.main_branch,
        contacts=fact.contacts,
        repository_url=fact.repository_url,
        repository_name=fact.repository_name,
        repository_namespace=fact.repository_namespace,
        created_at=fact.created_at,
        updated_at=fact.updated_at,
    )


def _complete_pacticipant(existing: Pacticipant, fact: PacticipantFact, *, was_copied: bool) -> Pacticipant:
    """Add missing properties, unless they were removed here after the source's last change."""
    if was_copied and existing.updated_at > fact.updated_at:
        return existing
    names = ("main_branch", "repository_url", "repository_name", "repository_namespace", "contacts")
    values = {
        name: value for name in names if getattr(existing, name) is None and (value := getattr(fact, name)) is not None
    }
    return replace(existing, **values, updated_at=max(existing.updated_at, fact.updated_at)) if values else existing


def _parse_contract(fact: PactFact) -> Contract:
    """Parse a pact as the source returned it, without the members that a broker adds. Raises Malformed."""
    document = documents.parse_document(fact.content.encode())
    if not fact.is_stored_text:
        tree = {name: value for name, value in document.tree.items() if name not in documents.BROKER_MEMBERS}
        document = Document(tree, document.is_plain)
    document, content = _restore_published(document, fact.sha)
    return Contract(
        consumer=fact.consumer, version=fact.version, provider=fact.provider, document=document, content=content
    )


def _restore_published(document: Document, sha: str) -> tuple[Document, Content]:
    """Remove the ids of interactions that the source added, so that the document is as the consumer published it.

    Consumers may publish ids, too. The candidate with the source's SHA is the right one; without one (the source may
    compute its SHA in another way) only ids in the form of a broker's are removed.
    """
    without_broker_ids = contents.remove_broker_ids(document)
    for candidate in (without_broker_ids, contents.remove_all_ids(document), document):
        content = contents.build_content(candidate)
        if content.sha == sha:
            return candidate, content
    return without_broker_ids, contents.build_content(without_broker_ids)


def _new_verification(fact: ResultFact, sha: str, *, now: datetime) -> NewVerification:
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
        was_pending=fact.was_pending,
        metadata=fact.metadata,
        # A source whose clock is ahead must not record results that outrank those of the next hours.
        created_at=min(now, fact.recorded_at),
    )
