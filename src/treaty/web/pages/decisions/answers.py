"""Whether versions can be deployed to each environment: the table on the pages of applications and versions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from treaty.model.decisions.matrix import Verdict
from treaty.model.decisions.queries import Destination, build_deployment_query
from treaty.model.decisions.selectors import Selector
from treaty.model.deployments import Environment
from treaty.store.decisions import matrix, selectors
from treaty.store.decisions.selectors import NamedIds
from treaty.web.api.decisions.exemptions import decide_with_exemptions
from treaty.web.http.request import Request

MAX_ROWS: Final = 1000
"""Matrix rows that a decision loads; further rows are only counted, by the database."""
MAX_ENVIRONMENTS: Final = 8
"""Environments in the table. The form has all of them, even if each pull request has an environment of its own."""

_WORDS: Final[Mapping[bool | None, str]] = {True: "yes", False: "no", None: "not yet"}


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerRow:
    """The answers for a version, one for each of the environments in the table."""

    number: str
    branch: str | None
    """The branch whose head the version is, if it is in the table for that reason."""
    verdicts: Sequence[Verdict]

    @property
    def answers(self) -> list[bool | None]:
        return [verdict.summary.deployable for verdict in self.verdicts]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerTable:
    """The answers for versions of an application; the first row is about the version in question."""

    environments: Sequence[Environment]
    rows: Sequence[AnswerRow]
    left_out: int = 0
    """Number of environments that have no column."""

    def describe(self) -> str:
        """Describe the answers of the first row for the title of a page."""
        if not self.rows:
            return ""
        pairs = zip(self.environments, self.rows[0].answers, strict=True)
        return ", ".join(f"{_WORDS[answer]} to {environment.display_name}" for environment, answer in pairs)

    def find_decisive(self) -> Environment | None:
        """Find the environment to explain: the first to which the version cannot be deployed, else production."""
        if not self.rows or not self.environments:
            return None
        pairs = zip(self.environments, self.rows[0].answers, strict=True)
        return next((environment for environment, answer in pairs if not answer), self.environments[-1])

    def find_verdict(self, environment: Environment) -> Verdict | None:
        """Find the verdict of the first row; None if the environment has no column."""
        pairs = zip(self.environments, self.rows[0].verdicts if self.rows else (), strict=False)
        return next((verdict for other, verdict in pairs if other.uuid == environment.uuid), None)


def build_table(
    request: Request, name: str, versions: Sequence[tuple[str, str | None]], environments: Sequence[Environment]
) -> AnswerTable:
    """Decide about versions of an application, each with the branch whose head it is, for each environment.

    The environments are in the order of the pipeline.
    """
    # The last ones, as production is more important than the environment of a pull request.
    shown = environments[-MAX_ENVIRONMENTS:]
    named = load_named(request.db, name, [number for number, _ in versions])
    rows = [
        AnswerRow(
            number=number,
            branch=branch,
            verdicts=[decide_deployment(request, name, number, environment, named) for environment in shown],
        )
        for number, branch in versions
    ]
    return AnswerTable(environments=shown, rows=rows, left_out=len(environments) - len(shown))


def load_named(db: Connection, name: str, numbers: Iterable[str]) -> NamedIds:
    """Look up the versions once for all environments."""
    return selectors.load_named_ids(db, [Selector(pacticipant=name, version=number) for number in numbers])


def decide_deployment(request: Request, name: str, number: str, environment: Environment, named: NamedIds) -> Verdict:
    """Decide whether a version can be deployed to an environment, as can-i-deploy does."""
    selector = Selector(pacticipant=name, version=number)
    query = replace(build_deployment_query(selector, Destination(environment=environment.name)), limit=MAX_ROWS)
    facts = matrix.load_facts(request.db, query, named).facts
    return decide_with_exemptions(request.db, query, facts, now=request.now)
