"""The profile of a provider: how strictly its contracts are compared with pacts."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from treaty.actions.provider_contracts.profiles import set_profile
from treaty.errors import NotFound
from treaty.model.compare.profiles import Profile
from treaty.store.pacticipants import pacticipants
from treaty.store.provider_contracts import comparisons
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import SelfLinked
from treaty.web.http.bodies import Body, with_example
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


def _check_profile(value: Any) -> Any:
    if value not in list(Profile):
        raise PydanticCustomError("one_of", "must be one of: {choices}", {"choices": ", ".join(Profile)})
    return value


class ProfileBody(Body):
    model_config = with_example({"profile": "pactflow"})

    profile: Annotated[Literal["strict", "pactflow", "reference"], BeforeValidator(_check_profile)]


class ProfileDocument(SelfLinked):
    profile: str


@dataclass(frozen=True, slots=True)
class ProviderProfile:
    """The profile of a provider."""

    provider: str
    profile: str


@router.get(urls.COMPARISON_PROFILE, permission=Permission.READ, response=ProfileDocument)
def get_comparison_profile(request: Request, provider: str) -> ProviderProfile:
    """Return the profile by which a provider's contracts are compared with pacts."""
    if pacticipants.find(request.db, provider) is None:
        raise NotFound
    return ProviderProfile(provider, comparisons.load_profile(request.db, provider))


@router.put(
    urls.COMPARISON_PROFILE, permission=Permission.MANAGE_PACTICIPANT, body=ProfileBody, response=ProfileDocument
)
def set_comparison_profile(request: Request, provider: str) -> ProviderProfile:
    """Set the profile by which a provider's contracts are compared with pacts, and compare them again."""
    profile = Profile(request.body(ProfileBody).profile)
    set_profile(request.db, provider, profile, base_url=request.base_url, now=request.now)
    request.has_queued = True
    return ProviderProfile(provider, profile.value)


@represent.register
def provider_profile(content: ProviderProfile) -> Hal:
    path = urls.COMPARISON_PROFILE.fill(provider=content.provider)
    return Hal({"profile": content.profile}, links={"self": Link(path, "Profile of comparisons")})
