"""Clients of the application in this process, on both databases; users in them; commands that call them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, text

from tests.api.client import SECRET_KEY, Api, Clock, build_settings, pact
from tests.api.commands import Run, answer_with
from tests.api.comparison_histories import ComparisonBroker
from tests.api.credentials import PASSWORD, VAULT, bearer, hash_quickly
from tests.api.decision_histories import SETTINGS, ForgetfulBroker
from tests.api.deliveries import OPEN, Broker
from tests.certificates import issue_certificate
from tests.databases import open_kept, open_new
from tests.http_server import Answer, Request, serving
from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.actions.accounts.credentials import IssuedToken
from treaty.cli import PACT_BROKER
from treaty.model.accounts.access import Role
from treaty.model.accounts.scopes import Scope, build_limits
from treaty.settings import Secret, Settings
from treaty.store.engine.database import Database, open_database
from treaty.web.application import build_application
from treaty.workers.comparisons import ComparisonWorker


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_api(database_url: str, clock: Clock) -> Iterator[Callable[..., Api]]:
    """Make clients of applications with settings of their own, all on the test's database."""
    apis = []

    def make(**settings: Any) -> Api:
        # A busy machine may take longer to compare than a user should wait.
        defaults = {"log_level": "error", "secret_key": SECRET_KEY, "comparison_budget": 600}
        built = build_settings(**{"database_url": database_url, **defaults, **settings})
        database = open_kept(built.database_url, connections=2)
        api = Api(build_application(built, database, clock=clock))
        apis.append((api, database))
        return api

    yield make
    for api, database in apis:
        api.close()
        database.close()


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """A client of an application with the usual settings."""
    return make_api()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The test's database, to make users in."""
    opened = open_kept(database_url, connections=1)
    yield opened
    opened.close()


@pytest.fixture
def accounts(database: Database, clock: Clock) -> Callable[..., IssuedToken]:
    """Add a user, by default with the name of the role, and give it a token."""

    def add(role: Role, name: str = "", *, system: bool = False, token: Role = Role.READ_WRITE) -> IssuedToken:
        its_hash = None if system else hash_quickly(PASSWORD)
        draft = account_actions.AccountDraft(name=name or role.value, role=role, password=its_hash, is_system=system)
        account = database.write(lambda db: account_actions.add_account(db, draft, now=clock.now))
        draft_token = credentials.TokenDraft(name="of the tests", role=token)
        return database.write(lambda db: credentials.add_token(db, account, draft_token, vault=VAULT, now=clock.now))

    return add


@pytest.fixture
def limited_token(
    database: Database, accounts: Callable[..., IssuedToken], clock: Clock
) -> Callable[..., dict[str, str]]:
    """Add a token of an administrator, limited to scopes and applications; return its header."""
    numbers = count()

    def add(
        *scopes: Scope, of: str = "administrator", applications: Sequence[str] = (), **properties: Any
    ) -> dict[str, str]:
        number = next(numbers)
        if not number:
            accounts(Role.ADMINISTRATOR)
        limits = build_limits(scopes, applications)
        draft = credentials.TokenDraft(name=f"build {number}", limits=limits, **properties)

        def write(db: Connection) -> IssuedToken:
            owner = account_actions.get_account(db, of)
            return credentials.add_token(db, owner, draft, vault=VAULT, now=clock.now)

        return bearer(database.write(write))

    return add


