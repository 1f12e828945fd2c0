"""Representations are pure functions: the handler decides the content of a response, within its transaction."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

API: Final = Path(__file__).parents[2] / "src/treaty/web/api"
DECORATORS: Final = {"represent.register", "represent.register_extended", "represent.register_text"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(API.rglob("*.py")):
        yield str(path.relative_to(API)), ast.parse(path.read_text("utf-8"))


def representations(tree: ast.Module) -> list[ast.FunctionDef]:
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator).partition("(")[0] in DECORATORS for decorator in node.decorator_list)
    ]


def names_from_the_database(tree: ast.Module) -> set[str]:
    """The functions and modules that need a transaction, and those that hold one."""
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("treaty.store", "treaty.actions"))
        for alias in node.names
        if alias.name.islower()  # classes are types of arguments
    }
    return imported | {"db", "database", "Request"}


def global_names(function: ast.FunctionDef) -> set[str]:
    nodes = list(ast.walk(function))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return read - bound - {node.arg for node in nodes if isinstance(node, ast.arg)}


def used_names(tree: ast.Module, function: ast.FunctionDef) -> set[str]:
    """The names that a function uses, with those of the functions of its module that it calls."""
    own = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    pending, visited, names = [function], {function.name}, set[str]()
    while pending:
        used = global_names(pending.pop())
        names |= used
        new = (used & own.keys()) - visited
        visited |= new
        pending += [own[name] for name in new]
    return names


MODULES: Final = dict(modules())


@pytest.mark.parametrize("name", MODULES)
def test_representations_use_neither_the_request_nor_the_database(name):
    tree = MODULES[name]
    forbidden = names_from_the_database(tree)
    used = {function.name: used_names(tree, function) & forbidden for function in representations(tree)}
    assert {function: names for function, names in used.items() if names} == {}


def test_there_are_representations():
    assert sum(len(representations(tree)) for tree in MODULES.values()) > 50


def test_a_representation_that_queries_is_found():
    tree = ast.parse(
        "from treaty.store import pacts\n"
        "@represent.register\n"
        "def pact(found: Pact) -> Hal:\n"
        "    return _state(found)\n"
        "def _state(found):\n"
        "    return pacts.find(db, found)\n"
    )
    (function,) = representations(tree)
    assert used_names(tree, function) & names_from_the_database(tree) == {"pacts", "db"}
