"""The example shop: its applications, and what their pipelines did in the thirty days before the start.

Each story shows one kind of page: a failed pact with its mismatches (Web Shop 8e2f4a1), a pending pact (the gift cards
of the Mobile App), an overdue verification (Notifications), an answer that became yes (the discounts of day 22), a
release that broke its consumer and its repair (Payments), an override (Orders), a contract of a provider (Prices), and
a webhook that fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

TEST: Final = "test"
STAGING: Final = "staging"
PRODUCTION: Final = "production"
ENVIRONMENTS: Final = (TEST, STAGING, PRODUCTION)
"""In the order of the pipelines."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """An application of the shop."""

    name: str
    team: str
    chat: str
    labels: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """A build: it publishes pacts, verifies those of its consumers, and deploys as far as the answers are yes."""

    days: float
    """Days before the start."""
    application: str
    version: str
    branch: str = "main"
    expects: Mapping[str, int] = field(default_factory=dict)
    """Revisions of pacts by provider; others stay as they were."""
    honours: Mapping[str, int] = field(default_factory=dict)
    """The latest revision that the application satisfies from this build on, by consumer; at first 1."""
    breaks: Sequence[str] = ()
    """Consumers whose pacts this version does not satisfy at all."""
    unverified: Sequence[str] = ()
    """Providers that do not verify the new pact."""
    deploys_to: Sequence[str] = ENVIRONMENTS
    has_contract: bool = False
    """Whether it publishes an OpenAPI document of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """A pipeline that continues where it was stopped by a no."""

    days: float
    application: str
    version: str
    environments: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemption:
    """Overrides of the answers about a version."""

    days: float
    application: str
    version: str
    environments: Sequence[str]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EndOfSupport:
    """A release that is no longer supported."""

    days: float
    application: str
    version: str


APPLICATIONS: Final = (
    Application(name="Web Shop", team="Team Storefront", chat="#storefront", labels=("storefront",)),
    Application(name="Mobile App", team="Team Storefront", chat="#storefront", labels=("storefront", "released")),
    Application(name="Prices", team="Team Catalogue", chat="#catalogue"),
    Application(name="Stock", team="Team Catalogue", chat="#catalogue"),
    Application(name="Orders", team="Team Checkout", chat="#checkout", labels=("checkout",)),
    Application(name="Payments", team="Team Checkout", chat="#checkout", labels=("checkout",)),
    Application(name="Shipping", team="Team Delivery", chat="#delivery"),
    Application(name="Notifications", team="Team Delivery", chat="#delivery"),
)
RELEASED: Final = frozenset({"Mobile App"})
"""Applications of which several versions are in use at the same time in production."""
TAGGED: Final = frozenset({"Mobile App", "Payments"})
"""Applications with older pipelines, which tag each version with the name of its branch."""

_CONSUMED_AT_FIRST: Final = {
    "Orders": {"Payments": 1, "Stock": 1, "Shipping": 1},
    "Notifications": {"Orders": 1, "Shipping": 1},
    "Web Shop": {"Prices": 1, "Orders": 1, "Stock": 1},
    "Mobile App": {"Prices": 1, "Orders": 1, "Payments": 1},
}


def _first(days: float, application: str, version: str) -> Build:
    expects = _CONSUMED_AT_FIRST.get(application, {})
    return Build(days=days, application=application, version=version, expects=expects)


HISTORY: Final[Sequence[Build | Retry | Exemption | EndOfSupport]] = (
    _first(29.8, "Prices", "a41c7d2"),
    _first(29.77, "Stock", "0c9e51b"),
    _first(29.74, "Payments", "5d20f3e"),
    _first(29.71, "Shipping", "91b7c04"),
    _first(29.6, "Orders", "3f6a8c1"),
    _first(29.5, "Notifications", "e7d4b92"),
    _first(29.45, "Web Shop", "2b8e6f0"),
    _first(29.4, "Mobile App", "2.2.0"),
    Build(days=27.2, application="Stock", version="c3a90de"),
    Build(days=26.1, application="Orders", version="7e1d5a4", honours={"Web Shop": 2}),
    Build(days=25.0, application="Web Shop", version="6c4f1b8", expects={"Orders": 2}),
    Build(days=23.3, application="Payments", version="88d2e17"),
    # The Web Shop is ahead of Prices, and can be deployed once Prices has the discounts.
    Build(days=22.5, application="Web Shop", version="d9b3a70", expects={"Prices": 2}),
    Build(days=21.8, application="Prices", version="f52c8e6", honours={"Web Shop": 2}),
    Retry(days=21.5, application="Web Shop", version="d9b3a70", environments=(STAGING, PRODUCTION)),
    Build(days=19.4, application="Mobile App", version="2.3.0"),
    Build(days=18.0, application="Shipping", version="4ab96e3", honours={"Orders": 2}),
    Build(days=17.1, application="Orders", version="b08f2c9", expects={"Shipping": 2}),
    # Payments drops a field that Orders needs, and gets no further than the first environment.
    Build(days=15.2, application="Payments", version="1f7b6a5", breaks=("Orders",)),
    Build(days=14.5, application="Payments", version="c6e0d38"),
    Build(days=12.4, application="Stock", version="59f3b7a"),
    Build(days=10.6, application="Web Shop", version="40c7e2d"),
    Build(days=9.8, application="Mobile App", version="2.4.0"),
    EndOfSupport(days=9.5, application="Mobile App", version="2.2.0"),
    Build(days=8.3, application="Notifications", version="1d6c9f4"),
    Build(days=7.5, application="Orders", version="95e2b1c", breaks=("Mobile App",)),
    Exemption(
        days=7.25,
        application="Orders",
        version="95e2b1c",
        environments=(STAGING, PRODUCTION),
        reason="It repairs today's outage. The Mobile App does not show its list of orders until the next version.",
    ),
    Retry(days=7.2, application="Orders", version="95e2b1c", environments=(STAGING, PRODUCTION)),
    Build(days=6.6, application="Orders", version="e03d7f8"),
    Build(days=5.2, application="Prices", version="27d8c4b"),
    Build(days=4.4, application="Payments", version="b9a1e60"),
    Build(
        days=3.0,
        application="Notifications",
        version="a85f0d3",
        expects={"Shipping": 2},
        unverified=("Shipping",),
    ),
    Build(days=2.1, application="Stock", version="8c1f4e9"),
    Build(
        days=1.2,
        application="Mobile App",
        version="2.5.0-gift-cards",
        branch="feat/gift-cards",
        expects={"Payments": 2},
        deploys_to=(),
    ),
    Exemption(
        days=0.95,
        application="Mobile App",
        version="2.5.0-gift-cards",
        environments=(TEST,),
        reason="The new screens are tried out before Payments accepts gift cards.",
    ),
    Build(days=0.9, application="Prices", version="6e93a0f", deploys_to=(TEST,), has_contract=True),
    Build(days=0.3, application="Web Shop", version="8e2f4a1", expects={"Orders": 3}),
    Retry(days=0.1, application="Web Shop", version="8e2f4a1", environments=(STAGING,)),
)
