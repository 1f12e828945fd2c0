"""Versions that run in an environment, deployed or released."""

from tests.pages.conftest import uuid_of

KINDS = ("deployed-versions", "released-versions")


def deploy_or_release(api, kind, name, version, environment, **more):
    path = f"/pacticipants/{name}/versions/{version}/{kind}/environment/{uuid_of(api, environment)}"
    api.put(f"/pacticipants/{name}/versions/{version}", {})
    assert api.post(path, more).status in {200, 201}


def another_instance(kind):
    return {"applicationInstance": "other"} if kind == "deployed-versions" else {}
