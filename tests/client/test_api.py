"""Every method of the client against the API that it was made for."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from photogate.adapters.postgres.pool import Pool
from photogate.auth import issue_token
from photogate.domain import Role
from photogate_client import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    NoticeState,
    Photogate,
    PhotogateAdmin,
    Status,
    Unauthenticated,
    Unavailable,
)
from tests.conftest import SECRET
from tests.functions.conftest import Installation


@dataclass(frozen=True, kw_only=True)
class Callers:
    user: Photogate
    moderator: PhotogateAdmin
    admin: PhotogateAdmin
    deliver: Callable[..., list[str]]

    def hand_in(self, *photos: bytes) -> list[str]:
        """Hand photos in and let a worker look at them; give their ids in the order given."""
        keys = [self.user.upload(photo) for photo in photos]
        assert self.user.complete(keys).photos_count == len(photos)
        self.deliver()
        found = self.user.wait(keys)
        return [found[key].id for key in keys]


@pytest.fixture
def callers(installation: Installation, deliver: Callable[..., list[str]]) -> Iterator[Callers]:
    def token(user: str, role: Role) -> Callable[[], str]:
        return lambda: issue_token(user, secret=SECRET, role=role)

    url = installation.url
    with (
        Photogate(url, token("u-1", Role.USER), retry_within_s=0) as user,
        PhotogateAdmin(url, token("ada", Role.MODERATOR), retry_within_s=0) as moderator,
        PhotogateAdmin(url, token("root", Role.ADMIN), retry_within_s=0) as admin,
    ):
        yield Callers(user=user, moderator=moderator, admin=admin, deliver=deliver)


def test_a_user(callers: Callers, portrait: bytes, installation: Installation) -> None:
    user = callers.user
    assert user.health().status == "ok"
    keys = [user.upload(portrait), user.upload(b"no picture", content_type="image/png")]
    accepted = user.complete(keys)
    assert user.complete(keys, language="am").batch_id == accepted.batch_id
    assert user.status().summary.pending == 2
    callers.deliver()
    good, bad = (user.wait(keys)[key] for key in keys)
    assert good.moderation_status is Status.APPROVED
    assert (bad.moderation_status, bad.moderation_reason) == (Status.REJECTED, "unreadable")
    assert bad.message
    assert user.picture(good.id, "thumb")[:3] == b"\xff\xd8\xff"

    first = user.status(limit=1)
    assert (len(first.photos), first.more) == (1, True)
    assert {photo.id for photo in user.photos()} == {good.id, bad.id}

    user.delete_photo(bad.id)
    assert [photo.id for photo in user.photos()] == [good.id]
    user.delete_photo(bad.id)
    with pytest.raises(NotFound):
        user.delete_photo(str(uuid.uuid4()))
    with pytest.raises(Conflict) as conflict:
        user.complete([user.upload_url().file_key])
    assert len(conflict.value.file_keys) == 1
    with pytest.raises(InvalidRequest, match="422: content_type"):
        user.upload(b"x", content_type="text/html")
    with Photogate(installation.url, "no token") as nobody, pytest.raises(Unauthenticated):
        nobody.status()


def test_a_moderator(callers: Callers, portrait: bytes) -> None:
    moderator = callers.moderator
    one, two = callers.hand_in(portrait, portrait + b"x")
    assert {photo.id for photo in moderator.photos(status=Status.APPROVED)} == {one, two}
    assert moderator.dashboard(limit=1, page=2).pagination.total == 2
    assert moderator.pending() == ()
    assert moderator.picture(one)[:3] == b"\xff\xd8\xff"

    assert moderator.reject(one, "nsfw").reason_text
    assert moderator.verify(one).verified_by == "ada"
    moderator.delete_rejected(one)
    with pytest.raises(Conflict):
        moderator.verify(two)
    assert moderator.approve(two).decided_by == "ada"
    with pytest.raises(InvalidRequest):
        moderator.reject(two, " ")
    with pytest.raises(Forbidden):
        moderator.queue_stats()


def test_a_desk(callers: Callers, portrait: bytes, pool: Pool) -> None:
    one, two, three = callers.hand_in(*(portrait + bytes([n]) for n in range(3)))
    pool.transaction(lambda s: s.rows("UPDATE media SET moderation_status = 'review'"))
    desk = callers.moderator.desk()
    held = desk.take(count=3)
    assert {item.photo_id for item in held.items} == {one, two, three}
    assert held.items[0].bars
    assert callers.moderator.desk().take().items == ()

    assert desk.owner(one).photos == 2  # besides this one
    with pytest.raises(Conflict, match="reveal"):
        desk.approve(one)
    desk.reveal(one)
    assert desk.approve(one).status is Status.APPROVED
    assert desk.undo(one).status is Status.REVIEW
    assert desk.reject(one, "nsfw").reason == "nsfw"
    desk.escalate(two, "the same face?")
    desk.release()
    assert [item.photo_id for item in callers.moderator.desk().take().items] == [three]


def test_an_operator(callers: Callers) -> None:
    stats = callers.admin.queue_stats()
    assert (stats.queue.length, stats.workers) == (0, ())
    callers.admin.link_telegram("anna", 4711)
    callers.admin.link_telegram("anna", None)
    tried = callers.admin.test_channel("log", user_id="anna")
    (notice,) = callers.admin.notices(user_id="anna", state=NoticeState.OPEN)
    assert (notice.id, notice.channel) == (tried, "log")
    assert callers.admin.resend_notices(["gone.1"]) == 0
    with pytest.raises(Unavailable) as unwell:  # there is no worker
        callers.admin.health()
    assert unwell.value.problem["parts"]["database"]["ok"] is True
