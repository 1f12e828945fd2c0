"""Badges of pacts, and of whether something can be deployed or merged."""

import html
from collections.abc import Mapping
from typing import Any, Final

from treaty.model.decisions import badges as badge_rules
from treaty.model.decisions.badges import Badge, BadgeNames
from treaty.model.decisions.matrix import Verdict, decide
from treaty.model.decisions.questions import Destination, MatrixQuery, build_deployment_query
from treaty.model.decisions.selectors import Selector
from treaty.store.decisions import badges, matrix
from treaty.store.decisions.badges import BadgeScope
from treaty.store.decisions.matrix import MatrixSubjectNotFound
from treaty.store.pacticipants import pacticipants
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import RenderContext
from treaty.web.http.media_types import SVG
from treaty.web.http.queries import FlagText, QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.results import Redirect, WithHeaders
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission
from treaty.web.urls import quote

router: Final = Router()
BadgeResponse = WithHeaders | Redirect
EMPTY_VALUES: Final = {"", "null"}
"""What is set where no other server draws badges; the original writes null."""


_BADGE: Final[Mapping[str, Any]] = {"produces": (SVG,), "is_cacheable": True}
"""Options of the routes that return a badge."""
_LABEL: Final = QueryParameter("label", "A text for the left side, instead of the names.")
_INITIALS: Final = QueryParameter("initials", "Whether names are abbreviated to their initials.", FlagText)


