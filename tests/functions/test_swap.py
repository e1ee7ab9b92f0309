"""What a client puts in the place of a photo, at any moment of its life, is shown to nobody."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pytest
import requests
from PIL import Image, ImageFilter

from functions.moderate import app as moderate
from local.client import ApiRefused
from local.samples import jpeg, photograph
from local.worker import Worker
from photogate import bootstrap
from photogate.adapters.postgres.pool import Pool
from photogate.bootstrap import ModerateParts, ModeratePorts, choose
from photogate.domain import NEVER, Copy, Deadline, Role, Signals
from photogate.errors import NotFound
from photogate.messages import CopyJob
from photogate.ports.vision import CopyMaker, PhotoAnalyzer
from photogate.settings import AdminSettings
from tests.functions.conftest import Installation

#: Pictures whose grey pixels differ less than this, of 255, show the same.
_ALIKE = 12.0


def seen_as(data: bytes) -> Any:
    """Give what a person recognises of a picture, also of its blurred grey copy."""
    with Image.open(io.BytesIO(data)) as image:
        grey = image.convert("L").resize((12, 12), Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.float64)


def shows(data: bytes, photo: bytes) -> bool:
    """Tell whether a picture shows this photo."""
    return float(np.abs(seen_as(data) - seen_as(photo)).mean()) < _ALIKE


#: Would be rejected.
BAD = jpeg(photograph("chelsea.png").filter(ImageFilter.GaussianBlur(8)))


@dataclass
class Life:
    """One photo, from its upload URL on, and everybody who looks at it."""

    installation: Installation
    good: bytes
    ticket: dict[str, Any] = field(default_factory=dict)
    parts: ModerateParts | None = None
    #: URLs that were signed for anybody.
    signed: set[str] = field(default_factory=set)
    #: How the store answered to each upload of the bad photo.
    swaps: list[int] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What was handed in."""
        return str(self.ticket["file_key"])

    def begin(self) -> None:
        """Upload the good photo."""
        self.ticket = self.installation.client().call("GET", "/users/media/upload-url")
        assert self.put(self.good) == 200

    def put(self, data: bytes) -> int:
        """Use the upload URL, once more."""
        answer = requests.put(
            self.ticket["upload_url"], data=data, headers=self.ticket["headers"], timeout=10
        )
        return answer.status_code

    def swap(self) -> None:
        """Put the bad photo in the place of the good one."""
        self.swaps.append(self.put(BAD))

    def complete(self) -> None:
        """Hand it in."""
        self.installation.client().complete([self.key])

    def work(self) -> None:
        """Do all jobs that are in the queue."""
        worker = Worker(self.worker_parts(), moderate.make_handler(self.worker_parts))
        while (delivery := self.worker_parts().queue.receive(wait_s=0)) is not None:
            worker._work(delivery)

    def copy(self, photo_id: str) -> None:
        """Do a job for copies."""
        job = CopyJob(photo_ids=(photo_id,))
        self.worker_parts().copying.run(job, time_left_s=lambda: 60.0)

    def moderator(self, what: str, **body: str) -> None:
        """Let a person decide."""
        (photo,) = self.installation.client().photos()
        path = f"/admin/moderation/{photo['id']}/{what}"
        self.installation.client("m", Role.MODERATOR).call("PUT", path, json=body)

    def look(self, pool: Pool) -> list[bytes]:
        """Give every picture of it that anybody is shown, by all routes and all URLs so far."""
        owner, moderator = self.installation.client(), self.installation.client("m", Role.MODERATOR)
        listed = [
            *owner.photos(),
            *moderator.call("GET", "/admin/moderation/dashboard")["media"],
            *moderator.call("GET", "/admin/moderation/pending")["photos"],
        ]
        urls = {photo["url"] for photo in listed} | {
            photo["thumbnail_url"] for photo in listed if "thumbnail_url" in photo
        }
        self.signed |= {url for url in urls if url.startswith("http")}
        found = [requests.get(url, timeout=10) for url in self.signed]
        pictures = [answer.content for answer in found if answer.ok]
        for photo_id in {photo["id"] for photo in listed}:
            for copy in ("display", "thumb", "preview"):
                for client, path in (
                    (owner, f"/users/media/{photo_id}/photo"),
                    (moderator, f"/admin/moderation/{photo_id}/photo"),
                ):
                    with suppress(ApiRefused):
                        pictures.append(client.picture(path, copy))
        return pictures + self._named_in_the_table(pool)

    def status(self) -> str:
        """Tell what its owner is told."""
        (photo,) = self.installation.client().photos()
        return str(photo["moderation_status"])

    def _named_in_the_table(self, pool: Pool) -> list[bytes]:
        """Read as a program that takes ``media.url`` of the table does."""
        store = choose.store(choose.settings_of(AdminSettings))
        pictures = []
        for row in pool.transaction(lambda s: s.rows("SELECT url FROM media")):
            if row["url"] == self.key:
                continue  # waits for its verdict: nobody may read it, and no URL is given
            with suppress(NotFound):
                pictures.append(store.get(row["url"], etag=None, max_bytes=10_000_000))
        return pictures

    def worker_parts(self) -> ModerateParts:
        """The worker, as shipped unless a test has chosen other ports."""
        if self.parts is None:
            self.parts = bootstrap.moderate(moderate.EventLog())
        return self.parts


