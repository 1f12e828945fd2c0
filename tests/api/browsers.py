"""A browser without a screen: it keeps cookies, and sends forms with the token of their page."""

import re
from typing import Final
from urllib.parse import urlencode

from tests.api.client import Answer, Api
from tests.api.credentials import PASSWORD
from treaty.model.accounts.access import Role

FORM: Final = "application/x-www-form-urlencoded"
PAGE: Final = "text/html,application/xhtml+xml,*/*;q=0.8"
_TOKEN: Final = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """A browser of one user. `headers` are sent with every request."""

    def __init__(self, api: Api, **headers: str) -> None:
        self.api = api
        self.cookies: dict[str, str] = {}
        self.headers = headers
        self.csrf = ""
        """The token of the page that was seen last."""

    def get(self, path: str, **options: object) -> Answer:
        return self._keep(self.api.get(path, accept=PAGE, **{"headers": self._build_headers(), **options}))

    def post(self, path: str, **fields: str) -> Answer:
        """Send exactly these fields."""
        body = urlencode(fields).encode()
        return self._keep(self.api.post(path, body, type=FORM, accept=PAGE, headers=self._build_headers()))

    def send(self, path: str, **fields: str) -> Answer:
        """Send a form of the page that was seen last."""
        return self.post(path, **{"csrf_token": self.csrf, **fields})

    def submit(self, path: str, **fields: str) -> Answer:
        """Load the page with a form, and send the form."""
        return self.post(path, csrf_token=self.token(path), **fields)

    def token(self, path: str) -> str:
        """Load a page, and return the token of its forms."""
        self.get(path)
        return self.csrf

    def sign_in(self, name: str = Role.ADMINISTRATOR.value, its_password: str = PASSWORD, **more: str) -> Answer:
        return self.submit("/sign-in", name=name, password=its_password, **more)

    def _build_headers(self) -> dict[str, str]:
        cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        return {**self.headers, **(cookie if self.cookies else {})}

    def _keep(self, answer: Answer) -> Answer:
        name, _, value = answer.headers.get("set-cookie", "").partition(";")[0].partition("=")
        if name:
            self.cookies[name] = value
        if token := _TOKEN.search(answer.text):
            self.csrf = token[1]
        return answer
