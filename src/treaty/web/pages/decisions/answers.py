"""Whether versions can be deployed to each environment: the table on the pages of applications and versions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from treaty.model.decisions.matrix import Verdict, decide
from treaty.model.decisions.queries import Destination, MatrixQuery, build_deployment_query
from treaty.model.decisions.selectors import Selector
from treaty.model.deployments import Environment
from treaty.store.decisions import counted_facts, matrix, selectors
from treaty.store.decisions.counted_facts import CountedFacts
from treaty.store.decisions.exemptions import load_exemptions
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
    answers: Sequence[bool | None]


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


def build_table(
    request: Request, name: str, versions: Sequence[tuple[str, str | None]], environments: Sequence[Environment]
) -> AnswerTable:
    """Decide about versions of an application, each with the branch whose head it is, for each environment.

    The environments are in the order of the pipeline.
    """
    # The last ones, as production is more important than the environment of a pull request.
    shown = environments[-MAX_ENVIRONMENTS:]
    numbers = list(dict.fromkeys(number for number, _ in versions))
    answers = _AnswersByEnvironment(request, name, numbers, shown)
    rows = [
        AnswerRow(number=number, branch=branch, answers=[answers.find(number, environment) for environment in shown])
        for number, branch in versions
    ]
    return AnswerTable(environments=shown, rows=rows, left_out=len(environments) - len(shown))


class _AnswersByEnvironment:
    """The answers for versions of an application, by counts where these are enough, and else one by one."""

    def __init__(
        self, request: Request, name: str, numbers: Sequence[str], environments: Sequence[Environment]
    ) -> None:
        self._request, self._name = request, name
        self._named = load_named(request.db, name, numbers)
        names = [environment.name for environment in environments]
        facts_by_environment = counted_facts.load_by_environment(request.db, name, numbers, names, self._named)
        self._answers = {
            (number, environment): answer
            for environment, facts in facts_by_environment.items()
            for number, answer in self._decide_by_counts(environment, facts).items()
        }

    def find(self, number: str, environment: Environment) -> bool | None:
        key = (number, environment.name)
        if key in self._answers:
            return self._answers[key]
        return decide_deployment(self._request, self._name, number, environment, self._named).summary.deployable

    def _decide_by_counts(self, environment: str, facts: CountedFacts) -> Mapping[str, bool | None]:
        """Decide about the versions whose counts are enough: an exemption may cover some of the results that count."""
        answers = {
            number: decide(_build_query(self._name, number, environment), facts_of_version).summary.deployable
            for number, facts_of_version in facts.by_number.items()
        }
        if all(answers.values()):
            return answers
        exemptions = load_exemptions(
            self._request.db,
            [(self._name, number) for number, answer in answers.items() if not answer],
            consumers=[self._name],
            providers=facts.partners_elsewhere,
            environment_name=environment,
            now=self._request.now,
        )
        if exemptions.first_deployments:
            return {number: answer for number, answer in answers.items() if answer}
        overridden = {override.version for override in exemptions.overrides}
        return {number: answer for number, answer in answers.items() if answer or number not in overridden}


def load_named(db: Connection, name: str, numbers: Iterable[str]) -> NamedIds:
    """Look up the versions once for all environments."""
    return selectors.load_named_ids(db, [Selector(pacticipant=name, version=number) for number in numbers])


def decide_deployment(request: Request, name: str, number: str, environment: Environment, named: NamedIds) -> Verdict:
    """Decide whether a version can be deployed to an environment, as can-i-deploy does."""
    query = _build_query(name, number, environment.name)
    facts = matrix.load_facts(request.db, query, named).facts
    return decide_with_exemptions(request.db, query, facts, now=request.now)


def _build_query(name: str, number: str, environment: str) -> MatrixQuery:
    selector = Selector(pacticipant=name, version=number)
    return build_deployment_query(selector, Destination(environment=environment))._replace(limit=MAX_ROWS)
