"""Provider states that the pacts of a provider's consumers require."""

from dataclasses import replace
from typing import Any, NotRequired

import orjson
from typing_extensions import TypedDict

from treaty import exact_json
from treaty.model.pacts.lists import PactsInEnvironment, PactsOnBranch
from treaty.model.pacts.provider_states import ProviderState, ProviderStates, collect_provider_states
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import lists
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal
from treaty.web.hal.shapes import Omittable
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


class ProviderStateDocument(TypedDict):
    name: str | None
    params: Omittable[Any]
    consumers: list[str]


class ProviderStatesDocument(TypedDict):
    providerStates: list[ProviderStateDocument]
    warnings: NotRequired[list[str]]


@router.get(urls.PROVIDER_STATES, permission=Permission.READ, is_slow=True, response=ProviderStatesDocument)
def get_provider_states(request: Request, provider: str) -> ProviderStates:
    """List the states of the pacts at the heads of the consumers' main branches."""
    pacticipants.get(request.db, provider, "provider")
    bodies = lists.list_bodies_of_provider(request.db, provider, PactsOnBranch(name=None, is_head=True))
    consumers = {consumer for consumer, _ in bodies}
    left_out = [name for name in lists.list_consumers(request.db, provider) if name not in consumers]
    return replace(collect_provider_states(bodies), left_out=left_out)


@router.get(urls.BRANCH_PROVIDER_STATES, permission=Permission.READ, is_slow=True, response=ProviderStatesDocument)
def get_branch_provider_states(request: Request, provider: str, branch: str) -> ProviderStates:
    """List the states of the pacts at the heads of the consumers' branches with this name."""
    return _collect(request, provider, PactsOnBranch(name=branch, is_head=True))


@router.get(urls.ENVIRONMENT_PROVIDER_STATES, permission=Permission.READ, is_slow=True, response=ProviderStatesDocument)
def get_environment_provider_states(request: Request, provider: str, environment: str) -> ProviderStates:
    """List the states of pacts whose consumers are deployed or supported in an environment, by its name or UUID."""
    return _collect(request, provider, PactsInEnvironment(name=environment))


def _collect(request: Request, provider: str, pact_filter: PactsOnBranch | PactsInEnvironment) -> ProviderStates:
    pacticipants.get(request.db, provider, "provider")
    return collect_provider_states(lists.list_bodies_of_provider(request.db, provider, pact_filter))


@represent.register
def provider_state_list(listed: ProviderStates) -> Hal:
    return Hal(
        {
            "providerStates": [_represent_state(state) for state in listed.states],
            "warnings": [_explain_left_out(consumer) for consumer in listed.left_out] or None,
        }
    )


def _explain_left_out(consumer: str) -> str:
    return (
        f"The states of {consumer} are left out, because the latest version on its main branch has no pact with this "
        "provider, or its main branch is not known. Set its mainBranch, or add /branch/BRANCH to this URL to read "
        "another branch."
    )


def _represent_state(state: ProviderState) -> Hal:
    return Hal(
        {
            "name": orjson.Fragment(exact_json.serialize(state.name)),
            "params": None if state.params is None else orjson.Fragment(state.params),
            "consumers": list(state.consumers),
        }
    )
