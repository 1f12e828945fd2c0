"""The pages of a company with real names, by their handlers, so that a page without an example is noticed."""

import fcntl
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from playwright.sync_api import Page

from bench import company
from tests.whole import servers
from treaty.settings import Settings
from treaty.web.routers import list_routers

ADMINISTRATOR: Final = company.USERS[0][0]
READER: Final = company.USERS[-1][0]

WITHOUT_EXAMPLE: Final = {
    "accounts.sign_in.show_code": "follows a sign-in of an account with a second factor",
    "accounts.sign_in.show_setup": "exists only before there are users",
    "provider_contracts.contracts.download_contract": "is no page",
    "overview.guide.show_guide_image": "is no page",
    "pacts.pacts.show_content_as_said": "is the page of a pact under another URL",
    "verifications.show_verification_as_said": "is the page of a result under another URL",
}


def build_once(shared: Path) -> Path:
    """Build the company's database in a folder that processes share, unless one has; return its own folder below that.

    The folder also has the key of the database, which users need to sign in.
    """
    folder = shared / "company"
    with (shared / "company.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = shared / "company-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            company.build(unfinished / "company.sqlite", has_users=True)
            unfinished.rename(folder)
    return folder


@contextmanager
def running(folder: Path, original: Path | None = None) -> Iterator[servers.Server]:
    """Start a server with the company's database, or a copy of it. Its users have the password `company.PASSWORD`."""
    path = folder / "company.sqlite"
    if original:
        shutil.copytree(original, folder, dirs_exist_ok=True)
    else:
        company.build(path, has_users=True)
    with servers.running(f"sqlite:///{path}", "--webhook-host-whitelist", "/.*/") as server:
        yield server


def sign_in(page: Page, user: str = ADMINISTRATOR) -> None:
    """Sign in to the company's server."""
    page.goto("/sign-in")
    page.locator("main [name=name]").fill(user)
    page.locator("main [type=password]").fill(company.PASSWORD)
    page.locator("main [type=password]").press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def list_handlers() -> set[str]:
    """List the handlers of all pages, by their modules below `web/pages` or `web/api`."""
    endpoints = (endpoint for router in list_routers(Settings()) for endpoint in router.endpoints.values())
    handlers = (endpoint.page.handler for endpoint in endpoints if endpoint.page)
    return {f"{handler.__module__.split('.', 3)[3]}.{handler.__name__}" for handler in handlers}


def list_examples() -> Collection[str]:
    """List the handlers for which there are paths."""
    return _list_paths(lambda *_: "x").keys()


def list_paths(folder: Path) -> dict[str, list[str]]:
    """List the paths of the pages to look at, by their handlers."""
    with closing(sqlite3.connect(folder / "company.sqlite")) as db:

        def find(query: str, *values: str) -> str:
            (value,) = db.execute(query, values).fetchone()
            return str(value)

        return _list_paths(find)


_SECRET: Final = "SELECT uuid FROM secret"  # noqa: S105 - a query
_WEBHOOKS: Final = "SELECT uuid FROM webhook"


def _list_paths(find: Callable[..., str]) -> dict[str, list[str]]:
    shop, orders = company.SHOP, company.ORDERS
    me, pair = f"/pacticipants/{shop}", company.pair_path(shop, orders)
    dashboard = f"/dashboard/provider/{orders}/consumer/{shop}"
    head = find(
        "SELECT number FROM version JOIN branch ON version.id = head_version_id JOIN pacticipant AS p "
        "ON p.id = version.pacticipant_id WHERE p.name = ? AND branch.name = 'main'",
        shop,
    )
    contents = "SELECT sha FROM content JOIN pacticipant AS p ON p.id = consumer_id JOIN pacticipant AS q ON q.id = "
    contents += "provider_id WHERE p.name = ? AND q.name = ? ORDER BY content.id"
    older, sha = find(contents, shop, orders), find(contents + " DESC", shop, orders)
    feature = f"{pair}/version/{company.commit(shop, company.feature_branches()[1], 0)}"
    production = find("SELECT uuid FROM environment WHERE is_production")
    environment = f"/environments/{production}"
    first, other = (find(f"{_WEBHOOKS} {order} LIMIT 1") for order in ("ORDER BY id", "WHERE description LIKE 'Post%'"))
    webhook, failing = f"/webhooks/{first}", f"/webhooks/{other}"
    delivery = find("SELECT uuid FROM triggered_webhook WHERE status = 'failure' ORDER BY id LIMIT 1")
    secret = f"/secrets/{find(_SECRET)}"
    decision = find("SELECT uuid FROM decision WHERE NOT deployable ORDER BY id DESC LIMIT 1")
    account = find("SELECT uuid FROM account WHERE name = ?", READER)
    documented = find(
        "SELECT number FROM provider_contract JOIN version ON version.id = provider_contract.version_id LIMIT 1"
    )
    adapter = "tax-calculation-adapter"
    contract = f"/contracts/bi-directional/provider/{adapter}/version/{documented}"
    client = next(consumer for consumer, provider in company.integrations() if provider == adapter)
    compared = find(
        "SELECT number FROM publication JOIN version ON version.id = consumer_version_id JOIN pacticipant AS p "
        "ON p.id = consumer_id JOIN pacticipant AS q ON q.id = provider_id WHERE p.name = ? AND q.name = ? "
        "ORDER BY publication.id DESC LIMIT 1",
        *(client, adapter),
    )
    # The server compares it soon after it has started.
    compared_sha = find(contents + " DESC", client, adapter)
    comparison = f"/contracts/provider/{adapter}/version/{documented}/consumer/{client}/pact-version/{compared_sha}"
    comparison += "/verification-results"
    odd = [quote(name, safe="") for name in ("bff/web", '"smart" address-validation', "gift-cards 🎁")]
    selectors = f"q[][pacticipant]={shop}&q[][version]={head}&environment=production"
    return {
        "overview.overview.show_overview": ["/", "/?q=payment&sort=state", "/?tags=true", "/?environment=production"],
        "overview.dashboard.show_pair": [dashboard, f"{dashboard}?view=grid", f"{dashboard}?view=all"],
        "overview.explorer.show_explorer": [f"/explorer#{me}", "/hal-browser/browser.html#POST /contracts/publish"],
        "overview.attention.show_attention": ["/attention", "/attention?kind=failed"],
        "overview.pending.show_pending": ["/pending", "/pending?wip=14", "/pending?stale=7"],
        "overview.trends.show_trends": ["/trends", f"/trends?provider={orders}"],
        "overview.trends.show_rows": ["/trends/rows?show=results"],
        "overview.guide.show_guide": ["/docs/guide"],
        "overview.guide.show_guide_page": ["/docs/guide/webhooks", "/docs/guide/configuration"],
        "overview.guide.show_guide_subpage": ["/docs/guide/decisions/0001-reads-and-writes-are-synchronous"],
        "overview.network.show_system": ["/network"],
        "overview.network.show_network": [f"{me}/network"],
        "overview.search.search": ["/search?q=service", "/search?q=nothing-has-this-name"],
        "overview.documentation.show_api": ["/docs", "/docs?q=labels"],
        "overview.documentation.show_proxies": ["/docs/proxies"],
        "overview.documentation.show_reasons": ["/docs/reasons"],
        "overview.documentation.show_relation": ["/doc/pacticipants?context=index"],
        "pacticipants.pacticipants.show_pacticipant": [
            me,
            f"{me}?version={head}&to=production",
            f"/pacticipants/{orders}",
            f"/pacticipants/{orders}?show=states",
            *(f"/pacticipants/{name}" for name in odd),
            "/pacticipants/order-managment-service",
        ],
        "pacticipants.changes.show_changing_pacticipant": [f"{me}/edit"],
        "pacticipants.changes.ask_before_removing": [f"{me}/delete"],
        "usage.show_usage": [f"/pacticipants/{orders}/usage", f"/pacticipants/{orders}/usage?text=currency"],
        "interactions.show_interactions": [f"/pacticipants/{orders}/interactions"],
        "versions.show_version": [f"{me}/versions/{head}"],
        "pacts.pacts.show_pact": [feature],
        "pacts.pacts.show_content": [f"{pair}/pact-version/{sha}"],
        "pacts.pacts.show_latest": [f"{pair}/branch/main/latest", f"{pair}/latest?q=invoices"],
        "pacts.differences.show_difference_from_previous": [f"{feature}/diff/previous-distinct"],
        "pacts.differences.show_difference_from_version": [f"{feature}/diff/version/{head}"],
        "pacts.differences.show_difference_from_content": [
            f"{pair}/pact-version/{sha}/diff/pact-version/{older}",
        ],
        "verifications.show_verification": [_result_path(find, pair, orders)],
        "verifications.show_latest": [f"{pair}/version/{head}/verification-results/latest"],
        "decisions.matrix.show_matrix": ["/matrix", f"/matrix?{selectors}"],
        "decisions.matrix.show_matrix_of_pair": [f"/matrix/provider/{orders}/consumer/{shop}"],
        "decisions.overrides.show_overrides": ["/overrides"],
        "decisions.overrides.show_new_override": [f"/overrides/new?pacticipantName={shop}"],
        "decisions.records.show_decisions": ["/decisions"],
        "decisions.records.show_decision": [f"/decisions/{decision}"],
        "decisions.records.show_trends": ["/decisions/trends"],
        "decisions.what_if.show_what_if": [
            f"{environment}/what-if",
            f"{environment}/what-if?change=undeploy&pacticipant={orders}",
        ],
        "deployments.environments.show_environments": ["/environments"],
        "deployments.environments.show_environment": [environment],
        "deployments.environments.show_history": [f"{environment}/history/{orders}"],
        "deployments.environments.show_new_environment": ["/environments/new"],
        "deployments.environments.show_changing_environment": [f"{environment}/edit"],
        "deployments.environments.ask_before_removing": [f"{environment}/delete"],
        "webhooks.webhooks.show_webhooks": ["/webhooks"],
        "webhooks.webhooks.show_webhook": [webhook, failing],
        "webhooks.webhooks.show_delivery": [f"/triggered-webhooks/{delivery}/logs"],
        "webhooks.webhooks.show_new_webhook": ["/webhooks/new", "/webhooks/new?template=github"],
        "webhooks.webhooks.show_changing_webhook": [f"{webhook}/edit"],
        "webhooks.webhooks.ask_before_removing": [f"{webhook}/delete"],
        "webhooks.webhooks.show_trying_webhook": [f"{webhook}/try"],
        "webhooks.named_secrets.show_secrets": ["/secrets"],
        "webhooks.named_secrets.show_new_secret": ["/secrets/new"],
        "webhooks.named_secrets.show_changing_secret": [f"{secret}/edit"],
        "webhooks.named_secrets.ask_before_removing_secret": [f"{secret}/delete"],
        "provider_contracts.contracts.show_contract": [f"{contract}/provider-contract"],
        "provider_contracts.contracts.show_newest_contract": [f"{me}/provider-contract"],
        "provider_contracts.contracts.show_contract_text": [f"{contract}/provider-contract/document?line=5"],
        "provider_contracts.coverage.show_coverage": [f"{contract}/coverage"],
        "provider_contracts.comparisons.show_comparison_of_versions": [
            f"{contract}/consumer/{client}/version/{compared}/cross-contract-verification-results"
        ],
        "provider_contracts.comparisons.show_comparison": [comparison],
        "provider_contracts.engine.show_engine": ["/settings/comparisons"],
        "accounts.reauthentication.show_reauthentication": ["/sign-in/again"],
        "accounts.second_factor.show_second_factor": ["/settings/account/second-factor"],
        "accounts.settings.show_settings": ["/settings"],
        "accounts.settings.show_account": ["/settings/account"],
        "accounts.settings.show_tokens": ["/settings/tokens"],
        "accounts.settings.show_users": ["/settings/users"],
        "accounts.settings.show_user_page": [f"/settings/users/{account}"],
        "accounts.sign_in.show_sign_in": ["/sign-in"],
        "audit.show_audit": ["/settings/audit"],
    }


def _result_path(find: Callable[..., str], pair: str, provider: str) -> str:
    """Return the path of the latest failure of the large pact."""
    query = "SELECT {} FROM verification AS v JOIN content ON content.id = content_id JOIN pacticipant AS p ON p.id = "
    query += "v.provider_id WHERE p.name = ? AND length(test_results) > 20000 AND NOT success ORDER BY v.id DESC"
    sha, number = (find(query.format(column), provider) for column in ("sha", "v.id"))
    return f"{pair}/pact-version/{sha}/verification-results/{number}"
