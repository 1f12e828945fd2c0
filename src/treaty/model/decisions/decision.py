"""The answer to a question about deploying, of whatever kind."""

from abc import ABC, abstractmethod


class Decision(ABC):
    __slots__ = ()

    @abstractmethod
    def is_deployable(self) -> bool | None:
        """Whether it is safe to deploy; None while results are missing."""
