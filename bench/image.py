"""``python -m bench.image``: what the moderate image takes of photos at each limit.

Each photo is looked at, and its copies are made, in a container of its own, in two sizes: closed
as Lambda's (read-only, no capabilities, a user that the image does not know, no network, no swap),
with the memory of that size and the share of a processor that Lambda gives with it. Times are those
of the processor, which others' load hardly changes, and seconds what they make with that share; MiB
are the most that the container held, with the files that it read. The image must be there:
``make image-test`` builds it. What becomes of a photo is not of interest here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.image_photos import PHOTOS
from photogate.settings import MAX_PHOTO_BYTES

_IMAGE = "photogate-moderate:function"
#: Of which Lambda gives one whole processor.
_WHOLE_MB = 1769
_SIZES_MB = (512, _WHOLE_MB)
_MIB = 1024 * 1024
_LIMIT_S = 180.0

#: Runs in the image: what the function has loaded, one photo, its copies.
_PROGRAM = """
import json
import boto3, functions.moderate.app
from photogate import settings
from photogate.bootstrap import choose, for_moderate
from photogate.errors import PhotogateError

class Settings(settings.ModelSettings, settings.CopySettings):
    pass

def read(*names):
    for name in names:
        try:
            return open("/sys/fs/cgroup/" + name).read()
        except OSError:
            pass
    raise SystemExit("the container does not see its own control group")

def peak():
    return int(read("memory.peak", "memory/memory.max_usage_in_bytes"))

def processor():
    told = read("cpu.stat", "cpuacct/cpuacct.usage")
    return int(told) / 1e9 if told.strip().isdigit() else int(told.split()[1]) / 1e6

chosen = choose.settings_of(Settings)
policy = choose.policy(chosen)
analyzer = for_moderate.analyzer(chosen, policy)
maker = for_moderate.copy_maker(chosen)
told = {"ready_bytes": peak()}
data = open("/photo", "rb").read()
for name, work in (("verdict", analyzer.analyze), ("copies", maker.copies)):
    used = processor()
    try:
        work(data)
    except PhotogateError as error:
        told["refused"] = str(error)
    told[name + "_processor"] = processor() - used
print(json.dumps({**told, "bytes": peak()}))
"""


def main() -> int:
    """Measure and print; gives 1 when a photo was more than a size, or its decoder, could bear."""
    parser = argparse.ArgumentParser(prog="python -m bench.image", description=__doc__)
    parser.add_argument("--image", default=_IMAGE, help="another image (%(default)s)")
    parser.add_argument("--only", default="", help="only photos whose name holds this")
    asked = parser.parse_args()
    console = Console(width=120, highlight=False)
    load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    table = Table(title=f"one photo in the image; others' load of the machine {load}")
    for title in ("photo", "MB", "verdict, processor s", "copies, processor s"):
        table.add_column(title, justify="left" if title == "photo" else "right")
    for size in _SIZES_MB:
        table.add_column(f"both in {size} MB, s", justify="right")
        table.add_column("MiB", justify="right")
    died = 0
    for name, make in PHOTOS.items():
        if asked.only not in name:
            continue
        data = make()
        if len(data) > MAX_PHOTO_BYTES:
            raise SystemExit(f"bench.image: {name}: {len(data)} bytes would be refused unseen")
        found = [looked_at(data, image=asked.image, memory_mb=size) for size in _SIZES_MB]
        died += sum(not bore(told, found[-1]) for told in found)
        cells = (name, f"{len(data) / 1e6:.1f}", *_cells(found))
        table.add_row(*cells)
        console.print(" | ".join(cells))
    console.print(table)
    return 1 if died else 0


def bore(told: dict[str, Any] | None, largest: dict[str, Any] | None) -> bool:
    """Tell whether a size bore a photo: its decoder, too, if that of the largest size did."""
    return told is not None and ("refused" not in told or "refused" in (largest or {}))


def _cells(found: Sequence[dict[str, Any] | None]) -> list[str]:
    last = found[-1]
    if last is None:
        work = ["", ""]
    elif "refused" in last:
        work = [f"{last['verdict_processor']:.2f}, refused", ""]
    else:
        work = [f"{last[f'{name}_processor']:.2f}" for name in ("verdict", "copies")]
    for told, size in zip(found, _SIZES_MB, strict=True):
        if told is None:
            work += ["died", ""]
        elif not bore(told, last):
            work += ["decoder ended", f"{told['bytes'] / _MIB:.0f}"]
        else:
            used = told["verdict_processor"] + told["copies_processor"]
            work += [f"{used / _share(size):.1f}", f"{told['bytes'] / _MIB:.0f}"]
    return work


def _share(memory_mb: int) -> float:
    return min(1.0, memory_mb / _WHOLE_MB)


def looked_at(data: bytes, *, image: str, memory_mb: int) -> dict[str, Any] | None:
    """Look at a photo in a container; gives seconds and bytes, or None when it did not survive."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, "photo")
        photo.write_bytes(data)
        Path(folder).chmod(0o755)
        photo.chmod(0o644)
        memory = f"{memory_mb}m"
        command = [
            *("docker", "run", "--rm", "--interactive", "--network", "none"),
            *("--read-only", "--tmpfs=/tmp", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--user", "1993:1993"),
            *("--memory", memory, "--memory-swap", memory),
            *("--cpus", f"{_share(memory_mb):.2f}"),
            *("--volume", f"{photo}:/photo:ro", "--env", "POLICY=community"),
            *("--entrypoint", "python", image, "-"),
        ]
        done = subprocess.run(
            command,
            input=_PROGRAM,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
    if done.returncode == 137:  # killed: out of memory
        return None
    if done.returncode != 0:
        raise SystemExit(f"bench.image: {done.stderr.strip()[-1_500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
