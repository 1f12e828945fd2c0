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
        body = dict(USERS[name])
        if is_broken:
            body["created_at"] = body.pop("created_on")
        return jsonify(body)

    return app
