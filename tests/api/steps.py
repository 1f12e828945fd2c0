"""Carries out the commands that an answer suggests, through the API, as the programs would."""

import shlex
from typing import Any
from urllib.parse import unquote

from tests.api.client import BASE, Api
from tests.api.history import History, q

PLACEHOLDERS = {"MAIN_BRANCH": "main", "PACTS": "pacts"}


class Steps:
    """Reads command lines and executes them. A placeholder for a version becomes a new version."""

    def __init__(self, api: Api, history: History) -> None:
        self.api = api
        self.history = history
        self._built = 0

    def run(self, command_line: str, *, partner: str) -> str:
        """Run the commands of a line, and return the number of the new version. Pacts are published for a partner."""
        self._built += 1
        number = f"new-{self._built}"
        words = [PLACEHOLDERS.get(word, word) for word in shlex.split(command_line)]
        words = [number if word == "VERSION" else word for word in words]
        for command in " ".join(map(shlex.quote, words)).split(" '&&' "):
            program, *arguments = shlex.split(command)
            if program == "pact-verifier":
                self._verify(arguments)
            else:
                assert program == "pact-broker"
                self._run(arguments, partner)
        return number

    def _verify(self, words: list[str]) -> None:
        (url,) = (word for word in words if word.startswith(f"{BASE}/pacts/"))
        options = _options([word for word in words if word not in {url, "--publish-verification-results"}])
        number, branch = options["--provider-app-version"], options.get("--provider-version-branch")
        if branch:
            self.history.branch(options["--provider"], number, branch)
        link = self.api.get(url.removeprefix(BASE)).link("pb:publish-verification-results")
        assert self.api.post(link, {"success": True, "providerApplicationVersion": number}).status == 201

    def _run(self, words: list[str], partner: str) -> None:
        name, options = words[0], _options([word for word in words[1:] if word != "pacts"])
        who, number = options.get("--pacticipant", ""), options.get("--version", "")
        match name:
            case "publish":
                self._publish(options, partner)
            case "record-deployment":
                instance = options.get("--application-instance")
                self.history.deploy(who, number, options["--environment"], instance)
            case "record-release":
                self.history.release(who, number, options["--environment"])
            case "record-support-ended":
                self._end_support(who, number, options["--environment"])
            case "create-version-tag":
                self.history.tag(who, number, options["--tag"])
            case "create-or-update-version":
                self.history.branch(who, number, options["--branch"])
            case "create-or-update-pacticipant":
                body = {"mainBranch": options["--main-branch"]}
                assert self.api.patch(f"/pacticipants/{q(options['--name'])}", body).status == 200
            case _:
                raise AssertionError(words)

    def _publish(self, options: dict[str, str], partner: str) -> None:
        provider, _, who = partner.partition(" of ")
        body: dict[str, Any] = {"branch": options["--branch"]} if "--branch" in options else {}
        body |= {"tags": [options["--tag"]]} if "--tag" in options else {}
        self.history.publish(who, options["--consumer-app-version"], provider, "anything new", **body)

    def _end_support(self, who: str, number: str, environment: str) -> None:
        path = f"/environments/{self.history.environment(environment)}/released-versions/currently-supported"
        for release in self.api.get(path).json()["_embedded"]["releasedVersions"]:
            own = release["_embedded"]
            if (own["pacticipant"]["name"], own["version"]["number"]) == (who, number):
                href = unquote(release["_links"]["self"]["href"]).removeprefix(BASE)
                assert self.api.patch(href, {"currentlySupported": False}).status == 200


def _options(words: list[str]) -> dict[str, str]:
    return dict(zip(words[::2], words[1::2], strict=True))
