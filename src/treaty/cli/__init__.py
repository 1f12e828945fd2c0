"""The programs: `pact-broker`, the client; and `treaty`, which has the server's commands too."""

import os
from typing import Final

from treaty.cli import output
from treaty.cli.program import Entry, Program

_CLIENT: Final = {
    "publish": Entry("treaty.cli.contracts:publish", "Publish pacts to a broker."),
    "list-latest-pact-versions": Entry(
        "treaty.cli.contracts:list_latest_pact_versions", "List the latest pact of each integration."
    ),
    "get-pacts": Entry(
        "treaty.cli.contracts:get_pacts", "List, and download, the pacts that a provider has to honour."
    ),
    "provider-states": Entry("treaty.cli:PROVIDER_STATES", "What providers have to be prepared for."),
    "can-i-deploy": Entry("treaty.cli.verdicts:can_i_deploy", "Ask whether a version may be deployed."),
    "can-i-merge": Entry("treaty.cli.verdicts:can_i_merge", "Ask whether a version works with all main branches."),
    "create-environment": Entry("treaty.cli.environments:create_environment", "Create an environment."),
    "update-environment": Entry("treaty.cli.environments:update_environment", "Change an environment."),
    "describe-environment": Entry("treaty.cli.environments:describe_environment", "Show an environment."),
    "delete-environment": Entry("treaty.cli.environments:delete_environment", "Delete an environment."),
    "list-environments": Entry("treaty.cli.environments:list_environments", "List the environments."),
    "record-deployment": Entry("treaty.cli.deployments:record_deployment", "Record that a version was deployed."),
    "record-undeployment": Entry(
        "treaty.cli.deployments:record_undeployment", "Record that a pacticipant left an environment."
    ),
    "record-release": Entry("treaty.cli.deployments:record_release", "Record that a version was released."),
    "record-support-ended": Entry(
        "treaty.cli.deployments:record_support_ended", "Record that a release is no longer supported."
    ),
    "create-or-update-pacticipant": Entry(
        "treaty.cli.manage:create_or_update_pacticipant", "Create or change a pacticipant."
    ),
    "describe-pacticipant": Entry("treaty.cli.manage:describe_pacticipant", "Show a pacticipant."),
    "list-pacticipants": Entry("treaty.cli.manage:list_pacticipants", "List the pacticipants."),
    "create-or-update-version": Entry("treaty.cli.manage:create_or_update_version", "Create or change a version."),
    "describe-version": Entry("treaty.cli.manage:describe_version", "Show a version, by default the latest."),
    "create-version-tag": Entry("treaty.cli.manage:create_version_tag", "Tag a version."),
    "delete-version-tag": Entry("treaty.cli.manage:delete_version_tag", "Remove a tag from a version."),
    "delete-branch": Entry("treaty.cli.manage:delete_branch", "Delete a branch, but not its versions."),
    "create-webhook": Entry("treaty.cli.webhooks:create_webhook", "Create a webhook."),
    "create-or-update-webhook": Entry(
        "treaty.cli.webhooks:create_or_update_webhook", "Create or replace a webhook whose UUID is known."
    ),
    "delete-webhook": Entry("treaty.cli.webhooks:delete_webhook", "Delete a webhook."),
    "test-webhook": Entry("treaty.cli.webhooks:test_webhook", "Send a webhook's request once, to see what happens."),
    "generate-uuid": Entry("treaty.cli.manage:generate_uuid", "Make up a UUID, for create-or-update-webhook."),
    "pactflow": Entry("treaty.cli:PACTFLOW", "Commands for PactFlow only."),
    "completions": Entry("treaty.cli.program:completions", "Print a script that lets a shell complete commands."),
    "version": Entry("treaty.cli.program:show_version", "Show Treaty's version."),
    "help": Entry("treaty.cli.program:show_help", "Describe the commands, or one command."),
}
_BETA: Final = {
    "verification-required": Entry(
        "treaty.cli.verdicts:verification_required", "Ask whether the results of a verification are missing still."
    ),
}
_SERVER: Final = {
    "serve": Entry("treaty.cli.server:serve", "Run the broker."),
    "clean": Entry("treaty.cli.cleaning:clean", "Remove old data that nothing needs."),
    "rotate-key": Entry("treaty.cli.server:rotate_key", "Change the key that secrets are sealed with."),
    "import": Entry("treaty.cli.importing:import_all", "Copy what another broker has."),
    "doctor": Entry("treaty.cli.server:doctor", "Look the broker's data over, and mend it."),
    "user": Entry("treaty.cli:USER", "Who may use the broker."),
    "token": Entry("treaty.cli:TOKEN", "What programs sign in with."),
}

if "verification_required" in os.environ.get("PACT_BROKER_FEATURES", ""):
    _CLIENT.update(_BETA)

PROVIDER_STATES: Final = Program(
    "provider-states",
    {
        "list": Entry(
            "treaty.cli.contracts:list_provider_states", "List the states that a provider has to be prepared for."
        )
    },
    text="What providers have to be prepared for.",
)
USER: Final = Program(
    "user",
    {
        "add": Entry("treaty.cli.accounts:add_user", "Add a user, or a system account."),
        "list": Entry("treaty.cli.accounts:list_users", "List the users."),
        "disable": Entry("treaty.cli.accounts:disable_user", "Shut a user out."),
        "enable": Entry("treaty.cli.accounts:enable_user", "Let a user in again."),
        "password": Entry("treaty.cli.accounts:set_password", "Give a user another password."),
        "role": Entry("treaty.cli.accounts:set_role", "Let a user do more, or less."),
    },
    text="Who may use the broker.",
)
TOKEN: Final = Program(
    "token",
    {
        "create": Entry("treaty.cli.accounts:create_token", "Make a token, and print it this once."),
        "list": Entry("treaty.cli.accounts:list_tokens", "List tokens, and when they were used."),
        "revoke": Entry("treaty.cli.accounts:revoke_token", "Revoke a token."),
    },
    text="What programs sign in with.",
)
PACTFLOW: Final = Program(
    "pactflow",
    {
        "publish-provider-contract": Entry(
            "treaty.cli.pactflow:publish_provider_contract", "Publish a provider's contract to PactFlow."
        )
    },
    text="Commands for PactFlow only.",
)
PACT_BROKER: Final = Program("pact-broker", _CLIENT, text="The command line of a Pact Broker.")
TREATY: Final = Program("treaty", _SERVER | _CLIENT, text="Treaty: a Pact Broker and its command line.")


def pact_broker() -> None:
    output.survive_old_terminals()
    PACT_BROKER()


def treaty() -> None:
    output.survive_old_terminals()
    TREATY()
