"""The tables, for SQLite and PostgreSQL.

Three rules apply to all tables. `position` orders the versions of a pacticipant; tags, branch versions and publications
have a copy, so that "the latest with ..." is one index look-up. Columns that decisions need are denormalized:
`branch.head_version_id`, `tag_head`, `integration.latest_publication_id`, `publication.is_current`,
`verification.is_latest`, `version.documents_sha` and `version.is_self_verified`. The columns
`integration.newest_result_*`, for pages, state by themselves whether they are valid (store/newest_results.py). A
content is stored once for each consumer, provider and hash, apart from its publications.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.types import TypeEngine


class Time(TypeDecorator[datetime]):
    """An aware time in UTC. SQLite has no zones, so it stores ISO 8601 text of a fixed length, which sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Convert to text for SQLite, and to a time with a zone for other databases."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Convert an aware time to the driver's type."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[..., datetime | None]:  # noqa: ARG002 - SQLAlchemy's
        """Return a converter from the driver's value to an aware time in UTC. Called once per statement."""
        return _read_text if dialect.name == "sqlite" else _read_time


def _read_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _read_time(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata: Final = MetaData(naming_convention=NAMING)

_POSTGRESQL: Final = "postgresql"


def _index(
    name: str | None, *columns: str | TextClause, where: str | None = None, is_unique: bool = False, **options: object
) -> Index:
    """Define an index with a condition, or with options of PostgreSQL (see `add_postgresql_options`)."""
    condition = None if where is None else text(where)
    for_postgresql = options if condition is None else {"where": condition, **options}
    return Index(name, *columns, unique=is_unique, sqlite_where=condition, info={_POSTGRESQL: for_postgresql})


def add_postgresql_options() -> None:
    """Add PostgreSQL's options to the indexes, for a comparison of these tables with those of a database.

    SQLAlchemy loads its dialect to check them, which takes 2 MiB that servers with SQLite have no use for.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            for name, value in index.info.get(_POSTGRESQL, {}).items():
                index.dialect_options[_POSTGRESQL][name] = value


def _id(*, start: int = 1) -> Column[int]:
    return Column("id", Integer, Identity(start=start), primary_key=True)


def _to(table: str, name: str | None = None, *, nullable: bool = False, ondelete: str = "CASCADE") -> Column[int]:
    key = ForeignKey(f"{table}.id", ondelete=ondelete)
    return Column(name or f"{table}_id", Integer, key, nullable=nullable)


def _part_of_key(table: str, name: str) -> Column[int]:
    key = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(name, Integer, key, primary_key=True, autoincrement=False)


def _created() -> Column[datetime]:
    return Column("created_at", Time, nullable=False)


def _updated() -> Column[datetime]:
    return Column("updated_at", Time, nullable=False)


pacticipant: Final = Table(
    "pacticipant",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("repository_url", Text),
    Column("repository_name", Text),
    Column("repository_namespace", Text),
    Column("main_branch", Text),
    Column("contacts", Text),
    # The latest change of the name; null for pacticipants that still have their first name.
    Column("renamed_at", Time),
    _created(),
    _updated(),
    # The profile by which a provider's contracts are compared with pacts; null for the default.
    Column("comparison_profile", Text),
    # The order of lists. Names can be so long that PostgreSQL could not index two of them in one entry.
    Index("ix_pacticipant_lower_name", text("lower(name)")),
)

# Former names of renamed pacticipants. A name is removed when another pacticipant takes it.
former_name: Final = Table(
    "former_name",
    metadata,
    Column("name", Text, primary_key=True),
    _to("pacticipant"),
    _created(),
    Index(None, "pacticipant_id"),
)

label: Final = Table(
    "label",
    metadata,
    _id(),
    _to("pacticipant"),
    Column("name", Text, nullable=False),
    _created(),
    _updated(),
    UniqueConstraint("pacticipant_id", "name"),
    Index(None, "name"),
)

# Ids of versions and verifications are part of links that clients store, so they are never reused.
version: Final = Table(
    "version",
    metadata,
    _id(),
    _to("pacticipant"),
    Column("number", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("build_url", Text),
    _created(),
    _updated(),
    # Denormalized from the version's provider contracts: the hash of the sorted hashes of their documents, null
    # without a contract; and whether the newest self-verification of each contract succeeded, null if one has none.
    Column("documents_sha", Text),
    Column("is_self_verified", Boolean),
    UniqueConstraint("pacticipant_id", "number"),
    # Compares bytes on PostgreSQL, whatever its collation, as ranges of prefixes need.
    _index(None, "number", ops={"number": "text_pattern_ops"}),
    Index(None, "pacticipant_id", "position"),
    _index(
        "ix_version_with_documents",
        "pacticipant_id",
        "documents_sha",
        where="documents_sha IS NOT NULL",
    ),
    sqlite_autoincrement=True,
)

branch: Final = Table(
    "branch",
    metadata,
    _id(),
    _to("pacticipant"),
    Column("name", Text, nullable=False),
    _to("version", "head_version_id", nullable=True, ondelete="SET NULL"),
    _created(),
    _updated(),
    UniqueConstraint("pacticipant_id", "name"),
    Index(None, "head_version_id"),
)

branch_version: Final = Table(
    "branch_version",
    metadata,
    _id(),
    _to("branch"),
    _to("version"),
    Column("position", Integer, nullable=False),
    Column("is_auto_created", Boolean, nullable=False),
    _created(),
    _updated(),
    UniqueConstraint("branch_id", "version_id"),
    Index(None, "branch_id", "position"),
    Index(None, "version_id"),
)

tag: Final = Table(
    "tag",
    metadata,
    _id(),
    _to("version"),
    _to("pacticipant"),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
    _created(),
    _updated(),
    UniqueConstraint("version_id", "name"),
    Index(None, "pacticipant_id", "name", "position"),
)

# Other names of versions, for builds that leave a pacticipant unchanged. A version of that number wins over an alias.
version_alias: Final = Table(
    "version_alias",
    metadata,
    _id(),
    _to("pacticipant"),
    _to("version"),
    Column("name", Text, nullable=False),
    _created(),
    UniqueConstraint("pacticipant_id", "name"),
    Index(None, "version_id"),
)

tag_head: Final = Table(
    "tag_head",
    metadata,
    _id(),
    _to("pacticipant"),
    Column("name", Text, nullable=False),
    _to("version"),
    UniqueConstraint("pacticipant_id", "name"),
    Index(None, "version_id"),
)

environment: Final = Table(
    "environment",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("is_production", Boolean, nullable=False),
    Column("contacts", Text),
    _created(),
    _updated(),
    # Whether decisions about deployments to it are recorded, and deployments without a recorded yes are marked.
    Column("records_decisions", Boolean, nullable=False, server_default=false()),
    Column("allows_first_deployments", Boolean, nullable=False, server_default=false()),
    Column("position", Integer),
)

# Overrides of negative decisions. They are removed together with their version; the audit trail keeps the events.
deployment_override: Final = Table(
    "deployment_override",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    _to("version"),
    _to("environment"),
    # The only counterpart whose results are overridden; null for all.
    _to("pacticipant", "counterpart_id", nullable=True),
    Column("reason", Text, nullable=False),
    Column("created_by", Text),
    _created(),
    Column("expires_at", Time, nullable=False),
    Column("revoked_by", Text),
    Column("revoked_at", Time),
    Index(None, "version_id", "environment_id"),
    Index(None, "environment_id"),
    Index(None, "counterpart_id"),
)

deployed_version: Final = Table(
    "deployed_version",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    _to("pacticipant"),
    _to("version"),
    _to("environment"),
    Column("application_instance", Text),
    Column("is_auto_created", Boolean, nullable=False),
    _created(),
    _updated(),
    Column("undeployed_at", Time),
    Column("lacks_decision", Boolean, nullable=False, server_default=false()),
    Index(None, "version_id", "environment_id"),
    Index(None, "pacticipant_id"),
    Index(None, "created_at"),
    # Finds currently deployed versions without reading those that were deployed before, nor their rows.
    _index(
        "ix_deployed_version_in_use",
        "pacticipant_id",
        "environment_id",
        "version_id",
        where="undeployed_at IS NULL",
    ),
    # One version at a time is deployed to each application instance; "no instance" counts as an instance.
    _index(
        "uq_deployed_version_running",
        "environment_id",
        "pacticipant_id",
        text("coalesce(application_instance, '')"),
        is_unique=True,
        where="undeployed_at IS NULL",
    ),
)

released_version: Final = Table(
    "released_version",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    _to("pacticipant"),
    _to("version"),
    _to("environment"),
    _created(),
    _updated(),
    Column("support_ended_at", Time),
    Column("lacks_decision", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("version_id", "environment_id"),
    Index(None, "pacticipant_id"),
    Index(None, "created_at"),
    # Finds currently supported versions without reading those that were supported before.
    _index(
        "ix_released_version_supported_of",
        "pacticipant_id",
        where="support_ended_at IS NULL",
    ),
    _index(
        "ix_released_version_supported",
        "environment_id",
        "pacticipant_id",
        where="support_ended_at IS NULL",
    ),
)

# A recorded decision is history: it has the names and the facts as they were, and no key to anything that may change.
decision: Final = Table(
    "decision",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    Column("environment", Text, nullable=False),
    Column("environment_uuid", Text, nullable=False),
    Column("deployable", Boolean),
    # Names of the causes of a decision that is not yes, as a JSON list.
    Column("causes", Text, nullable=False),
    Column("who", Text),
    Column("token", Text),
    Column("client", Text),
    # The question, the answer and its facts, as JSON.
    Column("document", Text, nullable=False),
    _created(),
    Index(None, "created_at", "id"),
    Index(None, "environment_uuid", "created_at"),
)

decision_version: Final = Table(
    "decision_version",
    metadata,
    _id(),
    _to("decision"),
    # Null once the version has been removed, or if it did not exist.
    _to("version", nullable=True, ondelete="SET NULL"),
    Column("pacticipant", Text, nullable=False),
    Column("number", Text, nullable=False),
    Index(None, "decision_id"),
    Index(None, "version_id"),
    Index(None, "pacticipant", "number"),
)

content: Final = Table(
    "content",
    metadata,
    _id(),
    _to("pacticipant", "consumer_id"),
    _to("pacticipant", "provider_id"),
    Column("sha", Text, nullable=False),
    _created(),
    # The last column, so that queries without the body do not read its pages.
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("consumer_id", "provider_id", "sha"),
    Index(None, "provider_id"),
)

publication: Final = Table(
    "publication",
    metadata,
    _id(),
    _to("pacticipant", "consumer_id"),
    _to("pacticipant", "provider_id"),
    _to("version", "consumer_version_id"),
    _to("content"),
    Column("revision", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("is_current", Boolean, nullable=False),
    _created(),
    UniqueConstraint("consumer_version_id", "provider_id", "revision"),
    # Finds the contents of a version's pacts without reading each publication: those of one pair are stored far apart.
    Index("ix_publication_current", "consumer_version_id", "is_current", "provider_id", "content_id"),
    Index(None, "consumer_id", "provider_id", "position"),
    # Lists the newest publications of a pair in order, and finds those of a provider. `is_current` is not among the
    # first columns: SQLite would then prefer it to the index above, and sort by position.
    Index("ix_publication_newest", "provider_id", "consumer_id", "consumer_version_id", "is_current", "content_id"),
    Index(None, "content_id", "position"),
    Index(None, "created_at"),
)

integration: Final = Table(
    "integration",
    metadata,
    _id(),
    _to("pacticipant", "consumer_id"),
    _to("pacticipant", "provider_id"),
    _to("publication", "latest_publication_id", nullable=True, ondelete="SET NULL"),
    Column("contract_data_updated_at", Time),
    _created(),
    # Null for the policy of the environment.
    Column("allows_first_deployments", Boolean),
    # When the event `contract_unused` happened; NULL once the contract is in use again.
    Column("unused_since", Time),
    # The newest result for the latest pact, and the values of `latest_publication_id` and `contract_data_updated_at`
    # for which it was copied: it is valid while they are the same (store/newest_results.py).
    _to("verification", "newest_result_id", nullable=True, ondelete="SET NULL"),
    Column("newest_result_state", Text),
    Column("newest_result_publication_id", Integer),
    Column("newest_result_at", Time),
    UniqueConstraint("consumer_id", "provider_id"),
    Index(None, "provider_id"),
    Index(None, "latest_publication_id"),
    Index(None, "newest_result_id"),
    # The order of the list. An expression determines the position of NULL, because SQLite has no other way in an index.
    Index(
        "ix_integration_busiest",
        text("(contract_data_updated_at IS NULL)"),
        text("contract_data_updated_at DESC"),
        text("id DESC"),
    ),
)

verification: Final = Table(
    "verification",
    metadata,
    _id(start=101),
    _to("pacticipant", "consumer_id"),
    _to("pacticipant", "provider_id"),
    _to("content"),
    _to("version", "provider_version_id"),
    Column("success", Boolean, nullable=False),
    Column("is_latest", Boolean, nullable=False),
    Column("is_wip", Boolean, nullable=False),
    Column("was_pending", Boolean),
    Column("build_url", Text),
    Column("verified_at", Time, nullable=False),
    _created(),
    Column("selectors", Text),
    Column("tags", Text),
    Column("verified_by", Text),
    Column("test_results", Text),
    # Set in results of comparing the content with the version's provider contract; null in results of verifiers. Not a
    # foreign key, which SQLite could only add with a copy of the whole table: both belong to the same content.
    Column("comparison_id", Integer),
    # Includes `success`, so that combinations of deployed versions are checked without reading each result.
    Index("ix_verification_between", "content_id", "provider_version_id", "is_latest", "success"),
    # Finds the newest result for a content. An imported result keeps its original time, so it can be older than
    # results with lower ids. Has the columns of a state, so that all states are counted without reading results.
    Index("ix_verification_newest", "content_id", "created_at", "id", "success", "was_pending"),
    Index(None, "created_at"),
    Index(None, "provider_version_id"),
    Index(None, "provider_id"),
    Index(None, "consumer_id", "provider_id"),
    _index(
        "ix_verification_compared",
        "comparison_id",
        where="comparison_id IS NOT NULL",
    ),
    sqlite_autoincrement=True,
)

# OpenAPI and AsyncAPI documents of providers, each stored once for a provider.
provider_document: Final = Table(
    "provider_document",
    metadata,
    _id(),
    _to("pacticipant", "provider_id"),
    # Hash of the specification and the source.
    Column("sha", Text, nullable=False),
    Column("specification", Text, nullable=False),
    # JSON: the operations that the document describes.
    Column("operations", Text, nullable=False),
    _created(),
    # The source as it was published, and its value as JSON, which is parsed much faster than YAML.
    Column("source", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("provider_id", "sha"),
)

# The names in a document, for search (store/usage/documents.py). On SQLite the virtual table `usage_text_documents`
# indexes the words; triggers update it.
document_index: Final = Table(
    "document_index",
    metadata,
    _part_of_key("provider_document", "provider_document_id"),
    Column("format", SmallInteger, nullable=False),
    # The provider and all words, separated by spaces.
    Column("words", Text, nullable=False),
    # JSON: lists of the kind of a name, the name, and its words.
    Column("names", Text, nullable=False),
    _index(
        "ix_document_index_words",
        text("array_to_tsvector(string_to_array(words, ' '))"),
        using="gin",
    ).ddl_if(dialect="postgresql"),
)

# The contracts of provider versions. A version has one without a name, or several with names.
provider_contract: Final = Table(
    "provider_contract",
    metadata,
    _id(),
    _to("version"),
    _to("provider_document"),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    _created(),
    UniqueConstraint("version_id", "name"),
    Index(None, "provider_document_id"),
)

# Results of testing a provider against its own contract. The newest counts.
self_verification: Final = Table(
    "self_verification",
    metadata,
    _id(),
    _to("provider_contract"),
    Column("success", Boolean, nullable=False),
    Column("content_type", Text),
    Column("format", Text),
    Column("verifier", Text),
    Column("verifier_version", Text),
    _created(),
    Column("content", LargeBinary),
    # JSON: the operations that the content shows. NULL if there is no content, or if it has not been read yet.
    Column("report", Text),
    Index(None, "provider_contract_id"),
)

# Comparisons of a pact's content with a set of documents. They depend on content only, so versions share them.
comparison: Final = Table(
    "comparison",
    metadata,
    _id(),
    _to("content"),
    Column("documents_sha", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("is_compatible", Boolean, nullable=False),
    # Whether the documents describe each kind of interaction. A result of a verifier must cover the others.
    Column("is_complete", Boolean, nullable=False),
    # The verdict that webhooks were told last.
    Column("announced_success", Boolean),
    _created(),
    # JSON: findings, notes and counts.
    Column("details", LargeBinary, nullable=False),
    UniqueConstraint("content_id", "documents_sha", "engine", "profile"),
    # Finds those of former versions of the engine.
    Index(None, "engine"),
)

# Results by a newer version of the engine that would change a verdict, until they are accepted.
recomparison: Final = Table(
    "recomparison",
    metadata,
    _id(),
    _to("comparison"),
    Column("engine", Text, nullable=False),
    # NULL if the newer engine failed: the former result stays.
    Column("is_compatible", Boolean),
    Column("is_complete", Boolean),
    # The server's URL for webhooks, once accepted.
    Column("accepted_base_url", Text),
    _created(),
    Column("details", LargeBinary),
    UniqueConstraint("comparison_id"),
)

# Queue of comparisons: of a content, of a provider version, or of both with each other. `due_at` is when a worker may
# claim the task; while it is claimed, when the claim expires.
comparison_task: Final = Table(
    "comparison_task",
    metadata,
    _id(),
    _to("version", nullable=True),
    _to("content", nullable=True),
    Column("base_url", Text, nullable=False),
    Column("due_at", Time, nullable=False),
    _created(),
    UniqueConstraint("version_id", "content_id"),
    Index(None, "content_id"),
    Index(None, "due_at"),
)

# Successes by the tags that the provider's version had when the result was published: they end work in progress.
tag_success: Final = Table(
    "tag_success",
    metadata,
    _id(),
    _to("content"),
    _to("verification"),
    Column("tag", Text, nullable=False),
    Column("is_wip", Boolean, nullable=False),
    Column("verified_at", Time, nullable=False),
    Index(None, "content_id", "tag"),
    Index(None, "verification_id"),
)

webhook: Final = Table(
    "webhook",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    Column("description", Text),
    _to("pacticipant", "consumer_id", nullable=True),
    _to("pacticipant", "provider_id", nullable=True),
    Column("consumer_label", Text),
    Column("provider_label", Text),
    Column("is_enabled", Boolean, nullable=False),
    Column("method", Text, nullable=False),
    Column("url", Text, nullable=False),
    # Headers, password and secret are JSON, in which values that the API does not show are encrypted.
    Column("headers", Text, nullable=False),
    Column("body", Text),
    Column("username", Text),
    Column("password", Text),
    Column("secret", Text),
    Column("filters", Text),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Time),
    # Whether no deliveries are enqueued while the webhook is failing.
    Column("pauses", Boolean, nullable=False, server_default=false()),
    _created(),
    _updated(),
    # Whether the webhook is for a list of consumers or providers, its members. Without this mark, a webhook whose
    # members have all been removed would be for all pacts.
    Column("lists_consumers", Boolean, nullable=False, server_default=false()),
    Column("lists_providers", Boolean, nullable=False, server_default=false()),
    # Seconds for which events are collected into a digest; NULL for a delivery for each event.
    Column("digest_seconds", Integer),
    Index(None, "consumer_id"),
    Index(None, "provider_id"),
)

# The consumers and providers that a webhook lists: each by its id, or all that have a label.
webhook_member: Final = Table(
    "webhook_member",
    metadata,
    _id(),
    _to("webhook"),
    Column("role", Text, nullable=False),
    _to("pacticipant", nullable=True),
    Column("label", Text),
    Index(None, "webhook_id"),
    Index(None, "pacticipant_id"),
)

webhook_event: Final = Table(
    "webhook_event",
    metadata,
    _id(),
    _to("webhook"),
    Column("name", Text, nullable=False),
    UniqueConstraint("webhook_id", "name"),
)

# Secrets that webhooks refer to by name. Values are encrypted; origins are JSON.
secret: Final = Table(
    "secret",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text),
    Column("value", Text, nullable=False),
    Column("origins", Text, nullable=False),
    _created(),
    _updated(),
)

# Deliveries to webhooks. `due_at` is set until a delivery has succeeded or failed for good. While a delivery is
# claimed, it is the time at which the claim expires.
triggered_webhook: Final = Table(
    "triggered_webhook",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    _to("webhook", nullable=True, ondelete="SET NULL"),
    _to("pacticipant", "consumer_id"),
    _to("pacticipant", "provider_id"),
    _to("publication", nullable=True),
    _to("verification", nullable=True, ondelete="SET NULL"),
    Column("event", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Time),
    Column("claimed_by", Text),
    _created(),
    # JSON: the values of parameters, stored when the version, branch or result that they come from is removed.
    Column("facts", Text),
    Index(None, "publication_id"),
    Index(None, "verification_id"),
    Index(None, "consumer_id", "provider_id", "webhook_id", "event"),
    Index(None, "provider_id"),
    Index(None, "webhook_id"),
    _index(
        "ix_triggered_webhook_due",
        "due_at",
        where="due_at IS NOT NULL",
    ),
    # Finds earlier deliveries to the same webhook about the same pair: later ones wait for them.
    _index(
        "ix_triggered_webhook_order",
        "webhook_id",
        "consumer_id",
        "provider_id",
        "id",
        where="due_at IS NOT NULL",
    ),
    sqlite_autoincrement=True,
)

# Events of webhooks with a digest, until the digest has been delivered. If the delivery is removed together with
# another pacticipant, the next digest contains them.
digest_event: Final = Table(
    "digest_event",
    metadata,
    _id(),
    _to("webhook"),
    _to("pacticipant", "consumer_id"),
    _to("pacticipant", "provider_id"),
    _to("triggered_webhook", nullable=True, ondelete="SET NULL"),
    Column("event", Text, nullable=False),
    Column("consumer_version", Text, nullable=False),
    Column("context", Text, nullable=False),
    _created(),
    Index(None, "webhook_id", "triggered_webhook_id"),
    Index(None, "triggered_webhook_id"),
    Index(None, "consumer_id", "provider_id"),
    Index(None, "provider_id"),
)

# Contents for which the event `verification_overdue` has happened: for a provider version, or (empty) for any.
overdue_verification: Final = Table(
    "overdue_verification",
    metadata,
    _id(),
    _to("content"),
    Column("provider_version", Text, nullable=False),
    _created(),
    UniqueConstraint("content_id", "provider_version"),
)

webhook_execution: Final = Table(
    "webhook_execution",
    metadata,
    _id(),
    _to("triggered_webhook"),
    Column("success", Boolean, nullable=False),
    Column("status", Integer),
    Column("milliseconds", Integer, nullable=False),
    _created(),
    Column("logs", Text, nullable=False),
    Index(None, "triggered_webhook_id"),
)

# The event log (store/webhooks/event_log). Events have no foreign keys, because they remain when the things they are
# about are removed. Ids can become visible out of order on PostgreSQL, so readers follow `position`, which is assigned
# after the commit.
event: Final = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(start=1), primary_key=True),
    Column("position", BigInteger),
    Column("name", Text, nullable=False),
    Column("consumer", Text),
    Column("consumer_version", Text),
    Column("provider", Text),
    Column("provider_version", Text),
    Column("sha", Text),
    # Number of the result. The result may have been removed.
    Column("verification", Integer),
    # JSON.
    Column("details", Text),
    _created(),
    _index(
        "ix_event_position",
        "position",
        is_unique=True,
        where="position IS NOT NULL",
    ),
    _index(
        "ix_event_waiting",
        "id",
        where="position IS NULL",
    ),
    sqlite_autoincrement=True,
)

# One row: the latest position in the event log, and the log's UUID, which cursors contain. It is locked while positions
# are assigned.
event_log: Final = Table(
    "event_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("uuid", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
)

# Exclusive rights of a process to a task, such as the clean-up, until they expire.
lease: Final = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Time, nullable=False),
)

# One row, with the first credential: the encrypted key of keyed hashes. Only servers of earlier versions use the other
# columns, for which there is `setup_link` now.
access: Final = Table(
    "access",
    metadata,
    _id(),
    Column("sealed_key", Text, nullable=False),
    Column("setup_hash", Text),
    Column("setup_until", Time),
)

# One row at most: the link that creates the first administrator.
setup_link: Final = Table(
    "setup_link",
    metadata,
    _id(),
    Column("hash", Text, nullable=False),
    Column("until", Time, nullable=False),
)

# Limits are JSON: the scopes and applications that a system account, or a token, is limited to; null is unlimited.
account: Final = Table(
    "account",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("email", Text),
    Column("password", Text),
    Column("role", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_system", Boolean, nullable=False),
    Column("signed_in_at", Time),
    Column("limits", Text),
    # Set while signing in with the password requires a code, too.
    Column("second_factor_at", Time),
    _created(),
    _updated(),
)

token: Final = Table(
    "token",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    _to("account"),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hash", Text, unique=True),
    Column("ending", Text),
    Column("expires_at", Time),
    Column("used_at", Time),
    Column("used_from", Text),
    Column("issued_at", Time),
    Column("limits", Text),
    _created(),
    UniqueConstraint("account_id", "name"),
)

# Sessions of a user in the settings have no account, but a keyed hash of that user's name and password.
session: Final = Table(
    "session",
    metadata,
    _id(),
    Column("uuid", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True),
    _to("account", nullable=True),
    Column("proof", Text),
    Column("seen_at", Time, nullable=False),
    Column("address", Text),
    Column("agent", Text),
    # The latest re-authentication; null since the session was opened.
    Column("authenticated_at", Time),
    _created(),
    Index(None, "account_id"),
    Index(None, "seen_at"),
)

# Browsers whose user has entered the right password, and has to enter a code next.
pending_sign_in: Final = Table(
    "pending_sign_in",
    metadata,
    _id(),
    Column("hash", Text, nullable=False, unique=True),
    _to("account"),
    _created(),
    Index(None, "account_id"),
    Index(None, "created_at"),
)

# Secrets of one-time passwords, encrypted. One without `account.second_factor_at` is being set up.
second_factor: Final = Table(
    "second_factor",
    metadata,
    _id(),
    _to("account"),
    Column("secret", Text, nullable=False),
    # Number of the period of the latest accepted code. Codes of this and earlier periods are rejected.
    Column("latest_step", Integer),
    _created(),
    UniqueConstraint("account_id"),
)

recovery_code: Final = Table(
    "recovery_code",
    metadata,
    _id(),
    _to("account"),
    Column("hash", Text, nullable=False),
    UniqueConstraint("account_id", "hash"),
)

# Attempts to sign in by account and address, address, network, and account. Keys are hashes, because users sometimes
# type passwords into the field for the name.
guess: Final = Table(
    "guess",
    metadata,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("latest", Time, nullable=False),
    Index(None, "latest"),
)

# Addresses from which accounts have signed in. The key is the one for failures of the account from the address.
trusted_address: Final = Table(
    "trusted_address",
    metadata,
    Column("key", Text, primary_key=True),
    Column("latest", Time, nullable=False),
    Index(None, "latest"),
)

# Facts that an import has copied from another broker, by a hash of the source and the fact. A fact is copied only once,
# because a fact that is missing here later was removed here.
imported_fact: Final = Table(
    "imported_fact",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text),
    _created(),
)

# Audit events. Rows have no foreign keys, because they remain when the things they are about are removed. An id
# contains the time of its event, so the primary key has the order of the events.
audit: Final = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("who", Text),
    Column("account", Text),
    Column("credential", Text, nullable=False),
    Column("credential_name", Text),
    Column("credential_id", Text),
    Column("address", Text),
    Column("request_id", Text),
    Column("method", Text),
    Column("path", Text),
    Column("query", Text),
    Column("user_agent", Text),
    Column("referer", Text),
    Column("resource", Text),
    Column("other", Text),
    # JSON: parameters, the state before, and the state after.
    Column("details", Text),
    Column("status", Integer),
    Column("count", Integer, nullable=False),
    Index(None, "type", "id"),
    *(
        _index(
            f"ix_audit_{name}",
            name,
            "id",
            where=f"{name} IS NOT NULL",
        )
        for name in ("who", "resource", "other")
    ),
)

# Events that the collector has, from the last day of forwarding.
audit_forwarded: Final = Table(
    "audit_forwarded",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
)

# The usage index: what the contents of pacts expect (store/usage). Interactions that differ in example values only are
# one row of a pair. A term is an expectation's place and name, of a provider.
usage_term: Final = Table(
    "usage_term",
    metadata,
    _id(),
    _to("pacticipant", "provider_id"),
    Column("place", Text, nullable=False),
    Column("name", Text, nullable=False),
    # The last step of a JSON pointer, or the name of a header or parameter; null for other places.
    Column("field", Text),
    # For search: the provider and the words of the name, separated by spaces. On SQLite the virtual table `usage_text`
    # indexes them; triggers update it.
    Column("words", Text, nullable=False),
    UniqueConstraint("provider_id", "name", "place"),
    Index(None, "provider_id", "place"),
    Index(None, "provider_id", "field"),
    _index(
        "ix_usage_term_words",
        text("array_to_tsvector(string_to_array(words, ' '))"),
        using="gin",
    ).ddl_if(dialect="postgresql"),
)

usage_interaction: Final = Table(
    "usage_interaction",
    metadata,
    _id(),
    _to("pacticipant", "consumer_id"),
    _to("pacticipant", "provider_id"),
    Column("digest", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _to("usage_term", "description_id"),
    # The operation or the message; null for a request without a path.
    _to("usage_term", "operation_id", nullable=True),
    UniqueConstraint("consumer_id", "provider_id", "digest"),
    Index(None, "provider_id"),
    Index(None, "description_id"),
    Index(None, "operation_id"),
)

usage_expectation: Final = Table(
    "usage_expectation",
    metadata,
    _part_of_key("usage_term", "term_id"),
    _part_of_key("usage_interaction", "interaction_id"),
    Column("strictness", SmallInteger, nullable=False),
    # Has both columns, so that PostgreSQL need not read the rows of an interaction.
    Index(None, "interaction_id", "term_id"),
    sqlite_with_rowid=False,
)

usage_occurrence: Final = Table(
    "usage_occurrence",
    metadata,
    _part_of_key("content", "content_id"),
    _part_of_key("usage_interaction", "interaction_id"),
    Index(None, "interaction_id"),
    sqlite_with_rowid=False,
)

# Contents that are indexed. A content without a row, or with one of an older format, waits for the indexing worker.
usage_content: Final = Table(
    "usage_content",
    metadata,
    _part_of_key("content", "content_id"),
    Column("format", SmallInteger, nullable=False),
    Column("interactions", Integer, nullable=False),
    Column("is_truncated", Boolean, nullable=False),
)
