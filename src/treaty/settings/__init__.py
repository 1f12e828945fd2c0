"""The settings of a server.

Each can be given as an option, as `TREATY_<NAME>`, under the original broker's `PACT_BROKER_<NAME>`, or in
`treaty.toml`; the first of these places that has it wins.
"""

import os
from collections import ChainMap
from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from treaty.errors import InvalidSetting
from treaty.settings import sources
from treaty.settings.groups import (
    FORWARDED,
    X_FORWARDED,
    AccessSettings,
    AuditSettings,
    BadgeSettings,
    CleanupSettings,
    EncryptionSettings,
    FeatureSettings,
    Group,
    OverrideSettings,
    SecuritySettings,
    ServerSettings,
    VersionSettings,
    WebhookSettings,
    WorkInProgressSettings,
)
from treaty.settings.sources import SETTINGS_FILE, SettingValue
from treaty.settings.spellings import Unreadable

__all__ = [
    "FORWARDED",
    "GROUPS",
    "SETTINGS_FILE",
    "X_FORWARDED",
    "Group",
    "Settings",
    "default_of",
    "is_loopback",
    "list_variables",
    "names_of",
    "read_settings",
]


class Settings(
    ServerSettings,
    AccessSettings,
    SecuritySettings,
    AuditSettings,
    BadgeSettings,
    VersionSettings,
    WorkInProgressSettings,
    OverrideSettings,
    FeatureSettings,
    CleanupSettings,
    WebhookSettings,
    EncryptionSettings,
):
    """How a server behaves. `Settings()` has the defaults; `read_settings` reads the environment and the file."""

    model_config = SettingsConfigDict(defer_build=False)

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' own signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


GROUPS: Final[tuple[type[Group], ...]] = tuple(base for base in Settings.__bases__ if issubclass(base, Group))


class _Source(PydanticBaseSettingsSource):
    """What one place gives."""

    def __init__(self, settings: Mapping[str, SettingValue]) -> None:
        super().__init__(Settings)
        self._settings = settings

    def get_field_value(self, field: Any, field_name: str) -> tuple[object, str, bool]:  # noqa: ARG002 - likewise
        setting = self._settings.get(field_name)
        return setting and setting.value, field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name: setting.value for name, setting in self._settings.items()}


def read_settings(
    options: Mapping[str, object], environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Settings:
    """Read the settings from options (None means not given), the environment and `treaty.toml`.

    Raises InvalidSetting, naming the setting and where it was given.
    """
    names = {name: names_of(name) for name in Settings.model_fields}
    places = sources.places(options, environ, folder or Path.cwd(), names=names)
    build = cast("Callable[..., Settings]", Settings)  # type checkers know only the fields
    try:
        return build(_build_sources=(tuple(map(_Source, places)), {}))
    except ValidationError as error:
        raise InvalidSetting(_explain(error, ChainMap(*map(dict, places)))) from None  # its cause holds secrets


def names_of(name: str) -> tuple[str, ...]:
    """Return the name of a setting and its aliases."""
    extra = cast("Mapping[str, list[str]]", Settings.model_fields[name].json_schema_extra or {})
    return (name, *extra.get("aliases", []))


def list_variables(prefix: str) -> frozenset[str]:
    """List the variables with a prefix that `read_settings` reads, apart from numbered certificates."""
    names = {key for name in Settings.model_fields for key in names_of(name)} | {"base_url"}
    return frozenset(prefix + name.upper() for name in names) | sources.ORIGINAL_VARIABLES


def _explain(failure: ValidationError, values: Mapping[str, SettingValue]) -> str:
    """Describe the first error."""
    error = failure.errors()[0]
    cause = error.get("ctx", {}).get("error", error["msg"])
    if not error["loc"]:
        return str(cause)
    name = str(error["loc"][0])
    place = f" ({values[name].place})" if name in values and values[name].place else ""
    return f"{name}{place}: {cause}" if isinstance(cause, Unreadable) else f"{name}: {cause}{place}"


def default_of(name: str) -> str:
    """Return the default of a setting in the spelling that users would give; blank if it has none."""
    match _dump_defaults()[name]:
        case None:
            return ""
        case bool(value):
            return str(value).lower()
        case float(value):
            return f"{value:g}"
        case list(items):
            return " ".join(map(str, items))
        case value:
            return str(value)


@cache
def _dump_defaults() -> Mapping[str, Any]:
    return Settings().model_dump(mode="json")


def is_loopback(host: str) -> bool:
    """Whether an address is reached from its own machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
