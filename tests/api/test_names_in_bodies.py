"""Names in bodies obey the rules of names in paths, so that everything that is stored can be read and deleted."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, get_args, get_origin
from urllib.parse import quote

import httpx
import pytest

from tests.api.client import pact, publication
from tests.api.history import History
from treaty.settings import Settings
from treaty.web.http.bodies import Body
from treaty.web.routers import list_routers

pytestmark = pytest.mark.slow_on_postgresql  # about names, and not about data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.client import Answer, Api

NAME = "NAME"
CONTRACT = publication("Foo", "9", "Bar")["contracts"][0]


def contract(**more: object) -> dict[str, Any]:
    return {**publication("Foo", "9", "Bar"), "contracts": [{**CONTRACT, "content": NO_NAMES, **more}]}


NO_NAMES = base64.b64encode(json.dumps({"interactions": []}).encode()).decode()
COMPARED = {"documents": [{"content": "b3BlbmFwaTogMy4xLjAK"}]}
DECISION = {"environment": "prod", "versions": [{"pacticipant": "Foo", "version": "1"}]}
SELECTOR = {"pacticipant": "Foo", "version": "1"}
SELECTED = {"environment": "prod", "selectors": [SELECTOR]}
OVERRIDE = {
    "pacticipantName": "Foo",
    "pacticipantVersionNumber": "1",
    "environmentName": "prod",
    "reason": "It repairs an outage.",
}
WEBHOOK = {"events": [{"name": "contract_published"}], "request": {"method": "POST", "url": "https://ci.example.org"}}
ENVIRONMENT = {"name": "new", "production": False}
RESULT = {"success": True, "providerApplicationVersion": "1"}
FACT = {"createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z"}
VERSION = {"kind": "version", "pacticipant": "Foo", "number": "9", **FACT}
TIME = FACT["createdAt"]
BRANCH = {"name": NAME, "isHead": True, "branchCreatedAt": TIME, "branchUpdatedAt": TIME, **FACT}
DEPLOYMENT = {
    "kind": "deployment",
    "uuid": "a-uuid",
    "pacticipant": "Foo",
    "version": "1",
    "environment": "another-uuid",
    "environmentName": "prod",
    "createdAt": "2024-01-01T00:00:00Z",
}


DOCUMENT = {
    "content": base64.b64encode(b"openapi: 3.1.0\npaths: {}\n").decode(),
    "contentType": "application/yaml",
    "specification": "oas",
}


def selected(**members: object) -> tuple[str, str, object]:
    return "POST", "/pacts/provider/Bar/for-verification", members


def publishing(**members: object) -> tuple[str, str, object]:
    path = "/provider-contracts/provider/Bar/publish"
    return "POST", path, {"pacticipantVersionNumber": "9", "contract": DOCUMENT, **members}


def what_if(kind: str, *, environment: str = "prod", **members: object) -> tuple[str, str, object]:
    change = {"change": kind, "pacticipant": "Foo", **members}
    return "POST", "/decisions/what-if", {"environment": environment, "changes": [change]}


def imported(fact: object) -> tuple[str, str, object]:
    return "POST", "/import", {"source": "https://old.example.org", "run": "1", "facts": [fact]}


SELECTORS: dict[str, dict[str, object]] = {
    "consumer": {"latest": True},
    "tag": {"latest": True},
    "branch": {},
    "environment": {},
    "fallbackTag": {"tag": "a", "latest": True},
    "fallbackBranch": {"branch": "a"},
}
PACTICIPANTS: dict[str, dict[str, object]] = {"name": {"name": NAME}, "label": {"labels": [NAME]}}
VERSIONS: dict[str, dict[str, object]] = {
    "pacticipant": {"pacticipant": NAME},
    "number": {"number": NAME},
    "tag": {"tags": [{"name": NAME, "createdAt": FACT["createdAt"]}]},
    "branch": {"branches": [BRANCH]},
}
BODIES: dict[str, tuple[str, str, object]] = {
    "NewPacticipantBody.name": ("POST", "/pacticipants", {"name": NAME}),
    "PacticipantBody.name": ("PATCH", "/pacticipants/Foo", {"name": NAME}),
    "RenameBody.name": ("POST", "/pacticipants/Foo/rename", {"name": NAME}),
    "DescriptionBody.main_branch": ("PATCH", "/pacticipants/Foo", {"mainBranch": NAME}),
    "PublishBody.pacticipant_name": (
        "POST",
        "/contracts/publish",
        contract(consumerName=NAME) | {"pacticipantName": NAME},
    ),
    "PublishBody.pacticipant_version_number": (
        "POST",
        "/contracts/publish",
        contract() | {"pacticipantVersionNumber": NAME},
    ),
    "PublishBody.branch": ("POST", "/contracts/publish", contract() | {"branch": NAME}),
    "PublishBody.tags": ("POST", "/contracts/publish", contract() | {"tags": ["a", NAME]}),
    "ContractBody.consumer_name": ("POST", "/contracts/publish", contract(consumerName=NAME)),
    "ContractBody.provider_name": ("POST", "/contracts/publish", contract(providerName=NAME)),
    "BuildBody.pacticipant_version_number": publishing(pacticipantVersionNumber=NAME),
    "BuildBody.branch": publishing(branch=NAME),
    "BuildBody.tags": publishing(tags=["a", NAME]),
    "NamedDocumentBody.name": (
        "POST",
        "/provider-contracts/provider/Bar/publish-contracts",
        {"pacticipantVersionNumber": "9", "contracts": [{"name": NAME, **DOCUMENT}]},
    ),
    "CompareBody.provider": ("POST", "/contracts/compare", {**COMPARED, "provider": NAME, "mainBranch": True}),
    "CompareBody.environment": ("POST", "/contracts/compare", {**COMPARED, "provider": "Bar", "environment": NAME}),
    "SetDecisionBody.environment": ("POST", "/decisions", DECISION | {"environment": NAME}),
    "IgnoredBody.pacticipant": ("POST", "/decisions", DECISION | {"ignore": [{"pacticipant": NAME}]}),
    "IgnoredBody.version": ("POST", "/decisions", DECISION | {"ignore": [{"pacticipant": "Foo", "version": NAME}]}),
    "MemberBody.pacticipant": ("POST", "/decisions", DECISION | {"versions": [{"pacticipant": NAME, "version": "1"}]}),
    "MemberBody.version": ("POST", "/decisions", DECISION | {"versions": [{"pacticipant": "Foo", "version": NAME}]}),
    **{
        f"{body}.{name}": ("POST", "/decisions", SELECTED | {member: [SELECTOR | {name: NAME}]})
        for body, member, names in (
            ("SelectorBody", "selectors", ("pacticipant", "version", "branch", "tag")),
            ("IgnoredBody", "ignore", ("pacticipant", "version")),
        )
        for name in names
    },
    "OverrideBody.pacticipant_name": ("POST", "/overrides", OVERRIDE | {"pacticipantName": NAME}),
    "OverrideBody.pacticipant_version_number": ("POST", "/overrides", OVERRIDE | {"pacticipantVersionNumber": NAME}),
    "OverrideBody.environment_name": ("POST", "/overrides", OVERRIDE | {"environmentName": NAME}),
    "OverrideBody.environment_uuid": (
        "POST",
        "/overrides",
        {**OVERRIDE, "environmentName": None, "environmentUuid": NAME},
    ),
    "OverrideBody.counterpart": ("POST", "/overrides", OVERRIDE | {"counterpart": NAME}),
    "WhatIfBody.environment": what_if("retire", environment=NAME),
    "ChangeBody.pacticipant": what_if("retire", pacticipant=NAME),
    "ChangeBody.version": what_if("deploy", version=NAME),
    "ChangeBody.application_instance": what_if("undeploy", applicationInstance=NAME),
    "AssumedDocumentBody.name": what_if("deploy", version="9", documents=[{**DOCUMENT, "name": NAME}]),
    "VerificationBody.provider_application_version": (
        "POST",
        "{results}",
        RESULT | {"providerApplicationVersion": NAME},
    ),
    "TagBody.name": ("PUT", "/pacticipants/Foo/versions/1", {"tags": [{"name": NAME}]}),
    "TagBody.name, embedded": ("PUT", "/pacticipants/Foo/versions/1", {"_embedded": {"tags": [{"name": NAME}]}}),
    "EnvironmentBody.name": ("POST", "/environments", ENVIRONMENT | {"name": NAME}),
    "instance of a deployment": ("POST", "{deployments}", {"applicationInstance": NAME}),
    "target of a deployment": ("POST", "{deployments}", {"target": NAME}),
    "consumer of a webhook": ("POST", "/webhooks", WEBHOOK | {"consumer": {"name": NAME}}),
    "label of a provider of a webhook": ("POST", "/webhooks", WEBHOOK | {"provider": {"label": NAME}}),
    "branches of a webhook": ("POST", "/webhooks", WEBHOOK | {"providerBranches": [NAME]}),
    "tags of a webhook": ("POST", "/webhooks", WEBHOOK | {"tags": [NAME]}),
    "branch of the provider to verify": selected(providerVersionBranch=NAME),
    "tag of the provider to verify": selected(providerVersionTags=[NAME]),
    **{
        f"{name} to verify": selected(consumerVersionSelectors=[{name: NAME, **more}])
        for name, more in SELECTORS.items()
    },
    **{
        f"{name} of an imported pacticipant": imported({"kind": "pacticipant", "name": "New", **FACT, **fields})
        for name, fields in PACTICIPANTS.items()
    },
    **{f"{name} of an imported version": imported({**VERSION, **fields}) for name, fields in VERSIONS.items()},
    "instance of an imported deployment": imported({**DEPLOYMENT, "applicationInstance": NAME}),
}
OTHER_TEXTS = {
    *("DescriptionBody.display_name", "DescriptionBody.repository_url", "DescriptionBody.repository_name"),
    *("DescriptionBody.repository_namespace", "PublishBody.build_url", "ContractBody.specification"),
    *("ContractBody.content_type", "ContractBody.content", "ContractBody.on_conflict", "VersionBody.build_url"),
    *("VerificationBody.build_url", "VerificationBody.test_results", "EnvironmentBody.display_name"),
    *("ContactBody.name", "ImportBody.source", "ImportBody.run", "ImportLookupBody.source", "ImportLookupBody.facts"),
    *("BuildBody.build_url", "DocumentBody.content", "DocumentBody.content_type", "DocumentBody.specification"),
    *("PutProviderContractBody.content", "PutProviderContractBody.content_type"),
    *("PutProviderContractBody.contract_type", "SelfVerificationBody.content", "SelfVerificationBody.content_type"),
    *("SelfVerificationBody.format", "SelfVerificationBody.verifier", "SelfVerificationBody.verifier_version"),
    # Paths have the UUIDs of secrets, and the rule for their names is stricter.
    *("NewSecretBody.name", "NewSecretBody.value", "NewSecretBody.description", "NewSecretBody.allowed_origins"),
    *("SecretBody.name", "SecretBody.value", "SecretBody.description", "SecretBody.allowed_origins"),
    *("ComparedDocumentBody.name", "ComparedDocumentBody.content", "ComparedDocumentBody.content_type"),
    *("ComparedDocumentBody.specification", "CompareBody.profile"),
    *("AcceptedEngineBody.engine", "AssumedDocumentBody.content", "AssumedDocumentBody.specification"),
    *("OverrideBody.reason", "OverrideBody.expires_at"),
    *("ChangeBody.change", "_Contact.name", "PacticipantBody.display_name", "NewPacticipantBody.display_name"),
}
"""Texts of bodies that are not names in paths."""


@pytest.fixture
def places(api: Api) -> dict[str, str]:
    """The paths that a few facts have, for the table."""
    history = History(api)
    history.publish("Foo", "1", "Bar", "a", branch="main", tags=["prod"])
    history.verify("Foo", "1", "Bar", "10")
    history.deploy("Bar", "10", "prod")
    environment = api.get("/environments").json()["_embedded"]["environments"][0]["uuid"]
    return {
        "{results}": api.get("/pacts/provider/Bar/consumer/Foo/version/1").link("pb:publish-verification-results"),
        "{deployments}": f"/pacticipants/Foo/versions/1/deployed-versions/environment/{environment}",
    }


def send(api: Api, places: dict[str, str], body: tuple[str, str, object], name: str) -> Answer:
    method, path, template = body
    filled = json.loads(json.dumps(template).replace(json.dumps(NAME), json.dumps(name)))
    content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return api.request(method, places.get(path, path), filled, type=content_type)


def everything(api: Api) -> list[object]:
    paths = ["/pacticipants", "/environments", "/webhooks", "/pacticipants/Foo/versions", "/pacticipants/Foo/branches"]
    return [api.get(path).json() for path in paths]


RULES = {"a\nb": "cannot contain multiple lines", "a\tb": "cannot contain a tab character", "a\n": "multiple lines"}


def test_no_body_has_a_name_that_no_path_can_have(api: Api, places: dict[str, str]) -> None:
    before = everything(api)
    for what, body in BODIES.items():
        for name, text in RULES.items():
            answer = send(api, places, body, name)
            is_import = body[1] == "/import"
            assert answer.status == (200 if is_import else 400), (what, name, answer.text)
            assert text in answer.text, (what, name, answer.text)
            assert not is_import or answer.json()["outcomes"][0]["outcome"] == "refused"
        assert send(api, places, body, "a\0b").status == 400, what
    assert everything(api) == before


def test_paths_have_the_same_rules(api: Api) -> None:
    for name in (*RULES, "a\0b"):
        for path in ("/pacticipants/Foo/versions/{}", "/pacticipants/Foo/versions/1/tags/{}"):
            assert api.put(path.format(quote(name)), {}).status == 422
    assert api.get("/pacticipants").json()["_embedded"]["pacticipants"] == []


def test_every_text_of_every_body_is_in_the_table_or_no_name() -> None:
    assert list_routers(Settings())  # imports all bodies
    names = {what.partition(",")[0] for what in BODIES if "." in what}
    assert set(list_texts()) - OTHER_TEXTS - names == set()


def list_texts(base: type[Body] = Body) -> Iterator[str]:
    """Yield the fields of all bodies that are texts, or lists of them."""
    for body in base.__subclasses__():
        if body.__module__.startswith("treaty."):
            own_fields = body.__annotations__
            for name, field in body.model_fields.items():
                if name in own_fields and str in flatten(field.annotation):
                    yield f"{body.__name__}.{name}"
            yield from list_texts(body)


def flatten(annotation: object) -> Iterator[object]:
    yield annotation
    for inner in () if get_origin(annotation) is dict else get_args(annotation):
        yield from flatten(inner)


def test_strange_names_that_paths_can_have_are_accepted(api: Api) -> None:
    name = "ä/ ?#%\"'&\\\r\u2028.json"
    api.publish(name, name, name, "a", branch=name, tags=[name])
    encoded = quoted(name)
    path = f"/pacts/provider/{encoded}/consumer/{encoded}/version/{encoded}"
    assert api.get(path).json()["consumer"] == pact(name, name)["consumer"]
    assert api.get(f"/pacticipants/{encoded}/versions/{encoded}/tags/{encoded}").json()["name"] == name
    assert api.get(f"/pacticipants/{encoded}/branches/{encoded}").json()["name"] == name
    assert api.delete(path).status == 200


@pytest.mark.parametrize("name", [".", ".."])
def test_links_to_names_that_are_dot_segments_lead_there(api: Api, name: str) -> None:
    """httpx removes such segments from a URL, unless their dots are encoded."""
    assert api.publish(name, "1", name, "a", branch=name).status == 200
    (pacticipant,) = api.get("/pacticipants").json()["_embedded"]["pacticipants"]
    (branch_version,) = api.get(f"/pacticipants/{quoted(name)}/versions/1").json()["_embedded"]["branchVersions"]
    for resource in (pacticipant, branch_version):
        link = resource["_links"]["self"]
        assert api.get(httpx.URL(link["href"]).raw_path.decode()).json()["_links"]["self"]["href"] == link["href"]


def quoted(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E")
