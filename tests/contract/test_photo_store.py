"""One contract for every photo store; uploads and views go over real HTTP.

To hold a real bucket to it, set PHOTOGATE_TEST_S3_BUCKET (and, where they are needed,
PHOTOGATE_TEST_S3_REGION and PHOTOGATE_TEST_S3_ENDPOINT), with credentials where the AWS SDK
looks for them. Unlike moto, it enforces what was signed.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import pytest
import requests
from requests.adapters import BaseAdapter

from local import files
from photogate.adapters import photos_s3
from photogate.adapters.memory.photos import MemoryPhotoStore
from photogate.adapters.photos_files import MOUNT, FilePhotoStore, Grant
from photogate.adapters.photos_s3 import S3PhotoStore
from photogate.domain import Deadline
from photogate.errors import (
    ConfigError,
    Forbidden,
    InvalidRequest,
    NotFound,
    OutOfTime,
    PermanentError,
    PhotoChanged,
    PhotoRefused,
    StorageUnavailable,
)
from photogate.ports import photos as ports
from tests.conftest import SECRET
from tests.contract.conftest import AWS_KEY, AWS_SECRET, Fault, FaultyServer, answer
from tests.servers import eventually, serve

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = b"\xff\xd8 a photo"


@dataclass(frozen=True, kw_only=True)
class Store:
    """A store and what its technology can hold clients to."""

    port: ports.Store
    #: As its health check tells it.
    kind: str
    #: Whether a request that breaks what was signed is refused here.
    enforces: bool
    #: For an upload; nothing is there yet.
    key: str
    #: Carries what clients do.
    http: requests.Session = field(default_factory=requests.Session)

    @property
    def copy(self) -> str:
        """The key of an object of ours, which may be viewed; nothing is there yet."""
        return self.key.replace("incoming/", "copies/display/", 1)


class _InMemory(BaseAdapter):
    """Carries requests to a store in memory."""

    def __init__(self, port: MemoryPhotoStore) -> None:
        super().__init__()
        self._port = port

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer as an HTTP server in front of it would."""
        response = requests.Response()
        response.raw = BytesIO()
        url, body = str(request.url), request.body or b""
        try:
            if request.method == "PUT":
                assert isinstance(body, bytes)
                sent = request.headers.get("Content-Type")
                stored = self._port.upload(url, body, content_type=sent)
                response.headers["ETag"] = stored.etag
            else:
                response.headers["Content-Type"], found = self._port.view(url)
                response.raw = BytesIO(found)
            response.status_code = HTTPStatus.OK
        except PermanentError as error:
            refusals: dict[type[PermanentError], int] = {
                Forbidden: 403,
                InvalidRequest: 422,
                NotFound: 404,
            }
            response.status_code = refusals[type(error)]
        return response

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def memory_store() -> Store:
    """A store in memory."""
    port = MemoryPhotoStore()
    store = Store(port=port, kind="memory", enforces=True, key="incoming/u-1/photo/aa-bb.jpg")
    store.http.mount("memory://", _InMemory(port))
    return store


