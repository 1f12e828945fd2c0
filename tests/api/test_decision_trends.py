"""Trends of recorded decisions, against a plain computation over random records."""

from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from typing import Any

from sqlalchemy import insert

from tests.api.client import Api, Clock
from tests.scale import choose
from treaty.model.decisions.trends import TREND_DAYS
from treaty.store.engine.database import Database
from treaty.store.tables import decision, decision_version

ENVIRONMENTS = ("production", "test")
APPLICATIONS = ("web", "prices", "till")
CAUSES = ("never_passed", "not_deployed", "regression")
Record = dict[str, Any]


def build_records(random: Random, now: datetime) -> list[Record]:
    records = []
    for number in range(random.randrange(choose(60, slow=120, long=3000))):
        deployable = random.choice([True, False, None])
        records.append(
            {
                "uuid": f"{number}",
                "environment": (environment := random.choice(ENVIRONMENTS)),
                "environment_uuid": f"of {environment}",
                "at": now - timedelta(hours=random.randrange(TREND_DAYS * 24 + 200), seconds=random.randrange(3600)),
                "deployable": deployable,
                "causes": [] if deployable else random.choices(CAUSES, k=random.randrange(1, 4)),
                "names": random.sample(APPLICATIONS, random.randrange(1, 3)),
            }
        )
    return records


def add(database: Database, records: list[Record]) -> None:
    import json  # noqa: PLC0415 - used here alone

    def write(db: Any) -> None:
        for number, each in enumerate(records, 1):
            values = {name: each[name] for name in ("uuid", "environment", "environment_uuid", "deployable")}
            text = json.dumps(each["causes"])
            db.execute(insert(decision).values(id=number, **values, causes=text, document="{}", created_at=each["at"]))
            for name in each["names"]:
                db.execute(insert(decision_version).values(decision_id=number, pacticipant=name, number="1"))

    database.write(write)


def compute(records: list[Record], now: datetime, environment: str) -> Record | None:
    """Compute a trend day by day and application by application."""
    first = now.astimezone(UTC).date() - timedelta(days=TREND_DAYS - 1)
    own = [each for each in records if each["environment"] == environment and each["at"].date() >= first]
    own.sort(key=lambda each: (each["at"], int(each["uuid"])))
    if not own:
        return None
    waits = []
    for name in APPLICATIONS:
        since = None
        for each in own:
            if name not in each["names"]:
                continue
            if not each["deployable"]:
                since = since or each["at"]
            elif since:
                waits.append((each["at"] - since).total_seconds())
                since = None
    days = [first + timedelta(days=number) for number in range(TREND_DAYS)]
    answers = {"yes": True, "no": False, "unknown": None}
    causes = {cause: sum(cause in each["causes"] for each in own) for cause in CAUSES}
    not_yes = sum(not each["deployable"] for each in own)
    return {
        "name": environment,
        "uuid": f"of {environment}",
        "decisions": len(own),
        "notYes": not_yes,
        "shareOfNo": not_yes / len(own),
        "secondsUntilYes": median(waits) if waits else None,
        "waits": len(waits),
        "causes": {cause: count for cause, count in causes.items() if count},
        "days": [
            {
                "day": day.isoformat(),
                **{
                    name: sum(each["at"].date() == day and each["deployable"] is answer for each in own)
                    for name, answer in answers.items()
                },
            }
            for day in days
        ],
    }


def test_trends_follow_from_the_records(api: Api, database: Database, clock: Clock) -> None:
    for seed in range(choose(3, slow=5, long=50)):
        records = build_records(Random(seed), clock.now)  # noqa: S311 - for tests
        database.write(lambda db: db.execute(decision.delete()))
        add(database, records)
        trends = api.get("/decisions/trends").json()
        assert trends["days"] == TREND_DAYS
        expected = [trend for name in ENVIRONMENTS if (trend := compute(records, clock.now, name))]
        for trend in trends["environments"]:
            counts = [each["count"] for each in trend["causes"]]
            assert counts == sorted(counts, reverse=True), "the most frequent cause is the first"
            trend["causes"] = {each["cause"]: each["count"] for each in trend["causes"]}
        assert trends["environments"] == expected, seed