@router.get(urls.PACT_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def pact_badge(call: Request, provider: str, consumer: str) -> BadgeResponse:
    """Say whether the latest pact is verified."""
    return _of_pact(call, BadgeScope(consumer=consumer, provider=provider))


@router.get(urls.TAGGED_PACT_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def tagged_pact_badge(call: Request, provider: str, consumer: str, tag: str) -> BadgeResponse:
    """Say whether the latest pact with a tag is verified."""
    return _of_pact(call, BadgeScope(consumer=consumer, provider=provider, consumer_tag=tag))


@router.get(urls.UNTAGGED_PACT_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def untagged_pact_badge(call: Request, provider: str, consumer: str) -> BadgeResponse:
    """Say whether the latest pact of a version without tags is verified."""
    return _of_pact(call, BadgeScope(consumer=consumer, provider=provider, is_untagged=True))


@router.get(urls.MATRIX_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def matrix_badge(call: Request, provider: str, provider_tag: str, consumer: str, tag: str) -> BadgeResponse:
    """Say whether the latest pact with a tag is verified by the latest provider version with a tag."""
    scope = BadgeScope(consumer=consumer, provider=provider, consumer_tag=tag, provider_tag=provider_tag)
    return _of_pact(call, scope, shows_tags=True)


def _of_pact(call: Request, scope: BadgeScope, *, shows_tags: bool = False) -> BadgeResponse:
    names = BadgeNames(
        consumer=scope.consumer,
        provider=scope.provider,
        consumer_tag=scope.consumer_tag if shows_tags else None,
        provider_tag=scope.provider_tag,
        label=call.option("label"),
        has_initials=call.option("initials") == "true",
    )
    pact = badges.find_pact(call.db, scope)
    return _shown(call, badge_rules.build_pact_badge(names, pact, badges.find_result(call.db, scope) if pact else None))


def _shown(call: Request, shown: Badge, cache: str = "no-cache") -> BadgeResponse:
    """Point to where the badge is drawn, or draw it here."""
    headers, shields = {"cache-control": cache}, call.settings.shields_io_base_url
    if call.settings.badge_provider_mode == "proxy" or shields in EMPTY_VALUES:
        return WithHeaders(shown, headers)
    return Redirect(shields_url(shown, shields), headers=headers)


@router.get(urls.CAN_I_DEPLOY_TAG_BADGE, permission=Permission.READ_BADGE, query=(_LABEL,), **_BADGE)
def can_i_deploy_tag_badge(call: Request, pacticipant: str, tag: str, to: str) -> BadgeResponse:
    """Say whether the latest version with a tag can go to where versions have another."""
    selector = Selector(pacticipant=pacticipant, tag=tag, is_latest=True)
    question = build_deployment_query(selector, Destination(tag=to, is_latest=True))
    return _of_deployment(call, question, f"{tag} to {to}")


@router.get(urls.CAN_I_DEPLOY_BRANCH_BADGE, permission=Permission.READ_BADGE, query=(_LABEL,), **_BADGE)
def can_i_deploy_branch_badge(call: Request, pacticipant: str, branch: str, environment: str) -> BadgeResponse:
    """Say whether the latest version of a branch can be deployed to an environment."""
    selector = Selector(pacticipant=pacticipant, branch=branch, is_latest=True)
    question = build_deployment_query(selector, Destination(environment=environment))
    return _of_deployment(call, question, f"{branch} to {environment}")


def _of_deployment(call: Request, question: MatrixQuery, way: str) -> BadgeResponse:
    try:
        verdict = _verdict(call, question)
    except MatrixSubjectNotFound as missing:
        return _shown(call, badge_rules.build_not_found_badge(missing.what))
    return _shown(
        call, badge_rules.build_deployment_badge(way, deployable=verdict.summary.deployable, label=call.option("label"))
    )


def _verdict(call: Request, question: MatrixQuery) -> Verdict:
    return decide(question, matrix.load_facts_of_existing(call.db, question).facts)


@router.get(urls.CAN_I_MERGE_BADGE, permission=Permission.READ_BADGE, query=(_LABEL,), **_BADGE)
def can_i_merge_badge(call: Request, pacticipant: str) -> BadgeResponse:
    """Say whether the latest version of the main branch fits to the main branches of everyone else."""
    found = pacticipants.find(call.db, pacticipant)
    if found is None:
        return _shown(call, badge_rules.build_not_found_badge("pacticipant"))
    number = matrix.find_main_branch_version(call.db, found)
    if number is None:
        return _shown(call, badge_rules.build_not_found_badge("main branch version"))
    selector = Selector(pacticipant=pacticipant, version=number)
    question = build_deployment_query(selector, Destination(is_main_branch=True, is_latest=True))
    verdict = _verdict(call, question)
    shown = badge_rules.build_merge_badge(deployable=verdict.summary.deployable)
    return _shown(call, shown, call.settings.badge_default_cache_setting)


COLORS: Final = {"brightgreen": "#4c1", "orange": "#fe7d37", "red": "#e05d44", "lightgrey": "#9f9f9f"}
LETTER_WIDTH: Final = 7
"""The width of a letter. Texts are fitted to their boxes, so it may be off a little."""
MARGIN: Final = 10


def shields_url(badge: Badge, shields: str) -> str:
    """Say where shields.io, or a server like it, draws a badge."""
    left, right = (quote(text.replace("-", "--").replace("_", "__")) for text in (badge.left, badge.right))
    return f"{shields.rstrip('/')}/badge/{left}-{right}-{badge.colour}.svg"


@represent.register_text
def draw_badge(badge: Badge, _place: RenderContext) -> str:
    """Draw a badge."""
    left, right = (LETTER_WIDTH * len(text) + MARGIN for text in (badge.left, badge.right))
    title, size = html.escape(f"{badge.left}: {badge.right}"), f'width="{left + right}" height="20"'
    return "\n".join(
        (
            *_comment(badge.comment),
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f'<clipPath id="r"><rect {size} rx="3"/></clipPath>',
            '<g clip-path="url(#r)">',
            f'<rect width="{left}" height="20" fill="#555"/>',
            f'<rect x="{left}" width="{right}" height="20" fill="{COLORS[badge.colour]}"/>',
            "</g>",
            '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">',
            _text(badge.left, at=left / 2, width=left - MARGIN),
            _text(badge.right, at=left + right / 2, width=right - MARGIN),
            "</g>",
            "</svg>",
            "",
        ),
    )


def _comment(text: str | None) -> list[str]:
    """Say what the badge is of. Two hyphens would end the comment."""
    return [] if text is None else [f"<!-- {html.escape(text, quote=False).replace('--', '- -')} -->"]


def _text(text: str, *, at: float, width: int) -> str:
    return f'<text x="{at:g}" y="14" textLength="{width}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>'
