"""Every resource and page that links lead to is the same in a broker of the other kind after a restoration."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.api.conftest import BASE, HAL, SECRET_KEY, Api, Clock, build_settings
from tests.api.history import History
from tests.api.writes import CONSUMER, DOCUMENT, PROVIDER, WRITES, World, world
from tests.databases import create_missing_file, open_kept
from tests.scale import choose
from treaty import app
from treaty.cli.progress import Progress
from treaty.settings import Settings
from treaty.web.application import build_application
from treaty.workers.backups import BackupOptions, RestoreOptions

PAGE = "text/html"
LIMIT = choose(60, slow=120, long=5000)
"""Resources, and pages."""
# They report on the process, or contain the events of the backup and the restoration.
OTHERS = re.compile(r"/(audit|settings/audit|metrics|diagnostic|docs|static|openapi|test|doc)\b|[?&]after=")
ADDITIONS = (
    *("add_label", "put_on_branch", "put_tag", "add_alias", "add_environment", "record_deployment", "add_override"),
    *("put_first_deployments", "publish_contracts", "publish_provider_contract", "set_comparison_profile", "put_pact"),
    *("publish_verification", "create_webhook_of_provider", "create_webhook_of_pair", "import_facts"),
)


@pytest.fixture
def other_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database of the other kind."""
    if database_url.startswith("postgresql"):
        url = f"sqlite:///{tmp_path / 'other.sqlite'}"
        create_missing_file(url)
        yield url
        return
    with request.getfixturevalue("postgres_lender").database() as url:
        yield url


def fill(api: Api) -> None:
    it: World = world(api)
    for name in ADDITIONS:
        path, body = WRITES[name](it)
        method = (
            "PUT" if name.startswith("put") or name in {"add_label", "add_alias", "set_comparison_profile"} else "POST"
        )
        it.send(method, path, body)
    history = History(api)
    results = {"success": True, "content": "", "contentType": "text/plain", "format": "text", "verifier": "x"}
    contract = {**DOCUMENT, "specification": "oas", "selfVerificationResults": results}
    body = {"pacticipantVersionNumber": "9", "contract": contract}
    it.send("POST", f"/provider-contracts/provider/{PROVIDER}/publish", body)
    history.publish("Tïll/2", "1.0+ü", PROVIDER, "a third thing")
    question = {"versions": [{"pacticipant": CONSUMER, "version": "1"}], "environment": "production", "record": True}
    it.send("POST", "/decisions", question)


def walk(api: Api, accept: str) -> dict[str, str]:
    """Follow all links from the index, breadth first, and return the path and the body of each response."""
    found: dict[str, str] = {}
    waiting = ["/"]
    while waiting and len(found) < LIMIT:
        path = waiting.pop(0)
        if path in found or OTHERS.match(path):
            continue
        answer = api.get(path, accept=accept)
        if answer.status != 200 or accept not in answer.headers.get("content-type", ""):
            continue
        found[path] = re.sub(r'(name="csrf_token" value=|nonce[-=])"?[^"\']+', "", answer.text)
        waiting += links(answer.text)
    return found


def links(text: str) -> list[str]:
    hrefs = [unescape(href).removeprefix(BASE) for href in re.findall(r'href"?[=:] ?"([^"{}#]+)', text)]
    return [href for href in hrefs if href.startswith("/") and not href.startswith("//")]


@pytest.mark.slow_on_postgresql
def test_everything_is_the_same_in_a_database_of_the_other_kind(
    api: Api, clock: Clock, database_url: str, other_url: str, tmp_path: Path
) -> None:
    fill(api)
    for accept in (HAL, PAGE):  # reading decisions compares pacts with contracts, and stores the results
        walk(api, accept)
    before = {accept: walk(api, accept) for accept in (HAL, PAGE)}
    path = tmp_path / "backup.zip"

    def settings(url: str) -> Settings:
        return build_settings(database_url=url, log_level="error", secret_key=SecretStr(SECRET_KEY))

    app.make_backup(settings(database_url), path, BackupOptions(), progress=Progress(1))
    app.restore_backup(settings(other_url), path, RestoreOptions(), read_passphrase=lambda: None, progress=Progress(2))
    database = open_kept(other_url, connections=2)
    restored = Api(build_application(settings(other_url), database, clock=clock))
    try:
        after = {accept: walk(restored, accept) for accept in (HAL, PAGE)}
    finally:
        restored.close()
        database.close()
    for accept, bodies in before.items():
        assert len(bodies) > 40
        assert_same(bodies, after[accept])


def assert_same(before: dict[str, str], after: dict[str, str]) -> None:
    assert list(after) == list(before)
    different = [path for path, body in before.items() if after[path] != body]
    assert not different, (different, before[different[0]], after[different[0]])
