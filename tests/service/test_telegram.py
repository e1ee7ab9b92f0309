"""People are told by Telegram: joined, not too often, and never less than everything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from photogate.adapters.channels.telegram import TelegramChannel
from photogate.domain import Principal, Role, Status, Verdict
from photogate.domain.notices import Failure, Notice, NoticeState, Parcel
from photogate.service.notices import Sending, Settling
from photogate.texts.notices import notice_words
from tests.authors import decide
from tests.contract.test_copies import handed_in, judge
from tests.records import Records
from tests.telegram import TOKEN, BotApi, bot_api, error, too_many

CHAT = 4711
MODERATOR = Principal(user_id="mod", role=Role.MODERATOR)


def words(notices: Sequence[Notice], review_hours: float | None) -> str:
    return notice_words(notices, review_hours=review_hours, objection="Write to us.")


class Unwatched:
    def notices_told(self, parcel: Parcel, count: int) -> None: ...

    def notice_failed(self, parcel: Parcel, failure: Failure, *, dead: bool) -> None: ...


class Telling:
    """A user with a chat, and who tells them."""

    def __init__(self, records: Records, api: BotApi, channel: TelegramChannel) -> None:
        self.records = records
        self.api = api
        self._channel = channel
        settling = Settling(records.notices, Unwatched())
        self._sending = Sending(records.notices, [channel], settling, at_once=2)
        records.addresses.link("telegram", "u", str(CHAT))

    def reject(self, *keys: str) -> None:
        ids = handed_in(self.records, *keys)
        for key in keys:
            judge(self.records, ids[key], Status.REJECTED)
        # From now on they are gathered.
        self.records.notices.plan([TelegramChannel], limit=100)

    def by_another_sender(self) -> Telling:
        return Telling(self.records, self.api, self._channel)

    def let_wait(self, key: str) -> str:
        photo_id = handed_in(self.records, key)[key]
        judge(self.records, photo_id, Status.REVIEW)
        self.records.notices.plan([TelegramChannel], limit=100)
        return photo_id

    def after(self, seconds: float) -> list[str]:
        """Let time pass, tell what is due, and give what the user got by it."""
        before = len(self.api.texts(CHAT))
        self.records.age_notices(seconds=seconds)
        ends = time.monotonic() + 30
        self._sending.run(time_left_s=lambda: ends - time.monotonic())
        return self.api.texts(CHAT)[before:]

    def states(self) -> list[NoticeState]:
        return [d.state for d in self.records.desk.deliveries(state=None, limit=50)]


@pytest.fixture
def telling(records: Records) -> Iterator[Telling]:
    with bot_api(CHAT) as api:
        made = TelegramChannel(TOKEN, words=words, api_url=api.url, timeout_s=5)
        with closing(made) as channel:
            yield Telling(records, api, channel)


def test_what_comes_within_ten_seconds_joins_the_next_message(telling: Telling) -> None:
    telling.reject("a", "b")
    assert telling.after(0) == []
    (first,) = telling.after(4)
    assert first.startswith("None of your 2 photos was approved.\n• It is inappropriate")
    assert first.endswith("Write to us.")

    telling.reject("c")
    assert telling.after(4) == []
    telling.reject("d", "e")
    assert telling.after(4) == []
    (second,) = telling.after(4)
    assert second.startswith("None of your 3 photos was approved.")
    assert telling.after(60) == []
    assert set(telling.states()) == {NoticeState.TOLD}


def test_who_blocks_the_bot_is_left_alone_until_linked_again(telling: Telling) -> None:
    telling.reject("a", "b")
    telling.api.blocked.add(CHAT)
    assert telling.after(4) == []
    assert telling.records.addresses.of("telegram", "u") is None
    assert telling.states() == [NoticeState.DEAD] * 2
    asked = len(telling.api.server.asked)

    telling.reject("c")
    telling.after(3600)
    assert len(telling.api.server.asked) == asked

    telling.api.blocked.clear()
    telling.records.addresses.link("telegram", "u", str(CHAT))
    telling.reject("d")
    assert len(telling.after(4)) == 1


def test_telegrams_wish_to_wait_is_obeyed(telling: Telling) -> None:
    telling.api.instead.append(too_many(300))
    telling.reject("a")
    assert telling.after(4) == []
    for passed_s in (60, 120, 100):
        telling.reject(f"at {passed_s}")
        assert telling.after(passed_s) == []
    assert len(telling.api.server.asked) == 1
    (message,) = telling.after(30)
    assert message.startswith("None of your 4 photos was approved.")


def test_nothing_is_lost_while_telegram_is_away(telling: Telling) -> None:
    telling.api.instead += [error(502, "Bad Gateway")] * 3
    telling.reject("a")
    for _ in range(3):
        assert telling.after(60) == []
    telling.reject("b")
    (message,) = telling.after(60)
    assert message.startswith("None of your 2 photos was approved.")


def test_a_message_whose_answer_was_lost_comes_twice(telling: Telling) -> None:
    telling.api.lost_answers = 1
    telling.reject("a")
    (first,) = telling.after(4)
    assert telling.after(60) == [first]
    assert telling.after(60) == []


def test_who_waits_for_a_person_is_told_how_long_that_takes(telling: Telling) -> None:
    telling.let_wait("a")
    assert telling.after(4) == ["A person is looking at your photo."]
    photo_id = telling.let_wait("b")
    decide(telling.records, photo_id, Verdict(status=Status.REJECTED, reason="nsfw"), by=MODERATOR)
    telling.let_wait("c")
    # A minute ago nobody knew.
    (message,) = telling.by_another_sender().after(60)
    assert "That usually takes no more than an hour." in message


def test_a_test_says_that_it_is_one(telling: Telling) -> None:
    telling.records.desk.test("telegram", "u")
    assert telling.after(4) == ["This is a test. You will be told of your photos here."]
