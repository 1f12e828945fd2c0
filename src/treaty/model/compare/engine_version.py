"""Version of the comparison engine, apart from the engine itself, which takes 3 MiB that many servers never use."""

from typing import Final

ENGINE_VERSION: Final = "1"
"""Changes when results may change. It is stored with each result; results of former versions stay valid."""
