"""Whatever happened, each decision that is not yes has the right cause, and its next step changes the answer.

The causes of every answer are compared with those of a plain second implementation. Then the step of one of them is
carried out, as the commands would do it: the cause must no longer exist.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from sqlalchemy import select, text

from tests.api.client import SECRET_KEY, Api, Clock
from tests.api.decision_histories import (
    HAPPENINGS,
    PUBLISHED,
    SETTINGS,
    START,
    VERIFIED,
    ForgetfulBroker,
    Story,
    deployment_questions,
    matrix_questions,
    one_of,
)
from tests.api.steps import Steps
from tests.histories import SHARDS, history_settings, share
from tests.oracle.cause_oracle import Delivery, Ended, Known, Why, list_causes
from tests.scale import choose
from treaty.model.decisions.matrix import MAX_REASONS
from treaty.model.webhooks.deliveries import DeliveryStatus, Execution
from treaty.settings import Settings
from treaty.store import tables
from treaty.store.engine.database import Database, open_database
from treaty.store.webhooks import deliveries, due_deliveries
from treaty.store.webhooks.deliveries import DeliveryUpdate
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.application import build_application

HISTORIES = share(choose(25, slow=60, long=20_000))
"""Number of histories on each database, in each part."""


@dataclass
class CauseBroker(ForgetfulBroker):
    database: Database


@pytest.fixture
def broker(database_url: str, clock: Clock) -> Iterator[CauseBroker]:
    database = open_database(database_url)

    def forget() -> None:
        with database.engine.begin() as connection:
            for table in ("webhook", "pacticipant", "environment"):
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of tables

    chosen = Settings(database_url=database_url, log_level="error", secret_key=SECRET_KEY, **SETTINGS)  # type: ignore[arg-type]  # settings by name
    with closing(Api(build_application(chosen, database, clock=clock))) as api:
        yield CauseBroker(api, clock, forget, database)
    database.close()


@dataclass
class CauseStory(Story):
    """Also records former deployments, and has webhooks."""

    ended: list[Ended] = field(default_factory=list)

    @property
    def database(self) -> Database:
        assert isinstance(self.broker, CauseBroker)
        return self.broker.database

    def deploy(self, name: str, version: str, environment: str, instance: str | None) -> None:
        old = self.world.running.get((environment, name, instance))
        if (name, version) in self.world.versions and old not in {None, version}:
            self.ended.append(Ended(name, environment, str(old), self.world.now))
        super().deploy(name, version, environment, instance)

    def undeploy(self, name: str, environment: str, instance: str | None) -> None:
        if (environment, name, instance) in self.world.running:
            version = self.world.running[environment, name, instance]
            self.ended.append(Ended(name, environment, version, self.world.now))
        super().undeploy(name, environment, instance)

    def end_support(self, name: str, version: str, environment: str) -> None:
        if (environment, name, version) in self.world.supported:
            self.ended.append(Ended(name, environment, version, self.world.now))
        super().end_support(name, version, environment)

    def release(self, name: str, version: str, environment: str) -> None:
        # Releasing a version again revives its record, which then has not ended.
        was_supported = (environment, name, version) in self.world.supported
        super().release(name, version, environment)
        if not was_supported:
            self.ended = [period for period in self.ended if not self._is_release(period, name, version, environment)]

    @staticmethod
    def _is_release(one: Ended, name: str, version: str, environment: str) -> bool:
        return (one.name, one.version, one.environment) == (name, version, environment)

    def delete_version(self, name: str, version: str) -> None:
        super().delete_version(name, version)
        self.ended = [period for period in self.ended if (period.name, period.version) != (name, version)]

    # Webhooks

    def webhook(self, event: str, enabled: bool) -> None:  # noqa: FBT001 - as happenings give it
        request = {"method": "POST", "url": "https://ci.example.org/builds"}
        body = {"events": [{"name": event}], "request": request, "enabled": enabled}
        assert self.api.post("/webhooks", body).status == 201

    def wait(self) -> None:
        """Let time pass."""

    def disable(self) -> None:
        with self.database.engine.begin() as connection:
            connection.execute(text("UPDATE webhook SET is_enabled = false"))

    def deliver(self, success: bool) -> None:  # noqa: FBT001 - as happenings give it
        """Attempt the queued deliveries."""
        now = self.broker.clock.now
        request = ClaimRequest(owner="test", now=now + timedelta(days=1), until=now + timedelta(days=2), limit=100)
        while uuids := self.database.write(lambda db: due_deliveries.claim(db, request)):
            for uuid in uuids:
                self._record(uuid, now, success=success)

    def _record(self, uuid: str, now: datetime, *, success: bool) -> None:
        status = DeliveryStatus.SUCCESS if success else DeliveryStatus.FAILURE
        update = DeliveryUpdate(uuid=uuid, owner="test", status=status, due_at=None)
        execution = Execution(success=success, status=200, milliseconds=1, created_at=now, logs="")
        self.database.write(lambda db: deliveries.record_attempt(db, update, execution))

    def repair(self, uuid: str) -> None:
        """Send a delivery again, with success."""
        assert self.api.post(f"/triggered-webhooks/{uuid}/redeliver").status == 202
        self.tell(("deliver", True))

    # Facts for the oracle

    def know(self) -> Known:
        return Known(self.world, START, self.ended, self._list_deliveries())

    def _list_deliveries(self) -> list[Delivery]:
        triggered, publication, webhook = tables.triggered_webhook, tables.publication, tables.webhook
        consumer, provider = tables.pacticipant.alias("c"), tables.pacticipant.alias("p")
        statement = (
            select(
                *(triggered.c[name] for name in ("id", "uuid", "event", "status", "context", "created_at")),
                consumer.c.name.label("consumer"),
                provider.c.name.label("provider"),
                tables.version.c.number,
                publication.c.revision,
                webhook.c.uuid.label("webhook"),
                webhook.c.is_enabled,
            )
            .join(publication, publication.c.id == triggered.c.publication_id)
            .join(tables.version, tables.version.c.id == publication.c.consumer_version_id)
            .join(consumer, consumer.c.id == publication.c.consumer_id)
            .join(provider, provider.c.id == publication.c.provider_id)
            .outerjoin(webhook, webhook.c.id == triggered.c.webhook_id)
            .order_by(triggered.c.id)
        )
        with self.database.engine.connect() as connection:
            rows = connection.execute(statement).all()
            executions = connection.execute(select(tables.webhook_execution)).all()
        return [
            Delivery(
                uuid=row.uuid,
                webhook=row.webhook,
                is_enabled=bool(row.is_enabled),
                event=row.event,
                status=row.status,
                pact=(row.consumer, row.number, row.provider, row.revision),
                provider_version=json.loads(row.context).get("provider_version_number"),
                enqueued_at=row.created_at,
                attempts=[
                    (execution.created_at, execution.success)
                    for execution in executions
                    if execution.triggered_webhook_id == row.id
                ],
            )
            for row in rows
        ]


def obstacles(answer: Any) -> list[Any]:
    return [reason for reason in answer["reasons"] if reason["type"] == "error" and reason["kind"] != "more_obstacles"]


def check_causes(story: CauseStory, question: Mapping[str, Any], answer: Any) -> None:
    if answer["summary"]["deployable"]:
        assert not any("cause" in reason for reason in answer["reasons"])
        return
    right = list_causes(story.know(), question)
    reasons = obstacles(answer)
    if len(right) > MAX_REASONS:
        return
    assert reasons, "a no has a cause"
    for reason in reasons:
        event(reason["cause"])
    assert [_why(reason) for reason in reasons] == right


def _why(reason: Any) -> Why:
    since = reason["since"] and datetime.fromisoformat(reason["since"])
    passed = reason.get("passed", {}).get("version")
    version = reason.get("version", {}).get("version")
    return Why(reason["cause"], since, reason["act"]["pacticipant"], version, passed)


def identify(reason: Any) -> tuple[object, ...]:
    """Return the values that distinguish obstacles: of several failing webhooks, the problem names one after the other.

    Only the text names the environment that a selector asks for.
    """
    sides = [tuple(reason[role].values()) for role in ("consumer", "provider") if role in reason]
    problem = [reason["problem"]] if reason["cause"] == "webhook_failing" else []
    return (reason["cause"], *problem, *(sides or [reason["text"]]))


def carry_out(story: CauseStory, question: dict[str, Any], reason: Any) -> dict[str, Any]:
    """Follow the next step of a reason, and return the next question."""
    step = reason["next"]
    story.tell(("wait",))
    if reason["cause"] == "webhook_failing":
        story.repair(step["href"].split("/")[-2])
    elif "latestby=cvpv" in step["text"]:
        return {**question, "latestby": "cvpv"}
    else:
        name = reason["subject"]["name"]
        other = next(consumer for consumer in ("Zinc", "Till", "apron") if consumer != name)
        number = Steps(story.api, story.history).run(step["command"], partner=f"{other} of {name}")
        if reason["cause"] in {"regression", "never_passed"} and "&&" not in step["command"]:
            # The version that failed is the one in question, so the new version is asked about.
            return ask_about(question, reason["provider"]["name"], number)
    return question


def ask_about(question: dict[str, Any], name: str, number: str) -> dict[str, Any]:
    """Ask about a version of a pacticipant instead of those that the question selects, or that it infers."""
    others = [selector for selector in question["selectors"] if selector["pacticipant"] != name]
    plain = {key: value for key, value in question.items() if key != "can-i-deploy"}
    return {**plain, "selectors": [*others, {"pacticipant": name, "version": number}]}


EVENT = one_of("contract_requiring_verification_published", "contract_content_changed", "contract_published")
WEBHOOK = st.tuples(st.just("webhook"), EVENT, st.sampled_from([True, True, True, False]))
WEBHOOK_HAPPENINGS = st.one_of(
    WEBHOOK,
    *[st.tuples(st.just("deliver"), st.booleans())] * 3,
    st.just(("disable",)),
)


USUAL_QUESTIONS = st.fixed_dictionaries(
    {
        "can-i-deploy": st.just(True),  # noqa: FBT003 - a value of a query
        "selectors": st.tuples(
            st.fixed_dictionaries({"pacticipant": one_of("Till", "apron"), "version": one_of("1", "1", "2")})
        ).map(list),
        "environment": one_of("test", "live", "live"),
        "latestby": st.just("cvpv"),
    }
)
"""The question of most builds: may the version that they have just built be deployed?"""
QUESTIONS = st.one_of(matrix_questions(), deployment_questions(), *[USUAL_QUESTIONS] * 3)


@pytest.mark.parametrize("shard", SHARDS)
@history_settings(HISTORIES)
@given(
    happenings=st.tuples(
        st.lists(WEBHOOK, max_size=2),
        st.lists(PUBLISHED, min_size=2, max_size=5),
        st.lists(VERIFIED, max_size=5),
        st.lists(st.one_of(HAPPENINGS, HAPPENINGS, HAPPENINGS, WEBHOOK_HAPPENINGS), max_size=12),
    ),
    questions=st.lists(QUESTIONS, min_size=2, max_size=3),
    which=st.integers(0, 5),
)
def test_a_no_has_the_right_cause_and_its_step_changes_the_answer(
    broker: CauseBroker,
    shard: int,
    happenings: tuple[list[tuple[Any, ...]], ...],
    questions: list[dict[str, Any]],
    which: int,
) -> None:
    del shard
    story = CauseStory(broker)
    for happening in chain.from_iterable(happenings):
        story.tell(happening)
    for question in questions:
        answer = story.ask(question)
        check_causes(story, question, answer)
    # The last question is followed up, because steps change more than the story records.
    question, answer = dict(questions[-1]), story.ask(questions[-1])
    obstacles_before = [] if answer["summary"]["deployable"] else obstacles(answer)
    if obstacles_before:
        reason = obstacles_before[which % len(obstacles_before)]
        later = story.ask(carry_out(story, question, reason))
        # Two selectors may lead to reasons that read the same, of which the step removes one.
        before, after = (
            list(map(identify, reasons)).count(identify(reason)) for reasons in (obstacles_before, obstacles(later))
        )
        assert later["summary"]["deployable"] or after < before, reason["next"]