@pytest.fixture(params=[pytest.param("memory", marks=pytest.mark.quick), "files", "s3", "bucket"])
def store(request: pytest.FixtureRequest) -> Store:
    """A store of each kind."""
    made: Store = request.getfixturevalue(f"{request.param}_store")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the photos of ``files_store`` are."""
    return tmp_path / "photos"


@pytest.fixture
def files_store(folder: Path) -> Iterator[Store]:
    """A folder behind HTTP."""
    held: list[FilePhotoStore] = []
    app = files.create_app(lambda: held[0], max_bytes=lambda: 1000)
    with serve(app) as url:
        held.append(FilePhotoStore(folder, public_url=url, secret=SECRET))
        yield Store(port=held[0], kind="files", enforces=True, key="incoming/u-1/photo/aa-bb.jpg")


@pytest.fixture(scope="module")
def s3_client(moto_server: str) -> Iterator[S3Client]:
    """A client of moto, where there is a bucket ``photos``."""
    with closing(client_of(moto_server)) as client:
        client.create_bucket(Bucket="photos")
        yield client


@pytest.fixture
def s3_store(s3_client: S3Client) -> Store:
    """A bucket in moto."""
    port = S3PhotoStore(s3_client, "photos", presigner=s3_client)
    return Store(port=port, kind="s3", enforces=False, key=f"incoming/{uuid4()}/photo/aa-bb.jpg")


@pytest.fixture
def bucket_store() -> Iterator[Store]:
    """A real bucket, when there is one to try."""
    bucket = os.environ.get("PHOTOGATE_TEST_S3_BUCKET")
    if not bucket:
        pytest.skip("PHOTOGATE_TEST_S3_BUCKET is not set")
    client = photos_s3.connect(
        region=os.environ.get("PHOTOGATE_TEST_S3_REGION") or "us-east-1",
        endpoint=os.environ.get("PHOTOGATE_TEST_S3_ENDPOINT") or None,
        access_key=None,
        secret_key=None,
    )
    key = f"incoming/photogate-test-{uuid4()}/aa-bb.jpg"
    with closing(S3PhotoStore(client, bucket, presigner=client)) as port:
        store = Store(port=port, kind="s3", enforces=True, key=key)
        yield store
        port.delete(key)
        port.delete(store.copy)


def client_of(
    endpoint: str | None, *, region: str = "us-east-1", read_timeout_s: float = 10.0
) -> S3Client:
    return photos_s3.connect(
        region=region,
        endpoint=endpoint,
        access_key=AWS_KEY,
        secret_key=AWS_SECRET,
        read_timeout_s=read_timeout_s,
    )


def upload(store: Store, body: bytes = BODY, **signed: int) -> requests.Response:
    ticket = store.port.presign_put(
        store.key, content_type="image/jpeg", size_bytes=signed.get("size"), expires_in_s=60
    )
    return store.http.put(ticket.url, data=body, headers=ticket.headers, timeout=30)


def view(store: Store) -> requests.Response:
    return store.http.get(store.port.presign_get(store.copy, expires_in_s=60), timeout=30)


def test_what_is_put_can_be_read_and_described(store: Store) -> None:
    answer = upload(store, size=len(BODY))
    assert answer.status_code == 200
    stored = store.port.head(store.key)
    assert stored is not None
    assert stored.size_bytes == len(BODY)
    assert answer.headers["ETag"].strip('"') == stored.etag
    assert store.port.get(store.key, etag=stored.etag, max_bytes=len(BODY)) == BODY
    assert store.port.get(store.key, etag=None, max_bytes=100) == BODY


def test_what_we_put_can_be_viewed_and_is_replaced_whole(store: Store) -> None:
    for body in (b"before, and longer", BODY, BODY):
        store.port.put(store.copy, body, content_type="image/jpeg")
        stored = store.port.head(store.copy)
        assert stored is not None
        assert store.port.get(store.copy, etag=stored.etag, max_bytes=100) == body
        seen = view(store)
        assert (seen.status_code, seen.content) == (200, body)
        assert seen.headers["Content-Type"] == "image/jpeg"
    store.port.delete(store.copy)
    assert view(store).status_code == 404


@pytest.mark.parametrize("key", ["kept/5f-ab", "copies/display/5f-ab.jpg", "users/u/photo/a-b.jpg"])
def test_clients_are_given_urls_to_put_to_incoming_only(store: Store, key: str) -> None:
    with pytest.raises(Forbidden):
        store.port.presign_put(key, content_type="image/jpeg", size_bytes=None, expires_in_s=60)


@pytest.mark.parametrize("key", ["kept/5f-ab", "incoming/u/photo/a-b.jpg"])
def test_nobody_is_given_a_url_to_read_what_a_client_wrote(store: Store, key: str) -> None:
    with pytest.raises(Forbidden):
        store.port.presign_get(key, expires_in_s=60)
    # of an installation that kept no copies
    assert store.port.presign_get("users/u/photo/a-b.jpg", expires_in_s=60)


def test_what_is_not_there(store: Store) -> None:
    assert store.port.head(store.key) is None
    for etag in (None, "0123456789abcdef"):
        with pytest.raises(NotFound):
            store.port.get(store.key, etag=etag, max_bytes=100)
    store.port.delete(store.key)
    assert view(store).status_code == 404


def test_deleting_is_for_good(store: Store) -> None:
    upload(store)
    store.port.delete(store.key)
    assert store.port.head(store.key) is None


def test_other_bytes_than_the_pinned_ones_are_not_read(store: Store) -> None:
    upload(store)
    stored = store.port.head(store.key)
    assert stored is not None
    store.port.delete(store.key)
    upload(store, body=b"something else")
    with pytest.raises(PhotoChanged):
        store.port.get(store.key, etag=stored.etag, max_bytes=100)


def test_an_object_above_the_limit_is_not_read(store: Store) -> None:
    upload(store)
    with pytest.raises(PhotoRefused) as caught:
        store.port.get(store.key, etag=None, max_bytes=len(BODY) - 1)
    assert caught.value.reason == "too_large"


def test_a_store_that_works_says_so(store: Store) -> None:
    assert store.port.check()["kind"] == store.kind


def test_what_was_signed_is_what_counts(store: Store) -> None:
    if not store.enforces:
        pytest.skip("this stand-in does not enforce what was signed")
    put = store.port.presign_put(
        store.key, content_type="image/jpeg", size_bytes=10, expires_in_s=60
    )
    jpeg = {"Content-Type": "image/jpeg"}
    for url, body, headers in (
        (put.url, b"x" * 11, jpeg),
        (put.url, b"x" * 9, jpeg),
        (put.url, b"x" * 10, {"Content-Type": "text/html"}),
        (put.url.replace("aa-bb", "aa-bc"), b"x" * 10, jpeg),
        (put.url.replace("size=10", "size=11"), b"x" * 11, jpeg),
        (re.sub("expires=", "expires=8", put.url, flags=re.IGNORECASE), b"x" * 10, jpeg),
        (store.port.presign_get(store.copy, expires_in_s=60), b"x" * 10, jpeg),
        (urlsplit(put.url)._replace(query="").geturl(), b"x" * 10, jpeg),
    ):
        answer = store.http.put(url, data=body, headers=headers, timeout=30)
        assert answer.status_code in (403, 413, 422), url
        assert store.port.head(store.key) is None
    assert store.http.get(put.url, timeout=30).status_code == 403
    done = store.http.put(put.url, data=b"x" * 10, headers=put.headers, timeout=30)
    assert done.status_code == 200


def test_a_url_expires(store: Store) -> None:
    if not store.enforces:
        pytest.skip("this stand-in does not enforce what was signed")
    store.port.put(store.copy, BODY, content_type="image/jpeg")
    url = store.port.presign_get(store.copy, expires_in_s=1)
    eventually(lambda: store.http.get(url, timeout=30).status_code == 403)


class TestFiles:
    """What only the folder promises."""

    def test_a_photo_is_written_once(self, files_store: Store) -> None:
        assert upload(files_store).status_code == 200
        assert upload(files_store).status_code == 200  # the same bytes: a client's retry
        assert upload(files_store, body=b"swapped afterwards").status_code == 409
        assert files_store.port.get(files_store.key, etag=None, max_bytes=100) == BODY

    def test_a_body_above_the_limit_is_refused_and_leaves_nothing(
        self, files_store: Store, folder: Path
    ) -> None:
        assert upload(files_store, body=b"x" * 1001).status_code == 413
        assert [p for p in folder.rglob("*") if p.is_file()] == []

    def test_what_is_refused_is_explained(self, files_store: Store) -> None:
        put = files_store.port.presign_put(
            files_store.key, content_type="image/jpeg", size_bytes=10, expires_in_s=60
        )
        jpeg = {"Content-Type": "image/jpeg"}
        for url, headers, status in (
            (put.url.replace("size=10", "size=9"), jpeg, 403),
            (put.url, jpeg, 413),
            (put.url.replace("aa-bb", "aa-bc"), jpeg, 403),
        ):
            answer = requests.put(url, data=b"x" * 11, headers=headers, timeout=30)
            assert answer.status_code == status
            assert answer.json()["error"]

    @pytest.mark.parametrize("key", ["../secret", "incoming/../../x", "/etc/passwd", "a//b", ".x"])
    def test_no_key_leaves_the_folder(self, files_store: Store, key: str) -> None:
        with pytest.raises(NotFound):
            files_store.port.head(key)
        with pytest.raises(NotFound):
            files_store.port.put(key, BODY, content_type="image/jpeg")

    def test_urls_survive_a_restart(self, files_store: Store, folder: Path) -> None:
        before = files_store.port.presign_get(files_store.copy, expires_in_s=60)
        parts = urlsplit(before)
        again = FilePhotoStore(folder, public_url=f"{parts.scheme}://{parts.netloc}", secret=SECRET)
        query = dict(pair.split("=") for pair in parts.query.split("&"))
        assert again.verify("GET", files_store.copy, query).key == files_store.copy

    def test_untrusted_bytes_cannot_act_as_a_page(self, files_store: Store) -> None:
        files_store.port.put(files_store.copy, BODY, content_type="image/jpeg")
        seen = view(files_store)
        assert seen.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in seen.headers["Content-Security-Policy"]

    def test_a_broken_disk_is_a_retryable_fault(self, tmp_path: Path) -> None:
        (tmp_path / "photos").write_text("not a folder")
        broken = FilePhotoStore(tmp_path / "photos", public_url="http://x", secret=SECRET)
        with pytest.raises(StorageUnavailable):
            broken.head("copies/thumb/aa-bb.jpg")
        with pytest.raises(StorageUnavailable):
            broken.put("copies/thumb/aa-bb.jpg", BODY, content_type="image/jpeg")
        with pytest.raises(StorageUnavailable):
            broken.check()

    @pytest.mark.parametrize("kind", ["webp", "avif", "png"])
    def test_a_view_says_its_type(self, files_store: Store, kind: str) -> None:
        key = files_store.copy.replace(".jpg", f".{kind}")
        files_store.port.put(key, BODY, content_type=f"image/{kind}")
        seen = requests.get(files_store.port.presign_get(key, expires_in_s=60), timeout=30)
        assert seen.headers["Content-Type"] == f"image/{kind}"

    def test_a_disk_that_fails_halfway_leaves_what_was_there(
        self, files_store: Store, folder: Path
    ) -> None:
        files_store.port.put(files_store.copy, BODY, content_type="image/jpeg")
        with full_disk(10_000), pytest.raises(StorageUnavailable, match="cannot store"):
            files_store.port.put(files_store.copy, b"x" * 100_000, content_type="image/jpeg")
        assert files_store.port.get(files_store.copy, etag=None, max_bytes=100) == BODY
        assert [p.name for p in folder.rglob("*") if p.is_file()] == ["aa-bb.jpg"]

    def test_a_folder_that_may_not_be_written_is_a_retryable_fault(
        self, files_store: Store, folder: Path
    ) -> None:
        folder.mkdir()
        (folder / "copies").write_text("in the way")
        with pytest.raises(StorageUnavailable, match="cannot store"):
            files_store.port.put(files_store.copy, BODY, content_type="image/jpeg")
        assert (folder / "copies").read_text() == "in the way"

    @pytest.mark.parametrize("key", ["kept/5f-ab", "incoming/u/photo/5f-ab.jpg"])
    def test_a_url_that_an_earlier_version_signed_reads_nothing_that_a_client_wrote(
        self, files_store: Store, key: str
    ) -> None:
        files_store.port.put(key, BODY, content_type="image/jpeg")
        for method, path in (("GET", key), ("PUT", "copies/display/5f-ab.jpg"), ("PUT", key)):
            if (method, path) == ("PUT", "incoming/u/photo/5f-ab.jpg"):
                continue
            url = signed_by_force(files_store, Grant(method=method, key=path))
            assert requests.request(method, url, data=b"", timeout=30).status_code == 403

    @pytest.mark.parametrize(
        "key",
        [
            "incoming/../copies/display/x.jpg",
            "incoming/..%2Fcopies/x.jpg",
            "copies/../kept/5f-ab",
            "copies/%2e%2e/kept/5f-ab",
            "copies//kept/5f-ab",
            "copies/..\\kept\\5f-ab",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_no_path_leads_from_one_prefix_to_another(
        self, files_store: Store, folder: Path, key: str, method: str
    ) -> None:
        files_store.port.put("kept/5f-ab", BODY, content_type="image/jpeg")
        # given even a good signature of exactly that key
        url = urlsplit(signed_by_force(files_store, Grant(method=method, key=unquote(key))))
        with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=30) as line:
            line.sendall(
                f"{method} {MOUNT}/{key}?{url.query} HTTP/1.1\r\nHost: x\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            answered = b"".join(iter(lambda: line.recv(65536), b""))
        assert int(answered.split()[1]) in (400, 403, 404, 422)
        assert BODY not in answered
        assert [p.name for p in folder.rglob("*") if p.is_file()] == ["5f-ab"]


def signed_by_force(store: Store, grant: Grant) -> str:
    """Sign whatever is asked, with the folder's own secret."""
    assert isinstance(store.port, FilePhotoStore)
    return store.port._sign(grant, 60)


