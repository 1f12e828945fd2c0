"""Importing from one application of this process into another, and reading all data of a broker."""

import threading
from collections.abc import Callable
from typing import Any, Final

import httpx

from tests.api.client import BASE, Api
from tests.api.history import q
from treaty.cli import import_copying
from treaty.cli.import_reports import CopyReport
from treaty.client import BrokerClient, BrokerConnection, RetryPolicy

Answers = dict[str, Any]


def broker(
    api: Api, *, hides_export: bool = False, before: Callable[[httpx.Request], object] = lambda _: None
) -> BrokerClient:
    """A client whose requests the application answers, one at a time.

    `hides_export`: the broker has no export, as the original has none. `before` is called before each request.
    """
    lock = threading.Lock()

    def send(request: httpx.Request) -> httpx.Response:
        before(request)
        with lock:
            options: dict[str, Any] = {"accept": request.headers["accept"]}
            if "content-type" in request.headers:
                options["type"] = request.headers["content-type"]
            answer = api.request(request.method, request.url.raw_path.decode(), request.content or None, **options)
        body = answer.body.replace(b"pb:export", b"pb:hidden") if hides_export else answer.body
        return httpx.Response(answer.status, headers=dict(answer.headers), content=body, request=request)

    return BrokerClient(BrokerConnection(base_url=BASE, retry_policy=RetryPolicy(attempts=1)), wrap_send=lambda _: send)


def import_from(source: Api, target: Api, *, is_dry: bool = False, hides_export: bool = False) -> CopyReport:
    """Import all facts; in one thread, because each thread takes a connection to the database."""
    source_broker = broker(source, hides_export=hides_export)
    return import_copying.copy_all(source_broker, broker(target), is_dry=is_dry, parallel=1)


def everything(api: Api) -> Answers:
    """Read all data of a broker; leave out ids, numbers and addresses."""
    names = [pacticipant["name"] for pacticipant in fetch(api, "/pacticipants")["_embedded"]["pacticipants"]]
    integrations = fetch(api, "/integrations")["_embedded"]["integrations"]
    pairs = sorted((integration["consumer"]["name"], integration["provider"]["name"]) for integration in integrations)
    environments = fetch(api, "/environments")["_embedded"]["environments"]
    answers: Answers = {
        "names": names,
        "pairs": pairs,
        "environments": [environment["name"] for environment in environments],
    }
    for name in names:
        answers |= _of_pacticipant(api, name, [environment["name"] for environment in environments])
    for consumer, provider in pairs:
        answers |= _of_pair(api, consumer, provider)
    for environment in environments:
        answers |= _of_environment(api, environment)
    return answers


def fetch(api: Api, path: str) -> Any:
    answer = api.get(path)
    assert answer.status == 200, (path, answer.text)
    return answer.json()


def _of_pacticipant(api: Api, name: str, environments: list[str]) -> Answers:
    path = f"/pacticipants/{q(name)}"
    pacticipant = fetch(api, path)
    versions = fetch(api, f"{path}/versions")["_embedded"]["versions"]
    branches = fetch(api, f"{path}/branches?page=1&size=100")["_embedded"]["branches"]
    tags = sorted({tag["name"] for version in versions for tag in version["_embedded"]["tags"]})
    answers: Answers = {
        f"{name}": [pacticipant.get("mainBranch"), [label["name"] for label in pacticipant["_embedded"]["labels"]]],
        f"versions of {name}": [_version(version) for version in versions],
        f"branches of {name}": sorted((branch["name"], branch["createdAt"]) for branch in branches),
    }
    for branch in branches:
        head = api.get(f"{path}/branches/{q(branch['name'])}/latest-version")
        answers[f"head of {name} {branch['name']}"] = head.json()["number"] if head.status == 200 else None
    for tag in tags:
        answers[f"latest {name} with {tag}"] = fetch(api, f"{path}/latest-version/{q(tag)}")["number"]
    for number in [version["number"] for version in versions]:
        answers |= _may_go(api, name, number, environments)
    answers |= _for_verification(api, name, [branch["name"] for branch in branches], tags)
    return answers


def _version(version: Any) -> Any:
    branches = sorted((branch["name"], branch["latest"]) for branch in version["_embedded"]["branchVersions"])
    tags = sorted(tag["name"] for tag in version["_embedded"]["tags"])
    return version["number"], version.get("buildUrl"), version["createdAt"], branches, tags


def _may_go(api: Api, name: str, number: str, environments: list[str]) -> Answers:
    answers = {}
    for to in ["", *(f"&environment={environment}" for environment in environments), "&to=prod"]:
        query = f"pacticipant={q(name)}&version={q(number)}{to}"
        answer = api.get(f"/can-i-deploy?{query}")
        body = answer.json()
        answers[f"can-i-deploy {query}"] = (body.get("summary") or body, answer.status)
    return answers


