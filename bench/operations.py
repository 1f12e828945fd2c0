"""What is measured: the requests of each operation, on a history."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from bench import histories
from bench.histories import PER_CONTENT, SHORT, SMALL, History, consumer, hub, number, provider
from bench.wire import UNIQUE, Blank, json_body, publication
from treaty.model.pacts import content as contents
from treaty.model.pacts import documents

Body = tuple[bytes | Blank, ...]
VARIANTS: Final = 8
"""On how many pairs of a history an operation is done in turn, if there are as many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of an operation."""

    method: str
    path: str
    body: Body = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Something that clients do."""

    name: str
    title: str
    ask: Callable[[History, int], Asked]
    """Make the request for a pair of a history."""
    compared_with: History | None = None
    """The history than which the large one may not cost much more: what is asked for is as large on it."""
    most_of_shorter: float = 1.3
    """How many times as much it may cost."""


def _pair(pair: int) -> str:
    return f"/pacts/provider/{provider(pair)}/consumer/{consumer(pair)}"


def _publish_new(_history: History, pair: int) -> Asked:
    return Asked("POST", "/contracts/publish", _publication(pair, histories.new_pact(pair)))


def _publish_same(history: History, pair: int) -> Asked:
    newest = (history.versions - 1) // PER_CONTENT
    return Asked("POST", "/contracts/publish", _publication(pair, histories.published(pair, newest)))


def _publication(pair: int, pact: bytes) -> Body:
    document = {"pacticipantName": consumer(pair), "pacticipantVersionNumber": UNIQUE, "branch": "main"}
    return publication(document, provider(pair), pact)


def _get_pact(history: History, pair: int) -> Asked:
    return Asked("GET", f"{_pair(pair)}/version/{quote(number(history.versions - 2), safe='')}")


def _get_pact_version(history: History, pair: int) -> Asked:
    return Asked("GET", f"{_pair(pair)}/pact-version/{_newest_sha(history, pair)}")


