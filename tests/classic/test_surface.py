"""The classic API has the public names of pact-python 1.7 and 2.3, as `surface.toml` lists them."""

import importlib
import inspect
import tomllib
from pathlib import Path

import pytest

import treaty.pact
from treaty.pact import Consumer, EachLike, Format, Like, MessageConsumer, MessageProvider, Provider, Term, Verifier
from treaty.pact.verification_options import VerificationOptions

SURFACE = tomllib.loads((Path(__file__).parent / "surface.toml").read_text("utf-8"))
NAMES = {each["path"]: each for each in SURFACE["name"]}
GUIDE = (Path(__file__).parents[2] / "docs/moving-from-pact-python.md").read_text("utf-8")
INSTANCES = {
    "Broker": treaty.pact.Broker(),
    "Consumer": Consumer("c"),
    "Pact": Consumer("c").has_pact_with(Provider("p")),
    "Provider": Provider("p"),
    "EachLike": EachLike(1),
    "Like": Like(1),
    "Term": Term("a", "a"),
    "Format": Format(),
    "MessageConsumer": MessageConsumer("c"),
    "MessagePact": MessageConsumer("c").has_pact_with(Provider("p")),
    "MessageProvider": MessageProvider({}, "p", "c"),
    "Verifier": Verifier("p", "http://p"),
}


def resolve(path):
    """Return the object that a path names in the package: its longest part that is a module, then attributes."""
    names = path.split(".")
    try:
        value, rest = importlib.import_module(f"treaty.pact.{names[0]}"), names[1:]
    except ModuleNotFoundError:
        value, rest = treaty.pact, names
    for name in rest:
        value = getattr(value, name)
    return value


def parameters(function):
    """Return the parameters of a function or class by name: kind and default."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each for each in parameters if each.name != "self"}


def parse(text):
    """Return the parameters that the table writes, as those of a function."""
    names = {"Pact": treaty.pact.Pact, "MessagePact": treaty.pact.MessagePact}
    return parameters(eval(f"lambda {text}: None", names))  # noqa: S307 - the table's own text


@pytest.mark.parametrize("path", [path for path in NAMES if "parameters" in NAMES[path]])
def test_a_name_has_the_parameters_of_pact_python(path):
    expected, actual = parse(NAMES[path]["parameters"]), parameters(resolve(path))
    positional = [name for name, each in expected.items() if each.kind is not each.VAR_KEYWORD]
    assert list(actual)[: len(positional)] == positional
    assert any(each.kind is each.VAR_KEYWORD for each in expected.values()) <= any(
        each.kind is each.VAR_KEYWORD for each in actual.values()
    )
    changed = [name for name in positional if actual[name].default != expected[name].default]
    assert sorted(changed) == sorted(NAMES[path].get("changed_defaults", []))
    assert all(
        each.default is not each.empty for name, each in actual.items() if name not in expected and each.kind < 2
    )


@pytest.mark.parametrize("path", [path for path in NAMES if "attributes" in NAMES[path]])
def test_an_object_has_the_attributes_of_pact_python(path):
    missing = [name for name in NAMES[path]["attributes"] if not hasattr(INSTANCES[path], name)]
    assert missing == []


def test_the_enumeration_of_expressions_has_the_members_of_pact_python():
    row = NAMES["matchers.Format.Regexes"]
    assert list(resolve(row["path"]).__members__) == row["members"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("path", [path for path in NAMES if "options" in NAMES[path]])
def test_a_verification_knows_the_options_of_pact_python(path):
    options: dict[str, object] = dict.fromkeys(NAMES[path]["options"], "1")
    options = {**options, "headers": ["A: b"], "timeout": 3, "consumer_version_selectors": []}
    assert isinstance(VerificationOptions.parse(options), VerificationOptions)


@pytest.mark.parametrize("path", [each["path"] for each in SURFACE["absent"]])
def test_missing_names_raise_an_error(path):
    with pytest.raises((ImportError, AttributeError)):
        resolve(path)


@pytest.mark.parametrize("difference", SURFACE["differences"])
def test_a_difference_is_described_in_the_guide_and_belongs_to_a_name(difference):
    assert SURFACE["differences"][difference] in " ".join(GUIDE.split())
    rows = [*SURFACE["name"], *SURFACE["absent"]]
    assert any(difference in row.get("differences", []) for row in rows)


@pytest.mark.parametrize("row", [*SURFACE["name"], *SURFACE["absent"]], ids=lambda row: row["path"])
def test_a_name_with_other_defaults_or_none_at_all_has_a_difference(row):
    is_other = "changed_defaults" in row or row in SURFACE["absent"]
    assert not is_other or row["differences"]
    assert set(row.get("differences", [])) <= SURFACE["differences"].keys()
