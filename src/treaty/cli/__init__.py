"""The programs: `pact-broker`, the client, and `treaty`, which also has the server's commands.

Commands are listed with their texts here, so that `help` need not import their modules.
"""

import os
from typing import Final

from treaty.cli import output
from treaty.cli.program import CommandEntry, Program

_CLIENT: Final = {
    "publish": CommandEntry("treaty.cli.contracts:publish", "Publish pacts to a broker."),
    "publish-provider-contract": CommandEntry(
        "treaty.cli.provider_contracts:publish_provider_contract", "Publish the contracts of a provider version."
    ),
    "list-latest-pact-versions": CommandEntry(
        "treaty.cli.contracts:list_latest_pact_versions", "List the latest pact of each integration."
    ),
    "get-pacts": CommandEntry("treaty.cli.contracts:get_pacts", "List or download the pacts that a provider verifies."),
    "provider-states": CommandEntry("treaty.cli:PROVIDER_STATES", "Show the provider states that pacts use."),
    "who-uses": CommandEntry("treaty.cli.usage:who_uses", "Show which consumers use a field or operation."),
    "can-i-deploy": CommandEntry("treaty.cli.verdicts:can_i_deploy", "Check whether a version can be deployed."),
    "can-i-merge": CommandEntry(
        "treaty.cli.verdicts:can_i_merge", "Check whether a version is compatible with all main branches."
    ),
    "what-if": CommandEntry(
        "treaty.cli.what_if:what_if", "Show what a change of an environment would break, without making it."
    ),
    "report": CommandEntry(
        "treaty.cli.reporting.command:report", "Write decisions, causes and changed pacts into a pull request."
    ),
    "decisions": CommandEntry("treaty.cli.decisions:decisions", "List the recorded decisions."),
    "decision": CommandEntry("treaty.cli.decisions:decision", "Show a recorded decision."),
    "override": CommandEntry("treaty.cli:OVERRIDE", "Override negative decisions for a time."),
    "compare": CommandEntry(
        "treaty.cli.comparisons:compare", "Compare OpenAPI and AsyncAPI documents with pacts, without publishing them."
    ),
    "diff": CommandEntry("treaty.cli.comparisons:diff", "List the consumers that a new version of a document breaks."),
    "comparison-engine": CommandEntry(
        "treaty.cli.comparison_engine:comparison_engine",
        "Show which verdicts a newer comparison engine would change, and accept them.",
    ),
    "wait": CommandEntry(
        "treaty.cli.waiting:wait", "Wait for an event, such as a pact that needs verification, without a webhook."
    ),
    "create-environment": CommandEntry("treaty.cli.environments:create_environment", "Create an environment."),
    "update-environment": CommandEntry("treaty.cli.environments:update_environment", "Change an environment."),
    "describe-environment": CommandEntry("treaty.cli.environments:describe_environment", "Show an environment."),
    "delete-environment": CommandEntry("treaty.cli.environments:delete_environment", "Delete an environment."),
    "list-environments": CommandEntry("treaty.cli.environments:list_environments", "List the environments."),
    "record-deployment": CommandEntry(
        "treaty.cli.deployments:record_deployment", "Record that a version was deployed."
    ),
    "record-undeployment": CommandEntry(
        "treaty.cli.deployments:record_undeployment", "Record that a pacticipant was undeployed."
    ),
    "record-release": CommandEntry("treaty.cli.deployments:record_release", "Record that a version was released."),
    "record-support-ended": CommandEntry(
        "treaty.cli.deployments:record_support_ended", "Record that a release is no longer supported."
    ),
    "create-or-update-pacticipant": CommandEntry(
        "treaty.cli.pacticipants:create_or_update_pacticipant", "Create or change a pacticipant."
    ),
    "rename": CommandEntry("treaty.cli.pacticipants:rename", "Rename a pacticipant, with its history."),
    "describe-pacticipant": CommandEntry("treaty.cli.pacticipants:describe_pacticipant", "Show a pacticipant."),
    "list-pacticipants": CommandEntry("treaty.cli.pacticipants:list_pacticipants", "List the pacticipants."),
    "create-or-update-version": CommandEntry(
        "treaty.cli.pacticipants:create_or_update_version", "Create or change a version."
    ),
    "describe-version": CommandEntry(
        "treaty.cli.pacticipants:describe_version", "Show a version, by default the latest."
    ),
    "create-version-tag": CommandEntry("treaty.cli.pacticipants:create_version_tag", "Tag a version."),
    "alias": CommandEntry("treaty.cli.pacticipants:alias", "Give a version other names."),
    "delete-version-tag": CommandEntry("treaty.cli.pacticipants:delete_version_tag", "Remove a tag from a version."),
    "delete-branch": CommandEntry("treaty.cli.pacticipants:delete_branch", "Delete a branch, but not its versions."),
    "create-webhook": CommandEntry("treaty.cli.webhooks:create_webhook", "Create a webhook."),
    "create-or-update-webhook": CommandEntry(
        "treaty.cli.webhooks:create_or_update_webhook", "Create or replace the webhook with a UUID."
    ),
    "delete-webhook": CommandEntry("treaty.cli.webhooks:delete_webhook", "Delete a webhook."),
    "test-webhook": CommandEntry("treaty.cli.webhooks:test_webhook", "Send a webhook's request once, as a test."),
    "generate-uuid": CommandEntry(
        "treaty.cli.pacticipants:generate_uuid", "Generate a UUID for create-or-update-webhook."
    ),
    "pactflow": CommandEntry("treaty.cli:PACTFLOW", "Commands that the original client has for PactFlow."),
    "completions": CommandEntry("treaty.cli.program:completions", "Print a shell's completion script."),
    "version": CommandEntry("treaty.cli.program:show_version", "Show Treaty's version."),
    "help": CommandEntry("treaty.cli.program:show_help", "Describe the commands, or one command."),
}
_BETA: Final = {
    "verification-required": CommandEntry(
        "treaty.cli.verdicts:verification_required", "Check whether verification results are missing."
    ),
}
_SERVER: Final = {
    "serve": CommandEntry("treaty.cli.server:serve", "Run the broker."),
    "clean": CommandEntry("treaty.cli.cleanup:clean", "Remove old data that is no longer needed."),
    "rotate-key": CommandEntry("treaty.cli.server:rotate_key", "Re-encrypt secrets with a new key."),
    "import": CommandEntry("treaty.cli.imports:import_all", "Copy the data of another broker."),
    "backup": CommandEntry("treaty.cli.backups:backup", "Write a backup of the broker's database to a file."),
    "restore": CommandEntry("treaty.cli.backups:restore", "Restore a backup, also into another kind of database."),
    "doctor": CommandEntry("treaty.cli.server:doctor", "Check the broker's data, and repair it."),
    "user": CommandEntry("treaty.cli:USER", "Manage users and system accounts."),
    "token": CommandEntry("treaty.cli:TOKEN", "Manage API tokens."),
    "secret": CommandEntry("treaty.cli:SECRET", "Manage the secrets that webhooks use by name."),
}

