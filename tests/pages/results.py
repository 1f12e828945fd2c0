"""Results of verifications, of any pair."""


def verify_pact(api, consumer, version, provider, number, *, success=True, branch=None):  # noqa: PLR0913 - as in the address
    if branch is not None:
        assert api.put(f"/pacticipants/{provider}/branches/{branch}/versions/{number}", {}).status in {200, 201}
    pact = api.get(f"/pacts/provider/{provider}/consumer/{consumer}/version/{version}")
    body = {"success": success, "providerApplicationVersion": number}
    assert api.post(pact.link("pb:publish-verification-results"), body).status == 201
