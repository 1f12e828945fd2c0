"""`./run test --changed` runs the tests that are about the changed files."""

import pytest

from tests.changed import find_importing_tests, related_tests

TESTS = {
    "tests/test_harness.py",
    "tests/api/test_webhooks.py",
    "tests/api/test_webhook_events.py",
    "tests/api/test_matrix.py",
    "tests/cli/test_cli_webhooks.py",
    "tests/cli/test_cli_deployments.py",
    "tests/pages/test_overview.py",
}


@pytest.mark.parametrize(
    ("changed", "selected"),
    [
        (
            "src/treaty/store/webhooks/webhooks.py",
            {"api/test_webhooks", "api/test_webhook_events", "cli/test_cli_webhooks"},
        ),
        ("src/treaty/web/templates/overview.html", {"pages/test_overview"}),
        ("src/treaty/cli/deployments.py", {"cli/test_cli_deployments"}),
        ("tests/api/test_matrix.py", {"api/test_matrix"}),
        ("LICENSE", set()),
    ],
)
def test_tests_about_the_subject_of_a_changed_file_are_selected(changed, selected):
    assert set(related_tests([changed], TESTS, {})) == {f"tests/{name}.py" for name in selected} | {
        "tests/test_harness.py"
    }


def test_a_changed_module_of_helpers_selects_the_tests_that_import_it(tmp_path):
    folder = tmp_path / "tests" / "api"
    folder.mkdir(parents=True)
    texts = {
        "client": "",
        "history": "from tests.api.client import Api",
        "conftest": "from tests.api.history import History",
        "test_pacts": "import json\nfrom tests.api.history import (\n    History,  # a comment, and more\n    q,\n)",
        "test_lists": "from tests.api import history",
        "test_links": "def load():\n    from .client import Api",
        "test_badges": "import tests.api.client as client",
        "test_clients": "from tests.api.conftest import history",
    }
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    importing = find_importing_tests(tmp_path)
    direct = {f"tests/api/test_{name}.py" for name in ("pacts", "lists")}
    assert importing["tests/api/history.py"] == direct
    assert importing["tests/api/client.py"] == direct | {"tests/api/test_links.py", "tests/api/test_badges.py"}
    tests = {f"tests/api/{name}.py" for name in texts if name.startswith("test_")}
    assert related_tests(["tests/api/history.py"], tests, importing) == sorted([*direct, "tests/test_harness.py"])
