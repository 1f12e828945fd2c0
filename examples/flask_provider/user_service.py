"""The user service, in Flask."""

from flask import Flask, Response, abort, jsonify

USERS: dict[str, dict[str, object]] = {}


def create_app(*, is_broken: bool = False) -> Flask:
    """Make the service. The broken one calls the time of creation something else."""
    app = Flask(__name__)

    @app.get("/users/<name>")
    def user(name: str) -> Response:
        if name not in USERS:
            abort(404)
        found = dict(USERS[name])
        if is_broken:
            found["created_at"] = found.pop("created_on")
        return jsonify(found)

    return app
