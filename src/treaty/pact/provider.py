"""`Provider` of pact-python 1 and 2."""


class Provider:
    """The name of a provider."""

    def __init__(self, name: str) -> None:
        self.name = name


def check_provider(provider: object) -> None:
    """Raise ValueError for a provider's name in place of a Provider, a frequent mistake."""
    if not isinstance(provider, Provider):
        raise ValueError("provider must be an instance of the Provider class.")  # noqa: TRY004 - as in pact-python
