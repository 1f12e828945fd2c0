"""The operations that the benchmarks measure, and their requests on a history."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from bench import histories
from bench.histories import PER_CONTENT, SHORT, SMALL, History, consumer, hub, number, provider
from bench.wire import UNIQUE, Placeholder, build_json_body, build_publication_body
from treaty.model.pacts import content as contents
from treaty.model.pacts import documents

Body = tuple[bytes | Placeholder, ...]
VARIANTS: Final = 8
"""Maximum number of pairs of a history between which the requests of an operation alternate."""


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """A request whose path or body can have placeholders."""

    method: str
    path: str
    body: Body = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """A request of clients whose latency and throughput are measured."""

    name: str
    title: str
    build_request: Callable[[History, int], RequestTemplate]
    """Builds the request for a pair of a history."""
    baseline: History | None = None
    """History to compare the large one with. The response has the same size on both."""
    max_ratio: float = 1.3
    """Target: maximum ratio of the latency on the large history to that on the baseline."""


def _pair_path(pair: int) -> str:
    return f"/pacts/provider/{provider(pair)}/consumer/{consumer(pair)}"


def _publish_new(_history: History, pair: int) -> RequestTemplate:
    return RequestTemplate("POST", "/contracts/publish", _build_publication(pair, histories.build_new_pact(pair)))


def _publish_same(history: History, pair: int) -> RequestTemplate:
    newest = (history.versions - 1) // PER_CONTENT
    return RequestTemplate(
        "POST", "/contracts/publish", _build_publication(pair, histories.build_published_pact(pair, newest))
    )


def _build_publication(pair: int, pact: bytes) -> Body:
    document = {"pacticipantName": consumer(pair), "pacticipantVersionNumber": UNIQUE, "branch": "main"}
    return build_publication_body(document, provider(pair), pact)


def _get_pact(history: History, pair: int) -> RequestTemplate:
    return RequestTemplate("GET", f"{_pair_path(pair)}/version/{quote(number(history.versions - 2), safe='')}")


def _get_pact_version(history: History, pair: int) -> RequestTemplate:
    return RequestTemplate("GET", f"{_pair_path(pair)}/pact-version/{_compute_newest_sha(history, pair)}")


def _compute_newest_sha(history: History, pair: int) -> str:
    newest = histories.build_published_pact(pair, (history.versions - 1) // PER_CONTENT)
    return contents.build_content(documents.parse_document(newest)).sha


def _publish_verification(history: History, pair: int) -> RequestTemplate:
    body = {
        "success": True,
        "providerApplicationVersion": UNIQUE,
        "buildUrl": "https://ci.example.org/builds/1",
        "verifiedBy": {"implementation": "pact-js", "version": "12.1.0"},
    }
    path = f"{_pair_path(pair)}/pact-version/{_compute_newest_sha(history, pair)}/verification-results"
    return RequestTemplate("POST", path, build_json_body(body))


def _can_i_deploy(history: History, pair: int) -> RequestTemplate:
    version = quote(number(history.in_production + 2), safe="")
    return RequestTemplate(
        "GET", f"/can-i-deploy?pacticipant={consumer(pair)}&version={version}&environment=production"
    )


def _for_verification(_history: History, pair: int) -> RequestTemplate:
    body = {
        "consumerVersionSelectors": [{"mainBranch": True}, {"deployedOrReleased": True}],
        "providerVersionBranch": "main",
        "includePendingStatus": True,
    }
    return RequestTemplate("POST", f"/pacts/provider/{provider(pair)}/for-verification", build_json_body(body))


def _for_verification_with_wip(since: Callable[[History], str]) -> Callable[[History, int], RequestTemplate]:
    """Request the pacts for a feature branch, by each kind of selector, with pending pacts and work in progress."""

    def build_request(history: History, pair: int) -> RequestTemplate:
        selectors = [{"mainBranch": True}, {"branch": "feat/1"}, {"tag": "dev", "latest": True}, {"deployed": True}]
        body = {
            "consumerVersionSelectors": selectors,
            "providerVersionBranch": "feat/9",
            "includePendingStatus": True,
            "includeWipPactsSince": since(history),
        }
        return RequestTemplate("POST", f"/pacts/provider/{provider(pair)}/for-verification", build_json_body(body))

    return build_request


def _as_first_request(
    build_request: Callable[[History, int], RequestTemplate],
) -> Callable[[History, int], RequestTemplate]:
    """Add a query parameter that is unique and without a meaning, so that no response in the cache fits."""

    def build_first_request(history: History, pair: int) -> RequestTemplate:
        template = build_request(history, pair)
        separator = "&" if "?" in template.path else "?"
        return replace(template, path=f"{template.path}{separator}first={UNIQUE}")

    return build_first_request


SET_SIZE: Final = 30
RETIRED: Final = 10


def _decide_about_set(history: History, _pair_path: int) -> RequestTemplate:
    """Request the decision about a consumer of many providers together with most of these."""
    newest = number(history.of_hubs.in_production + 2)
    names = [hub(max(histories.HUBS)), *map(histories.spoke, range(SET_SIZE - 1))]
    versions = [{"pacticipant": name, "version": newest} for name in names]
    return RequestTemplate("POST", "/decisions", build_json_body({"environment": "production", "versions": versions}))


def _what_if(history: History, pair: int) -> RequestTemplate:
    """Request the effects of deploying the newest version, whose pact has no result in production."""
    newest = number(history.versions - 1)
    change = {"change": "deploy", "pacticipant": consumer(pair), "version": newest}
    return RequestTemplate(
        "POST", "/decisions/what-if", build_json_body({"environment": "production", "changes": [change]})
    )


def _what_if_hub(size: int) -> Callable[[History, int], RequestTemplate]:
    """Request the effects of deploying a consumer of many providers, and of retiring some of these."""

    def build_request(history: History, _pair_path: int) -> RequestTemplate:
        newest = number(history.of_hubs.versions - 1)
        changes = [
            {"change": "deploy", "pacticipant": hub(size), "version": newest},
            *({"change": "retire", "pacticipant": histories.spoke(at)} for at in range(min(size, RETIRED))),
        ]
        return RequestTemplate(
            "POST", "/decisions/what-if", build_json_body({"environment": "production", "changes": changes})
        )

    return build_request


def _can_i_deploy_hub(size: int) -> Callable[[History, int], RequestTemplate]:
    def build_request(history: History, _pair_path: int) -> RequestTemplate:
        version = quote(number(history.of_hubs.in_production + 2), safe="")
        return RequestTemplate("GET", f"/can-i-deploy?pacticipant={hub(size)}&version={version}&environment=production")

    return build_request


def _badge(_history: History, pair: int) -> RequestTemplate:
    return RequestTemplate("GET", f"{_pair_path(pair)}/latest/badge.svg")


def _deploy_badge(_history: History, pair: int) -> RequestTemplate:
    path = (
        f"/pacticipants/{consumer(pair)}/branches/main/latest-version/can-i-deploy/to-environment/production/badge.svg"
    )
    return RequestTemplate("GET", path)


def _can_i_deploy_newest(history: History, pair: int) -> RequestTemplate:
    """Request a negative decision: production has not verified the newest pact, so the response names causes."""
    version = quote(number(history.versions - 1), safe="")
    return RequestTemplate(
        "GET", f"/can-i-deploy?pacticipant={consumer(pair)}&version={version}&environment=production"
    )


def _can_i_deploy_newest_hub(size: int) -> Callable[[History, int], RequestTemplate]:
    def build_request(history: History, _pair_path: int) -> RequestTemplate:
        version = quote(number(history.of_hubs.versions - 1), safe="")
        return RequestTemplate("GET", f"/can-i-deploy?pacticipant={hub(size)}&version={version}&environment=production")

    return build_request


def _matrix(_history: History, pair: int) -> RequestTemplate:
    names = "&".join(f"q%5B%5D%5Bpacticipant%5D={name}" for name in (consumer(pair), provider(pair)))
    return RequestTemplate("GET", f"/matrix?{names}&latestby=cvpv&limit=100")


def _versions(_history: History, pair: int) -> RequestTemplate:
    return RequestTemplate("GET", f"/pacticipants/{consumer(pair)}/versions?page=1&size=100")


def _get(path: str) -> Callable[[History, int], RequestTemplate]:
    return lambda _history, _pair_path: RequestTemplate("GET", path)


# Reads come first, so that they are measured on the histories as they were built.
OPERATIONS: Final = (
    Operation(name="index", title="the index", build_request=_get("/")),
    Operation(name="get-pact", title="GET a pact by version", build_request=_get_pact, baseline=SMALL),
    Operation(
        name="get-pact-first", title="  for the first time", build_request=_as_first_request(_get_pact), baseline=SMALL
    ),
    Operation(name="get-pact-version", title="GET a pact by content", build_request=_get_pact_version, baseline=SMALL),
    Operation(name="can-i-deploy", title="can-i-deploy", build_request=_can_i_deploy, baseline=SMALL),
    Operation(
        name="can-i-deploy-first",
        title="  for the first time",
        build_request=_as_first_request(_can_i_deploy),
        baseline=SMALL,
    ),
    *(
        Operation(
            name=f"can-i-deploy-{size}",
            title=f"can-i-deploy, {size} providers",
            build_request=_can_i_deploy_hub(size),
            baseline=SMALL,
            max_ratio=1.5,
        )
        for size in histories.HUBS
    ),
    Operation(
        name="decision-set",
        title=f"a set of {SET_SIZE} versions",
        build_request=_decide_about_set,
        baseline=SMALL,
        max_ratio=1.5,
    ),
    Operation(name="what-if", title="what if, one version", build_request=_what_if, baseline=SMALL, max_ratio=1.5),
    *(
        Operation(
            name=f"what-if-{size}",
            title=f"what if, {size} providers",
            build_request=_as_first_request(_what_if_hub(size)),
            baseline=SMALL,
            max_ratio=1.5,
        )
        for size in histories.HUBS
    ),
    Operation(name="causes", title="causes of a no", build_request=_can_i_deploy_newest, baseline=SMALL, max_ratio=1.5),
    Operation(
        name="causes-first",
        title="  for the first time",
        build_request=_as_first_request(_can_i_deploy_newest),
        baseline=SMALL,
    ),
    *(
        Operation(
            name=f"causes-{size}",
            title=f"causes of a no, {size} providers",
            build_request=_as_first_request(_can_i_deploy_newest_hub(size)),
            baseline=SMALL,
            max_ratio=1.5,
        )
        for size in histories.HUBS
    ),
    Operation(name="for-verification", title="pacts for verification", build_request=_for_verification, baseline=SMALL),
    Operation(
        name="for-verification-first",
        title="  for the first time",
        build_request=_as_first_request(_for_verification),
        baseline=SMALL,
    ),
    Operation(
        name="for-verification-wip",
        title="  and 5 branches in progress",
        build_request=_for_verification_with_wip(histories.start_of_newest_branches),
        baseline=SMALL,
        max_ratio=1.5,
    ),
    Operation(
        name="for-verification-all",
        title="  and every branch",
        build_request=_for_verification_with_wip(lambda _history: "2020-01-01"),
    ),
    Operation(name="badge", title="badge of a pact", build_request=_badge, baseline=SMALL, max_ratio=1.5),
    Operation(
        name="badge-can-i-deploy",
        title="badge of can-i-deploy",
        build_request=_deploy_badge,
        baseline=SMALL,
        max_ratio=1.5,
    ),
    Operation(name="matrix", title="matrix of a pair, 100 rows", build_request=_matrix, baseline=SMALL, max_ratio=1.5),
    Operation(
        name="pacticipants",
        title="pacticipants, 100 a page",
        build_request=_get("/pacticipants?page=1&size=100"),
        baseline=SHORT,
    ),
    Operation(name="versions", title="versions, 100 a page", build_request=_versions, baseline=SHORT),
    Operation(name="dashboard", title="the dashboard", build_request=_get("/dashboard"), baseline=SHORT),
    Operation(name="integrations", title="integrations", build_request=_get("/integrations"), baseline=SHORT),
    Operation(name="publish-verification", title="publish a result", build_request=_publish_verification),
    Operation(name="publish-same", title="publish the same content", build_request=_publish_same),
    Operation(name="publish-new", title="publish new content", build_request=_publish_new),
)


def list_histories(operation: Operation) -> tuple[History, ...]:
    """List the histories on which an operation is measured."""
    return tuple(history for history in histories.ALL if history is not SHORT or history is operation.baseline)


def build_requests(operation: Operation, history: History) -> dict[str, RequestTemplate]:
    """Return the requests of an operation, by the names of their recordings."""
    pairs = range(min(VARIANTS, history.pairs))
    return {f"{operation.name}.{pair}": operation.build_request(history, pair) for pair in pairs}
