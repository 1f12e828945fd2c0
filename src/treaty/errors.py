"""What can go wrong, in the words that a client is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class TreatyError(Exception):
    """Anything that Treaty says no to, with its reason."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request's body or query.

    `path` leads to it: names of members and indexes of elements, empty for a rule that belongs to no single member.
    """

    path: tuple[str | int, ...]
    text: str


class Invalid(TreatyError):
    """A body or query whose members break rules."""

    def __init__(self, *problems: Problem, status: int = 400) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = problems
        self.status = status

    @classmethod
    def member(cls, name: str, text: str, *, status: int = 400) -> "Invalid":
        return cls(Problem((name,), text), status=status)


class InvalidQuery(TreatyError):
    """A query that breaks rules which name no single parameter (the matrix)."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__("; ".join(texts))
        self.texts = tuple(texts)


class Malformed(TreatyError):
    """A body that cannot be read at all; the text begins with the kind of failure, as clients print it."""


def describe_invalid_utf8(raw: bytes, error: UnicodeDecodeError) -> str:
    """Say of a text where its first character is that is no UTF-8."""
    before = raw[: error.start].decode()
    return (
        f"has a non UTF-8 character at char {len(before) + 1} and cannot be parsed as JSON."
        f" Fragment preceding invalid character is: '{before[-100:]}'"
    )


class NotFound(TreatyError):
    """What a request is about does not exist. Without a text the answer is the general one."""

    @classmethod
    def named(cls, role: str, name: str) -> "NotFound":
        return cls(f"No {role} with name '{name}' found")


class Conflict(TreatyError):
    """What was asked for contradicts what is there."""


class ConflictingContracts(TreatyError):
    """Contracts that may not be published as they are; nothing was stored.

    Each notice has a type and a text; `similar` has the existing names that a new one is too like.
    """

    def __init__(self, notices: Sequence[tuple[str, str]], similar: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join([text for kind, text in notices if kind == "error"] + list(similar)))
        self.notices = tuple(notices)
        self.similar = dict(similar)


class SimilarNames(TreatyError):
    """A new name so like existing ones that it is probably a slip."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__(", ".join(names))
        self.names = dict(names)


class TooLarge(TreatyError):
    """A body larger than the setting allows."""


class TimeLimitExceeded(TreatyError):
    """Work that was given up, as it took longer than the setting allows."""


class Overloaded(TreatyError):
    """Work that is refused for now, as there is too much of its kind already."""


class Unauthenticated(TreatyError):
    """A request that has to say who it comes from, or that says it wrongly; the text says which, and what to do."""

    def __init__(self, text: str, *, is_bearer: bool = False) -> None:
        super().__init__(text)
        self.is_bearer = is_bearer


class Forbidden(TreatyError):
    """A request by somebody who may not do this; `missing` is the permission that it takes, if that is why."""

    def __init__(self, text: str, *, missing_permission: str | None = None) -> None:
        super().__init__(text)
        self.missing_permission = missing_permission


class Throttled(TreatyError):
    """Too many failed attempts; the next one is accepted in so many seconds."""

    def __init__(
        self, seconds: int, reason: str = "Too many wrong passwords for this user, or from this address."
    ) -> None:
        unit = "second" if seconds == 1 else "seconds"
        super().__init__(
            f"{reason} Try again in {seconds} {unit}. API tokens, and browsers that are signed in, are not affected."
        )
        self.seconds = seconds


class InvalidSetting(TreatyError):
    """A setting that cannot be used; the text names it."""


class DatabaseReplaced(TreatyError):
    """A file of the SQLite database that is no longer the one that was opened; writes to it would be lost."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The database file {path} was deleted or replaced while the server had it open. Nothing was written. "
            "Stop every process of the server, put the right file in its place, and start the server again."
        )


# The client's


class ClientError(TreatyError):
    """Why a client could not do its work; `hint` says what to try next."""

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class Unreachable(ClientError):
    """No answer came: the address, the network or a certificate is wrong, or nothing listens."""


class NotHal(ClientError):
    """An answer that no Pact Broker gives, so probably something else listens at the address."""


class MissingRelation(ClientError):
    """A resource lacks a link; older brokers lack newer ones."""

    def __init__(self, relation: str, url: str) -> None:
        super().__init__(
            f"Could not find relation '{relation}' in resource at {url}. The most likely reason for this is that you "
            "are on an old version of the Pact Broker and you need to upgrade, or you are using PactFlow and you don't "
            "have the permissions required for this action.",
        )
        self.relation = relation


class Refused(ClientError):
    """The broker answered with a status that is no success; `body` is its answer as it came."""

    def __init__(self, url: str, *, status: int, body: str, hint: str = "") -> None:
        super().__init__(f"Error making request to {url} status={status} {body}".rstrip(), hint=hint)
        self.url = url
        self.status = status
        self.body = body
