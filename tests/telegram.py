"""A server that keeps the contract of Telegram's Bot API, for messages to people.

As core.telegram.org/bots/api describes it: ``/bot<token>/METHOD``, answers with ``ok`` and either
``result``, or ``error_code``, ``description`` and perhaps ``parameters``. The descriptions are
those that the public server is known to give.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.scripted import Answered, Asked, ScriptedServer, scripted_server

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
#: In UTF-16 code units.
LONGEST_TEXT = 4096


@dataclass(frozen=True, kw_only=True)
class Message:
    """One that a person got."""

    chat: int
    text: str
    #: On the clock of ``time.monotonic``.
    at: float


@dataclass
class BotApi:
    """The bot's side of Telegram: who has begun a chat with it, and what they got."""

    url: str
    server: ScriptedServer
    chats: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)
    deactivated: set[int] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)
    #: Answers that come instead of those that the state would give, one after the other.
    instead: list[Answered] = field(default_factory=list)
    #: Take the message, and hang up instead of saying so: so many times.
    lost_answers: int = 0
    #: Before each answer.
    delay_s: float = 0.0

    def texts(self, chat: int) -> list[str]:
        """Give what a person got."""
        return [message.text for message in self.messages if message.chat == chat]

    def answer(self, asked: Asked) -> Answered:
        """Answer as the Bot API does."""
        time.sleep(self.delay_s)
        if self.instead:
            return self.instead.pop(0)
        root, _, method = asked.path.removeprefix("/").partition("/")
        if not root.startswith("bot") or ":" not in root:
            return error(404, "Not Found")
        if root != f"bot{TOKEN}":
            return error(401, "Unauthorized")
        if method.lower() != "sendmessage":
            return error(404, "Not Found: method not found")
        return self._send(asked)

    def _send(self, asked: Asked) -> Answered:
        if asked.headers.get("Content-Type") != "application/json":
            return error(400, "Bad Request: chat_id is empty")
        said: dict[str, Any] = json.loads(asked.body)
        try:
            chat = int(said.get("chat_id", ""))
        except ValueError:
            return error(400, "Bad Request: chat_id is empty")
        text = str(said.get("text", ""))
        if not text.strip():
            return error(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > LONGEST_TEXT:
            return error(400, "Bad Request: message is too long")
        if chat not in self.chats:
            return error(400, "Bad Request: chat not found")
        if chat in self.blocked:
            return error(403, "Forbidden: bot was blocked by the user")
        if chat in self.deactivated:
            return error(403, "Forbidden: user is deactivated")
        self.messages.append(Message(chat=chat, text=text, at=time.monotonic()))
        if self.lost_answers:
            self.lost_answers -= 1
            return Answered(hangs_up=True)
        result = {
            "message_id": len(self.messages),
            "date": int(time.time()),
            "chat": {"id": chat, "type": "private"},
            "text": text,
        }
        return Answered(body={"ok": True, "result": result})


def error(status: int, description: str, **parameters: int) -> Answered:
    """Give an error of the Bot API."""
    body = {"ok": False, "error_code": status, "description": description}
    return Answered(status=status, body=body | ({"parameters": parameters} if parameters else {}))


def too_many(retry_after_s: int) -> Answered:
    """Say that the bot sends too many messages."""
    words = f"Too Many Requests: retry after {retry_after_s}"
    return error(429, words, retry_after=retry_after_s)


@contextmanager
def bot_api(*chats: int) -> Iterator[BotApi]:
    """Serve; these people have begun a chat with the bot."""
    with scripted_server() as server:
        api = BotApi(server.url, server, chats=set(chats))
        server.answer = api.answer
        yield api
