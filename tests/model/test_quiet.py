"""Nothing that looks at photos talks to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_loading_the_model_writes_nothing_and_asks_nobody(bundle: Path, tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path;"
        "from photogate_vision.analyzer import VisionAnalyzer;"
        "VisionAnalyzer(Path(sys.argv[1]));"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", script, bundle],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"
    assert list(tmp_path.rglob("*")) == []
