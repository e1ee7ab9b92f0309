"""Keeps secrets out of messages and logs.

Two nets: the secrets of this process's settings, wherever they turn up, and what looks like a
secret: passwords in URLs, signatures of signed URLs, tokens.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "***"
#: Shorter ones stand in ordinary words, too; the patterns below still find them in URLs.
_SHORTEST = 8

_PATTERNS = [
    # The password, up to the last @ before a space or quote: it may hold / and @ itself.
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"']*:)[^\s\"']+@", re.IGNORECASE),
        rf"\1{HIDDEN}@",
    ),
    (
        re.compile(r"\b(X-Amz-(?:Signature|Credential|Security-Token)|signature)=[^&\s\"']+", re.I),
        rf"\1={HIDDEN}",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
]
_secrets: set[str] = set()


def remember(secret: str) -> None:
    """Hide this secret from now on, and the password in it when it is a URL."""
    found = {secret}
    try:
        if password := urlsplit(secret).password:
            found |= {password, unquote(password)}
    except ValueError:
        pass  # the setting itself is refused elsewhere
    for text in found:
        if len(text) >= _SHORTEST:
            _secrets.update((text, quote(text, safe=""), json.dumps(text)[1:-1]))


def redact(text: str) -> str:
    """Give the text without secrets."""
    # The longest first: one may stand in another.
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text
