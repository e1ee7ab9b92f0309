"""Makes the settings of docker compose: ``python3 local/compose_env.py``.

Adds to ``.photogate/compose.env`` the passwords that are missing and never changes what is
there: PostgreSQL keeps its password in its volume, so that a new one would lock Photogate
out. Needs Python alone, no environment and no package.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import sys
from pathlib import Path

FILE = Path(__file__).parents[1] / ".photogate" / "compose.env"

_HEADER = """\
# Settings of local/compose.yaml, one a line: any of docs/settings.md (see docs/compose.md).
# Keep this file as long as the volumes: the servers' passwords are in both.
"""
#: What the servers in the containers are opened with, and what signs the photos' URLs.
_ALWAYS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "COMPREFACE_DB_PASSWORD", "PHOTOS_URL_SECRET")


def missing(text: str) -> dict[str, str]:
    """Give the lines that ``text``, the file as it is, still needs: values by name."""
    lines = re.findall(r"^\s*(?:export\s+)?(\w+)=(.*)$", text, re.MULTILINE)
    named = {name for name, _ in lines}
    known = {name for name, value in lines if value.strip()}
    names = [name for name in _ALWAYS if name not in known]
    if not known & {"JWT_SECRET", "JWT_JWKS_URL"}:
        names.append("JWT_SECRET")
    # Where it is not set, keys come from JWT_SECRET: such an installation stays as it is.
    if not known & {"JWT_SECRET", "FILE_KEY_SECRET"}:
        names.append("FILE_KEY_SECRET")
    found = {name: secrets.token_hex(32) for name in names}
    # The volume, unless the photos are in a bucket.
    if "PHOTOS_DIR" not in named and "S3_BUCKET_PHOTOS" not in known:
        found["PHOTOS_DIR"] = "/photos"
    return found


def complete(file: Path) -> list[str]:
    """Add what is missing, and give the names of it; only the owner can read the file.

    May run several times at once.

    Raises:
        OSError: the file cannot be written.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Private from the moment it exists.
    opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(opened, "r+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        os.fchmod(stream.fileno(), 0o600)
        text = stream.read()
        added = missing(text)
        if not text:
            stream.write(_HEADER)
        elif added and not text.endswith("\n"):
            stream.write("\n")
        stream.write("".join(f"{name}={value}\n" for name, value in added.items()))
        # Written before the lock is given back.
        stream.flush()
    return list(added)


def main() -> None:
    """Complete the file, or the one that the first argument names."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    try:
        added = complete(file)
    except OSError as error:
        sys.exit(f"cannot write {file}: {error.strerror}; see who owns it")
    if added:
        sys.stdout.write(f"· {file}: added {', '.join(added)}\n")


if __name__ == "__main__":
    main()
