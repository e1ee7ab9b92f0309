"""Runs a command while no other one does in this checkout: ``locked.py COMMAND …``.

Two runs of make at once would otherwise install into the same environment. The second one says
so in a line and waits. Needs nothing but Python: it runs before anything is installed.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

_LOCK = Path(__file__).resolve().parent.parent / ".setup.lock"


def main() -> int:
    """Run the command and give its exit status."""
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("· another make sets up this checkout: waiting until it is done\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The command holds the lock as well, should this process be killed.
        return subprocess.call(sys.argv[1:], pass_fds=[lock.fileno()])  # noqa: S603 - from make


if __name__ == "__main__":
    sys.exit(main())
