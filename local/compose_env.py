"""Makes the settings of docker compose: ``python3 local/compose_env.py``.

Adds to ``.env`` the passwords that are missing and never changes what is there: PostgreSQL keeps
its password in its volume, so that a new one would lock Photogate out. Takes over, once, the
file that earlier versions kept elsewhere. Needs Python alone, no environment and no package.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / ".env"
#: Where they stood until now.
EARLIER = ROOT / ".photogate" / "compose.env"
#: Where the API answered then.
_EARLIER_PORT = "8000"

_HEADER = """\
# Settings of the containers, one a line: any of docs/settings.md (see docs/compose.md).
# Keep this file as long as the volumes: the servers' passwords are in both.
"""
#: What the servers in the containers are opened with, what Prometheus shows to the API, and what
#: signs the photos' URLs.
_ALWAYS = (
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "COMPREFACE_DB_PASSWORD",
    "GRAFANA_PASSWORD",
    "METRICS_TOKEN",
    "PHOTOS_URL_SECRET",
)
#: What docker compose reads by itself in this folder, and how many workers there are.
_PLAIN = {"COMPOSE_FILE": "local/compose.yaml", "WORKERS": "4"}
_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?(\w+)=(.*)$", re.MULTILINE)


class Contradiction(Exception):
    """Two files set the same name, each in its own way."""


def values(text: str) -> dict[str, str]:
    """Give what a file says; of two lines with one name the last counts, as for shells."""
    return {name: value.strip() for name, value in _LINE.findall(text)}


def plain(value: str) -> str:
    """Give a value as docker compose reads it: without its quotes, or a comment behind it."""
    if quoted := re.match(r"""(['"])(.*?)\1""", value):
        return quoted[2]
    return re.sub(r"\s+#.*", "", value)


def missing(text: str) -> dict[str, str]:
    """Give the lines that ``text``, the file as it is, still needs: values by name."""
    named = values(text)
    known = {name for name, value in named.items() if value}
    names = [name for name in _ALWAYS if name not in known]
    if not known & {"JWT_SECRET", "JWT_JWKS_URL"}:
        names.append("JWT_SECRET")
    # Where it is not set, keys come from JWT_SECRET: such an installation stays as it is.
    if not known & {"JWT_SECRET", "FILE_KEY_SECRET"}:
        names.append("FILE_KEY_SECRET")
    found = {name: value for name, value in _PLAIN.items() if name not in known}
    found |= {name: secrets.token_hex(32) for name in names}
    # The volume, unless the photos are in a bucket.
    if "PHOTOS_DIR" not in named and "S3_BUCKET_PHOTOS" not in known:
        found["PHOTOS_DIR"] = "/photos"
    return found


def taken_over(text: str, earlier: str) -> str:
    """Give the lines of an earlier version's file that ``text`` does not have yet.

    The API goes on answering where it did.

    Raises:
        Contradiction: both set a name, and not to the same value.
    """
    earlier = re.sub(r"^([ \t]*(?:export[ \t]+)?)PORT=", r"\1HTTP_PORT=", earlier, flags=re.M)
    if "HTTP_PORT" not in values(earlier):
        earlier = earlier.rstrip("\n") + f"\nHTTP_PORT={_EARLIER_PORT}\n"
    here, there = values(text), values(earlier)
    differ = [name for name, value in there.items() if here.get(name, value) != value]
    if differ:
        raise Contradiction(", ".join(differ))
    lines = [line for line in earlier.splitlines() if not here.keys() & values(line).keys()]
    text = "".join(f"{line}\n" for line in lines)
    return text if values(text) else ""


def complete(file: Path, earlier: Path | None = None) -> list[str]:
    """Add what is missing, and give the names of it; only the owner can read the file.

    May run several times at once.

    Args:
        file: is made when it is missing.
        earlier: a file whose lines come into ``file``, and that is gone afterwards.

    Raises:
        OSError: a file cannot be written.
        Contradiction: both files set a name, and not to the same value.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Private from the moment it exists.
    opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(opened, "r+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        os.fchmod(stream.fileno(), 0o600)
        text = stream.read()
        # Under the lock: another one may have taken it over meanwhile.
        old = earlier if earlier is not None and earlier.exists() else None
        added = taken_over(text, old.read_text(encoding="utf-8")) if old else ""
        if not text and not old:
            added = _HEADER
        elif text and not text.endswith("\n"):
            added = f"\n{added}"
        made = missing(text + added)
        added += "".join(f"{name}={value}\n" for name, value in made.items())
        if added.strip():
            stream.write(added)
        # On disk before the lock is given back, and before the earlier file goes.
        stream.flush()
        os.fsync(stream.fileno())
        if old:
            old.unlink()
    return list(made)


def main() -> None:
    """Complete the file, or the one that the first argument names."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    earlier = EARLIER if file == FILE and EARLIER.exists() else None
    try:
        added = complete(file, earlier)
    except OSError as error:
        sys.exit(f"cannot write {error.filename or file}: {error.strerror}; see who owns it")
    except Contradiction as names:
        sys.exit(f"{file} and {earlier} set {names} differently: remove the wrong lines of one")
    if earlier:
        sys.stdout.write(f"· {file}: took over {earlier}, which is gone now\n")
    if added:
        sys.stdout.write(f"· {file}: added {', '.join(added)}\n")


if __name__ == "__main__":
    main()
