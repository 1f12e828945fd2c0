"""Lists that can grow: whole up to a limit, then by the page."""

import pytest


@pytest.fixture
def filled(make_api):
    """An application whose lists have three items at most unless a page is requested, and four pacts."""
    api = make_api(largest_list=3)
    for number in range(1, 5):
        api.publish("Shop", str(number), "Prices", str(number), branch="main", tags=["prod"])
    return api


LISTS = [
    "/pacticipants/Shop/versions",
    "/pacticipants/Shop/branches/main/versions",
    "/pacticipants/Shop/tags/prod/versions",
    "/pacts/provider/Prices/consumer/Shop/versions",
    "/pacts/provider/Prices/consumer/Shop/tag/prod",
    "/pacts/provider/Prices/consumer/Shop/branch/main",
    "/pacts/provider/Prices",
    "/pacts/provider/Prices/tag/prod",
]


def names(answer):
    body = answer.json()
    relation = next(
        name for name in ("pb:versions", "pact-versions", "pb:pact-versions", "pb:pacts") if name in body["_links"]
    )
    return [link["href"] for link in body["_links"][relation]]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_beyond_the_limit_is_paged(filled, path):
    first = filled.get(path)
    assert first.json()["page"] == {"number": 1, "size": 3, "totalElements": 4, "totalPages": 2}
    rest = filled.get(first.link("next"))
    assert (len(names(first)), len(names(rest))) == (3, 1)
    assert len({*names(first), *names(rest)}) == 4
    assert names(filled.get(rest.link("previous"))) == names(first)


@pytest.mark.parametrize("path", LISTS)
def test_pages_have_the_requested_size(filled, path):
    whole = filled.get(f"{path}?page=1&size=10")
    assert (len(names(whole)), whole.json()["page"]["totalPages"]) == (4, 1)
    assert filled.get(f"{path}?page=0").status == 400


@pytest.mark.parametrize("path", LISTS)
def test_a_list_that_is_short_enough_is_whole(filled, path):
    filled.delete("/pacticipants/Shop/versions/1")
    answer = filled.get(path)
    assert (len(names(answer)), "page" in answer.json(), "next" in answer.json()["_links"]) == (3, False, False)


def test_the_latest_pacts_of_all_have_pages_too(filled):
    for consumer in ("Till", "Kiosk", "Phone"):
        filled.publish(consumer, "1", "Prices", "1")
    first = filled.get("/pacts/latest").json()
    assert (len(first["pacts"]), first["page"]["totalElements"]) == (3, 4)
