"""Badges that show whether a pact is verified, and whether a version can be deployed or merged.

They need only the permission to read badges, because READMEs and wikis show them without credentials.
"""

import html
from collections.abc import Iterator, Mapping
from typing import Any, Final

from treaty.model.decisions import badges as badge_rules
from treaty.model.decisions.badges import Badge, BadgeNames
from treaty.model.decisions.matrix import Verdict
from treaty.model.decisions.overrides import describe_expiry
from treaty.model.decisions.queries import Destination, MatrixQuery, build_deployment_query
from treaty.model.decisions.reasons import FirstDeployment, Overridden, describe_reason
from treaty.model.decisions.selectors import Selector
from treaty.settings import Settings
from treaty.store.decisions import badges
from treaty.store.decisions.badges import BadgeScope
from treaty.store.decisions.matrix import MatrixSubjectNotFound, find_main_branch_version, load_facts_of_existing
from treaty.store.pacticipants import former_names, pacticipants
from treaty.web import urls
from treaty.web.api.decisions.causes import load_explanations
from treaty.web.api.decisions.exemptions import decide_with_exemptions
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
"""Values of the setting `shields_io_base_url` for no shields server; the original's documentation has `null`."""


_BADGE: Final[Mapping[str, Any]] = {"produces": (SVG,), "is_cacheable": True}
"""Options of the routes that return a badge."""
_LABEL: Final = QueryParameter("label", "A text for the left side, instead of the names.")
_INITIALS: Final = QueryParameter("initials", "Whether names are abbreviated to their initials.", FlagText)


