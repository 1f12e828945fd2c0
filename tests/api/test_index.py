"""The index, and what holds for every path."""


def test_the_index_says_where_pacts_are_published(api):
    assert api.get("/").json()["_links"]["pb:publish-contracts"]["href"] == "http://localhost/contracts/publish"


def test_a_path_without_a_route_is_not_found(api):
    answer = api.get("/no/such/path")
    assert (answer.status, answer.json()) == (404, {"error": "The requested document was not found on this server."})


def test_what_the_index_does_not_take_is_not_allowed(api):
    answer = api.post("/")
    assert (answer.status, answer.headers["allow"], answer.body) == (405, "GET, OPTIONS", b"")


def test_the_index_can_be_had_without_its_body(api):
    answer = api.request("HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0