class _Meanwhile:
    """An analyzer and a maker of copies during whose work something happens."""

    def __init__(self, inner: Any, meanwhile: Callable[[], None]) -> None:
        self._inner, self._meanwhile = inner, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def analyze(self, data: bytes, deadline: Deadline = NEVER) -> Sequence[Signals]:
        self._meanwhile()
        found: Sequence[Signals] = self._inner.analyze(data, deadline)
        return found

    def copies(self, data: bytes, deadline: Deadline = NEVER) -> Sequence[Copy]:
        self._meanwhile()
        made: Sequence[Copy] = self._inner.copies(data, deadline)
        return made


@pytest.fixture(params=["installation", "on_aws"])
def life(request: pytest.FixtureRequest, portrait: bytes) -> Life:
    """A photo in the folder, and one in S3."""
    life = Life(request.getfixturevalue(request.param), portrait)
    assert not shows(BAD, portrait)
    life.begin()
    return life


def judged_with(life: Life, wrap: Callable[[ModeratePorts], ModeratePorts]) -> None:
    """Let its worker have other ports."""
    life.parts = bootstrap.moderate(moderate.EventLog(), wrap=wrap)


def assert_only_good(life: Life, pool: Pool, *, seen: bool = True) -> None:
    """Whoever looks sees the good photo, or nothing."""
    pictures = life.look(pool)
    assert [shows(picture, life.good) for picture in pictures] == [True] * len(pictures)
    assert [shows(picture, BAD) for picture in pictures] == [False] * len(pictures)
    assert bool(pictures) is seen


def test_after_the_verdict_and_ever_after(life: Life, pool: Pool) -> None:
    life.complete()
    life.work()
    assert life.status() == "approved"
    assert_only_good(life, pool)
    life.swap()
    assert_only_good(life, pool)
    life.work()
    life.moderator("reject", reason="not our kind of photo")
    life.swap()
    assert_only_good(life, pool)
    life.moderator("approve")
    life.work()
    assert_only_good(life, pool)
    assert life.status() == "approved"
    # Handed in once more, it is the same batch, with its verdict.
    life.complete()
    life.work()
    assert_only_good(life, pool)


def test_before_upload_complete(life: Life, pool: Pool) -> None:
    """What is there by then is what was handed in, and is judged."""
    life.swap()
    life.complete()
    life.work()
    if life.swaps == [200]:
        assert life.status() == "rejected"
        assert life.signed == set()
        assert not any(shows(picture, life.good) for picture in life.look(pool))
    else:  # a store that takes no second upload
        assert life.status() == "approved"
        assert_only_good(life, pool)


