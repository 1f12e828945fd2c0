"""The answer to a question about deploying, of whatever kind."""


class Decision:
    """A base class without `abc`, whose check for instances is slow: each response is checked for a decision."""

    __slots__ = ()

    def is_deployable(self) -> bool | None:
        """Whether it is safe to deploy; None while results are missing."""
        raise NotImplementedError
