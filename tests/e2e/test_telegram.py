"""A user of a whole stack is told by Telegram, in Amharic."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from local.samples import jpeg, photograph
from photogate.auth import issue_token
from photogate_client import Photogate
from tests.e2e.running import RunningStack
from tests.servers import eventually
from tests.telegram import TOKEN, bot_api

CHAT = 4711


@pytest.mark.slow
def test_who_has_a_chat_is_told(start: Callable[..., RunningStack]) -> None:
    with bot_api(CHAT) as api:
        stack = start(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_URL=api.url)
        secret = json.loads((stack.home / "secrets.json").read_text())["jwt"]
        token = issue_token("anna", secret=secret, telegram_chat_id=CHAT, locale="am-ET")
        with Photogate(stack.url, token) as photogate:
            photogate.moderate(
                [jpeg(photograph(name)) for name in ("astronaut.png", "chelsea.png")]
            )
        eventually(lambda: len(api.messages) > 0, within_s=30)
        text = "\n".join(api.texts(CHAT))
        assert "ፊትዎን ያሳዩ" in text
        logs = "".join(path.read_text() for path in (stack.home / "logs").glob("*.log"))
        assert TOKEN not in logs
        assert TOKEN not in stack.said()