def test_while_it_waits_for_its_verdict(life: Life, pool: Pool) -> None:
    life.complete()
    life.swap()
    assert_only_good(life, pool, seen=False)
    life.work()
    if life.swaps == [200]:
        assert life.status() == "review"
        assert_only_good(life, pool, seen=False)
        life.moderator("approve")  # blindly: there is no picture
        life.work()
        assert life.status() == "pending"
        assert_only_good(life, pool, seen=False)
    else:
        assert life.status() == "approved"
        assert_only_good(life, pool)


@pytest.mark.parametrize("during", ["analyzer", "maker"])
def test_while_it_is_looked_at(life: Life, pool: Pool, during: str) -> None:
    """Its bytes were read; the verdict, and the copies, are of them."""

    def wrap(ports: ModeratePorts) -> ModeratePorts:
        if during == "analyzer":
            analyzer = cast(PhotoAnalyzer, _Meanwhile(ports.analyzer, life.swap))
            return replace(ports, analyzer=analyzer)
        return replace(ports, maker=cast(CopyMaker, _Meanwhile(ports.maker, life.swap)))

    judged_with(life, wrap)
    life.complete()
    life.work()
    assert len(life.swaps) == 1
    assert life.status() == "approved"
    assert_only_good(life, pool)


def test_between_verdict_and_copies(life: Life, pool: Pool) -> None:
    life.complete()
    queue = life.worker_parts().queue
    worker = Worker(life.worker_parts(), moderate.make_handler(life.worker_parts))
    delivery = queue.receive(wait_s=0)
    assert delivery is not None
    worker._work(delivery)
    assert life.status() == "pending"
    life.swap()
    assert_only_good(life, pool, seen=False)
    life.work()
    assert life.status() == "approved"
    assert_only_good(life, pool)


def test_after_its_upload_was_removed(life: Life, pool: Pool) -> None:
    """Its bytes are kept elsewhere by then; the URL goes on working until its time is over."""
    life.complete()
    life.work()
    store = choose.store(choose.settings_of(AdminSettings))
    store.delete(life.key)
    life.swap()
    assert life.swaps == [200]
    assert_only_good(life, pool)
    life.work()
    assert life.status() == "approved"
    assert_only_good(life, pool)


def test_after_its_deletion(life: Life, pool: Pool) -> None:
    life.complete()
    life.work()
    assert_only_good(life, pool)
    client = life.installation.client()
    client.call("DELETE", f"/users/media/{client.photos()[0]['id']}")
    life.swap()
    assert_only_good(life, pool, seen=False)
    with pytest.raises(ApiRefused, match="409"):
        life.complete()
    life.work()
    assert client.photos() == []
    assert_only_good(life, pool, seen=False)


def test_of_the_earlier_layout(life: Life, pool: Pool) -> None:
    """Swapped before its copies are made: whoever approved it, nothing is shown any more."""
    life.complete()
    life.work()
    key = "users/u-1/photo/1.jpg"
    pool.transaction(
        lambda s: s.rows(
            "UPDATE media SET url = :key, upload_key = NULL, original_key = NULL,"
            " display_key = NULL, copies_due_at = now(), copies_attempts = 0, etag = NULL,"
            " decided_by = 'a-moderator'",
            key=key,
        )
    )
    store = choose.store(choose.settings_of(AdminSettings))
    store.put(key, life.good, content_type="image/jpeg")
    assert_only_good(life, pool)
    # As a URL that the earlier version had signed could do.
    store.put(key, BAD, content_type="image/jpeg")
    (photo,) = life.installation.client().photos()
    life.copy(photo["id"])
    assert life.status() == "pending"
    life.signed.clear()  # those that are out live for VIEW_URL_S
    assert_only_good(life, pool, seen=False)
    life.moderator("reject", reason="nobody can see it")
    with pytest.raises(ApiRefused, match=r"409.*ask its owner for another"):
        life.moderator("approve")
    assert_only_good(life, pool, seen=False)
