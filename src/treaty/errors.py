"""Exceptions of every layer. Their text is shown to the user, so it gives the reason and the next step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


class TreatyError(Exception):
    """Base of all errors that are reported to a client or user, as opposed to faults of the program."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a request's body or query breaks.

    `path` has the member names and indexes that lead to the value; it is empty for a rule about several members.
    """

    path: tuple[str | int, ...]
    text: str


class Invalid(TreatyError):
    """A body or query with members that break rules. The original broker has status 422 for some of them."""

    def __init__(self, *problems: Problem, status: int = 400) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = problems
        self.status = status

    @classmethod
    def member(cls, name: str, text: str, *, status: int = 400) -> "Invalid":
        return cls(Problem((name,), text), status=status)


class InvalidQuery(TreatyError):
    """A matrix query that breaks rules which belong to no single parameter, so their texts are a plain list."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__("; ".join(texts))
        self.texts = tuple(texts)


class Malformed(TreatyError):
    """A body that cannot be parsed. The text begins with the kind of failure, because clients print it unchanged."""


BYTE_ORDER_MARK: Final = (
    "JSON::ParserError - the document begins with a byte order mark (U+FEFF), which JSON does not allow: save the file "
    "as UTF-8 without it"
)


def describe_invalid_utf8(raw: bytes, error: UnicodeDecodeError) -> str:
    """Describe the position of the first byte that is not UTF-8, in the original broker's words."""
    preceding_text = raw[: error.start].decode()
    return (
        f"has a non UTF-8 character at char {len(preceding_text) + 1} and cannot be parsed as JSON."
        f" Fragment preceding invalid character is: '{preceding_text[-100:]}'"
    )


class NotFound(TreatyError):
    """The resource of a request does not exist. Without a text, the response has the general one."""

    @classmethod
    def named(cls, role: str, name: str) -> "NotFound":
        return cls(f"No {role} with name '{name}' found")


class VersionNotFound(NotFound):
    """A version that does not exist, or the beginning of several numbers; `candidates` are those to suggest."""

    def __init__(self, text: str, pacticipant: str, candidates: Sequence[str]) -> None:
        super().__init__(text)
        self.pacticipant = pacticipant
        self.candidates = tuple(candidates)


class CursorExpired(TreatyError):
    """A cursor after which events are missing."""


class Conflict(TreatyError):
    """The request contradicts the existing data."""


class Renamed(Conflict):
    """A write that names a pacticipant by a former name. It could mean the renamed pacticipant, or a new one."""

    def __init__(self, former_name: str, name: str) -> None:
        super().__init__(describe_renaming(former_name, name))


def describe_renaming(former_name: str, name: str) -> str:
    return (
        f"The application '{former_name}' has been renamed to '{name}', so nothing was written. Use the new name. If "
        f"'{former_name}' is to be another application from now on, create it first: POST /pacticipants."
    )


class ConflictingContracts(TreatyError):
    """Contracts that cannot be published as they are; nothing was stored.

    Each notice is a type and a text. `similar` maps a new pacticipant name to the existing names that resemble it.
    """

    def __init__(self, notices: Sequence[tuple[str, str]], similar: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join([text for kind, text in notices if kind == "error"] + list(similar)))
        self.notices = tuple(notices)
        self.similar = dict(similar)


