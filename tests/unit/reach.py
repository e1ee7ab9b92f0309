"""Which functions and classes of ours a function on AWS can come to, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BASES = (ROOT / "layers" / "core", ROOT)


@dataclass(frozen=True)
class Symbol:
    """What stands at the top of a module; without a name, the module's own code."""

    module: str
    name: str = ""


@cache
def path_of(module: str) -> Path | None:
    """Give a module's file, or None where it is not ours."""
    for base in _BASES:
        place = base.joinpath(*module.split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


@cache
def tree_of(module: str) -> ast.Module:
    """Give what a module's file says, without what only type checkers read."""
    path = path_of(module)
    assert path
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


@cache
def defined(module: str) -> dict[str, ast.stmt]:
    """Give the functions, classes and variables at a module's top, by name."""
    found: dict[str, ast.stmt] = {}
    for node in tree_of(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found[name.id] = node
    return found


def reachable(*entries: Symbol) -> set[Symbol]:
    """Give everything that the code of ``entries`` names, directly or not."""
    found, todo = set[Symbol](), list(entries)
    while todo:
        symbol = todo.pop()
        if symbol not in found:
            found.add(symbol)
            todo += _named(symbol)
    return found


def node_of(symbol: Symbol) -> ast.AST:
    """Give the code of a symbol; of a module what it runs when it is imported."""
    if symbol.name:
        return defined(symbol.module)[symbol.name]
    running = [
        node
        for node in tree_of(symbol.module).body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)
    ]
    return ast.Module(body=running, type_ignores=[])


def _named(symbol: Symbol) -> Iterator[Symbol]:
    node, module = node_of(symbol), symbol.module
    known = dict(_imported(tree_of(module).body, module))
    known |= dict(_imported(list(ast.walk(node)), module))
    own = defined(module)
    for part in _code(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            whole = known.get(part.value.id)
            if whole and not whole.name and (found := resolve(whole.module, part.attr)):
                yield found
        if not isinstance(part, ast.Name):
            continue
        if part.id in own and part.id != symbol.name:
            yield Symbol(module, part.id)
        elif part.id in known and known[part.id].name:
            yield known[part.id]


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk through code, leaving out annotations."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                yield from _code(part)


def _imported(nodes: list[ast.AST] | list[ast.stmt], module: str) -> Iterator[tuple[str, Symbol]]:
    path = path_of(module)
    package = module if path and path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes:
        if not isinstance(node, ast.ImportFrom):
            continue
        of = f"{package}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
        for alias in node.names:
            if found := resolve(of, alias.name):
                yield alias.asname or alias.name, found


def resolve(module: str, name: str) -> Symbol | None:
    """Give where something that ``module`` offers is defined; None where it is not ours."""
    if path_of(f"{module}.{name}"):
        return Symbol(f"{module}.{name}")
    if path_of(module) is None:
        return None
    if name in defined(module):
        return Symbol(module, name)
    return dict(_imported(tree_of(module).body, module)).get(name)