def _for_verification(api: Api, name: str, branches: list[str], tags: list[str]) -> Answers:
    answers = {}
    requests: list[dict[str, Any]] = [
        {},
        *({"providerVersionBranch": branch} for branch in branches),
        *({"providerVersionTags": [tag]} for tag in tags),
    ]
    for more in requests:
        body = {
            **more,
            "includePendingStatus": True,
            "consumerVersionSelectors": [{"latest": True}, {"deployedOrReleased": True}],
            **({"includeWipPactsSince": "2020-01-01"} if more else {}),
        }
        answer = api.post(f"/pacts/provider/{q(name)}/for-verification", body)
        listed = answer.json().get("_embedded", {}).get("pacts", [])
        answers[f"pacts for {name} as {more}"] = sorted(_verifiable(pact) for pact in listed)
    return answers


def _verifiable(pact: Any) -> Any:
    properties = pact["verificationProperties"]
    return (
        pact["shortDescription"],
        pact["_links"]["self"]["name"],
        properties.get("pending"),
        properties.get("wip", False),
    )


def _of_pair(api: Api, consumer: str, provider: str) -> Answers:
    pair = f"/pacts/provider/{q(provider)}/consumer/{q(consumer)}"
    selectors = f"q[][pacticipant]={q(consumer)}&q[][pacticipant]={q(provider)}&limit=10000"
    answers: Answers = {f"latest pact of {consumer}": _pact(api, f"{pair}/latest")}
    for more in ("", "&latestby=cvp", "&latestby=cvpv"):
        matrix = fetch(api, f"/matrix?{selectors}{more}")
        rows = [_row(row) for row in matrix["matrix"]]
        # No broker returns overwritten contents without results, nor that a version had the same content twice.
        answers[f"matrix of {consumer}{more}"] = sorted(rows) if more else sorted({row for row in rows if row[2]})
        if more:
            answers[f"verdict of {consumer}{more}"] = matrix["summary"]
    for pact in fetch(api, f"{pair}/versions")["_embedded"]["pacts"]:
        number = pact["_embedded"]["consumerVersion"]["number"]
        answers[f"pact of {consumer} {number}"] = (_pact(api, f"{pair}/version/{q(number)}"), pact["createdAt"])
        result = api.get(f"{pair}/version/{q(number)}/verification-results/latest")
        answers[f"newest result of {consumer} {number}"] = _result(result.json()) if result.status == 200 else None
    return answers


def _pact(api: Api, path: str) -> Any:
    answer = api.get(path)
    links = answer.json()["_links"]
    # Its text: numbers that are equal may be written differently.
    return links["pb:pact-version"]["name"], links["self"]["name"], answer.text.partition(',"createdAt"')[0]


def _row(row: Any) -> Any:
    result, version = row["verificationResult"], row["provider"]["version"]
    outcome = (str(result["success"]), result["verifiedAt"]) if result else None
    return row["consumer"]["version"]["number"], version["number"] if version else "", outcome


def _result(result: Any) -> Any:
    names = ("providerApplicationVersion", "success", "verificationDate", "verifiedBy", "testResults", "workInProgress")
    return [result.get(name) for name in names]


def _of_environment(api: Api, environment: Any) -> Answers:
    answers = {}
    for relation, kind in (
        ("pb:currently-deployed-deployed-versions", "deployedVersions"),
        ("pb:currently-supported-released-versions", "releasedVersions"),
    ):
        listed = fetch(api, environment["_links"][relation]["href"])["_embedded"][kind]
        answers[f"{kind} in {environment['name']}"] = sorted(
            (
                record["_embedded"]["pacticipant"]["name"],
                record["_embedded"]["version"]["number"],
                record.get("applicationInstance") or "",
            )
            for record in listed
        )
    return answers


def differences(one: Answers, other: Answers, *, allowed: Callable[[str], bool] = lambda _: False) -> list[str]:
    """List the questions that two brokers answer differently, with both answers."""
    return [
        f"{name}:\n  {one.get(name)}\n  {other.get(name)}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name) and not allowed(name)
    ]


TIME: Final = "2024-01-01T00:00:00+00:00"
RESULT: Final = {
    "kind": "result",
    "consumer": "Shop",
    "provider": "Prices",
    "sha": "x",
    "number": 1,
    "providerVersion": "9",
    "success": True,
    "verifiedAt": TIME,
    "recordedAt": TIME,
}


def import_facts(api: Api, *facts: dict[str, Any]) -> list[str]:
    answer = api.post("/import", {"source": "http://source.test", "run": "1", "facts": list(facts)})
    assert answer.status == 200, answer.text
    return [outcome["outcome"] for outcome in answer.json()["outcomes"]]
