"""A SQLite file that is deleted or replaced while servers have it open."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from tests.waiting import PATIENCE, eventually
from tests.whole.servers import list_workers, running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HAL = {"accept": "application/hal+json"}


def publish(address: str, number: str) -> httpx.Response:
    return httpx.put(f"{address}/pacticipants/Foo/versions/{number}", json={}, timeout=PATIENCE)


def numbers(address: str) -> set[str]:
    response = httpx.get(f"{address}/pacticipants/Foo/versions?size=1000", headers=HAL, timeout=PATIENCE)
    response.raise_for_status()
    return {version["number"] for version in response.json()["_embedded"]["versions"]}


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def replace(path: Path) -> None:
    """Replace the file with another database."""
    other = path.parent / "other.sqlite"
    shutil.copyfile(path, other)
    other.replace(path)


def recreate(path: Path) -> None:
    """Delete the file, and have another program create a database there."""
    delete_all(path)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE somebody_elses (a)")
    database.commit()
    database.close()


def delete_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def replace_log(path: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    other = path.parent / "other-wal"
    shutil.copyfile(log, other)
    other.replace(log)


def delete_index(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


SLOW_CHANGES = [delete_all, recreate, delete_log, delete_index]
CHANGES = [delete, replace, replace_log, *(pytest.param(change, marks=pytest.mark.slow) for change in SLOW_CHANGES)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "treaty.sqlite"


@pytest.mark.parametrize("change", CHANGES)
def test_every_process_refuses_writes_with_the_next_step(path: Path, change: Callable[[Path], None]) -> None:
    url = f"sqlite:///{path}"
    with running(url, cwd=path.parent) as first, running(url, cwd=path.parent) as second:
        check_refused([first.address, second.address] * 10, path, change)


@pytest.mark.slow  # the test above has several processes, too
@pytest.mark.parametrize("change", [delete, replace])
def test_every_worker_refuses_writes_with_the_next_step(path: Path, change: Callable[[Path], None]) -> None:
    with running(f"sqlite:///{path}", "--workers", "2", cwd=path.parent) as server:
        check_refused([server.address] * 20, path, change)


def check_refused(addresses: Sequence[str], path: Path, change: Callable[[Path], None]) -> None:
    for number, address in enumerate(addresses):
        assert publish(address, str(number)).status_code == 201
    change(path)
    left_behind = set(path.parent.iterdir())
    for number, address in enumerate(addresses):
        refused = publish(address, f"lost-{number}")
        assert refused.status_code == 503, refused.text
        assert str(path) in refused.json()["error"]
        assert "was deleted or replaced" in refused.json()["error"]
        assert "start the server again" in refused.json()["error"]
    assert set(path.parent.iterdir()) == left_behind, "something was created in place of what was deleted"


@pytest.mark.parametrize("change", [delete_log, replace_log, delete_index])
def test_writes_acknowledged_before_the_log_was_removed_survive(path: Path, change: Callable[[Path], None]) -> None:
    acknowledged = set()
    with running(f"sqlite:///{path}", cwd=path.parent) as server:
        for number in map(str, range(20)):
            if publish(server.address, number).status_code == 201:
                acknowledged.add(number)
        change(path)
        assert publish(server.address, "refused").status_code == 503
        server.kill()
    with running(f"sqlite:///{path}", cwd=path.parent) as again:
        assert numbers(again.address) == acknowledged


def test_a_file_that_was_moved_away_has_all_that_was_acknowledged(path: Path) -> None:
    moved = path.with_name("moved.sqlite")
    with running(f"sqlite:///{path}", cwd=path.parent) as server:
        for number in map(str, range(20)):
            assert publish(server.address, number).status_code == 201
        path.rename(moved)
        assert publish(server.address, "refused").status_code == 503
        server.kill()
    for left in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        left.unlink()
    with running(f"sqlite:///{moved}", cwd=path.parent) as again:
        assert numbers(again.address) == {str(number) for number in range(20)}


def test_a_file_that_is_put_back_is_written_to_again(path: Path) -> None:
    moved = path.with_name("moved.sqlite")
    with running(f"sqlite:///{path}", cwd=path.parent) as server:
        assert publish(server.address, "1").status_code == 201
        path.rename(moved)
        assert publish(server.address, "2").status_code == 503
        moved.rename(path)
        assert publish(server.address, "3").status_code == 201
        server.kill()
    with running(f"sqlite:///{path}", cwd=path.parent) as again:
        assert numbers(again.address) == {"1", "3"}


def test_reads_and_the_status_report_a_deleted_file(path: Path) -> None:
    with running(f"sqlite:///{path}", cwd=path.parent) as server:
        assert publish(server.address, "1").status_code == 201
        delete_all(path)
        refused = answered(lambda: httpx.get(f"{server.address}/pacticipants/Foo", headers=HAL), 503)
        assert "was deleted or replaced" in refused.json()["error"]
        page = httpx.get(f"{server.address}/", headers={"accept": "text/html"})
        assert (page.status_code, "was deleted or replaced" in page.text) == (503, True)
        status: dict[str, Any] = httpx.get(f"{server.address}/diagnostic/status/dependencies", headers=HAL).json()
        assert status["database"]["ok"] is False
        assert str(path) in status["database"]["error"]["message"]
        assert httpx.get(f"{server.address}/diagnostic/status/heartbeat", headers=HAL).status_code == 200


def answered(request: Callable[[], httpx.Response], status: int) -> httpx.Response:
    """Repeat a request until it has a status, since reads check the file only from time to time."""

    def look() -> httpx.Response | None:
        response = request()
        return response if response.status_code == status else None

    return cast("httpx.Response", eventually(look, lambda: f"no answer had status {status}"))


def test_a_restarted_worker_does_not_create_a_deleted_file_again(path: Path) -> None:
    with running(f"sqlite:///{path}", "--workers", "2", cwd=path.parent) as server:
        assert publish(server.address, "1").status_code == 201
        delete_all(path)
        os.kill(list_workers(server.process.pid)[0], signal.SIGKILL)
        eventually(lambda: "was deleted or replaced" in server.log, lambda: server.log)
        assert list(path.parent.glob("treaty.sqlite*")) == []
