"""Where settings are given: options, variables, `treaty.toml`, and variables that are not Treaty's own."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from treaty.errors import InvalidSetting
from treaty.outbound_proxies import find_variable
from treaty.settings.spellings import Number, Unreadable, read_boolean, read_items

SETTINGS_FILE: Final = "treaty.toml"
PREFIXES: Final = ("TREATY_", "PACT_BROKER_")


class SettingValue(NamedTuple):
    """The raw value of a setting, and the place that gave it."""

    value: object
    place: str


Names = Mapping[str, tuple[str, ...]]
"""The names of each setting, the preferred name first."""
Place = Mapping[str, SettingValue]
"""What one place gives, by setting."""


def places(options: Mapping[str, object], environ: Mapping[str, str], folder: Path, *, names: Names) -> list[Place]:
    """List the places, those that win first. Raises InvalidSetting."""
    environ = {name: value for name, value in environ.items() if not _is_service_link(name, value)}
    file = load_file(folder / SETTINGS_FILE, known_names={*sum(names.values(), ()), "base_url"})
    listed: list[Place] = [
        {name: SettingValue(options[name], "option") for name in names if options.get(name) is not None},
        *(_variables(prefix, environ, names) for prefix in PREFIXES),
        {name: SettingValue(file[key], SETTINGS_FILE) for name, key in _first_keys(names, file)},
        _other_variables(environ),
    ]
    return [_base_urls(listed, environ, file), *listed]


def _is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes set the variable: beside a service named `treaty`, TREATY_PORT is `tcp://10.0.0.1:80`."""
    return name.endswith("_PORT") and str(value).startswith(("tcp://", "udp://", "sctp://"))


def load_file(path: Path, *, known_names: set[str]) -> Mapping[str, object]:
    """Load treaty.toml, if it exists. Raises InvalidSetting for unknown names."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{path} cannot be read: {error}") from error
    unknown = sorted(content.keys() - known_names)
    if unknown:
        raise InvalidSetting(f"{path}: there is no setting '{unknown[0]}'")
    return content


def _first_keys(names: Names, keys: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Find the key of each setting that has one; the name of a setting beats its aliases."""
    for name, spelled in names.items():
        key = next((key for key in spelled if key in keys), None)
        if key is not None:
            yield name, key


def _variables(prefix: str, environ: Mapping[str, str], names: Names) -> Place:
    """Find the variables with a prefix. Blank variables count as missing."""
    variables = {name: tuple(prefix + key.upper() for key in keys) for name, keys in names.items()}
    values = {variable: value for variable, value in environ.items() if value}
    return {name: SettingValue(values[variable], variable) for name, variable in _first_keys(variables, values)}


def _base_urls(listed: list[Place], environ: Mapping[str, str], file: Mapping[str, object]) -> Place:
    """Combine `base_urls` with the `base_url` of each place, as the original broker has only the latter.

    Raises InvalidSetting.
    """
    first = next((place["base_urls"] for place in listed if "base_urls" in place), SettingValue((), ""))
    single = [SettingValue(file.get("base_url", ""), SETTINGS_FILE)]
    single += [SettingValue(environ.get(f"{prefix}BASE_URL", ""), f"{prefix}BASE_URL") for prefix in PREFIXES]
    urls: list[object] = []
    for name, setting in (("base_urls", first), *(("base_url", value) for value in single)):
        try:
            urls += read_items(setting.value)
        except Unreadable as error:
            raise InvalidSetting(f"{name} ({setting.place}): {error}") from error
    return {"base_urls": SettingValue(urls, "")}


# The original broker's parts of settings, and proxies. They count only if no other place has the setting.

_DATABASE_PARTS: Final = ("adapter", "username", "password", "host", "port", "name", "sslmode")
_DATABASE_URL_VARIABLE: Final = "PACT_BROKER_DATABASE_URL_ENVIRONMENT_VARIABLE_NAME"
_PORT_VARIABLE: Final = "PACT_BROKER_PORT_ENVIRONMENT_VARIABLE_NAME"
ORIGINAL_VARIABLES: Final = frozenset(
    {*(f"PACT_BROKER_DATABASE_{part.upper()}" for part in _DATABASE_PARTS), _DATABASE_URL_VARIABLE, _PORT_VARIABLE}
)


