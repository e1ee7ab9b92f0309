"""Who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: Characters of an id, at most.
MAX_USER_ID = 128
#: Largest id of a Telegram user: the Bot API has "at most 52 significant bits". A user's private
#: chat with a bot has the user's id; groups and channels have negative ones.
MAX_TELEGRAM_ID = 2**52 - 1


class Role(StrEnum):
    """What a token allows; each role may do what the ones before it may."""

    USER = "user"
    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Tell whether this role reaches ``needed``."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who calls."""

    #: Opaque, 1 to 128 characters: the token's ``sub``.
    user_id: str
    role: Role = Role.USER
    #: What people read beside the photo: the token's ``name``, when it has one.
    name: str | None = None
    #: In which they want to be told, as an IETF tag such as ``am``: the token's ``locale``.
    language: str | None = None
    #: Where the user is told of decisions, by channel, as the token says: ``telegram`` -> a chat.
    addresses: tuple[tuple[str, str], ...] = ()


def storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold it: no NULs, and no halves of characters."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
