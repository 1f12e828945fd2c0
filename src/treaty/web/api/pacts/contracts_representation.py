"""What publishing contracts came to, with notices for the people who did it."""

from dataclasses import dataclass

from treaty.actions.pacts.publications import Published
from treaty.model.pacts import notices as notice_texts
from treaty.model.pacts.notices import Notice, PublishedContract
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link


@dataclass(frozen=True, slots=True)
class Publication:
    """Contracts that were published, and the base URL that the notices' addresses begin with."""

    published: Published
    base_url: str


@represent.register
def publication(publication: Publication) -> Hal:
    published = publication.published
    version = published.version
    pacticipant = urls.PACTICIPANT.fill(pacticipant=version.pacticipant)
    number = urls.VERSION.fill(pacticipant=version.pacticipant, version=version.number)
    notices = _notices(publication)
    return Hal(
        state={
            "logs": [_log(one) for one in notices],
            "notices": [{"type": one.type, "text": one.text} for one in notices],
        },
        embedded={
            "pacticipant": Hal({"name": version.pacticipant}, links={"self": Link(pacticipant)}),
            "version": Hal({"number": version.number}, links={"self": Link(number, "Version", name=version.number)}),
        },
        links={
            "pb:pacticipant": Link(pacticipant, "Pacticipant", name=version.pacticipant),
            "pb:pacticipant-version": Link(number, "Pacticipant version", name=version.number),
            "pb:pacticipant-version-tags": [_tag(version.pacticipant, version.number, one) for one in published.tags],
            "pb:contracts": [_contract(one) for one in published.contracts],
        },
    )


def _notices(publication: Publication) -> list[Notice]:
    published, base_url = publication.published, publication.base_url
    version = published.version
    notices = notice_texts.of_version(
        version.pacticipant, version.number, is_new=published.is_new, branch=published.branch, tags=published.tags
    )
    for one in published.contracts:
        logs = base_url + urls.TRIGGERED_WEBHOOK_LOGS.fill()
        notices += notice_texts.of_contract(one, pact_url=base_url + _pact(one), logs_url=logs)
    return notices


def _log(one: Notice) -> dict[str, str]:
    return {"level": one.type, "message": one.text, "deprecationWarning": "Replaced by notices"}


def _pact(one: PublishedContract) -> str:
    return urls.PACT.fill(provider=one.provider, consumer=one.consumer, version=one.version)


def _tag(pacticipant: str, version: str, tag: str) -> Link:
    return Link(urls.VERSION_TAG.fill(pacticipant=pacticipant, version=version, tag=tag), "Tag", name=tag)


def _contract(one: PublishedContract) -> Link:
    return Link(_pact(one), "Pact", name=f"Pact between {one.consumer} ({one.version}) and {one.provider}")