@contextmanager
def full_disk(after_bytes: int) -> Iterator[None]:
    """Let every file of this process end after so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


KEY, COPY = (f"{prefix}/u~1%2F/photo/aa-bb.jpg" for prefix in ("incoming", "copies"))


class TestS3Urls:
    """What is signed: moto does not look at it."""

    @pytest.mark.parametrize(
        ("endpoint", "region", "address"),
        [
            (None, "eu-west-1", "https://photos.s3.eu-west-1.amazonaws.com"),
            ("https://acc.r2.cloudflarestorage.com", "auto", None),
            ("https://photos.example.com", "us-east-1", None),
            ("http://127.0.0.1:8333", "us-east-1", None),
        ],
    )
    def test_urls_name_the_host_that_clients_reach(
        self, endpoint: str | None, region: str, address: str | None
    ) -> None:
        inner, outer = client_of("http://inner:9000"), client_of(endpoint, region=region)
        with closing(S3PhotoStore(inner, "photos", presigner=outer)) as store:
            ticket = store.presign_put(
                KEY, content_type="image/jpeg", size_bytes=None, expires_in_s=60
            )
            for url, prefix in (
                (ticket.url, "incoming"),
                (store.presign_get(COPY, expires_in_s=60), "copies"),
            ):
                at = f"{address or f'{endpoint}/photos'}/{prefix}"
                assert url.partition("?")[0] == f"{at}/u~1%252F/photo/aa-bb.jpg"
                assert f"/{region}/s3/" in parse_qs(urlsplit(url).query)["X-Amz-Credential"][0]

    @pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
    @pytest.mark.parametrize("write_once", [False, True])
    @pytest.mark.parametrize("size_bytes", [None, 10])
    def test_an_upload_is_bound(
        self, region: str, write_once: bool, size_bytes: int | None
    ) -> None:
        client = client_of(None, region=region)
        with closing(
            S3PhotoStore(client, "photos", presigner=client, write_once=write_once)
        ) as store:
            ticket = store.presign_put(
                KEY, content_type="image/png", size_bytes=size_bytes, expires_in_s=5000
            )
        query = parse_qs(urlsplit(ticket.url).query)
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert query["X-Amz-Expires"] == ["900"]
        assert (ticket.method, ticket.bucket, ticket.expires_in_s) == ("PUT", "photos", 900)
        expected = {"Content-Type": "image/png"}
        if size_bytes is not None:
            expected["Content-Length"] = str(size_bytes)
        if write_once:
            expected["If-None-Match"] = "*"
        assert ticket.headers == expected
        signed = set(query["X-Amz-SignedHeaders"][0].split(";"))
        assert signed == {"host"} | {name.lower() for name in expected}
        assert not any("checksum" in name.lower() for name in query)

    def test_a_view_is_signed_for_its_time(self) -> None:
        client = client_of(None)
        with closing(S3PhotoStore(client, "photos", presigner=client)) as store:
            query = parse_qs(urlsplit(store.presign_get(COPY, expires_in_s=300)).query)
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert query["X-Amz-Expires"] == ["300"]

    def test_an_endpoint_that_is_none_is_refused(self) -> None:
        with pytest.raises(ConfigError):
            client_of("minio:9000")


def refusal(status: HTTPStatus, code: str) -> Fault:
    """Spell an error as S3 does."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return Fault(writes=answer(status, body, Content_Type="application/xml"))