if "verification_required" in os.environ.get("PACT_BROKER_FEATURES", ""):
    _CLIENT.update(_BETA)

PROVIDER_STATES: Final = Program(
    "provider-states",
    {
        "list": CommandEntry(
            "treaty.cli.contracts:list_provider_states", "List the provider states that a provider's pacts use."
        )
    },
    text="Show the provider states that pacts use.",
)
OVERRIDE: Final = Program(
    "override",
    {
        "create": CommandEntry("treaty.cli.overrides:create", "Override the decisions about a version."),
        "list": CommandEntry("treaty.cli.overrides:list_overrides", "List overrides."),
        "revoke": CommandEntry("treaty.cli.overrides:revoke", "End an override at once."),
    },
    text="Override negative decisions for a time.",
)
USER: Final = Program(
    "user",
    {
        "add": CommandEntry("treaty.cli.accounts:add_user", "Add a user or a system account."),
        "list": CommandEntry("treaty.cli.accounts:list_users", "List the users."),
        "disable": CommandEntry("treaty.cli.accounts:disable_user", "Disable a user, their sessions and their tokens."),
        "enable": CommandEntry("treaty.cli.accounts:enable_user", "Enable a user again."),
        "password": CommandEntry("treaty.cli.accounts:set_password", "Set a user's password."),
        "role": CommandEntry("treaty.cli.accounts:set_role", "Change a user's role."),
        "limit": CommandEntry("treaty.cli.accounts:limit_user", "Limit a system account to scopes and applications."),
        "reset-second-factor": CommandEntry(
            "treaty.cli.accounts:reset_second_factor", "Remove a user's second factor, if the device is lost."
        ),
    },
    text="Manage users and system accounts.",
)
TOKEN: Final = Program(
    "token",
    {
        "create": CommandEntry("treaty.cli.accounts:create_token", "Create a token and print it, only this once."),
        "list": CommandEntry("treaty.cli.accounts:list_tokens", "List tokens and their last use."),
        "revoke": CommandEntry("treaty.cli.accounts:revoke_token", "Revoke a token."),
    },
    text="Manage API tokens.",
)
SECRET: Final = Program(
    "secret",
    {
        "create": CommandEntry("treaty.cli.secrets:create_secret", "Create a secret."),
        "list": CommandEntry("treaty.cli.secrets:list_secrets", "List secrets and the webhooks that use them."),
        "update": CommandEntry("treaty.cli.secrets:update_secret", "Change a secret."),
        "delete": CommandEntry("treaty.cli.secrets:delete_secret", "Delete a secret."),
    },
    text="Manage the secrets that webhooks use by name.",
)
PACTFLOW: Final = Program(
    "pactflow",
    {
        "publish-provider-contract": CommandEntry(
            "treaty.cli.provider_contracts:publish_provider_contract", "Publish the contracts of a provider version."
        )
    },
    text="Commands that the original client has for PactFlow.",
)
PACT_BROKER: Final = Program("pact-broker", _CLIENT, text="The command line client of a Pact Broker.")
TREATY: Final = Program("treaty", _SERVER | _CLIENT, text="Treaty: a Pact Broker and its command line.")


def pact_broker() -> None:
    output.replace_unencodable_characters()
    PACT_BROKER()


def treaty() -> None:
    output.replace_unencodable_characters()
    TREATY()
