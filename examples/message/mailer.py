"""The consumer: it takes orders from a queue, and makes letters of them."""

import json
from collections.abc import Callable


class Mailer:
    def __init__(self, send: Callable[[str, str], None]) -> None:
        self.send = send

    def handle(self, message: str | bytes) -> None:
        order = json.loads(message)
        self.send(order["email"], f"Thank you for order {order['number']}.")
