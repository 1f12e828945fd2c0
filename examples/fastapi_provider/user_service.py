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
        found = dict(USERS[name])
        if is_broken:
            found["created_at"] = found.pop("created_on")
        return found

    return app
