"""Whose chat is which: said by a token, or by a backend."""

from __future__ import annotations

from typing import Any

import pytest

from local.client import ApiRefused, PhotogateClient, Upload
from photogate.adapters.postgres.notice_desk import PostgresAddresses
from photogate.adapters.postgres.pool import Pool
from photogate.auth import issue_token
from photogate.domain import Role
from tests.conftest import SECRET
from tests.functions.conftest import Installation

LARGEST = 2**52 - 1


@pytest.fixture
def addresses(pool: Pool) -> PostgresAddresses:
    return PostgresAddresses(pool)


def with_chat(installation: Installation, chat: Any) -> PhotogateClient:
    token = issue_token("u-1", secret=SECRET, telegram_chat_id=chat)
    return PhotogateClient(installation.url, token)


def test_a_token_links_its_user_when_photos_are_handed_in(
    installation: Installation, portrait: bytes, addresses: PostgresAddresses
) -> None:
    user = with_chat(installation, LARGEST)
    key = user.put(Upload(name="x", data=portrait))
    assert addresses.of("telegram", "u-1") is None
    user.complete([key])
    user.close()
    assert addresses.of("telegram", "u-1") == str(LARGEST)


@pytest.mark.parametrize("chat", [0, -100123, LARGEST + 1, "4711", 1.5, True, [1]])
def test_a_chat_that_is_no_users_is_refused(installation: Installation, chat: Any) -> None:
    user = with_chat(installation, chat)
    with pytest.raises(ApiRefused, match="401: the token's telegram_chat_id must be"):
        user.photos()
    user.close()


def test_a_backend_links_and_unlinks(
    installation: Installation, addresses: PostgresAddresses
) -> None:
    admin = installation.client("root", Role.ADMIN)

    def link(**body: Any) -> None:
        admin.call("PUT", "/admin/notices/telegram", json={"user_id": "anna", **body})

    link(chat_id=4711)
    link(chat_id=4712)
    assert addresses.of("telegram", "anna") == "4712"
    link(chat_id=None)
    link(chat_id=None)
    assert addresses.of("telegram", "anna") is None
    for wrong in ({}, {"chat_id": -1}, {"chat_id": LARGEST + 1}, {"chat_id": 1, "user_id": ""}):
        with pytest.raises(ApiRefused, match="422"):
            link(**wrong)


def test_only_admins_link(installation: Installation) -> None:
    moderator = installation.client("ada", Role.MODERATOR)
    with pytest.raises(ApiRefused, match="403"):
        moderator.call("PUT", "/admin/notices/telegram", json={"user_id": "a", "chat_id": 1})
