"""`./run test --changed` runs the tests that are about the changed files."""

import pytest

from tests.changed import related_tests

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
    assert set(related_tests([changed], TESTS)) == {f"tests/{name}.py" for name in selected} | {"tests/test_harness.py"}