ETAG = "0123456789abcdef"


def photo(etag: str = ETAG, *, length: int = len(BODY), then: str = "close") -> Fault:
    """Spell an answer to GET that claims ``length`` bytes."""
    written = answer(HTTPStatus.OK, BODY, length=length, ETag=f'"{etag}"')
    return Fault(writes=written, then="stall" if then == "stall" else "close")


@pytest.fixture
def faulty_store(faulty: FaultyServer) -> Iterator[S3PhotoStore]:
    """A store whose server misbehaves."""
    client = client_of(faulty.url, read_timeout_s=0.2)
    with closing(S3PhotoStore(client, "photos", presigner=client)) as store:
        yield store


@pytest.fixture
def s3_limit(faulty: FaultyServer) -> Iterator[S3PhotoStore]:
    """One that waits for a photo 0.6 s at most."""
    client = client_of(faulty.url, read_timeout_s=5)
    store = S3PhotoStore(client, "photos", presigner=client, get_within_s=0.6, put_within_s=0.6)
    with closing(store):
        yield store


class TestS3:
    """What only the bucket promises."""

    def test_with_write_once_nothing_is_replaced(self, s3_client: S3Client) -> None:
        port = S3PhotoStore(s3_client, "photos", presigner=s3_client, write_once=True)
        store = Store(
            port=port, kind="s3", enforces=False, key=f"incoming/{uuid4()}/photo/aa-bb.jpg"
        )
        assert upload(store).status_code == 200
        assert upload(store, body=b"swapped afterwards").status_code == 412
        assert port.get(store.key, etag=None, max_bytes=100) == BODY

    def test_a_large_photo_comes_whole(self, s3_store: Store) -> None:
        body = os.urandom(3_000_000)
        upload(s3_store, body=body)
        stored = s3_store.port.head(s3_store.key)
        assert stored is not None
        assert s3_store.port.get(s3_store.key, etag=stored.etag, max_bytes=20_000_000) == body

    def test_a_bucket_that_is_not_there(self, s3_client: S3Client) -> None:
        store = S3PhotoStore(s3_client, "none", presigner=s3_client)
        with pytest.raises(ConfigError, match="S3_BUCKET_PHOTOS"):
            store.check()
        with pytest.raises(StorageUnavailable, match="S3_BUCKET_PHOTOS"):
            store.get("x", etag=None, max_bytes=1)
        with pytest.raises(StorageUnavailable, match="S3_BUCKET_PHOTOS"):
            store.delete("x")

    @pytest.mark.parametrize(
        "fault",
        [
            refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError"),
            refusal(HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown"),
            Fault(writes=b"SSH-2.0-OpenSSH\r\n"),
            Fault(then="close"),
            Fault(then="reset"),
            Fault(then="stall"),
            photo(length=len(BODY) + 1),
            photo(length=len(BODY) + 1, then="stall"),
            Fault(writes=answer(HTTPStatus.OK, b"<html>Welcome to nginx!</html>")),
            Fault(writes=b'HTTP/1.1 200 OK\r\nETag: "0123456789abcdef"\r\n\r\n' + BODY),
            Fault(
                writes=b'HTTP/1.1 200 OK\r\nETag: "0123456789abcdef"\r\n'
                b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
            ),
        ],
        ids=[
            "500",
            "slow down",
            "no HTTP",
            "closed",
            "reset",
            "stalled",
            "cut short",
            "stalled half-way",
            "no S3",
            "no length",
            "cut short in a chunk",
        ],
    )
    def test_a_faulty_server_gives_no_photo(
        self, faulty: FaultyServer, faulty_store: S3PhotoStore, fault: Fault
    ) -> None:
        faulty.fault = fault
        started = time.monotonic()
        with pytest.raises(StorageUnavailable):
            faulty_store.get(KEY, etag=ETAG, max_bytes=100)
        # the server stalls for 30 s
        assert time.monotonic() - started < 15
        assert len(faulty.bodies) <= 2

    def test_a_stalled_server_is_waited_for_twice(
        self, faulty: FaultyServer, faulty_store: S3PhotoStore
    ) -> None:
        faulty.fault = Fault(then="stall")
        started = time.monotonic()
        with pytest.raises(StorageUnavailable):
            faulty_store.head(KEY)
        assert time.monotonic() - started < 15
        assert len(faulty.bodies) == 2

    @pytest.mark.parametrize("part", ["head", "body"])
    @pytest.mark.parametrize("whose", ["own", "the photo's"])
    def test_bytes_that_drip_do_not_prolong_it(
        self, faulty: FaultyServer, s3_limit: S3PhotoStore, part: str, whose: str
    ) -> None:
        # given a server that answers byte by byte, each of them within the timeout of one read
        body = answer(HTTPStatus.OK, b"x", length=100_000, ETag=f'"{ETAG}"')
        faulty.fault = Fault(
            writes=body if part == "body" else b"HTTP/1.1 200 OK\r\nX-A: ", then="drip"
        )
        # then it is given up in time; the store is not blamed for the photo's short time
        late = whose == "the photo's"
        with pytest.raises(OutOfTime if late else StorageUnavailable):
            s3_limit.get(
                KEY,
                etag=ETAG,
                max_bytes=100_000,
                deadline=Deadline.after(0.3 if late else 60),
            )
        assert not faulty.drained

    @pytest.mark.parametrize(
        "fault",
        [
            refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError"),
            refusal(HTTPStatus.BAD_REQUEST, "BadDigest"),
            refusal(HTTPStatus.INSUFFICIENT_STORAGE, "InsufficientStorage"),
            Fault(then="close"),
            Fault(then="reset"),
            Fault(then="stall"),
            Fault(writes=b"HTTP/1.1 200 OK\r\nX-A: ", then="drip"),
        ],
        ids=["500", "other bytes arrived", "full", "closed", "reset", "stalled", "drips"],
    )
    def test_a_faulty_server_keeps_nothing_that_counts(
        self, faulty: FaultyServer, s3_limit: S3PhotoStore, fault: Fault
    ) -> None:
        faulty.fault = fault
        with pytest.raises(StorageUnavailable):
            s3_limit.put(COPY, BODY, content_type="image/jpeg")
        assert set(faulty.bodies) == {BODY}
        assert not faulty.drained

    def test_what_changes_on_the_way_is_noticed(
        self, faulty: FaultyServer, s3_limit: S3PhotoStore
    ) -> None:
        faulty.fault = Fault(writes=answer(HTTPStatus.OK, ETag=f'"{ETAG}"'))
        s3_limit.put(COPY, BODY, content_type="image/webp")
        digest = b64encode(md5(BODY, usedforsecurity=False).digest())
        assert faulty.bodies == [BODY]
        assert faulty.heads[0].lower().count(b"\r\ncontent-md5: " + digest.lower() + b"\r\n") == 1
        assert b"content-type: image/webp" in faulty.heads[0].lower()

    def test_a_server_that_stalls_is_not_waited_for_beyond_the_deadline(
        self, faulty: FaultyServer, s3_client: S3Client
    ) -> None:
        client = client_of(faulty.url, read_timeout_s=20)
        faulty.fault = Fault(then="stall")
        with (
            closing(S3PhotoStore(client, "photos", presigner=s3_client)) as store,
            pytest.raises(OutOfTime),
        ):
            store.get(KEY, etag=ETAG, max_bytes=100, deadline=Deadline.after(0.2))
        assert len(faulty.bodies) == 1  # not the second try, after 20 s

    def test_a_sound_server_gives_it(
        self, faulty: FaultyServer, faulty_store: S3PhotoStore
    ) -> None:
        faulty.fault = photo()
        assert faulty_store.get(KEY, etag=ETAG, max_bytes=100) == BODY

    @pytest.mark.parametrize(
        "fault",
        [refusal(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed"), photo("of another photo")],
        ids=["412", "a store that does not know If-Match"],
    )
    def test_another_photo_is_noticed(
        self, faulty: FaultyServer, faulty_store: S3PhotoStore, fault: Fault
    ) -> None:
        faulty.fault = fault
        with pytest.raises(PhotoChanged):
            faulty_store.get(KEY, etag=ETAG, max_bytes=100)

    def test_a_body_above_the_limit_is_not_waited_for(
        self, faulty: FaultyServer, faulty_store: S3PhotoStore
    ) -> None:
        faulty.fault = photo(length=10**12, then="stall")
        with pytest.raises(PhotoRefused):
            faulty_store.get(KEY, etag=ETAG, max_bytes=20_000_000)

    def test_denied_access_is_never_taken_for_a_missing_photo(
        self, faulty: FaultyServer, faulty_store: S3PhotoStore
    ) -> None:
        faulty.fault = refusal(HTTPStatus.FORBIDDEN, "AccessDenied")
        calls: list[Callable[[], object]] = [
            lambda: faulty_store.head(KEY),
            lambda: faulty_store.get(KEY, etag=None, max_bytes=1),
            lambda: faulty_store.put(COPY, BODY, content_type="image/jpeg"),
            lambda: faulty_store.delete(KEY),
        ]
        for call in calls:
            with pytest.raises(StorageUnavailable, match="s3:ListBucket"):
                call()
        with pytest.raises(ConfigError, match="s3:ListBucket"):
            faulty_store.check()

    def test_a_store_that_does_not_answer_is_a_retryable_fault(
        self, faulty: FaultyServer, faulty_store: S3PhotoStore
    ) -> None:
        calls: list[Callable[[], object]] = [
            lambda: faulty_store.head(KEY),
            lambda: faulty_store.delete(KEY),
            faulty_store.check,
        ]
        for call in calls:
            with pytest.raises(StorageUnavailable):
                call()

    def test_more_than_was_signed_is_refused_before_it_is_read(self, files_store: Store) -> None:
        ticket = files_store.port.presign_put(
            KEY, content_type="image/jpeg", size_bytes=100, expires_in_s=60
        )
        for body in (b"x" * 101, iter([b"x" * 60, b"x" * 60])):
            answer = requests.put(
                ticket.url, data=body, headers={"Content-Type": "image/jpeg"}, timeout=30
            )
            assert answer.status_code == 413

    @pytest.mark.parametrize(
        "query", ["signature=%C3%A9", "size=%C2%B2&expires=1", f"size={'9' * 5000}", "expires=x"]
    )
    def test_nonsense_in_a_url_is_a_wrong_signature(self, files_store: Store, query: str) -> None:
        url = urlsplit(files_store.port.presign_get(COPY, expires_in_s=60))
        answer = requests.get(url._replace(query=query).geturl(), timeout=30)
        assert answer.status_code == 403
        assert answer.headers["Content-Type"] == "application/problem+json"
