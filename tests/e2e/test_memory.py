"""What a hostile file may cost: a worker and its decoder stay below 512 MB together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.model.files import HEIC, animation, encoded

#: The largest files that are accepted: tens of seconds.
pytestmark = pytest.mark.slow

MOST_MB = 512


def palette_with_transparency() -> bytes:
    image = Image.new("P", (5000, 5000), 1)
    image.putpalette([255, 0, 0] * 256)
    return encoded(image, "PNG", transparency=0)


def largest_animation(kind: str, **options: int) -> bytes:
    """Give frames as large as are decoded; more of them take time, not memory."""
    size = (3450, 3450)
    frames = [Image.new("RGB", size, (level, 0, 9)) for level in (0, 90, 180)]
    return animation(frames, kind, **options)


#: Each just within what is decoded, in the shape that takes most memory there.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "100 MP JPEG": lambda: encoded(Image.new("RGB", (10_000, 10_000)), "JPEG"),
    "100 MP progressive JPEG": lambda: encoded(
        Image.new("CMYK", (10_000, 10_000)), "JPEG", progressive=True
    ),
    "40 MP progressive JPEG": lambda: encoded(
        Image.new("RGB", (6300, 6300)), "JPEG", progressive=True, subsampling=0
    ),
    "30 MP progressive CMYK JPEG": lambda: encoded(
        Image.new("CMYK", (5400, 5500)), "JPEG", progressive=True
    ),
    "turned strip": lambda: encoded(
        Image.new("RGB", (450, 55_000)),
        "JPEG",
        exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
    ),
    "16-bit grey": lambda: encoded(Image.fromarray(np.zeros((31_000, 800), np.uint16)), "PNG"),
    "RGBA": lambda: encoded(Image.new("RGBA", (800, 31_000)), "PNG"),
    "palette with transparency": palette_with_transparency,
    "25 MP WebP": lambda: encoded(Image.new("RGBA", (5000, 5000)), "WEBP", method=0),
    "25 MP AVIF": lambda: encoded(Image.new("RGB", (5000, 5000)), "AVIF", speed=10),
    **{
        f"animated {kind}": partial(largest_animation, kind, **options)
        for kind, options in (("WEBP", {"method": 0}), ("PNG", {}), ("AVIF", {}), ("GIF", {}))
    },
    **({"25 MP HEIC": lambda: encoded(Image.new("RGB", (5000, 5000)), "HEIF")} if HEIC else {}),
}


#: The high-water marks of the process's own memory and its decoder's, in kilobytes;
#: ``ru_maxrss`` knows its parent's too.
CHECK_AND_TELL = """
import re, sys
from pathlib import Path
import psutil
from photogate.policies import preset
from photogate.service.looking import judge
from photogate_vision.analyzer import VisionAnalyzer
from photogate_vision.decoding.sandbox import Sandbox

sandbox = Sandbox()
analyzer = VisionAnalyzer(Path(sys.argv[2]), decode=sandbox.decode)
for _ in range(2):
    judge(Path(sys.argv[1]).read_bytes(), analyzer, preset("community"))
for process in (psutil.Process(), *psutil.Process().children()):
    status = Path(f"/proc/{process.pid}/status").read_text()
    print(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_takes_more_memory_than_a_worker_has(
    name: str, tmp_path: Path, bundle: Path
) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(HOSTILE[name]())
    done = subprocess.run(
        [sys.executable, "-c", CHECK_AND_TELL, path, bundle],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    worker_mb, decoder_mb = (int(line) / 1024 for line in done.stdout.split())
    assert worker_mb + decoder_mb < MOST_MB, f"{worker_mb:.0f} + {decoder_mb:.0f} MB"
