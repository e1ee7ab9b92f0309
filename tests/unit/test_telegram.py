"""One message to one chat, and what each answer of the Bot API means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

import pytest

from photogate.adapters.channels.telegram import TelegramChannel
from photogate.domain import Deadline, Status
from photogate.domain.notices import Failing, Notice, Parcel, Receipt
from tests.scripted import Answered
from tests.telegram import LONGEST_TEXT, TOKEN, BotApi, bot_api, error, too_many

CHAT = 4711


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api(CHAT) as api:
        yield api


def notice(n: int = 1, reason: str | None = None) -> Notice:
    return Notice(
        id=f"photo-{n}:2",
        photo_id=f"photo-{n}",
        sequence=2,
        user_id="u-1",
        batch_id="b",
        file_key=f"k-{n}",
        status=Status.REJECTED if reason else Status.APPROVED,
        before=Status.PENDING,
        reason=reason,
        by_person=False,
        corrects=False,
        sha256=None,
        language="en",
        decided_at=datetime.now(UTC),
    )


def parcel(*notices: Notice, address: str | None = str(CHAT)) -> Parcel:
    told = notices or (notice(),)
    return Parcel(channel="telegram", user_id="u-1", token="t", address=address, notices=told)


def words(notices: Sequence[Notice], review_hours: float | None) -> str:
    return "\n".join(notice.reason or f"{notice.photo_id} ✓" for notice in notices)


def tell(api: BotApi, given: Parcel, *, token: str = TOKEN, timeout_s: float = 5.0) -> Receipt:
    made = TelegramChannel(token, words=words, api_url=api.url, timeout_s=timeout_s)
    with closing(made) as channel:
        return channel.tell(given, Deadline.after(30))


def test_a_parcel_is_one_message(api: BotApi) -> None:
    assert tell(api, parcel(notice(1), notice(2), notice(3))) == Receipt(told=3)
    assert api.texts(CHAT) == ["photo-1 ✓\nphoto-2 ✓\nphoto-3 ✓"]


def test_what_does_not_fit_into_a_message_comes_with_the_next(api: BotApi) -> None:
    # Two code units each, as the Bot API counts.
    many = tuple(notice(n, reason="😀" * 500) for n in range(6))
    assert tell(api, parcel(*many)) == Receipt(told=4)
    assert tell(api, parcel(*many[4:])) == Receipt(told=2)
    assert [text.count("\n") for text in api.texts(CHAT)] == [3, 1]
    assert all(len(text.encode("utf-16-le")) // 2 <= LONGEST_TEXT for text in api.texts(CHAT))


def test_a_user_who_blocked_the_bot_is_gone(api: BotApi) -> None:
    api.blocked.add(CHAT)
    receipt = tell(api, parcel())
    assert receipt.failure is not None
    assert (receipt.told, receipt.failure.kind) == (0, Failing.GONE)
    assert receipt.failure.error == "HTTP 403: Forbidden: bot was blocked by the user"


@pytest.mark.parametrize("address", ["1", None], ids=["chat not found", "no chat is known"])
def test_a_chat_that_is_not_there_is_gone(api: BotApi, address: str | None) -> None:
    receipt = tell(api, parcel(address=address))
    assert receipt.failure is not None
    assert receipt.failure.kind is Failing.GONE


def test_the_time_that_telegram_wants_is_told_on(api: BotApi) -> None:
    api.instead.append(too_many(35))
    receipt = tell(api, parcel())
    assert receipt.failure is not None
    assert (receipt.failure.kind, receipt.failure.retry_after_s) == (Failing.DOWN, 35.0)
    assert api.messages == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(400, "Bad Request: message is too long"), Failing.IMPOSSIBLE),
        (
            error(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=-1001,
            ),
            Failing.GONE,
        ),
        (error(403, "Forbidden: bot can't initiate conversation with a user"), Failing.GONE),
        (error(500, "Internal Server Error"), Failing.DOWN),
        (error(502, "Bad Gateway"), Failing.DOWN),
        (Answered(status=502, body=b"<html>nginx"), Failing.DOWN),
        (Answered(status=200, body=b"a captive portal"), Failing.DOWN),
        (Answered(status=200, body=[]), Failing.DOWN),
        (Answered(status=403, body=b"a firewall"), Failing.DOWN),
        (Answered(status=200, body=b"x" * 200_000), Failing.DOWN),
        (Answered(status=302, headers={"Location": "/elsewhere"}), Failing.DOWN),
        (Answered(hangs_up=True), Failing.DOWN),
    ],
)
def test_what_an_answer_means(api: BotApi, answer: Answered, kind: Failing) -> None:
    api.instead.append(answer)
    receipt = tell(api, parcel())
    assert receipt.failure is not None
    assert (receipt.told, receipt.failure.kind) == (0, kind)
    # The next one finds the channel as it was.
    assert tell(api, parcel()) == Receipt(told=1)


def test_a_wrong_token_concerns_everybody_and_is_never_told(api: BotApi) -> None:
    for token in (f"{TOKEN}x", "not-a-token"):
        receipt = tell(api, parcel(), token=token)
        assert receipt.failure is not None
        assert receipt.failure.kind is Failing.DOWN
        assert token not in receipt.failure.error


def test_nobody_answers_in_time(api: BotApi) -> None:
    with bot_api() as gone:
        url = gone.url
    channel = TelegramChannel(TOKEN, words=words, api_url=url)
    failure = channel.tell(parcel(), Deadline.after(30)).failure
    assert failure is not None
    assert failure.kind is Failing.DOWN
    assert TOKEN not in failure.error

    api.delay_s = 1.0
    failure = tell(api, parcel(), timeout_s=0.2).failure
    assert failure is not None
    assert failure.kind is Failing.DOWN
    assert failure.error.startswith("no answer: ")
