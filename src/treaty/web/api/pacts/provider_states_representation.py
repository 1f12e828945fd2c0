"""Provider states, each with its consumers."""

import orjson

from treaty.model.pacts import content
from treaty.model.pacts.provider_states import ProviderState, ProviderStates
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal


@represent.register
def provider_states(found: ProviderStates) -> Hal:
    return Hal({"providerStates": [_state(one) for one in found.states]})


def _state(state: ProviderState) -> Hal:
    return Hal(
        {
            "name": orjson.Fragment(content.written(state.name)),
            "params": None if state.params is None else orjson.Fragment(state.params),
            "consumers": list(state.consumers),
        }
    )
