"""The user service, in FastAPI."""

from fastapi import FastAPI, HTTPException

USERS: dict[str, dict[str, object]] = {}


def create_app(*, is_broken: bool = False) -> FastAPI:
    """Make the service. The broken one calls the time of creation something else."""
    app = FastAPI()

    @app.get("/users/{name}")
    def user(name: str) -> dict[str, object]:
        if name not in USERS:
            raise HTTPException(404)
        body = dict(USERS[name])
        if is_broken:
            body["created_at"] = body.pop("created_on")
        return body

    return app
