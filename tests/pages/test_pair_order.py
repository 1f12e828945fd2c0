"""The list of a pair: the main branch and deployed versions come before feature branches."""

from tests.pages.conftest import deploy


def list_versions(show, path="/dashboard/provider/Ledger/consumer/Till"):
    """List the versions in the list of pacts, whose rows link to their changes. Deployed pairs are listed before."""
    links = (link for link in show(path).links if link.endswith("/diff/previous-distinct"))
    return [link.split("/")[-3] for link in links]


def test_the_main_branch_and_deployed_versions_precede_newer_feature_branches(history, show):
    history.patch("/pacticipants/Till", {"mainBranch": "main"})
    for number in range(4, 8):
        history.publish("Till", str(number), "Ledger", f"thing {number}", branch=f"feature/JIRA-{number}")
    deploy(history, "Till", "5", "test")
    assert list_versions(show) == ["5", "2", "1", "7", "6", "4", "3"]


def test_a_consumer_without_a_main_branch_is_listed_by_time(history, show):
    history.patch("/pacticipants/Till", {"mainBranch": None})
    assert list_versions(show) == ["1", "3", "2"]  # 1 runs in production
