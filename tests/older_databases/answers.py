"""Answers of a broker to many requests, recorded by the code that its database was dumped from.

A page is reduced to its main headings and the number of its tables' rows. Everything else is recorded as it is: links,
times and order. The clock stands still at the time of the recording, so ages stay the same as well.

Where an answer is meant to change, record the answers again, and review their differences:

    .venv/bin/python -m tests.older_databases.answers
"""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests import postgres
from tests.api.client import HAL, Api
from tests.older_databases import sample_data
from tests.older_databases.fixture import FOLDERS, KINDS, Fixture, write_json_lines
from tests.older_databases.sample_data import BRANCH, INSTANCE, MAILER, ORDERS, PRICES, SHOP, TAG, TILL, q
from treaty.settings import Secret, Settings
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.web.application import build_application

PAGE: Final = "text/html"
ROUTES: Final = Path(__file__).parent.parent / "api" / "access.txt"
_WORDING: Final = (
    "/openapi.json",
    "/docs",
    "/static/{name}",
    "/metrics/prometheus",
    "/network/svg",
    "/test/error",
    "/doc/{rel}",
)
"""Routes whose responses depend more on the program than on the data, or measure the process."""

_EXPORT: Final = "/audit/export?format=jsonl&type=sign_in"

Request = dict[str, Any]
"""The caller (`as`), the method, path and media type, and the body, if any."""


@contextmanager
def opened(fixture: Fixture, url: str, scratch: Path) -> Iterator[Api]:
    """Open a broker of this process on a restored database, at the time of the recording."""
    settings = Settings(
        database_url=url,
        log_level="error",
        basic_auth_username=sample_data.SETTINGS_USER,
        basic_auth_password=Secret(sample_data.PASSWORD),
    )
    with chdir(scratch):  # where the key is
        database = open_database(url, connections=2)
        migrate(database)
        now = fixture.clock
        api = Api(build_application(settings, database, clock=lambda: now))
        try:
            yield api
        finally:
            api.close()
            database.close()


