"""Runs a command while no other one does in this checkout: ``locked.py COMMAND …``.

Two runs of make at once would otherwise install into the same environment. The second one says
so in a line and waits. Needs nothing but Python: it runs before anything is installed.
"""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

_LOCK = Path(__file__).resolve().parent.parent / ".setup.lock"


def main() -> int:
    """Run the command and give its exit status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("· another make sets up this checkout: waiting until it is done\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The command holds the lock as well, should this process be killed. In a session of its own
        # Ctrl-C does not reach it: each Python in it would tell of that in twenty lines.
        process = subprocess.Popen(  # noqa: S603 - from make
            sys.argv[1:], pass_fds=[lock.fileno()], start_new_session=True
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            sys.stderr.write("\n· stopped while setting up; the same command goes on with it\n")
            return 130


if __name__ == "__main__":
    sys.exit(main())
