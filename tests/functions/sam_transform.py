"""What AWS makes of template.yaml: writes its resources as JSON. Run by the SAM CLI's own Python.

.venv-sam/bin/python tests/functions/sam_transform.py template.yaml Release=abcde …
"""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from samcli.yamlhelper import yaml_parse  # type: ignore[import-not-found]
from samtranslator.parser.parser import Parser  # type: ignore[import-not-found]
from samtranslator.translator.translator import Translator  # type: ignore[import-not-found]


def resources(template: Path, parameters: dict[str, str]) -> dict[str, Any]:
    """Give the resources after the transform, with code that stands somewhere."""
    document = yaml_parse(template.read_text(encoding="utf-8"))
    for name, resource in document["Resources"].items():
        properties = resource.get("Properties", {})
        if properties.get("PackageType") == "Image":
            properties["ImageUri"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/photogate:1"
        for code in ("CodeUri", "ContentUri"):
            if code in properties:
                properties[code] = f"s3://code/{name}"
    session = boto3.session.Session(region_name="us-east-1")
    translator = Translator({}, Parser(), boto_session=session)
    found: dict[str, Any] = translator.translate(document, parameters)["Resources"]
    return found


if __name__ == "__main__":
    given = dict(word.split("=", 1) for word in sys.argv[2:])
    sys.stdout.write(json.dumps(resources(Path(sys.argv[1]), given)))
