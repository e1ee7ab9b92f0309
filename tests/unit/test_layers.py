"""Who may import whom."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "layers" / "core" / "photogate"
VISION = ROOT / "layers" / "model" / "photogate_vision"
CLIENT = ROOT / "clients" / "python" / "src" / "photogate_client"
#: Folders that packages are in.
BASES = (CORE.parent, VISION.parent, CLIENT.parent, ROOT)

INSIDE = (
    "photogate",
    "photogate_client",
    "photogate_vision",
    "functions",
    "local",
    "tests",
    "bench",
)

#: Module (or its longest known prefix) -> what of ours it may import.
MAY_IMPORT: dict[str, set[str]] = {
    "photogate.domain": {"photogate.domain"},
    "photogate.errors": {"photogate.redaction"},
    "photogate.redaction": set(),
    "photogate.file_keys": {"photogate.domain"},
    "photogate.texts": {"photogate.domain"},
    "photogate.policies": {
        "photogate.domain",
        "photogate.errors",
        "photogate.policies",
        "photogate.texts",
    },
    "photogate.messages": {"photogate.domain", "photogate.errors"},
    "photogate.notice_body": {"photogate.domain"},
    "photogate.notice_messages": {"photogate.domain", "photogate.errors"},
    "photogate.ports": {
        "photogate.domain",
        "photogate.messages",
        "photogate.notice_messages",
        "photogate.ports",
    },
    "photogate.service": {
        "photogate.domain",
        "photogate.errors",
        "photogate.file_keys",
        "photogate.messages",
        "photogate.notice_messages",
        "photogate.ports",
        "photogate.service",
    },
    "photogate.adapters": {
        "photogate.domain",
        "photogate.errors",
        "photogate.messages",
        "photogate.ports",
    },
    "photogate.adapters.channels": {
        "photogate.adapters.channels",
        "photogate.adapters.http_timer",
        "photogate.domain",
        "photogate.errors",
        "photogate.ports",
    },
    "photogate.adapters.notices_sqs": {
        "photogate.adapters.sqs_client",
        "photogate.notice_messages",
    },
    "photogate.adapters.exchange": {
        "photogate.adapters.http_timer",
        "photogate.domain",
        "photogate.errors",
    },
    "photogate.adapters.faces_compreface": {
        "photogate.adapters.exchange",
        "photogate.adapters.faces_compreface",
        "photogate.adapters.http_timer",
        "photogate.domain",
        "photogate.errors",
        "photogate.ports",
    },
    "photogate.adapters.oidc": {
        "photogate.adapters.exchange",
        "photogate.adapters.oidc",
        "photogate.domain",
        "photogate.errors",
        "photogate.issuer_keys",
        "photogate.ports",
    },
    # Imported by tests alone.
    "photogate.adapters.memory": {
        "photogate.adapters.memory",
        "photogate.domain",
        "photogate.errors",
        "photogate.messages",
        "photogate.ports",
    },
    "photogate.adapters.queue_sqs": {
        "photogate.adapters.sqs_client",
        "photogate.domain",
        "photogate.errors",
        "photogate.ports",
    },
    "photogate.adapters.postgres": {
        "photogate.adapters.postgres",
        "photogate.domain",
        "photogate.errors",
        "photogate.messages",
        "photogate.ports",
    },
    # Files of a page; what it shows comes from the API.
    "photogate.review_page": {"photogate.errors"},
    "photogate.auth": {"photogate.domain", "photogate.errors", "photogate.issuer_keys"},
    "photogate.issuer_keys": {"photogate.errors"},
    "photogate.telemetry": {"photogate.domain", "photogate.redaction"},
    "photogate.pictures": {"photogate.service.pictures"},
    "photogate.health": {"photogate.domain", "photogate.errors", "photogate.ports"},
    "photogate.api_docs": {"photogate.errors"},
    "photogate.http": {
        "photogate.api_docs",
        "photogate.auth",
        "photogate.domain",
        "photogate.errors",
        "photogate.problems",
        "photogate.telemetry",
    },
    "photogate.problems": {"photogate.errors", "photogate.telemetry"},
    "photogate.secrecy": {"photogate.settings"},
    "photogate.settings": {"photogate.errors", "photogate.redaction", "photogate.settings"},
    "photogate.bootstrap": {"photogate", "photogate_vision"},
    "photogate_vision": {
        "photogate.domain",
        "photogate.errors",
        "photogate.ports",
        "photogate_vision",
    },
    # What runs in the decoders' children, and what starts them.
    "photogate_vision.decoding": {
        "photogate.domain",
        "photogate.errors",
        "photogate_vision.decoding",
    },
    "photogate_vision.classifier": {
        "photogate.domain",
        "photogate.errors",
        "photogate_vision.classifier",
        "photogate_vision.decoding.decode",
        "photogate_vision.manifest",
        "photogate_vision.sessions",
    },
    "photogate_vision.faces": {
        "photogate.domain",
        "photogate.errors",
        "photogate.ports",
        "photogate_vision.faces",
        "photogate_vision.manifest",
        "photogate_vision.sessions",
    },
    "functions": {
        "functions",
        "photogate",
        "photogate.bootstrap",
        "photogate.domain",
        "photogate.errors",
        "photogate.file_keys",
        "photogate.health",
        "photogate.http",
        "photogate.messages",
        "photogate.notice_messages",
        "photogate.pictures",
        "photogate.ports",
        "photogate.problems",
        "photogate.review_page",
        "photogate.service",
        "photogate.telemetry",
        "photogate.texts",
    },
    # A package of its own: whoever installs it has nothing else of ours.
    "photogate_client": {"photogate_client"},
    "local": {"functions", "local", "photogate", "photogate_vision"},
    "local.servers": {"local.home", "local.process", "local.servers", "photogate"},
    "local.models": {"local.models", "local.samples", "photogate", "photogate_vision"},
}

#: Inside Photogate, and only there, these may be imported.
ONLY_THERE = {
    "pg8000": {"photogate.adapters.postgres", "local.servers.embedded_postgres"},
    "redis": {"photogate.adapters.queue_redis", "local.servers.embedded_redis"},
    "boto3": {"photogate.adapters"},
    "requests": {"local", "photogate_client"},
    "urllib3": {"photogate.adapters", "functions.migrate"},
    "PIL": {"photogate_vision", "local.samples", "local.models"},
    "onnxruntime": {"photogate_vision"},
    "fastapi": {
        "photogate.api_docs",
        "photogate.http",
        "photogate.pictures",
        "photogate.problems",
        "photogate.review_page",
        "functions",
    },
    "aws_lambda_powertools": {"photogate.telemetry", "photogate.http", "functions", "local.worker"},
    "jwt": {"photogate.auth", "photogate.issuer_keys", "photogate.adapters.oidc"},
    "yaml": {"photogate.policies.source", "local.release"},
    "pydantic_settings": {"photogate.settings"},
}


def _modules() -> Iterator[tuple[str, Path]]:
    for base in BASES:
        for top in INSIDE[:5]:
            for path in sorted((base / top).rglob("*.py")):
                parts = path.relative_to(base).with_suffix("").parts
                yield ".".join(p for p in parts if p != "__init__"), path


@cache
def _imports(module: str, path: Path) -> tuple[str, ...]:
    return (*_found_imports(module, path),)


def _found_imports(module: str, path: Path) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}" if _is_module(f"{base}.{alias.name}") else base


@cache
def _is_module(name: str) -> bool:
    relative = Path(*name.split("."))
    return any(
        (base / relative).is_dir() or (base / relative).with_suffix(".py").is_file()
        for base in BASES
    )


def _within(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


MODULES = sorted(set(_modules()))


def test_each_imports_only_what_its_layer_may() -> None:
    assert len(MODULES) > 100
    assert [wrong for module, path in MODULES for wrong in _not_allowed(module, path)] == []


def _not_allowed(module: str, path: Path) -> Iterator[str]:
    rules = [prefix for prefix in MAY_IMPORT if _within(module, {prefix})]
    if not rules:
        if module != "photogate":
            yield f"{module} is in no layer"
        return
    allowed = MAY_IMPORT[max(rules, key=len)]
    # "photogate" alone gives its version; it opens the whole package only to those that put
    # everything together.
    if not module.startswith(("local", "photogate.bootstrap")):
        allowed = allowed - {"photogate"}
    for name in _imports(module, path):
        inside = name.split(".")[0] in INSIDE and name != "photogate"
        if (inside and not _within(name, allowed)) or any(
            _within(name, {package}) and not _within(module, homes)
            for package, homes in ONLY_THERE.items()
        ):
            yield f"{module} imports {name}"


def test_only_the_command_line_imports_commands() -> None:
    for module, path in MODULES:
        if not _within(module, {"local.cli", "local.commands"}):
            assert not any(_within(name, {"local.commands"}) for name in _imports(module, path))


def test_only_tests_import_what_is_kept_in_memory() -> None:
    for module, path in MODULES:
        if not _within(module, {"photogate.adapters.memory"}):
            assert not any(
                _within(name, {"photogate.adapters.memory"}) for name in _imports(module, path)
            ), module


def test_the_core_of_the_core_needs_the_standard_library_only() -> None:
    core = {"photogate.domain", "photogate.errors", "photogate.redaction"}
    for module, path in MODULES:
        if _within(module, core):
            for imported in _imports(module, path):
                assert (
                    _within(imported, {"photogate.domain", "photogate.redaction"})
                    or imported.split(".")[0] in sys.stdlib_module_names
                ), f"{module} imports {imported}"
