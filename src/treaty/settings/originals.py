"""Variables of the original broker and its container image that have no effect on Treaty, each with the reason.

The names are those of its documentation, its image and its Helm chart. None of them prevents a start.
"""

from collections.abc import Mapping
from typing import Final

from treaty.settings.sources import PREFIXES

_MIGRATES: Final = "The server always upgrades the tables when it starts."
_STANDARD_ERROR: Final = "The log is written to standard error."
_NO_SQL_LOG: Final = "SQL statements are not logged. PostgreSQL logs slow ones with log_min_duration_statement."
_NO_RACK: Final = "Treaty does not use Rack, and its protection against forged requests is always on."

UNUSED_SETTINGS: Final[Mapping[str, str]] = {
    "allow_missing_migration_files": "The server never starts on tables of a newer version than its own.",
    "auto_migrate_db": _MIGRATES,
    "auto_migrate_db_data": _MIGRATES,
    "base_equality_only_on_content_that_affects_verification_results": (
        "Pacts always share results if they differ only in parts that do not affect a verification."
    ),
    "basic_auth_enabled": "Requests need a password as soon as there are a user and a password.",
    "conf": "Settings in a file belong in treaty.toml. Copy those of config/pact_broker.yml.",
    "database_connection_validation_timeout": "A lost connection to the database is replaced when it is noticed.",
    "database_statement_timeout": (
        "Treaty cancels no statements. To do so, set statement_timeout in PostgreSQL for Treaty's user."
    ),
    "hide_pactflow_messages": "There are no such messages.",
    "http_debug_logging_enabled": "Headers and bodies are not logged, because they contain secrets.",
    "log_configuration_on_startup": "The settings are not logged.",
    "log_dir": _STANDARD_ERROR,
    "log_otel_enabled": _STANDARD_ERROR,
    "log_stream": _STANDARD_ERROR,
    "metrics_sql_statement_timeout": "The queries of the metrics have no timeout of their own.",
    "migration_target": "Tables are not downgraded. To go back to an earlier version, restore a backup.",
    "network_diagram_max_pacticipants": "The network has no limit.",
    "rack_protection_except": _NO_RACK,
    "rack_protection_use": _NO_RACK,
    "semver_formats": (
        "With order_versions_by_date=false, versions are ordered as semantic versions, and a pact or result whose "
        "version has no such number gets 400."
    ),
    "sql_enable_caller_logging": _NO_SQL_LOG,
    "sql_log_level": _NO_SQL_LOG,
    "sql_log_warn_duration": _NO_SQL_LOG,
    "use_case_sensitive_resource_names": "Names are case-sensitive.",
    "use_hal_browser": "The API explorer is always available, also at the HAL browser's URL.",
    "use_rack_protection": _NO_RACK,
    "validate_database_connection_config": "The encoding of the database is not checked. Use UTF-8.",
    "warning_error_class_names": "Its values are classes of Ruby.",
}
UNUSED_VARIABLES: Final[Mapping[str, str]] = {
    **{f"{PREFIXES[-1]}{name.upper()}": reason for name, reason in UNUSED_SETTINGS.items()},
    "RACK_ENV": "Treaty does not use Rack, and has a single mode.",
}
"""The variables by their full names."""


def find_unused(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that have no effect, with the reasons."""
    return {name: reason for name, reason in UNUSED_VARIABLES.items() if environ.get(name)}