def _other_variables(environ: Mapping[str, str]) -> Place:
    parts = {
        "database_url": _database_url(environ),
        "webhook_certificates": _certificates(environ),
        "features": _features(environ),
    }
    assembled = {name: SettingValue(value, "") for name, value in parts.items() if value}
    return {**assembled, **_port(environ), **_webhook_proxies(environ)}


def _port(environ: Mapping[str, str]) -> Place:
    """Read the port from the variable that another one names, as hosting platforms choose the name and the port."""
    variable = environ.get(_PORT_VARIABLE, "")
    value = environ.get(variable)
    return {"port": SettingValue(value, variable)} if value else {}


def _webhook_proxies(environ: Mapping[str, str]) -> Place:
    """Read the proxies that programs on this machine use."""
    variables = {
        "webhook_http_proxy": find_variable(environ, "http_proxy", "all_proxy"),
        "webhook_https_proxy": find_variable(environ, "https_proxy", "all_proxy"),
        "webhook_no_proxy": find_variable(environ, "no_proxy"),
    }
    return {name: SettingValue(variable.value, variable.name) for name, variable in variables.items() if variable}


def _database_url(environ: Mapping[str, str]) -> str | None:
    """Build the URL of the database from its parts.

    Raises InvalidSetting for an adapter that Treaty does not support, or if the name is missing.
    """
    variable = environ.get(_DATABASE_URL_VARIABLE)
    if variable and environ.get(variable):
        return environ[variable]
    parts = {name: environ.get(f"PACT_BROKER_DATABASE_{name.upper()}", "") for name in _DATABASE_PARTS}
    if not any(parts.values()):
        return None
    if not parts["name"]:
        raise InvalidSetting(
            "database_name: PACT_BROKER_DATABASE_NAME is missing beside the other parts of the database"
        )
    if parts["adapter"] == "sqlite":
        return f"sqlite:///{parts['name']}"
    if parts["adapter"] not in {"", "postgres", "postgresql"}:
        raise InvalidSetting(f"database_adapter: must be one of postgres, sqlite, but is '{parts['adapter']}'")
    return _postgresql_url(parts)


def _postgresql_url(parts: Mapping[str, str]) -> str:
    user = quote(parts["username"], safe="") + (":" + quote(parts["password"], safe="") if parts["password"] else "")
    host = (parts["host"] or "localhost") + (f":{parts['port']}" if parts["port"] else "")
    mode = f"?sslmode={quote(parts['sslmode'])}" if parts["sslmode"] else ""
    return f"postgresql://{user}{'@' if user else ''}{host}/{quote(parts['name'], safe='')}{mode}"


_FEATURE: Final = re.compile(r"PACT_BROKER_FEATURES__(\w+)")


def _features(environ: Mapping[str, str]) -> list[str]:
    """Read features that have a variable each, whose value is a boolean. Raises InvalidSetting."""
    features: list[str] = []
    for name, value in environ.items():
        match = _FEATURE.fullmatch(name)
        if match and value:
            try:
                features += [match[1].lower()] if read_boolean(value) else []
            except Unreadable as error:
                raise InvalidSetting(f"features ({name}): {error}") from error
    return features


_CERTIFICATE: Final = re.compile(r"(?:TREATY|PACT_BROKER)_WEBHOOK_CERTIFICATES__([^_]+)__(CONTENT|PATH)")


def _certificates(environ: Mapping[str, str]) -> list[str]:
    """Read numbered certificates, each a path or PEM. Raises InvalidSetting for a number that is none."""
    certificates: dict[int, str] = {}
    for name, value in environ.items():
        match = _CERTIFICATE.fullmatch(name)
        if match and value:
            try:
                certificates[Number().read(match[1])] = value
            except Unreadable as error:
                raise InvalidSetting(f"webhook_certificates ({name}): {error}") from error
    return [certificates[number] for number in sorted(certificates)]
