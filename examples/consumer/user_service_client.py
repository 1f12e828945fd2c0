"""A client of the user service: the code of the consumer that the contract is about."""

from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class User:
    name: str
    created_on: str


class UserServiceClient:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def get_user(self, name: str) -> User | None:
        answer = httpx.get(f"{self.base_url}/users/{name}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return User(name=answer.json()["name"], created_on=answer.json()["created_on"])
