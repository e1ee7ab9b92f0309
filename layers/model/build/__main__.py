"""Makes a model bundle out of the nsfwjs package.

    python layers/model/build NAME --out DIR

Needs ``requirements/model-build.txt`` and npm, in an environment that can be thrown
away; ``local/models/build.py`` does all that. The same sources give the same bytes
on every machine, and only the pinned bytes are written.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

from bundle import MODELS, PRECISIONS, build_model, write_bundle
from fetch import fetch_package, verified


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(
        prog="python layers/model/build",
        description="Make an NSFW model bundle out of the nsfwjs package.",
    )
    parser.add_argument("name", nargs="?", choices=MODELS, default=MODELS[0])
    parser.add_argument("--out", type=Path, help="folder of the bundle; must not exist yet")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_argument("--package", type=Path, help="a copy of the package, to save the download")
    parser.add_argument(
        "--print-pins",
        action="store_true",
        help="for maintainers: print what pins.json should hold, and write nothing",
    )
    options = parser.parse_args()
    if not options.print_pins and options.out is None:
        parser.error("--out is missing")
    with tempfile.TemporaryDirectory() as folder:
        package = verified(options.package) if options.package else fetch_package(Path(folder))
        if options.print_pins:
            print(json.dumps(_pins(package), indent=2))  # noqa: T201  (a command line)
            return
        model, size = build_model(package, options.name, options.precision)
    write_bundle(model, size, options.name, options.precision, options.out)


def _pins(package: Path) -> dict[str, dict[str, str]]:
    return {
        name: {
            precision: hashlib.sha256(build_model(package, name, precision)[0]).hexdigest()
            for precision in PRECISIONS
        }
        for name in MODELS
    }


if __name__ == "__main__":
    main()