class SimilarNames(TreatyError):
    """A new pacticipant name that resembles existing ones so closely that it is probably a typing error."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__(", ".join(names))
        self.names = dict(names)


class TooLarge(TreatyError):
    """A body larger than the setting `max_body_bytes` allows."""


class TimeLimitExceeded(TreatyError):
    """Work that was stopped because it took longer than its setting allows."""


class Overloaded(TreatyError):
    """Work that is refused for now, because too much work of the same kind is running."""


class NotReady(TreatyError):
    """The server should get no requests at the moment, with the reason."""


class Unauthenticated(TreatyError):
    """A request with missing or invalid credentials. `is_bearer` is true if it sent a token, for `WWW-Authenticate`."""

    def __init__(self, text: str, *, is_bearer: bool = False) -> None:
        super().__init__(text)
        self.is_bearer = is_bearer


class Forbidden(TreatyError):
    """A request that its user is not allowed to make.

    `missing_permission` names the permission, if one is missing. For a token with limits, any of `missing_scopes` would
    suffice, or the token would have to be for `missing_applications`.
    """

    def __init__(
        self,
        text: str,
        *,
        missing_permission: str | None = None,
        missing_scopes: Sequence[str] = (),
        missing_applications: Sequence[str] = (),
    ) -> None:
        super().__init__(text)
        self.missing_permission = missing_permission
        self.missing_scopes = tuple(missing_scopes)
        self.missing_applications = tuple(missing_applications)


class ReauthenticationRequired(TreatyError):
    """The user of a session has to enter the password again before the request is carried out.

    The text is empty unless a password or code was rejected; `seconds` is the wait after too many of them.
    """

    def __init__(self, text: str = "", *, seconds: int | None = None) -> None:
        super().__init__(text)
        self.seconds = seconds


class SecondFactorRequired(TreatyError):
    """The user of a session has to set up a second factor before anything else."""


class Throttled(TreatyError):
    """Too many failed attempts; the next one is accepted after `seconds`, which the response has as `Retry-After`."""

    def __init__(
        self, seconds: int, reason: str = "Too many wrong passwords or codes for this user, or from this address."
    ) -> None:
        unit = "second" if seconds == 1 else "seconds"
        super().__init__(
            f"{reason} Try again in {seconds} {unit}. API tokens, and browsers that are signed in, are not affected."
        )
        self.seconds = seconds


class InvalidSetting(TreatyError):
    """A setting with a value that cannot be used. The text begins with the setting's name."""


class UnusableDatabase(InvalidSetting):
    """The database of a server or command cannot be used.

    `reason` is a sentence that names the file or address, and `remedy` is the next step. `is_temporary` is true if the
    database may become usable without a change, as a server that is still starting does.
    """

    def __init__(self, reason: str, remedy: str, *, is_temporary: bool = False) -> None:
        super().__init__(f"database_url: {reason} {remedy}")
        self.reason = reason
        self.is_temporary = is_temporary


class NewerDatabase(UnusableDatabase):
    """The database was upgraded by a newer Treaty."""


class DatabaseReplaced(TreatyError):
    """The SQLite database file was deleted or replaced after it was opened, so writes to it would be lost."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The database file {path} was deleted or replaced while the server had it open. Nothing was written. "
            "Stop every process of the server, put the right file in its place, and start the server again."
        )


# Errors of the client, reported by the command line and the pytest plugin


class ClientError(TreatyError):
    """A failed operation of the client; `hint` is the next step, or empty."""

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class Unreachable(ClientError):
    """There was no response: wrong address, network failure, untrusted certificate, or no server at the address."""


class ForeignOrigin(ClientError):
    """A link or redirect to another origin than the broker's, to which credentials would have been sent."""


class NotHal(ClientError):
    """A response that is not HAL, so the server at this address is probably not a Pact Broker."""


class MissingRelation(ClientError):
    """A resource lacks a link. Brokers older than a feature lack its links; the text is the original client's."""

    def __init__(self, relation: str, url: str) -> None:
        super().__init__(
            f"Could not find relation '{relation}' in resource at {url}. The most likely reason for this is that you "
            "are on an old version of the Pact Broker and you need to upgrade, or you are using PactFlow and you don't "
            "have the permissions required for this action.",
        )
        self.relation = relation


class MissingResource(ClientError):
    """A name on the command line that the broker does not have. The text is the original client's, if it has one."""


class Refused(ClientError):
    """The broker's response has an error status; `body` is its unparsed text, and `reason` a sentence from it."""

    def __init__(
        self,
        url: str,
        *,
        status: int,
        body: str,
        reason: str = "",
        hint: str = "",
        retry_after: float = 0,
    ) -> None:
        super().__init__(f"Error making request to {url} status={status}: {reason}".removesuffix(": "), hint=hint)
        self.retry_after = retry_after
        """Seconds after which the broker asks to send the request again; 0 if it does not."""
        self.url = url
        self.status = status
        self.body = body
        self.reason = reason
        self.missing_name = ""
        """A sentence about the name on the command line that the broker does not have, if that is the reason."""

    @property
    def is_denied(self) -> bool:
        """Whether the credentials are missing or invalid, or lack a permission."""
        return self.status in {401, 403}