@pytest.fixture
def run_build(make_api: Callable[..., Api], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Call `pact-broker` with a token, as a build does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pacts").mkdir()
    (tmp_path / "pacts" / "shop-prices.json").write_text(json.dumps(pact("Shop", "Prices")))
    with serving(answer_with(make_api())) as address:

        def run(headers: Mapping[str, str], *words: str) -> Result:
            token = headers["authorization"].removeprefix("Bearer ")
            env = {"PACT_BROKER_BASE_URL": address, "PACT_BROKER_TOKEN": token, "PACT_BROKER_HTTP_RETRIES": "1"}
            return CliRunner().invoke(PACT_BROKER, words, prog_name="pact-broker", env=env)

        yield run


@pytest.fixture
def run_command(api: Api) -> Iterator[Run]:
    """Call a command with the application of this process."""

    def respond(request: Request) -> Answer:
        headers = [(name, value) for name, value in request.headers.items() if name in {"accept", "content-type"}]
        answer = api.send(request.method, request.path, request.body, headers)
        # The application of this process does not know where it is served.
        body = answer.body.replace(b"http://localhost", f"http://{request.headers['host']}".encode())
        return Answer(answer.status, body, {"Content-Type": answer.headers.get("content-type", "")})

    with serving(respond) as url:

        def run_command(*words: str, program: object = PACT_BROKER, **env: str) -> Result:
            variables = {"PACT_BROKER_BASE_URL": url, "PACT_BROKER_HTTP_RETRIES": "1"} | env
            return CliRunner().invoke(program, words, prog_name="pact-broker", env=variables)  # type: ignore[arg-type]  # a program

        yield run_command


@pytest.fixture
def comparison_worker(database: Database, clock: Clock) -> ComparisonWorker:
    """A worker that compares pacts with contracts only when a test calls it."""
    return ComparisonWorker(database, clock=clock)


@pytest.fixture
def forgetful_broker(database_url: str, clock: Clock) -> Iterator[ForgetfulBroker]:
    """A broker for random histories of decisions."""
    database = open_database(database_url)

    def forget() -> None:
        with database.engine.begin() as connection:
            connection.execute(text("DELETE FROM pacticipant"))
            connection.execute(text("DELETE FROM environment"))

    chosen = Settings(database_url=database_url, log_level="error", **SETTINGS)  # type: ignore[arg-type]  # settings by name
    with closing(Api(build_application(chosen, database, clock=clock))) as api:
        yield ForgetfulBroker(api, clock, forget)
    database.close()


@pytest.fixture
def comparison_broker(database_url: str, clock: Clock) -> Iterator[ComparisonBroker]:
    """Two servers on one database for random histories of comparisons."""
    database = open_database(database_url)
    options: dict[str, Any] = {
        "database_url": database_url,
        "log_level": "error",
        "allow_dangerous_contract_modification": True,
    }
    # The server with time shares the test's processor with others, so it has all the time there is.
    patient = Settings(**options, comparison_budget=timedelta(minutes=10))
    hurried = Settings(**options, comparison_budget=timedelta(0))
    with (
        closing(Api(build_application(patient, database, clock=clock))) as api,
        closing(Api(build_application(hurried, open_database(database_url), clock=clock))) as other,
    ):
        yield ComparisonBroker(api, other, ComparisonWorker(database, clock=clock), database)
    database.close()


@pytest.fixture
def make_broker(database_url: str) -> Iterator[Callable[..., Broker]]:
    """Make brokers that deliver webhooks, all on the test's database."""
    with ExitStack() as stack:

        def make(*, starts: bool = True, **settings: Any) -> Broker:
            options = {"database_url": database_url, "secret_key": SECRET_KEY, "log_level": "fatal", **OPEN, **settings}
            database = open_kept(database_url, connections=4)
            stack.callback(database.close)
            broker = Broker(database, Settings(**options))
            stack.callback(broker.api.close)
            if starts:
                broker.worker.start()
                stack.callback(broker.worker.stop)
            return broker

        yield make


@pytest.fixture
def make_separate_api(tmp_path: Path, clock: Clock) -> Iterator[Callable[[str], Api]]:
    """Make clients of applications with databases of their own, on SQLite."""
    brokers = []

    def make(name: str) -> Api:
        chosen = Settings(
            database_url=f"sqlite:///{tmp_path / name}.sqlite",
            log_level="error",
            secret_key=Secret(SECRET_KEY),
            allow_dangerous_contract_modification=True,
        )
        database = open_new(tmp_path / f"{name}.sqlite")
        api = Api(build_application(chosen, database, clock=clock))
        brokers.append((api, database))
        return api

    yield make
    for api, database in brokers:
        api.close()
        database.close()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[str, Path]:
    """A certificate for ci.example, as PEM, and a file with it and its key."""
    return issue_certificate(tmp_path)
