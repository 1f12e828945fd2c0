"""The settings of a server.

Each can be given as an option, as `TREATY_<NAME>`, under the original broker's `PACT_BROKER_<NAME>`, or in
`treaty.toml`; the first of these places that has it wins.
"""

import json
import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from treaty.errors import InvalidSetting
from treaty.settings import sources
from treaty.settings.declarations import Group, Setting, list_settings
from treaty.settings.groups import (
    FORWARDED,
    X_FORWARDED,
    AccessSettings,
    AuditSettings,
    BadgeSettings,
    CleanupSettings,
    EncryptionSettings,
    FeatureSettings,
    OverrideSettings,
    SecuritySettings,
    ServerSettings,
    VersionSettings,
    WebhookSettings,
    WorkInProgressSettings,
)
from treaty.settings.secrets import Secret
from treaty.settings.sources import SETTINGS_FILE, SettingValue
from treaty.settings.spellings import OutOfRange, Unreadable

__all__ = [
    "FORWARDED",
    "GROUPS",
    "SETTINGS",
    "SETTINGS_FILE",
    "X_FORWARDED",
    "Group",
    "Secret",
    "Setting",
    "Settings",
    "default_of",
    "dump_settings",
    "is_loopback",
    "list_settings",
    "list_variables",
    "load_settings",
    "read_settings",
]


@dataclass(frozen=True, kw_only=True)
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
    """How a server behaves. `Settings()` has the defaults; `read_settings` reads the environment and the file.

    Raises InvalidSetting.
    """

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            value = getattr(self, name)
            if value is not setting.default:
                object.__setattr__(self, name, _convert(setting, SettingValue(value, "")))
        try:
            for group in GROUPS:
                group.check(self)
        except OutOfRange as error:
            raise InvalidSetting(str(error)) from None


GROUPS: Final[tuple[type[Group], ...]] = tuple(base for base in Settings.__bases__ if issubclass(base, Group))
SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in list_settings(Settings)}
"""All settings by their names."""


def read_settings(
    options: Mapping[str, object], environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Settings:
    """Read the settings from options (None means not given), the environment and `treaty.toml`.

    Raises InvalidSetting, naming the setting and where it was given.
    """
    names = {name: setting.names for name, setting in SETTINGS.items()}
    places = sources.places(options, environ, folder or Path.cwd(), names=names)
    values = ChainMap(*map(dict, places))
    return Settings(**{name: _convert(setting, values[name]) for name, setting in SETTINGS.items() if name in values})


def _convert(setting: Setting, value: SettingValue) -> Any:
    """Convert a raw value. Raises InvalidSetting."""
    place = f" ({value.place})" if value.place else ""
    try:
        return setting.spelling.read(value.value)
    except Unreadable as error:
        raise InvalidSetting(f"{setting.name}{place}: {error}") from None  # its cause may show a secret
    except OutOfRange as error:
        raise InvalidSetting(f"{setting.name}: {error}{place}") from None


def dump_settings(settings: Settings) -> str:
    """Return all values as JSON, secrets included."""
    return json.dumps({name: _dump(setting, getattr(settings, name)) for name, setting in SETTINGS.items()})


def load_settings(text: str) -> Settings:
    """Return the settings that `dump_settings` wrote."""
    return Settings(**json.loads(text))


def _dump(setting: Setting, value: object) -> object:
    return None if value is None else setting.spelling.dump(value)


def list_variables(prefix: str) -> frozenset[str]:
    """List the variables with a prefix that `read_settings` reads, apart from numbered certificates."""
    names = {name for setting in SETTINGS.values() for name in setting.names} | {"base_url"}
    return frozenset(prefix + name.upper() for name in names) | sources.ORIGINAL_VARIABLES


def default_of(setting: Setting) -> str:
    """Return the default of a setting in the spelling that users would give; blank if it has none."""
    match _dump(setting, setting.default):
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


def is_loopback(host: str) -> bool:
    """Whether an address is reached from its own machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
