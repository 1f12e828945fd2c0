"""Words of sentences that depend on numbers."""


def choose_form(number: int, singular: str, plural: str) -> str:
    return singular if number == 1 else plural
