"""Wrong passwords, counted for all processes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, insert, select, update

from treaty.model.guessing import Guesses
from treaty.store.database import every, run
from treaty.store.tables import guess

_AMONG: Final = select(guess.c.key, guess.c.count, guess.c.latest).where(
    guess.c.key.in_(bindparam("keys", expanding=True))
)
_IS_OVER: Final = guess.c.latest < bindparam("before", type_=guess.c.latest.type)
_COUNT: Final = (
    update(guess)
    .where(guess.c.key == bindparam("its_key"))
    .values(count=case((_IS_OVER, 1), else_=guess.c.count + 1), latest=bindparam("now"))
)
_CLAIM: Final = (
    update(guess)
    .where(guess.c.key == bindparam("its_key"), guess.c.count == bindparam("seen"))
    .values(count=guess.c.count + 1, latest=bindparam("now"))
)
_ADD: Final = insert(guess).values(key=bindparam("its_key"), count=1, latest=bindparam("now"))
_FORGET: Final = delete(guess).where(guess.c.key == bindparam("its_key"))
_FORGET_OLD: Final = delete(guess).where(_IS_OVER)


def among(db: Connection, keys: Sequence[str]) -> list[Guesses]:
    return every(db, _AMONG, {"keys": keys}, Guesses)


def count(db: Connection, key: str, *, now: datetime, before: datetime) -> None:
    """Count one more; what came before a time counts no more."""
    params = {"its_key": key, "now": now, "before": before}
    if not run(db, _COUNT, params):
        run(db, _ADD, params)


def claim(db: Connection, seen: Guesses, *, now: datetime) -> bool:
    """Count one more, unless somebody has since it was looked at; say whether it was."""
    return run(db, _CLAIM, {"its_key": seen.key, "seen": seen.count, "now": now}) == 1


def forget(db: Connection, key: str) -> None:
    run(db, _FORGET, {"its_key": key})


def forget_old(db: Connection, *, before: datetime) -> None:
    run(db, _FORGET_OLD, {"before": before})
