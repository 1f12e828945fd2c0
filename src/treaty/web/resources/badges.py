"""Badges of pacts, and of whether something can be deployed or merged."""

from typing import Final

from treaty.model import badge
from treaty.model.badge import Badge, BadgeNames
from treaty.model.matrix import Verdict, decide
from treaty.model.question import Destination, Question, deployment
from treaty.model.selector import Selector
from treaty.store import badges, matrix, pacticipants
from treaty.store.badges import BadgeScope
from treaty.store.matrix import Missing
from treaty.web import urls
from treaty.web.media import SVG
from treaty.web.represent.badges import location
from treaty.web.routing import Call, Headed, Permission, Redirected, Router

router: Final = Router()
Shown = Headed | Redirected
NOWHERE: Final = {"", "null"}
"""What is set where no other server draws badges; the original writes null."""


@router.get(urls.PACT_BADGE, permission=Permission.READ_BADGE, produces=(SVG,), is_cached=True)
def pact_badge(call: Call, provider: str, consumer: str) -> Shown:
    """Say whether the latest pact is verified."""
    return _of_pact(call, BadgeScope(consumer=consumer, provider=provider))


@router.get(urls.TAGGED_PACT_BADGE, permission=Permission.READ_BADGE, produces=(SVG,), is_cached=True)
def tagged_pact_badge(call: Call, provider: str, consumer: str, tag: str) -> Shown:
    """Say whether the latest pact with a tag is verified."""
    return _of_pact(call, BadgeScope(consumer=consumer, provider=provider, consumer_tag=tag))


@router.get(urls.UNTAGGED_PACT_BADGE, permission=Permission.READ_BADGE, produces=(SVG,), is_cached=True)
def untagged_pact_badge(call: Call, provider: str, consumer: str) -> Shown:
    """Say whether the latest pact of a version without tags is verified."""
    return _of_pact(call, BadgeScope(consumer=consumer, provider=provider, is_untagged=True))


@router.get(urls.MATRIX_BADGE, permission=Permission.READ_BADGE, produces=(SVG,), is_cached=True)
def matrix_badge(call: Call, provider: str, provider_tag: str, consumer: str, tag: str) -> Shown:
    """Say whether the latest pact with a tag is verified by the latest provider version with a tag."""
    scope = BadgeScope(consumer=consumer, provider=provider, consumer_tag=tag, provider_tag=provider_tag)
    return _of_pact(call, scope, shows_tags=True)


def _of_pact(call: Call, scope: BadgeScope, *, shows_tags: bool = False) -> Shown:
    names = BadgeNames(
        consumer=scope.consumer,
        provider=scope.provider,
        consumer_tag=scope.consumer_tag if shows_tags else None,
        provider_tag=scope.provider_tag,
        label=call.option("label"),
        has_initials=call.option("initials") == "true",
    )
    pact = badges.find_pact(call.db, scope)
    return _shown(call, badge.of_pact(names, pact, badges.find_result(call.db, scope) if pact else None))


def _shown(call: Call, shown: Badge, cache: str = "no-cache") -> Shown:
    """Point to where the badge is drawn, or draw it here."""
    headers, shields = {"cache-control": cache}, call.settings.shields_io_base_url
    if call.settings.badge_provider_mode == "proxy" or shields in NOWHERE:
        return Headed(shown, headers)
    return Redirected(location(shown, shields), headers=headers)


@router.get(urls.CAN_I_DEPLOY_TAG_BADGE, permission=Permission.READ_BADGE, produces=(SVG,), is_cached=True)
def can_i_deploy_tag_badge(call: Call, pacticipant: str, tag: str, to: str) -> Shown:
    """Say whether the latest version with a tag can go to where versions have another."""
    selector = Selector(pacticipant=pacticipant, tag=tag, is_latest=True)
    question = deployment(selector, Destination(tag=to, is_latest=True))
    return _of_deployment(call, question, f"{tag} to {to}")


@router.get(urls.CAN_I_DEPLOY_BRANCH_BADGE, permission=Permission.READ_BADGE, produces=(SVG,), is_cached=True)
def can_i_deploy_branch_badge(call: Call, pacticipant: str, branch: str, environment: str) -> Shown:
    """Say whether the latest version of a branch can be deployed to an environment."""
    selector = Selector(pacticipant=pacticipant, branch=branch, is_latest=True)
    question = deployment(selector, Destination(environment=environment))
    return _of_deployment(call, question, f"{branch} to {environment}")


def _of_deployment(call: Call, question: Question, way: str) -> Shown:
    try:
        verdict = _verdict(call, question)
    except Missing as missing:
        return _shown(call, badge.not_found(missing.what))
    return _shown(call, badge.of_deployment(way, deployable=verdict.summary.deployable, label=call.option("label")))


def _verdict(call: Call, question: Question) -> Verdict:
    return decide(question, matrix.facts_of_existing(call.db, question).facts)


@router.get(urls.CAN_I_MERGE_BADGE, permission=Permission.READ_BADGE, produces=(SVG,), is_cached=True)
def can_i_merge_badge(call: Call, pacticipant: str) -> Shown:
    """Say whether the latest version of the main branch fits to the main branches of everyone else."""
    found = pacticipants.find(call.db, pacticipant)
    if found is None:
        return _shown(call, badge.not_found("pacticipant"))
    number = matrix.find_main_number(call.db, found)
    if number is None:
        return _shown(call, badge.not_found("main branch version"))
    selector = Selector(pacticipant=pacticipant, version=number)
    question = deployment(selector, Destination(is_main_branch=True, is_latest=True))
    verdict = _verdict(call, question)
    shown = badge.of_merge(deployable=verdict.summary.deployable)
    return _shown(call, shown, call.settings.badge_default_cache_setting)