def _newest_sha(history: History, pair: int) -> str:
    newest = histories.published(pair, (history.versions - 1) // PER_CONTENT)
    return contents.build_content(documents.parse_document(newest)).sha


def _publish_verification(history: History, pair: int) -> Asked:
    body = {
        "success": True,
        "providerApplicationVersion": UNIQUE,
        "buildUrl": "https://ci.example.org/builds/1",
        "verifiedBy": {"implementation": "pact-js", "version": "12.1.0"},
    }
    path = f"{_pair(pair)}/pact-version/{_newest_sha(history, pair)}/verification-results"
    return Asked("POST", path, json_body(body))


def _can_i_deploy(history: History, pair: int) -> Asked:
    version = quote(number(history.in_production + 2), safe="")
    return Asked("GET", f"/can-i-deploy?pacticipant={consumer(pair)}&version={version}&environment=production")


def _for_verification(_history: History, pair: int) -> Asked:
    body = {
        "consumerVersionSelectors": [{"mainBranch": True}, {"deployedOrReleased": True}],
        "providerVersionBranch": "main",
        "includePendingStatus": True,
    }
    return Asked("POST", f"/pacts/provider/{provider(pair)}/for-verification", json_body(body))


def _with_in_progress(since: Callable[[History], str]) -> Callable[[History, int], Asked]:
    """Ask as a feature branch does, by every kind of selector, with what is pending and in progress since then."""

    def ask(history: History, pair: int) -> Asked:
        selectors = [{"mainBranch": True}, {"branch": "feat/1"}, {"tag": "dev", "latest": True}, {"deployed": True}]
        body = {
            "consumerVersionSelectors": selectors,
            "providerVersionBranch": "feat/9",
            "includePendingStatus": True,
            "includeWipPactsSince": since(history),
        }
        return Asked("POST", f"/pacts/provider/{provider(pair)}/for-verification", json_body(body))

    return ask


def _first(ask: Callable[[History, int], Asked]) -> Callable[[History, int], Asked]:
    """Ask what nobody asked before, as far as the server can tell: with a parameter that means nothing to it."""

    def ask_first(history: History, pair: int) -> Asked:
        template = ask(history, pair)
        mark = "&" if "?" in template.path else "?"
        return replace(template, path=f"{template.path}{mark}first={UNIQUE}")

    return ask_first


SET_SIZE: Final = 30
RETIRED: Final = 10


def _decide_about_set(history: History, _pair: int) -> Asked:
    """Ask about a consumer of many providers together with most of these."""
    newest = number(history.of_hubs.in_production + 2)
    names = [hub(max(histories.HUBS)), *map(histories.spoke, range(SET_SIZE - 1))]
    versions = [{"pacticipant": name, "version": newest} for name in names]
    return Asked("POST", "/decisions", json_body({"environment": "production", "versions": versions}))


def _what_if(history: History, pair: int) -> Asked:
    """Ask what would break if the newest version were deployed, whose pact has not been verified."""
    newest = number(history.versions - 1)
    change = {"change": "deploy", "pacticipant": consumer(pair), "version": newest}
    return Asked("POST", "/decisions/what-if", json_body({"environment": "production", "changes": [change]}))


def _what_if_hub(size: int) -> Callable[[History, int], Asked]:
    """Ask what would break if a consumer of many providers were deployed, and some of these were retired."""

    def ask(history: History, _pair: int) -> Asked:
        newest = number(history.of_hubs.versions - 1)
        changes = [
            {"change": "deploy", "pacticipant": hub(size), "version": newest},
            *({"change": "retire", "pacticipant": histories.spoke(at)} for at in range(min(size, RETIRED))),
        ]
        return Asked("POST", "/decisions/what-if", json_body({"environment": "production", "changes": changes}))

    return ask


def _can_i_deploy_hub(size: int) -> Callable[[History, int], Asked]:
    def ask(history: History, _pair: int) -> Asked:
        version = quote(number(history.of_hubs.in_production + 2), safe="")
        return Asked("GET", f"/can-i-deploy?pacticipant={hub(size)}&version={version}&environment=production")

    return ask


def _badge(_history: History, pair: int) -> Asked:
    return Asked("GET", f"{_pair(pair)}/latest/badge.svg")


def _deploy_badge(_history: History, pair: int) -> Asked:
    path = (
        f"/pacticipants/{consumer(pair)}/branches/main/latest-version/can-i-deploy/to-environment/production/badge.svg"
    )
    return Asked("GET", path)


def _causes(history: History, pair: int) -> Asked:
    """Ask about the newest version, whose pact the version in production has not verified: causes have to be found."""
    version = quote(number(history.versions - 1), safe="")
    return Asked("GET", f"/can-i-deploy?pacticipant={consumer(pair)}&version={version}&environment=production")


def _causes_hub(size: int) -> Callable[[History, int], Asked]:
    def ask(history: History, _pair: int) -> Asked:
        version = quote(number(history.of_hubs.versions - 1), safe="")
        return Asked("GET", f"/can-i-deploy?pacticipant={hub(size)}&version={version}&environment=production")

    return ask


def _matrix(_history: History, pair: int) -> Asked:
    names = "&".join(f"q%5B%5D%5Bpacticipant%5D={name}" for name in (consumer(pair), provider(pair)))
    return Asked("GET", f"/matrix?{names}&latestby=cvpv&limit=100")


def _versions(_history: History, pair: int) -> Asked:
    return Asked("GET", f"/pacticipants/{consumer(pair)}/versions?page=1&size=100")


def _at(path: str) -> Callable[[History, int], Asked]:
    return lambda _history, _pair: Asked("GET", path)


# What changes nothing comes first, so that it is measured on the histories as they were built.
OPERATIONS: Final = (
    Operation(name="index", title="the index", ask=_at("/")),
    Operation(name="get-pact", title="GET a pact by version", ask=_get_pact, compared_with=SMALL),
    Operation(name="get-pact-first", title="  for the first time", ask=_first(_get_pact), compared_with=SMALL),
    Operation(name="get-pact-version", title="GET a pact by content", ask=_get_pact_version, compared_with=SMALL),
    Operation(name="can-i-deploy", title="can-i-deploy", ask=_can_i_deploy, compared_with=SMALL),
    Operation(name="can-i-deploy-first", title="  for the first time", ask=_first(_can_i_deploy), compared_with=SMALL),
    *(
        Operation(
            name=f"can-i-deploy-{size}",
            title=f"can-i-deploy, {size} providers",
            ask=_can_i_deploy_hub(size),
            compared_with=SMALL,
            most_of_shorter=1.5,
        )
        for size in histories.HUBS
    ),
    Operation(
        name="decision-set",
        title=f"a set of {SET_SIZE} versions",
        ask=_decide_about_set,
        compared_with=SMALL,
        most_of_shorter=1.5,
    ),
    Operation(name="what-if", title="what if, one version", ask=_what_if, compared_with=SMALL, most_of_shorter=1.5),
    *(
        Operation(
            name=f"what-if-{size}",
            title=f"what if, {size} providers",
            ask=_first(_what_if_hub(size)),
            compared_with=SMALL,
            most_of_shorter=1.5,
        )
        for size in histories.HUBS
    ),
    Operation(name="causes", title="causes of a no", ask=_causes, compared_with=SMALL, most_of_shorter=1.5),
    Operation(name="causes-first", title="  for the first time", ask=_first(_causes), compared_with=SMALL),
    *(
        Operation(
            name=f"causes-{size}",
            title=f"causes of a no, {size} providers",
            ask=_first(_causes_hub(size)),
            compared_with=SMALL,
            most_of_shorter=1.5,
        )
        for size in histories.HUBS
    ),
    Operation(name="for-verification", title="pacts for verification", ask=_for_verification, compared_with=SMALL),
    Operation(
        name="for-verification-first", title="  for the first time", ask=_first(_for_verification), compared_with=SMALL
    ),
    Operation(
        name="for-verification-wip",
        title="  and 5 branches in progress",
        ask=_with_in_progress(histories.newest_branches_began),
        compared_with=SMALL,
        most_of_shorter=1.5,
    ),
    Operation(
        name="for-verification-all",
        title="  and every branch",
        ask=_with_in_progress(lambda _history: "2020-01-01"),
    ),
    Operation(name="badge", title="badge of a pact", ask=_badge, compared_with=SMALL, most_of_shorter=1.5),
    Operation(
        name="badge-can-i-deploy",
        title="badge of can-i-deploy",
        ask=_deploy_badge,
        compared_with=SMALL,
        most_of_shorter=1.5,
    ),
    Operation(name="matrix", title="matrix of a pair, 100 rows", ask=_matrix, compared_with=SMALL, most_of_shorter=1.5),
    Operation(
        name="pacticipants",
        title="pacticipants, 100 a page",
        ask=_at("/pacticipants?page=1&size=100"),
        compared_with=SHORT,
    ),
    Operation(name="versions", title="versions, 100 a page", ask=_versions, compared_with=SHORT),
    Operation(name="dashboard", title="the dashboard", ask=_at("/dashboard"), compared_with=SHORT),
    Operation(name="integrations", title="integrations", ask=_at("/integrations"), compared_with=SHORT),
    Operation(name="publish-verification", title="publish a result", ask=_publish_verification),
    Operation(name="publish-same", title="publish the same content", ask=_publish_same),
    Operation(name="publish-new", title="publish new content", ask=_publish_new),
)


def histories_of(operation: Operation) -> tuple[History, ...]:
    """List the histories that an operation is measured on."""
    return tuple(history for history in histories.ALL if history is not SHORT or history is operation.compared_with)


def prepare_requests(operation: Operation, history: History) -> dict[str, Asked]:
    """List the requests of an operation, by the names that the floor knows them by."""
    pairs = range(min(VARIANTS, history.pairs))
    return {f"{operation.name}.{pair}": operation.ask(history, pair) for pair in pairs}
