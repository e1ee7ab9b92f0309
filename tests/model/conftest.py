"""Lets the tests of this folder import the model builder, which is no package."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "layers" / "model" / "build"))
