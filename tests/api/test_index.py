"""The index, and the rules for every path."""


def test_the_index_links_to_the_publication_of_pacts(api):
    assert api.get("/").json()["_links"]["pb:publish-contracts"]["href"] == "http://localhost/contracts/publish"


def test_a_path_without_a_route_is_not_found(api):
    answer = api.get("/no/such/path")
    assert (answer.status, answer.json()) == (404, {"error": "The requested document was not found on this server."})


def test_other_methods_of_the_index_return_405(api):
    answer = api.post("/")
    assert (answer.status, answer.headers["allow"], answer.body) == (405, "GET, OPTIONS", b"")


def test_a_head_request_for_the_index_has_no_body(api):
    answer = api.request("HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0
