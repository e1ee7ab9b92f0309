"""What a deployment to AWS consists of, as one digest.

A function's alias serves a published version, and SAM publishes one only when its code changes or
a digest that it is told. A parameter, such as ``LogLevel``, would otherwise change nothing that
is served.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from photogate.errors import ConfigError

#: Parameters that are no part of it: the digest itself, and what is set after a success.
_APART = {"Release", "DatabaseProtection"}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads a template and does not ask what CloudFormation's tags mean."""


_Loader.add_multi_constructor("!", lambda *_: None)


def overrides(words: list[str]) -> dict[str, str]:
    """Read ``Name=value`` words, as ``sam deploy`` takes them.

    Raises:
        ConfigError: one has no ``=``.
    """
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f'{word}: parameters are given as PARAMETERS="Name=value …"')
        found[name] = value
    return found


def release(
    build: Path, deployed: Mapping[str, str], given: Mapping[str, str], *, docker: str = "docker"
) -> str:
    """Give the digest, 40 characters of hex: the same for the same code, image and parameters.

    Args:
        build: what ``sam build`` made, with its ``template.yaml``.
        deployed: the parameters of the stack as it is; empty before the first deployment.
        given: those of this deployment, which win.
        docker: the command that knows the built images.

    Raises:
        ConfigError: nothing was built, a parameter is unknown, or an image is not there.
    """
    try:
        template = yaml.load((build / "template.yaml").read_text("utf-8"), _Loader)  # noqa: S506
    except FileNotFoundError:
        raise ConfigError(f"{build} holds no template.yaml: run `sam build`") from None
    known = template["Parameters"]
    if unknown := sorted(set(given) - set(known)):
        raise ConfigError(f"template.yaml has no parameter {', '.join(unknown)}")
    values = {name: str(about.get("Default", "")) for name, about in known.items()}
    values |= {name: value for name, value in deployed.items() if name in known}
    values |= given
    served = {name: value for name, value in values.items() if name not in _APART}
    parts = [json.dumps(served, sort_keys=True), *_images(template, docker), *_files(build)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


def _images(template: Mapping[str, Any], docker: str) -> list[str]:
    found = []
    for name, resource in sorted(template["Resources"].items()):
        image = resource.get("Properties", {}).get("ImageUri")
        if isinstance(image, str):
            done = subprocess.run(  # noqa: S603 - a name that `sam build` wrote
                [docker, "image", "inspect", "--format", "{{.Id}}", image],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise ConfigError(f"the image of {name} is not there: {done.stderr.strip()}")
            found.append(f"{name} {done.stdout.strip()}")
    return found


def _files(build: Path) -> list[str]:
    return [
        f"{path.relative_to(build)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(build.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
