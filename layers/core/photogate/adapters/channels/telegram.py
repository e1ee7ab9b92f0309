"""Tells people of decisions by a Telegram bot: the Bot API's ``sendMessage``.

Written by the documentation of the Bot API (core.telegram.org/bots/api, "Making requests",
"ResponseParameters", "sendMessage") and its FAQ on limits; Telegram itself was never reached.

The Bot API knows no ids of messages to be sent: a message whose answer was lost comes twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from photogate import __version__
from photogate.domain import Deadline
from photogate.domain.notices import Failing, Failure, Notice, Parcel, Receipt

API_URL = "https://api.telegram.org"
#: From connecting to the end of the answer, which has a few hundred bytes.
TIMEOUT_S = 10.0
_MOST_ANSWER_BYTES = 64 * 1024
#: "1-4096 characters": they are counted as UTF-16 does.
MOST_CHARACTERS = 4096
#: Connections that are kept, for as many users at once.
_KEPT = 8
#: A bad request that says so is about the chat, whatever the text is.
_NO_CHAT = ("chat not found", "user not found", "peer_id_invalid", "upgraded to a supergroup")

#: Writes what these notices tell, as one message; a parcel's ``review_hours`` come with them.
Words = Callable[[Sequence[Notice], float | None], str]


class TelegramChannel:
    """The ``Channel`` port: all notices of a parcel in one message to the user's chat.

    Args:
        token: the bot's, of @BotFather.
        words: see ``Words``.
        api_url: of a Bot API server.
        timeout_s: see ``TIMEOUT_S``.
    """

    name = "telegram"
    addressed = True
    #: A user's photos of two days; how many fit into a message is seen when it is written.
    at_once = 60
    gathers_s = 3.0
    rests_s = 10.0

    def __init__(
        self, token: str, *, words: Words, api_url: str = API_URL, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._path = f"/bot{token}/sendMessage"
        self._words = words
        self._timeout_s = timeout_s
        self._pool = urllib3.connection_from_url(
            api_url, maxsize=_KEPT, timeout=timeout_s, retries=False
        )

    def tell(self, parcel: Parcel, deadline: Deadline) -> Receipt:
        """See ``photogate.ports.notices.Channel.tell``."""
        if parcel.address is None:
            return Receipt(told=0, failure=Failure(kind=Failing.GONE, error="no chat is known"))
        told, text = self._message(parcel)
        failure = self.send(parcel.address, text, deadline)
        return Receipt(told=told if failure is None else 0, failure=failure)

    def send(self, chat: str, text: str, deadline: Deadline) -> Failure | None:
        """Send one message to a chat; gives why it was not taken, or None."""
        message = {
            "chat_id": chat,
            "text": text,
            # A moderator's words may hold an address.
            "link_preview_options": {"is_disabled": True},
        }
        try:
            answer = deadline.within(self._timeout_s).bound(lambda: self._post(message))
        # An error's own words may hold the address, and with it the token.
        except (HTTPError, OSError) as error:
            return Failure(kind=Failing.DOWN, error=f"no answer: {type(error).__name__}")
        return None if answer.ok else _failure(answer)

    def close(self) -> None:
        """Close the connections that are kept; they are opened again when needed."""
        self._pool.close()

    def _message(self, parcel: Parcel) -> tuple[int, str]:
        """Give how many notices fit into one message, from the first on, and their text.

        The others come with the next one.
        """
        for count in range(len(parcel.notices), 1, -1):
            text = self._words(parcel.notices[:count], parcel.review_hours)
            if _characters(text) <= MOST_CHARACTERS:
                return count, text
        return 1, self._words(parcel.notices[:1], parcel.review_hours)

    def _post(self, message: Mapping[str, Any]) -> _Answer:
        """Send it.

        Raises:
            HTTPError, OSError: there is no answer.
        """
        response = self._pool.request(
            "POST",
            self._path,
            body=json.dumps(message).encode(),
            headers={
                "Content-Type": "application/json",
                "User-Agent": f"Photogate/{__version__}",
            },
            redirect=False,
            preload_content=False,
        )
        try:
            body = response.read(_MOST_ANSWER_BYTES + 1)
            if len(body) > _MOST_ANSWER_BYTES:
                response.close()
        finally:
            response.release_conn()
        return _Answer.of(response.status, body)


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What the Bot API says; its errors have a code, a description and perhaps parameters."""

    status: int
    ok: bool
    description: str
    retry_after_s: float | None

    @classmethod
    def of(cls, status: int, body: bytes) -> _Answer:
        """Read it; whatever else answers, such as a proxy, is an error without a description."""
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        said = said if isinstance(said, dict) else {}
        parameters = said.get("parameters")
        retry_after = parameters.get("retry_after") if isinstance(parameters, dict) else None
        return cls(
            status=status,
            ok=status == 200 and said.get("ok") is True,
            description=str(said.get("description", ""))[:200],
            retry_after_s=float(retry_after) if isinstance(retry_after, int) else None,
        )


def _failure(answer: _Answer) -> Failure:
    words = answer.description or "this is no answer of a Bot API server"
    return Failure(
        kind=_kind(answer),
        error=f"HTTP {answer.status}: {words}",
        retry_after_s=answer.retry_after_s,
    )


def _kind(answer: _Answer) -> Failing:
    if not answer.description:
        return Failing.DOWN
    if answer.status == 403:
        # The user blocked the bot, never started it, or is no more.
        return Failing.GONE
    if answer.status == 400:
        about_chat = any(words in answer.description.lower() for words in _NO_CHAT)
        return Failing.GONE if about_chat else Failing.IMPOSSIBLE
    # 429 is the bot's limit of messages: users are told every 10 s at most. 401 and 404 mean a
    # token that Telegram does not know: everybody waits until it is set right.
    return Failing.DOWN


def _characters(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
