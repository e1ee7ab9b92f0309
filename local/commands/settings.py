"""What commands take from the last stack here, where the environment does not say it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from local.console import errors_as_lines
from photogate.errors import ConfigError, DatabaseUnavailable, QueueUnavailable

#: Whoever names one of these knows where the servers are that a command asks.
_SERVERS = ("DATABASE_URL", "DB_HOST", "REDIS_URL", "REDIS_HOST")


@contextmanager
def stacks_settings() -> Iterator[bool]:
    """Run a command with the settings of the environment, then of the last stack here.

    Gives whether there was a stack.
    """
    from local.home import Home

    with errors_as_lines():
        home = Home()
        named = any(os.environ.get(name) for name in _SERVERS)
        stack_was_here = home.load_environment()
        try:
            yield stack_was_here
        except ConfigError as error:
            if stack_was_here:
                raise
            raise ConfigError(
                f"no stack has run in {home.path}: start one with `photogate up`, or set the"
                f" settings yourself (docs/settings.md): {error}"
            ) from error
        except (DatabaseUnavailable, QueueUnavailable) as error:
            if named or not stack_was_here:
                raise
            raise type(error)(
                f"{error.args[0].rstrip('.')}; does the stack of {home.path} run? `photogate up`"
                " starts it"
            ) from error
