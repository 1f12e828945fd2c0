"""A request for each route that writes, in a broker that has the data that the request refers to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tests.api.client import Answer, Api, pact, publication
from tests.api.history import History
from treaty.model.compare.engine_version import ENGINE_VERSION

CONSUMER, PROVIDER, BRANCH, TAG = "Shop", "Prices", "feat/x", "beta"
PAIR: Final = f"/pacts/provider/{PROVIDER}/consumer/{CONSUMER}"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass
class World:
    """The data before the request: a pact with a result, deployed and released versions, and a webhook."""

    api: Api
    environment: str = ""
    deployed: str = ""
    released: str = ""
    override: str = ""
    webhook: str = ""
    delivery: str = ""
    result: str = ""
    number: int = 0

    def send(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        answer = self.api.request(method, path, body, **options)
        assert answer.status < 400, (method, path, answer.status, answer.text)
        return answer


WEBHOOK: Final[dict[str, object]] = {
    "consumer": {"name": CONSUMER},
    "provider": {"name": PROVIDER},
    "events": [{"name": "contract_published"}],
    "request": {"method": "POST", "url": "https://ci.example.org/build"},
}


OVERRIDE: Final[dict[str, object]] = {
    "pacticipantName": CONSUMER,
    "pacticipantVersionNumber": "2",
    "environmentName": "production",
    "reason": "It repairs an outage.",
}
DOCUMENT: Final = {"content": "b3BlbmFwaTogMy4xLjAKcGF0aHM6IHt9Cg==", "contentType": "application/yaml"}


def world(api: Api) -> World:
    world = World(api)
    history = History(api)
    history.publish(CONSUMER, "1", PROVIDER, branch="main")
    world.number = history.verify(CONSUMER, "1", PROVIDER, "7")
    history.branch(CONSUMER, "1", BRANCH)
    history.tag(CONSUMER, "1", TAG)
    world.send("PUT", f"/pacticipants/{CONSUMER}/versions/1/aliases/c1", {})
    world.send("PUT", f"/pacticipants/{CONSUMER}/labels/shop", {})
    world.environment = history.environment("production")
    place = f"environment/{world.environment}"
    world.deployed = world.send("POST", f"/pacticipants/{CONSUMER}/versions/1/deployed-versions/{place}", {}).json()[
        "uuid"
    ]
    world.released = world.send("POST", f"/pacticipants/{CONSUMER}/versions/1/released-versions/{place}", {}).json()[
        "uuid"
    ]
    draft = {**OVERRIDE, "pacticipantVersionNumber": "1"}
    world.override = world.send("POST", "/overrides", draft).json()["uuid"]
    world.webhook = world.send("POST", "/webhooks", WEBHOOK).json()["uuid"]
    history.publish(CONSUMER, "2", PROVIDER, "another thing")
    status = api.get(f"{PAIR}/version/2/triggered-webhooks").json()
    world.delivery = status["_embedded"]["triggeredWebhooks"][0]["_links"]["pb:logs"]["href"].split("/")[-2]
    world.result = api.get(f"{PAIR}/version/1").link("pb:publish-verification-results")
    return world


Write = Callable[[World], tuple[str, object]]
"""Returns the path of a request, and its body."""
_RESULT: Final = {"success": True, "providerApplicationVersion": "8"}


def _with_metadata(path: str) -> str:
    return path.replace("/verification-results", "/metadata/Y3ZuPTE/verification-results")


def _form(**fields: str) -> bytes:
    return urlencode(fields).encode()


WRITES: Final[dict[str, Write]] = {
    "create_pacticipant": lambda _: ("/pacticipants", {"name": "New"}),
    "replace_pacticipant": lambda _: (f"/pacticipants/{CONSUMER}", {"displayName": "The shop"}),
    "change_pacticipant": lambda _: (f"/pacticipants/{CONSUMER}", {"mainBranch": "trunk"}),
    "rename_pacticipant": lambda _: (f"/pacticipants/{CONSUMER}/rename", {"name": "Store"}),
    "remove_pacticipant": lambda _: (f"/pacticipants/{CONSUMER}", None),
    "add_label": lambda _: (f"/pacticipants/{CONSUMER}/labels/new", {}),
    "remove_label": lambda _: (f"/pacticipants/{CONSUMER}/labels/shop", None),
    "replace_version": lambda _: (f"/pacticipants/{CONSUMER}/versions/1", {"buildUrl": "https://ci.example.org/1"}),
    "change_version": lambda _: (f"/pacticipants/{CONSUMER}/versions/9", {"tags": [{"name": "a"}]}),
    "remove_version": lambda _: (f"/pacticipants/{CONSUMER}/versions/1", None),
    "remove_branches": lambda _: (f"/pacticipants/{CONSUMER}/branches", None),
    "remove_branch": lambda _: (f"/pacticipants/{CONSUMER}/branches/feat%2Fx", None),
    "put_on_branch": lambda _: (f"/pacticipants/{CONSUMER}/branches/other/versions/1", {}),
    "take_off_branch": lambda _: (f"/pacticipants/{CONSUMER}/branches/feat%2Fx/versions/1", None),
    "put_tag": lambda _: (f"/pacticipants/{CONSUMER}/versions/1/tags/new", {}),
    "remove_tag": lambda _: (f"/pacticipants/{CONSUMER}/versions/1/tags/{TAG}", None),
    "add_alias": lambda _: (f"/pacticipants/{CONSUMER}/versions/1/aliases/new", {}),
    "delete_alias": lambda _: (f"/pacticipants/{CONSUMER}/versions/1/aliases/c1", None),
    "add_environment": lambda _: ("/environments", {"name": "test", "production": False}),
    "change_environment": lambda it: (f"/environments/{it.environment}", {"name": "live", "production": True}),
    "remove_environment": lambda it: (f"/environments/{it.environment}", None),
    "record_deployment": lambda it: (
        f"/pacticipants/{CONSUMER}/versions/2/deployed-versions/environment/{it.environment}",
        {},
    ),
    "change_deployed_version": lambda it: (f"/deployed-versions/{it.deployed}", {"currentlyDeployed": False}),
    "record_release": lambda it: (
        f"/pacticipants/{CONSUMER}/versions/2/released-versions/environment/{it.environment}",
        {},
    ),
    "change_released_version": lambda it: (f"/released-versions/{it.released}", {"currentlySupported": False}),
    "add_override": lambda _: ("/overrides", OVERRIDE),
    "remove_override": lambda it: (f"/overrides/{it.override}", None),
    "put_first_deployments": lambda _: (
        f"/integrations/provider/{PROVIDER}/consumer/{CONSUMER}/first-deployments",
        {"firstDeployments": "allow"},
    ),
    "publish_contracts": lambda _: ("/contracts/publish", publication(CONSUMER, "3", PROVIDER, "new")),
    "publish_provider_contract": lambda _: (
        f"/provider-contracts/provider/{CONSUMER}/publish",
        {"pacticipantVersionNumber": "3", "contract": {**DOCUMENT, "specification": "oas"}},
    ),
    "publish_several_provider_contracts": lambda _: (
        f"/provider-contracts/provider/{CONSUMER}/publish-contracts",
        {"pacticipantVersionNumber": "3", "contracts": [{"name": "shop", **DOCUMENT, "specification": "oas"}]},
    ),
    "set_comparison_profile": lambda _: (
        f"/provider-contracts/provider/{CONSUMER}/profile",
        {"profile": "reference"},
    ),
    "put_provider_contract": lambda _: (
        f"/contracts/provider/{CONSUMER}/version/3",
        {**DOCUMENT, "contractType": "oas"},
    ),
    "accept_comparison_engine": lambda _: ("/provider-contracts/engine/accepted", {"engine": ENGINE_VERSION}),
    "put_pact": lambda _: (f"{PAIR}/version/3", pact(CONSUMER, PROVIDER, "new")),
    "patch_pact": lambda _: (f"{PAIR}/version/1", pact(CONSUMER, PROVIDER, "more")),
    "delete_pact": lambda _: (f"{PAIR}/version/1", None),
    "delete_pacts": lambda _: (f"{PAIR}/versions", None),
    "delete_tagged_pacts": lambda _: (f"{PAIR}/tag/{TAG}", None),
    "delete_branch_pacts": lambda _: (f"{PAIR}/branch/main", None),
    "delete_main_branch_pacts": lambda _: (f"{PAIR}/branch/versions", None),
    "publish_verification": lambda it: (it.result, _RESULT),
    "publish_verification_with_metadata": lambda it: (_with_metadata(it.result), _RESULT),
    "delete_verification": lambda it: (f"{it.result}/{it.number}", None),
    "delete_verification_with_metadata": lambda it: (f"{_with_metadata(it.result)}/{it.number}", None),
    "delete_latest_verification": lambda it: (f"{it.result}/latest", None),
    "remove_everything": lambda _: ("/integrations", None),
    "remove_integration": lambda _: (f"/integrations/provider/{PROVIDER}/consumer/{CONSUMER}", None),
    "create_webhook": lambda _: ("/webhooks", WEBHOOK),
    "create_webhook_of_pair": lambda _: (f"/webhooks/provider/{PROVIDER}/consumer/{CONSUMER}", WEBHOOK),
    "create_webhook_of_pact": lambda _: (f"{PAIR}/webhooks", WEBHOOK),
    "create_webhook_of_provider": lambda _: (f"/webhooks/provider/{PROVIDER}", WEBHOOK),
    "create_webhook_of_consumer": lambda _: (f"/webhooks/consumer/{CONSUMER}", WEBHOOK),
    "put_webhook": lambda it: (f"/webhooks/{it.webhook}", {**WEBHOOK, "enabled": False}),
    "delete_webhook": lambda it: (f"/webhooks/{it.webhook}", None),
    "execute_unsaved_webhook": lambda _: ("/webhooks/execute", WEBHOOK),
    "execute_webhook": lambda it: (f"/webhooks/{it.webhook}/execute", None),
    "import_facts": lambda _: (
        "/import",
        {
            "source": "https://old.example.org",
            "run": "1",
            "facts": [
                {
                    "kind": "pacticipant",
                    "name": "Imported",
                    "createdAt": "2024-01-31T09:00:00Z",
                    "updatedAt": "2024-01-31T09:00:00Z",
                }
            ],
        },
    ),
    "redeliver": lambda it: (f"/triggered-webhooks/{it.delivery}/redeliver", None),
}
_WEBHOOK_FORM: Final = _form(
    method="POST", url="https://ci.example.org/build", events="contract_published", consumer=CONSUMER, enabled="yes"
)
FORMS: Final[dict[str, Write]] = {
    "accept_results": lambda _: ("/settings/comparisons", _form(engine=ENGINE_VERSION)),
    "send_again": lambda it: (f"/triggered-webhooks/{it.delivery}/again", b""),
    "add_override": lambda _: (
        "/overrides/new",
        _form(**{name: str(value) for name, value in OVERRIDE.items()}, hours="1"),
    ),
    "revoke": lambda it: (f"/overrides/{it.override}/revoke", b""),
    "change_first_deployments": lambda _: (
        f"/integrations/provider/{PROVIDER}/consumer/{CONSUMER}/first-deployments/edit",
        _form(firstDeployments="allow"),
    ),
    "add_webhook": lambda _: ("/webhooks/new", _WEBHOOK_FORM),
    "change_webhook": lambda it: (f"/webhooks/{it.webhook}/edit", _WEBHOOK_FORM),
    "remove_webhook": lambda it: (f"/webhooks/{it.webhook}/delete", b""),
    "try_webhook": lambda it: (f"/webhooks/{it.webhook}/try", b""),
    "change_pacticipant": lambda _: (f"/pacticipants/{CONSUMER}/edit", _form(name="Store", displayName="Store")),
    "remove_pacticipant": lambda _: (f"/pacticipants/{CONSUMER}/delete", _form(name=CONSUMER)),
    "add_environment": lambda _: ("/environments/new", _form(name="test", displayName="Test", production="false")),
    "change_environment": lambda it: (f"/environments/{it.environment}/edit", _form(name="live", displayName="Live")),
    "remove_environment": lambda it: (f"/environments/{it.environment}/delete", _form(name="production")),
}
WRITE_NOTHING: Final = {"fail"}
"""Handlers of routes that need no database."""