def ask(api: Api, request: Request, identities: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Send a recorded request, and return the recorded parts of the response."""
    answer = api.request(
        request["method"],
        request["path"],
        request.get("body"),
        accept=request["accept"],
        headers=identities[request["as"]],
    )
    kind = answer.headers.get("content-type", "").partition(";")[0]
    record: dict[str, Any] = {"status": answer.status, "type": kind}
    if "location" in answer.headers:
        record["location"] = answer.headers["location"]
    if kind == PAGE:
        return {**record, **_outline(answer.text)}
    return {**record, "body": answer.json() if kind.endswith(("/json", "+json")) and answer.body else answer.text}


def _outline(page: str) -> dict[str, Any]:
    headings = re.findall(r"<h1\b[^>]*>(.*?)</h1>", page, re.DOTALL)
    return {
        "headings": [" ".join(unescape(re.sub("<[^>]*>", "", heading)).split()) for heading in headings],
        "rows": len(re.findall(r"<tr\b", page)),
    }


def record(fixture: Fixture, url: str, scratch: Path, requests: list[Request]) -> None:
    """Write down the answers to all requests, in their order."""
    identities = fixture.facts["identities"]
    with opened(fixture, url, scratch) as api:
        recorded = [{**request, "answer": ask(api, request, identities)} for request in requests]
    write_json_lines(fixture.answers, recorded)


def recorded_answers(fixture: Fixture) -> list[tuple[Request, dict[str, Any]]]:
    with fixture.answers.open() as lines:
        recorded = [json.loads(line) for line in lines]
    return [(request, request.pop("answer")) for request in recorded]


# The requests


def requests_about(fixture: Fixture, api: Api) -> list[Request]:
    """List requests about everything in the database; first for the values that only the broker has."""
    facts = fixture.facts
    names = _names(api, facts)
    admin = "administrator's token"
    # The audit trail comes first: later requests are recorded in it.
    requests = [_get(path, admin) for path in ("/audit?page=1&size=5", "/audit?type=webhook_change", _EXPORT)]
    requests += [_get(path, admin) for path in _paths("api", names) if not path.startswith("/audit")]
    requests += [_get(path, admin) for path in _questions()]
    requests += [_get(path, "administrator's session", PAGE) for path in _paths("page", names)]
    requests += [_verifiable(body, admin) for body in _SELECTIONS]
    for identity in facts["identities"]:
        requests += [_get(path, identity) for path in ("/", "/user", "/environments", "/settings/tokens")]
        requests += [_get("/", identity, PAGE), _get("/settings/users", identity, PAGE)]
    return requests


def _get(path: str, identity: str, accept: str = "") -> Request:
    return {"as": identity, "method": "GET", "path": path, "accept": accept or _media_type(path)}


def _media_type(path: str) -> str:
    is_no_document = re.search("badge|/network/|/export|/diff/|^/groups/|^/relationships", path)
    return "*/*" if is_no_document else HAL


def _verifiable(body: dict[str, Any], identity: str) -> Request:
    path = f"/pacts/provider/{PRICES}/for-verification"
    return {"as": identity, "method": "POST", "path": path, "accept": HAL, "body": body}


def _names(api: Api, facts: dict[str, Any]) -> list[dict[str, str]]:
    """Fill the variables of routes, once with plain names and once with hostile ones."""
    identity = facts["identities"]["administrator's token"]

    def fetch(path: str) -> Any:
        return api.get(path, headers=identity).json()

    def uuid(path: str, kind: str, number: int = 0) -> str:
        listed = fetch(path)["_embedded"][kind]
        return str(listed[number]["uuid"])

    production, test = facts["environments"]["production"], facts["environments"]["test"]
    deployed = f"/environments/{test}/deployed-versions/currently-deployed"
    released = f"/environments/{production}/released-versions/currently-supported"
    users = _user_uuids(api, facts)
    plain = {
        **dict.fromkeys(("pacticipant", "consumer"), SHOP),
        **dict.fromkeys(("tag", "providerTag", "environmentTag"), "prod"),
        "provider": PRICES,
        "version": "2",
        "comparison": "3",
        "branch": "main",
        "label": "priced",
        "environment": "production",
        "environments": production,
        "deployed-versions": uuid(deployed, "deployedVersions"),
        "released-versions": uuid(released, "releasedVersions"),
        "webhooks": facts["webhooks"]["first format"],
        "settings": users[0],
        **_of_pact(api, identity, SHOP, PRICES, "3"),
    }
    hostile = {
        **plain,
        **dict.fromkeys(("pacticipant", "consumer"), TILL),
        **dict.fromkeys(("tag", "providerTag", "environmentTag"), TAG),
        "version": "1.0.0+ü/1",
        "comparison": "1.1.0",
        "branch": BRANCH,
        "environment": "test",
        "environments": test,
        "deployed-versions": uuid(deployed, "deployedVersions", 1),
        "webhooks": facts["webhooks"]["second format"],
        "settings": users[-1],
        **_of_pact(api, identity, TILL, PRICES, "1.0.0+ü/1"),
    }
    return [plain, hostile]


def _of_pact(api: Api, identity: dict[str, str], consumer: str, provider: str, version: str) -> dict[str, str]:
    """Find the content, the number of a result and a delivery of a pact."""
    path = f"/pacts/provider/{q(provider)}/consumer/{q(consumer)}"
    pact = api.get(f"{path}/version/{q(version)}", headers=identity).json()
    sha = pact["_links"]["pb:pact-version"]["name"]
    result = api.get(f"{path}/version/{q(version)}/verification-results/latest", headers=identity)
    listed = api.get(f"{path}/version/{q(version)}/triggered-webhooks", headers=identity).json()["_embedded"]
    metadata = urlsafe_b64encode(f"cvn={version}".encode()).decode().rstrip("=")
    parameters = {"sha": sha, "pactVersion": sha, "metadata": metadata}
    if result.status == 200:
        parameters["number"] = result.json()["_links"]["self"]["href"].rpartition("/")[2]
    for delivery in listed["triggeredWebhooks"][:1]:
        parameters["triggered-webhooks"] = delivery["_links"]["pb:logs"]["href"].split("/")[-2]
    return parameters


def _user_uuids(api: Api, facts: dict[str, Any]) -> list[str]:
    page = api.get("/settings/users", accept=PAGE, headers=facts["identities"]["administrator's session"]).text
    return re.findall(r'/settings/users/([0-9a-f-]{36})"', page)


def _paths(kind: str, names: list[dict[str, str]]) -> list[str]:
    """Fill all routes of a kind that can be read."""
    rows = [line.split()[:3] for line in ROUTES.read_text().splitlines()]
    templates = [
        path for its_kind, method, path in rows if (its_kind, method) == (kind, "GET") and path not in _WORDING
    ]
    filled = [_filled(template, some) for template in templates for some in names]
    return list(dict.fromkeys(path for path in filled if path is not None))


def _filled(template: str, names: dict[str, str]) -> str | None:
    def value(variable: re.Match[str]) -> str:
        name = variable[1]
        if name == "uuid":
            name = template.split("/")[1]
        elif name == "environment" and "can-i-deploy" not in template and "provider-states" not in template:
            name = "environments"
        return q(names[name])

    path = re.sub(r"\{(\w+)\}", value, template)
    if template == "/can-i-deploy":
        return f"{path}?pacticipant={q(names['pacticipant'])}&version={q(names['version'])}&environment=production"
    if template == "/matrix":
        return f"{path}?q[][pacticipant]={q(names['consumer'])}&q[][pacticipant]={q(PRICES)}&latestby=cvpv"
    return path


def _questions() -> Iterator[str]:
    """Yield questions whose answers depend on their queries."""
    for name, versions in ((SHOP, ("1", "2", "3")), (TILL, ("1.0.0+ü/1", "1.1.0")), (PRICES, ("10", "11", "12"))):
        for version in versions:
            for to in ("environment=production", "environment=test", "to=prod"):
                yield f"/can-i-deploy?pacticipant={q(name)}&version={q(version)}&{to}"
    selectors = (
        f"q[][pacticipant]={q(SHOP)}&q[][version]=3&q[][pacticipant]={PRICES}&q[][version]=11",
        f"q[][pacticipant]={q(SHOP)}&q[][latest]=true&q[][branch]={q(BRANCH)}&latestby=cvp&environment=test",
        f"q[][pacticipant]={q(TILL)}&q[][latest]=true&latestby=cvpv&tag=prod",
        f"q[][pacticipant]={PRICES}&q[][mainBranch]=true&q[][latest]=true&latestby=cvpv",
        f"q[][pacticipant]={q(SHOP)}&q[][version]=1&environment=production&ignore[][pacticipant]={PRICES}",
        f"q[][pacticipant]={q(SHOP)}&q[][version]=missing",
        f"q[][pacticipant]={q(SHOP)}&success[]=true&limit=2",
    )
    yield from (f"/matrix?{query}" for query in selectors)
    yield from (f"{path}?page=1&size=2" for path in ("/pacticipants", "/integrations", "/environments"))
    yield f"/pacticipants/{q(SHOP)}/versions?page=2&size=2"
    yield f"/pacticipants/{q(SHOP)}/branches?q=feat"
    yield f"/pacticipants/{q(SHOP)}/latest-version/{q(TAG)}"
    yield f"/pacticipants/{q(SHOP)}/tags/{q(TAG)}/versions"
    yield f"/pacticipants/{q(SHOP)}/latest-version/{q(TAG)}/can-i-deploy/to/prod"
    yield f"/pacticipants/{q(SHOP)}/branches/{q(BRANCH)}/versions/3"
    yield f"/pacticipants/{q(TILL)}/branches/{q(BRANCH)}/latest-version/can-i-deploy/to-environment/production"
    yield f"/pacts/provider/{PRICES}/consumer/{q(SHOP)}/version/3/previous-distinct"
    yield f"/pacts/provider/{PRICES}/consumer/{q(SHOP)}/version/3/diff/previous-distinct"
    yield f"/pacts/provider/{q(ORDERS)}/consumer/{q(TILL)}/latest"
    yield f"/can-i-deploy?pacticipant={q(SHOP)}&version=1"
    yield "/pacticipants/missing"
    yield f"/pacts/provider/{PRICES}/consumer/{q(MAILER)}/latest"
    yield f"/pacticipants/{q(SHOP)}/versions/3?applicationInstance={q(INSTANCE)}"


_SELECTIONS: Final[list[dict[str, Any]]] = [
    {"includePendingStatus": True, "providerVersionBranch": "main"},
    {
        "consumerVersionSelectors": [{"mainBranch": True}, {"deployedOrReleased": True}, {"branch": BRANCH}],
        "providerVersionBranch": BRANCH,
        "includePendingStatus": True,
        "includeWipPactsSince": "2020-01-01",
    },
    {"consumerVersionSelectors": [{"tag": "prod", "latest": True}], "providerVersionTags": ["prod"]},
    {"consumerVersionSelectors": [{"environment": "test"}, {"consumer": TILL, "latest": True}]},
]


def main() -> None:
    """Record all answers again, to the requests that were recorded before."""
    for folder in FOLDERS:
        for kind in KINDS:
            with restored(Fixture(folder, kind)) as (fixture, url, scratch):
                record(fixture, url, scratch, [request for request, _ in recorded_answers(fixture)])


@contextmanager
def restored(fixture: Fixture) -> Iterator[tuple[Fixture, str, Path]]:
    """Restore a fixture outside of pytest."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        url = new_database(fixture.kind, scratch, stack)
        fixture.restore(url, scratch)
        yield fixture, url, scratch


def new_database(kind: str, scratch: Path, stack: ExitStack) -> str:
    """Create an empty database outside of pytest, and return its URL."""
    if kind == "sqlite":
        return f"sqlite:///{scratch / 'treaty.sqlite'}"
    return stack.enter_context(postgres.database(stack.enter_context(postgres.server())))


if __name__ == "__main__":
    main()
