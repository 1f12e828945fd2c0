"""A client of the user service."""

import httpx


def get_user(base_url: str, name: str) -> dict[str, object]:
    answer = httpx.get(f"{base_url}/users/{name}")
    answer.raise_for_status()
    return dict(answer.json())
