"""One contract for every photo store; uploads and views go over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from local import files
from photogate.adapters.photos_files import FilePhotoStore
from photogate.errors import NotFound, PhotoChanged, PhotoRefused, StorageUnavailable
from tests.conftest import SECRET
from tests.servers import serve

KEY = "users/u-1/photo/aa-bb.jpg"
BODY = b"\xff\xd8 a photo"


@dataclass(frozen=True, kw_only=True)
class Store:
    """A store and what its technology can hold clients to."""

    port: FilePhotoStore
    #: Whether a PUT that breaks what was signed is refused here.
    enforces: bool
    root: Path


@pytest.fixture(params=["files"])
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    held: list[FilePhotoStore] = []
    app = files.create_app(lambda: held[0], max_bytes=lambda: 1000)
    with serve(app) as url:
        root = tmp_path / "photos"
        held.append(FilePhotoStore(root, public_url=url, secret=SECRET))
        yield Store(port=held[0], enforces=True, root=root)


def upload(store: Store, key: str = KEY, body: bytes = BODY, **signed: int) -> requests.Response:
    ticket = store.port.presign_put(
        key, content_type="image/jpeg", size_bytes=signed.get("size"), expires_in_s=60
    )
    return requests.put(ticket.url, data=body, headers=ticket.headers, timeout=5)


def test_what_is_put_can_be_read_and_described(store: Store) -> None:
    answer = upload(store, size=len(BODY))
    assert answer.status_code == 200
    stored = store.port.head(KEY)
    assert stored is not None
    assert stored.size_bytes == len(BODY)
    assert answer.headers["ETag"].strip('"') == stored.etag
    assert store.port.get(KEY, etag=stored.etag, max_bytes=100) == BODY
    assert store.port.get(KEY, etag=None, max_bytes=100) == BODY
    view = requests.get(store.port.presign_get(KEY, expires_in_s=60), timeout=5)
    assert (view.status_code, view.content) == (200, BODY)


def test_what_is_not_there(store: Store) -> None:
    assert store.port.head(KEY) is None
    with pytest.raises(NotFound):
        store.port.get(KEY, etag=None, max_bytes=100)
    store.port.delete(KEY)
    view = requests.get(store.port.presign_get(KEY, expires_in_s=60), timeout=5)
    assert view.status_code == 404


def test_deleting_is_for_good(store: Store) -> None:
    upload(store)
    store.port.delete(KEY)
    assert store.port.head(KEY) is None


def test_other_bytes_than_the_pinned_ones_are_not_read(store: Store) -> None:
    upload(store)
    stored = store.port.head(KEY)
    assert stored is not None
    store.port.delete(KEY)
    upload(store, body=b"something else")
    with pytest.raises(PhotoChanged):
        store.port.get(KEY, etag=stored.etag, max_bytes=100)


def test_an_object_above_the_limit_is_not_read(store: Store) -> None:
    upload(store)
    with pytest.raises(PhotoRefused) as caught:
        store.port.get(KEY, etag=None, max_bytes=3)
    assert caught.value.reason == "too_large"


def test_what_was_signed_is_what_counts(store: Store) -> None:
    if not store.enforces:
        pytest.skip("this stand-in does not enforce what was signed")
    put = store.port.presign_put(KEY, content_type="image/jpeg", size_bytes=10, expires_in_s=60)
    jpeg = {"Content-Type": "image/jpeg"}
    for url, body, headers, status in (
        (put.url, b"x" * 11, jpeg, 422),
        (put.url, b"x" * 10, {"Content-Type": "text/html"}, 422),
        (put.url.replace("aa-bb", "aa-bc"), b"x" * 10, jpeg, 403),
        (put.url.replace("size=10", "size=11"), b"x" * 11, jpeg, 403),
        (put.url.replace("expires=", "expires=9"), b"x" * 10, jpeg, 403),
        (store.port.presign_get(KEY, expires_in_s=60), b"x" * 10, jpeg, 403),
        (urlsplit(put.url)._replace(query="").geturl(), b"x" * 10, jpeg, 403),
    ):
        answer = requests.put(url, data=body, headers=headers, timeout=5)
        assert answer.status_code == status, url
        assert answer.json()["error"]
        assert store.port.head(KEY) is None
    assert requests.get(put.url, timeout=5).status_code == 403


def test_a_url_expires(store: Store) -> None:
    if not store.enforces:
        pytest.skip("this stand-in does not enforce what was signed")
    upload(store)
    url = store.port.presign_get(KEY, expires_in_s=-1)
    assert requests.get(url, timeout=5).status_code == 403


class TestFiles:
    """What only the folder promises."""

    def test_a_photo_is_written_once(self, store: Store) -> None:
        assert upload(store).status_code == 200
        assert upload(store).status_code == 200  # the same bytes: a client's retry
        assert upload(store, body=b"swapped afterwards").status_code == 409
        assert store.port.get(KEY, etag=None, max_bytes=100) == BODY

    def test_a_body_above_the_limit_is_refused_and_leaves_nothing(self, store: Store) -> None:
        assert upload(store, body=b"x" * 1001).status_code == 413
        assert [p for p in store.root.rglob("*") if p.is_file()] == []

    @pytest.mark.parametrize("key", ["../secret", "users/../../x", "/etc/passwd", "a//b", ".x"])
    def test_no_key_leaves_the_folder(self, store: Store, key: str) -> None:
        with pytest.raises(NotFound):
            store.port.head(key)

    def test_urls_survive_a_restart(self, store: Store) -> None:
        upload(store)
        before = store.port.presign_get(KEY, expires_in_s=60)
        parts = urlsplit(before)
        again = FilePhotoStore(
            store.root, public_url=f"{parts.scheme}://{parts.netloc}", secret=SECRET
        )
        query = dict(pair.split("=") for pair in parts.query.split("&"))
        assert again.verify("GET", KEY, query).key == KEY

    def test_untrusted_bytes_cannot_act_as_a_page(self, store: Store) -> None:
        upload(store)
        view = requests.get(store.port.presign_get(KEY, expires_in_s=60), timeout=5)
        assert view.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in view.headers["Content-Security-Policy"]

    def test_a_broken_disk_is_a_retryable_fault(self, tmp_path: Path) -> None:
        (tmp_path / "photos").write_text("not a folder")
        broken = FilePhotoStore(tmp_path / "photos", public_url="http://x", secret=SECRET)
        started = time.monotonic()
        with pytest.raises(StorageUnavailable):
            broken.head(KEY)
        with pytest.raises(StorageUnavailable):
            broken.check()
        assert time.monotonic() - started < 1