@router.get(urls.PACT_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def pact_badge(request: Request, provider: str, consumer: str) -> BadgeResponse:
    """Show whether the latest pact is verified."""
    return _pact_response(request, BadgeScope(consumer=consumer, provider=provider))


@router.get(urls.TAGGED_PACT_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def tagged_pact_badge(request: Request, provider: str, consumer: str, tag: str) -> BadgeResponse:
    """Show whether the latest pact with a tag is verified."""
    return _pact_response(request, BadgeScope(consumer=consumer, provider=provider, consumer_tag=tag))


@router.get(urls.UNTAGGED_PACT_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def untagged_pact_badge(request: Request, provider: str, consumer: str) -> BadgeResponse:
    """Show whether the latest pact of a version without tags is verified."""
    return _pact_response(request, BadgeScope(consumer=consumer, provider=provider, is_untagged=True))


@router.get(urls.MATRIX_BADGE, permission=Permission.READ_BADGE, query=(_LABEL, _INITIALS), **_BADGE)
def matrix_badge(request: Request, provider: str, provider_tag: str, consumer: str, tag: str) -> BadgeResponse:
    """Show whether the latest pact with a tag is verified by the latest provider version with a tag."""
    scope = BadgeScope(consumer=consumer, provider=provider, consumer_tag=tag, provider_tag=provider_tag)
    return _pact_response(request, scope, shows_tags=True)


def _pact_response(request: Request, scope: BadgeScope, *, shows_tags: bool = False) -> BadgeResponse:
    names = BadgeNames(
        consumer=scope.consumer,
        provider=scope.provider,
        consumer_tag=scope.consumer_tag if shows_tags else None,
        provider_tag=scope.provider_tag,
        label=request.option("label"),
        has_initials=request.option("initials") == "true",
    )
    pact = badges.find_pact(request.db, scope)
    if pact is None:
        former_names.check_not_former(request.db, scope.consumer, scope.provider)
    result = badges.find_result(request.db, scope) if pact else None
    return _badge_response(request, badge_rules.build_pact_badge(names, pact, result))


def _badge_response(request: Request, badge: Badge, cache_control: str = "no-cache") -> BadgeResponse:
    """Draw the badge, or redirect to the shields server that draws it."""
    headers = {"cache-control": cache_control}
    if _is_drawn_here(request.settings):
        return WithHeaders(badge, headers)
    return Redirect(shields_url(badge, request.settings.shields_io_base_url), headers=headers)


def _is_drawn_here(settings: Settings) -> bool:
    return settings.badge_provider_mode == "proxy" or settings.shields_io_base_url in EMPTY_VALUES


@router.get(urls.CAN_I_DEPLOY_TAG_BADGE, permission=Permission.READ_BADGE, query=(_LABEL,), **_BADGE)
def can_i_deploy_tag_badge(request: Request, pacticipant: str, tag: str, to: str) -> BadgeResponse:
    """Show whether the latest version with a tag can be used with the latest versions with another tag."""
    selector = Selector(pacticipant=pacticipant, tag=tag, is_latest=True)
    query = build_deployment_query(selector, Destination(tag=to, is_latest=True))
    return _deployment_response(request, query, f"{tag} to {to}")


@router.get(urls.CAN_I_DEPLOY_BRANCH_BADGE, permission=Permission.READ_BADGE, query=(_LABEL,), **_BADGE)
def can_i_deploy_branch_badge(request: Request, pacticipant: str, branch: str, environment: str) -> BadgeResponse:
    """Show whether the latest version of a branch can be deployed to an environment."""
    selector = Selector(pacticipant=pacticipant, branch=branch, is_latest=True)
    query = build_deployment_query(selector, Destination(environment=environment))
    return _deployment_response(request, query, f"{branch} to {environment}")


def _deployment_response(request: Request, query: MatrixQuery, text: str) -> BadgeResponse:
    try:
        verdict = _decide(request, query)
    except MatrixSubjectNotFound as error:
        former_names.check_not_former(request.db, *(selector.pacticipant for selector in query.selectors))
        return _badge_response(request, badge_rules.build_not_found_badge(error.subject))
    badge = badge_rules.build_deployment_badge(
        text,
        deployable=verdict.summary.deployable,
        label=request.option("label"),
        explanation=_explain(request, verdict),
    )
    return _badge_response(request, badge)


def _decide(request: Request, query: MatrixQuery) -> Verdict:
    facts = load_facts_of_existing(request.db, query).facts
    return decide_with_exemptions(request.db, query, facts, now=request.now)


def _explain(request: Request, verdict: Verdict) -> str | None:
    """Summarize the causes of a verdict that is not yes, or its exemptions: the first, and the number of the others.

    Only images that Treaty draws have a title. To find causes takes more statements than the verdict itself.
    """
    if not _is_drawn_here(request.settings):
        return None
    if verdict.summary.deployable:
        return next(_list_exemptions(verdict), None)
    explanations = [explanation for explanation in load_explanations(request.db, verdict) if explanation]
    if not explanations:
        return None
    others = f" (and {len(explanations) - 1} more)" if len(explanations) > 1 else ""
    return f"{explanations[0].summary}{others}"


def _list_exemptions(verdict: Verdict) -> Iterator[str]:
    """Yield the texts of exemptions. Badges are public, so they leave out the author and the reason of an override."""
    for reason in verdict.reasons:
        match reason:
            case Overridden(override=override):
                yield describe_expiry(override)
            case FirstDeployment():
                yield describe_reason(reason)
            case _:
                pass


@router.get(urls.CAN_I_MERGE_BADGE, permission=Permission.READ_BADGE, query=(_LABEL,), **_BADGE)
def can_i_merge_badge(request: Request, pacticipant: str) -> BadgeResponse:
    """Show whether the latest version of the main branch is compatible with the main branches of its partners."""
    subject = pacticipants.find(request.db, pacticipant)
    if subject is None:
        former_names.check_not_former(request.db, pacticipant)
        return _badge_response(request, badge_rules.build_not_found_badge("pacticipant"))
    number = find_main_branch_version(request.db, subject)
    if number is None:
        return _badge_response(request, badge_rules.build_not_found_badge("main branch version"))
    selector = Selector(pacticipant=pacticipant, version=number)
    query = build_deployment_query(selector, Destination(is_main_branch=True, is_latest=True))
    verdict = _decide(request, query)
    badge = badge_rules.build_merge_badge(deployable=verdict.summary.deployable, explanation=_explain(request, verdict))
    return _badge_response(request, badge, request.settings.badge_default_cache_setting)


COLORS: Final = {"brightgreen": "#4c1", "orange": "#fe7d37", "red": "#e05d44", "lightgrey": "#9f9f9f"}
LETTER_WIDTH: Final = 7
"""Average width of a letter in pixels. The image stretches each text to its box, so it need not be exact."""
MARGIN: Final = 10


def shields_url(badge: Badge, shields: str) -> str:
    """Build the URL of a badge on shields.io or a server with the same paths, where `-` and `_` are written twice."""
    left, right = (quote(text.replace("-", "--").replace("_", "__")) for text in (badge.left, badge.right))
    return f"{shields.rstrip('/')}/badge/{left}-{right}-{badge.colour}.svg"


@represent.register_text
def draw_badge(badge: Badge, _context: RenderContext) -> str:
    """Draw a badge as SVG, in the style of shields.io."""
    left, right = (LETTER_WIDTH * len(text) + MARGIN for text in (badge.left, badge.right))
    explanation = f". {badge.explanation}" if badge.explanation else ""
    title, size = html.escape(f"{badge.left}: {badge.right}{explanation}"), f'width="{left + right}" height="20"'
    return "\n".join(
        (
            *_build_comment(badge.comment),
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


def _build_comment(text: str | None) -> list[str]:
    # Two hyphens would end the comment.
    return [] if text is None else [f"<!-- {html.escape(text, quote=False).replace('--', '- -')} -->"]


def _text(text: str, *, at: float, width: int) -> str:
    return f'<text x="{at:g}" y="14" textLength="{width}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>'
