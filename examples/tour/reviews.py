"""The Reviews service. Its rating could have another name: try "average", and see who needs "stars"."""

import json
from http.server import BaseHTTPRequestHandler


class Reviews(BaseHTTPRequestHandler):
    """Answers every request with the same rating."""

    def do_GET(self) -> None:
        """Send the rating of a product."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"stars": 4.2, "reviews": 31}).encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""
