"""The list of a pair: the main branch and what runs come before feature branches."""

import re

from tests.pages.conftest import deploy


def list_versions(show, path="/dashboard/provider/Ledger/consumer/Till"):
    page = show(path).answer.text.partition('aria-label="Pacts"')[2]
    links = re.findall('href="([^"]*)"', page)
    versions = [link.rpartition("/")[2] for link in links if "/pacts/provider/Ledger/consumer/Till/version/" in link]
    return list(dict.fromkeys(version for version in versions if version != "previous-distinct"))


def test_the_main_branch_and_deployed_versions_precede_newer_feature_branches(history, show):
    history.patch("/pacticipants/Till", {"mainBranch": "main"})
    for number in range(4, 8):
        history.publish("Till", str(number), "Ledger", f"thing {number}", branch=f"feature/JIRA-{number}")
    deploy(history, "Till", "5", "test")
    assert list_versions(show) == ["5", "2", "1", "7", "6", "4", "3"]


def test_a_consumer_without_a_main_branch_is_listed_by_time(history, show):
    history.patch("/pacticipants/Till", {"mainBranch": None})
    assert list_versions(show) == ["1", "3", "2"]  # 1 runs in production
