"""Pacts for verification as HAL."""

from dataclasses import dataclass
from typing import Final

from treaty.model import metadata
from treaty.model.consumer_selector import short_description
from treaty.model.verifiable import Verifiable, Verifiables
from treaty.model.verifiable_notice import DEPRECATED, notices
from treaty.web import represent, urls
from treaty.web.hal import Hal, Link


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsForVerification:
    """What a provider is to verify, as it was asked for."""

    verifiables: Verifiables
    base_url: str
    """The notices hold URLs, which are texts there and no links."""
    is_deprecated: bool = False


@represent.register
def pacts_for_verification(asked: PactsForVerification) -> Hal:
    provider = asked.verifiables.provider
    return Hal(
        embedded={"pacts": [_pact(pact, asked) for pact in asked.verifiables.pacts]},
        links={"self": Link(urls.PACTS_FOR_VERIFICATION.fill(provider=provider), "Pacts to be verified")},
    )


def _pact(pact: Verifiable, asked: PactsForVerification) -> Hal:
    provider = asked.verifiables.provider
    path = urls.PACT_VERSION_WITH_METADATA.fill(
        provider=provider, consumer=pact.consumer, sha=pact.sha, metadata=metadata.encode(pact.metadata)
    )
    return Hal(
        state={
            "shortDescription": ", ".join(map(short_description, pact.findings)),
            "verificationProperties": _properties(pact, asked),
        },
        links={"self": Link(path, name=f"Pact between {pact.consumer} ({pact.version}) and {provider}")},
    )


def _properties(pact: Verifiable, asked: PactsForVerification) -> dict[str, object]:
    wanted = asked.verifiables.wanted
    told = notices(pact, asked.verifiables.provider, wanted, asked.base_url + _path(pact, asked.verifiables.provider))
    if asked.is_deprecated:
        told = [DEPRECATED, *told]
    return {
        **({"pending": pact.is_pending} if wanted.includes_pending else {}),
        **({"wip": True} if pact.is_wip else {}),
        "notices": [{"when": when, "text": text} for when, text in told],
    }


_WIP: Final = "d2lwPXRydWU"
"""`wip=true`: what the original's notices have in the URL of a work in progress, which its links spell `w=true`."""


def _path(pact: Verifiable, provider: str) -> str:
    if pact.is_wip:
        return urls.PACT_VERSION_WITH_METADATA.fill(
            provider=provider, consumer=pact.consumer, sha=pact.sha, metadata=_WIP
        )
    return urls.PACT_VERSION.fill(provider=provider, consumer=pact.consumer, sha=pact.sha)
