"""The board and the alerts name metrics that servers have, and each alert is raised by its fault, and by no other."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests import databases
from tests.absence import require
from tests.api.client import Api
from tests.docs.generated import ROOT
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.web.application import build_application

BOARD: Final = ROOT / "deploy" / "grafana" / "treaty.json"
ALERTS: Final = ROOT / "deploy" / "prometheus" / "alerts.yaml"
UNIT_TESTS: Final = ROOT / "tests" / "deploy" / "alerts_test.yaml"
OF_PROMETHEUS: Final = {"up"}
METRIC: Final = re.compile(r"\b(up|treaty_\w+)\s*{")


@pytest.fixture(scope="module")
def metrics(sqlite_original: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the metrics of a server that has handled a request."""
    url = databases.copy(sqlite_original, tmp_path_factory.mktemp("metrics") / "treaty.sqlite")
    api = Api(build_application(Settings(database_url=url, log_level="error"), open_database(url, connections=1)))
    api.get("/")
    text = api.get("/metrics/prometheus", accept="text/plain").text
    api.close()
    return set(re.findall(r"^(treaty_\w+)", text, re.MULTILINE)) | OF_PROMETHEUS


def queries() -> list[str]:
    board: dict[str, Any] = json.loads(BOARD.read_text("utf-8"))
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = [rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]]
    return [*shown, *(rule["expr"] for rule in rules)]


def test_every_metric_of_the_board_and_the_alerts_exists(metrics):
    named = {name for query in queries() for name in METRIC.findall(query)}
    assert named <= metrics
    assert all(METRIC.search(query) for query in queries())


def test_the_board_shows_every_metric(metrics):
    named = {name for query in queries() for name in METRIC.findall(query)}
    families = {re.sub(r"_(bucket|count|sum|total|created)$", "", name) for name in metrics}
    assert {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in named} == families


def test_every_alert_has_a_severity_a_summary_and_a_description():
    for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"critical", "warning", "info"}
            assert all(rule["annotations"][name].endswith(".") for name in ("summary", "description"))


def test_panels_of_the_board_do_not_overlap():
    panels = json.loads(BOARD.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} == set(range(24))


@pytest.mark.slow
def test_prometheus_accepts_the_alerts_and_raises_each_for_its_fault(tmp_path):
    file = tmp_path / "alerts.yaml"
    file.write_text(UNIT_TESTS.read_text("utf-8").replace("[ALERTS]", json.dumps([str(ALERTS)])), "utf-8")
    for words in (["check", "rules", ALERTS], ["test", "rules", file]):
        check_with_promtool(*words)


@pytest.mark.slow
def test_every_query_of_the_board_can_be_parsed(tmp_path):
    filled = [query.replace("$__rate_interval", "5m").replace("$job", "treaty") for query in queries()]
    rules = [{"record": f"board:{number}", "expr": query} for number, query in enumerate(filled)]
    file = tmp_path / "board.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}), "utf-8")
    check_with_promtool("check", "rules", file)


def check_with_promtool(*words: str | Path) -> None:
    # `./run test --slow` puts it beside the programs of the environment, unless the system has it.
    own = Path(sys.executable).with_name("promtool")
    program = str(own) if own.exists() else "promtool"
    require(program)
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
